"""A tagger's labels in the order of the model's outputs: out of `selected_tags.csv`, or a list in JSON or plain text."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import TaggerError
from lorasmith.taggers.models import LABEL_FILES

# Category numbers of the boards. 5 is meta on Danbooru and species on e621.
_CATEGORIES = {
    "0": "general",
    "1": "artist",
    "3": "copyright",
    "4": "character",
    "5": "species",
    "7": "meta",
    "8": "lore",
    "9": "rating",
}
_NAME_COLUMNS = ("name", "tag")
_THRESHOLD_COLUMN = "best_threshold"  # the lists of the animetimm family
_RATINGS = frozenset(["explicit", "questionable", "sensitive", "safe"])
PICTURE_CATEGORIES = frozenset(["general", "species", "meta"])
PLACEHOLDER = "placeholder"  # the category of outputs that mean nothing


@dataclass(frozen=True)
class Label:
    """One output of a tagger: a tag, its category by name, and the threshold that its list gives it, if it does."""

    name: str
    category: str
    threshold: float | None = None


def find_label_file(folder: Path) -> Path | None:
    """Finds the tag list beside a model, by the names it is given in the wild."""
    return next((folder / name for name in LABEL_FILES if (folder / name).is_file()), None)


def read_labels(path: Path, before: Sequence[str] = (), after: Sequence[str] = ()) -> tuple[Label, ...]:
    """Reads a tag list; raises `TaggerError` when it is none. `before` and `after` are outputs that it leaves out.

    CSV: `tag_id,name,category,count`, columns found by name. JSON: a list of names, name -> place, or
    place -> {"tag", "category"}. Text: a name on a line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        labels = _READERS.get(path.suffix.lower(), _from_csv)(path, text)
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise TaggerError(f"The tag list {path} is damaged, or not in utf-8 ({error}); fetch it again.") from error
    return (*(_extra(name) for name in before), *labels, *(_extra(name) for name in after))


def vocabulary_of(labels: Sequence[Label]) -> str:
    """Says whose tags a list has: "danbooru" (it knows `1girl`), "e621" (`anthro` and `mammal`), or "" for neither."""
    names = {label.name for label in labels}
    if "1girl" in names:
        return "danbooru"
    return "e621" if {"anthro", "mammal"} <= names else ""


def scores_by_tag(
    labels: Sequence[Label], scores: Sequence[float], categories: frozenset[str] = PICTURE_CATEGORIES
) -> dict[str, float]:
    """Gives one picture's scores by tag, for the labels of the categories (ratings and characters are left out)."""
    return {
        label.name: float(score) for label, score in zip(labels, scores, strict=True) if label.category in categories
    }


def _from_csv(path: Path, text: str) -> list[Label]:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    column = next((name for name in _NAME_COLUMNS if rows and name in rows[0]), None)
    if column is None:
        raise TaggerError(f"The tag list {path} has no rows or no column 'name'; it begins with tag_id,name,category.")
    names = [(row[column] or "").strip() for row in rows]
    if "" in names:
        raise TaggerError(f"Row {names.index('') + 2} of the tag list {path} has no name; fetch the file again.")
    is_danbooru = "1girl" in names
    return [
        Label(name, _category(row.get("category") or "0", is_danbooru), _number(row.get(_THRESHOLD_COLUMN)))
        for name, row in zip(names, rows, strict=True)
    ]


def _from_json(path: Path, text: str) -> list[Label]:
    content: Any = json.loads(text)
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return [_plain(name) for name in content]
    if not isinstance(content, dict) or not content:
        raise TaggerError(f"The tag list {path} is neither a list of names nor a table of them; fetch it again.")
    placed = dict(_placed(path, key, value) for key, value in content.items())
    missing = next((place for place in range(max(placed) + 1) if place not in placed), None)
    if missing is not None or len(placed) != len(content):
        raise TaggerError(f"The tag list {path} has no tag, or two, at place {missing or 0}; fetch it again.")
    return [placed[place] for place in range(len(placed))]


def _placed(path: Path, key: str, value: Any) -> tuple[int, Label]:
    """Reads one entry of a JSON table: name -> place, place -> name, or place -> {"tag", "category"}."""
    if isinstance(value, Mapping) and key.isdigit() and "tag" in value:
        return int(key), Label(str(value["tag"]), str(value.get("category", "general")).lower())
    if isinstance(value, int):
        return value, _plain(key)
    if isinstance(value, str) and key.isdigit():
        return int(key), _plain(value)
    raise TaggerError(f"The tag list {path} has an entry that is no tag: '{key}'. Fetch it again.")


def _from_text(path: Path, text: str) -> list[Label]:
    names = [line.strip() for line in text.splitlines()]
    if not any(names) or "" in names:
        raise TaggerError(f"The tag list {path} is empty or has empty lines; it has one name on each line.")
    return [_plain(name) for name in names]


_READERS = {".json": _from_json, ".txt": _from_text}


def _plain(name: str) -> Label:
    return Label(name.strip().replace(" ", "_"), "general")


def _extra(name: str) -> Label:
    return Label(name, "rating" if name in _RATINGS else PLACEHOLDER)


def _category(written: str, is_danbooru: bool) -> str:
    if written.strip() == "5" and is_danbooru:
        return "meta"
    return _CATEGORIES.get(written.strip(), written.strip().lower())


def _number(written: str | None) -> float | None:
    try:
        return float(written) if written else None
    except ValueError:
        return None
