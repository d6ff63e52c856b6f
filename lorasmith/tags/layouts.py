"""Captions as other tools lay them out, read as file name -> tags: kohya's metadata JSON, JSON lines, CSV, weighted tags.

Sources: sd-scripts' `finetune/` metadata (a mapping of path to `caption` and `tags`), the Hub's imagefolder (`metadata.jsonl`
with `file_name` and `text`), tables of two columns. Weights, as WebUIs and some editors write them, are taken off.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.tags.captions import tags_of_caption

_FILES = ("file_name", "filename", "file", "image", "image_path", "path", "name", "id", "md5")
_TEXTS = ("tags", "tag_string", "caption", "text", "prompt", "captions", "caption_text")
_WEIGHTED = re.compile(r"^([(\[{]+)(.*?)(?::\s*[+-]?\d*\.?\d+)?([)\]}]+)$")
SUFFIXES = (".json", ".jsonl", ".csv", ".tsv")


def read_layout(text: str, suffix: str) -> dict[str, list[str]]:
    """Reads a file that holds the captions of many pictures; raises `UsageError` where it is none that is known."""
    readers = {".json": _of_json, ".jsonl": _of_lines, ".csv": _of_table, ".tsv": _of_table}
    found: dict[str, list[str]] = {}
    try:
        for name, said in readers[suffix](text):
            found.setdefault(stem_of(name), []).extend(said)
    except (ValueError, RecursionError, csv.Error) as error:
        raise UsageError(f"It cannot be read as {suffix[1:].upper()} ({error}); correct it, or save it anew.") from error
    found = {name: list(dict.fromkeys(tags)) for name, tags in found.items() if name and tags}
    if not found:
        raise UsageError(
            "It names no pictures with captions: needed are kohya's {path: {caption, tags}}, or rows with file_name and text."
        )
    return found


def read_tags(text: str) -> list[str]:
    """Reads one caption, in one line or several, with weights or without."""
    return list(dict.fromkeys(filter(None, map(_without_weight, tags_of_caption(text)))))


def stem_of(name: str) -> str:
    """Gives a file's name without folder and suffix, however the path was written; dots inside a name stay."""
    last = PurePath(str(name).replace("\\", "/")).name
    stem, dot, suffix = last.rpartition(".")
    return stem if dot and suffix.isalnum() and not suffix.isdigit() and len(suffix) <= 5 else last


def _without_weight(tag: str) -> str:
    """Takes the brackets of a weight off: `(smile:1.2)`, `((smile))`; those of a name (`fox_(species)`) stay."""
    found = _WEIGHTED.match(tag)
    if found is None or len(found[1]) != len(found[3]) or re.search(r"[()\[\]{}]", found[2]):
        return tag
    return found[2].strip("_ ") if re.search(r"\w{2}", found[2]) else tag


def _of_json(text: str) -> Iterator[tuple[str, list[str]]]:
    value = json.loads(text)
    if isinstance(value, Mapping):
        for name, said in value.items():
            yield str(name), _said(said)
    elif isinstance(value, list):
        yield from _rows(value)
    else:
        raise ValueError("neither an object nor a list")


def _of_lines(text: str) -> Iterator[tuple[str, list[str]]]:
    yield from _rows([json.loads(line) for line in text.splitlines() if line.strip()])


def _of_table(text: str) -> Iterator[tuple[str, list[str]]]:
    head = text.splitlines()[0] if text.strip() else ""
    dialect = "excel-tab" if "\t" in head else "excel"
    if ";" in head and "," not in head.split(";")[0] and dialect == "excel":
        yield from _rows(list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";")))
        return
    yield from _rows(list(csv.DictReader(io.StringIO(text, newline=""), dialect=dialect)))


def _rows(rows: list[Any]) -> Iterator[tuple[str, list[str]]]:
    for row in rows:
        if not isinstance(row, Mapping):
            raise ValueError("a row is no object")
        names = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
        name = next((str(names[key]) for key in _FILES if names.get(key)), "")
        if name:
            yield name, _said(names)


def _said(value: Any) -> list[str]:
    """Gives the tags in whatever stands for one picture's caption."""
    if isinstance(value, str):
        return read_tags(value if "," in value or "\n" in value or " " not in value or "_" not in value else value.replace(" ", ", "))
    if isinstance(value, list):
        return [tag for each in value for tag in (read_tags(each) if isinstance(each, str) else [])]
    if isinstance(value, Mapping):
        return [tag for key in _TEXTS if value.get(key) for tag in _said(value[key])]
    return []
