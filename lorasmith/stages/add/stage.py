"""add: a folder of a person's own pictures, with sidecars or without, becomes part of the project."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorasmith.errors import PictureError, UsageError
from lorasmith.files import demand_space, sha256_of, write_atomic
from lorasmith.folders import cache_folder
from lorasmith.progress import Progress, Report, silent
from lorasmith.project import encodings
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.safety import any_refused, demand_safe_text, text_is_refused

_SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif"])
_SIDECARS = (".txt", ".caption", ".json")


@dataclass(frozen=True)
class Added:
    """What add did."""

    found: int
    added: int
    already: int
    with_tags: int
    refused: int  # carry a tag that marks minors: counted, not copied
    failed: tuple[str, ...]  # sentences


def add_source(project: Project, source: Path, report: Report = silent) -> Added:
    """Adds the pictures of a folder or of a zip, or one picture."""
    if source.suffix.lower() in _SUFFIXES and source.is_file():
        return _add_files(project, [source.resolve()], source.resolve().parent, report)
    if source.is_dir() or source.suffix.lower() != ".zip":
        return add_folder(project, source, report)
    if not source.is_file():
        raise UsageError(f"There is no file {source}; check the path.")
    demand_safe_text(source.stem.replace("_", " "), "file name")
    from lorasmith.stages.add.unpack import unpacked

    with unpacked(source, _SUFFIXES | frozenset(_SIDECARS), cache_folder() / "unpacked") as (folder, refused):
        if not any(path.suffix.lower() in _SUFFIXES for path in folder.iterdir()):
            if refused:
                return Added(refused, 0, 0, 0, refused, ())
            raise UsageError(f"{source} holds no pictures ({', '.join(sorted(_SUFFIXES))}).")
        added = add_folder(project, folder, report)
        failed = tuple(words.replace(str(folder), str(source)) for words in added.failed)
    return replace(added, found=added.found + refused, refused=added.refused + refused, failed=failed)


def add_folder(project: Project, source: Path, report: Report = silent) -> Added:
    """Copies the pictures of a folder (and its sub-folders) into the project; the same file is taken once."""
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder; give the folder that holds the pictures.")
    source = source.resolve()
    demand_safe_text(source.name.replace("_", " "), "folder name")
    files = picture_files(source, project.folder)
    if not files:
        raise UsageError(f"{source} holds no pictures ({', '.join(sorted(_SUFFIXES))}).")
    return _add_files(project, files, source, report)


def _add_files(project: Project, files: Sequence[Path], source: Path, report: Report) -> Added:
    """Copies pictures; `source` is the folder that they were given with."""
    demand_space(project.folder, sum(path.stat().st_size for path in files))
    counts = {"added": 0, "already": 0, "refused": 0, "with tags": 0}
    failed: list[str] = []
    with project.change("add", f"add {len(files)} files"):
        for done, path in enumerate(files):
            report(Progress("add", done, len(files), path.name))
            try:
                outcomes = _add_one(project, path, source)
            except PictureError as error:
                failed.append(str(error))
                continue
            except PermissionError as error:
                failed.append(
                    f"{path} cannot be read ({error.strerror}); close the program that holds it, or check its rights."
                )
                continue
            for outcome in outcomes:
                counts[outcome] += 1
    report(Progress("add", len(files), len(files), "done"))
    return Added(len(files), counts["added"], counts["already"], counts["with tags"], counts["refused"], tuple(failed))


def picture_files(source: Path, project: Path) -> list[Path]:
    """Lists the picture files below a folder; what lies in the project itself (crops, samples, renders) is left out."""
    return sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.is_relative_to(project)
    )


def is_refused_file(path: Path, source: Path) -> bool:
    """Says whether a file's name, a folder between it and the source, or any sidecar beside it marks minors."""
    names = [*path.relative_to(source).parent.parts, path.stem]
    if any(text_is_refused(name.replace("_", " ")) for name in names):
        return True
    return any(_says_refused(file) for file in sidecars_of(path))


def _says_refused(sidecar: Path) -> bool:
    """Says whether a sidecar marks minors, by its letters or, where it is JSON, by what they stand for."""
    text = decode(sidecar.read_bytes())
    if sidecar.suffix != ".json":
        return text_is_refused(text)
    try:
        words = list(_words_in(json.loads(text)))
    except (ValueError, RecursionError):
        return text_is_refused(text)
    return any(text_is_refused(word) for word in words)


def _words_in(value: Any, within: str = "") -> Iterator[str]:
    """Gives the texts in JSON; names of fields are none (`children` is one), but under `tags` they may be tags."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _words_in(each, within)
    elif isinstance(value, dict):
        for name, each in value.items():
            if within == "tags":
                yield name
            yield from _words_in(each, name)


def _folder_of(path: Path, source: Path) -> str:
    """Gives the folders that a file was added with, from the given one on: what the filter `folder:` asks for."""
    inside = path.parent.relative_to(source).parts if path.is_relative_to(source) else ()
    return "/".join((source.name, *inside))


def _add_one(project: Project, path: Path, source: Path) -> tuple[str, ...]:
    """Adds one file; gives the words that count it."""
    from lorasmith.imaging.read import open_picture, read_head
    from lorasmith.imaging.signatures import true_extension

    sha = sha256_of(path)
    name = f"own_{sha[:12]}"
    known = project.pictures.find(name)
    if known is not None and project.file_of(known).exists() and not known.trashed:
        return ("already",)
    tags, _ = read_sidecar(path)
    if is_refused_file(path, source) or any_refused(tags):
        return ("refused",)
    image = open_picture(path)
    target = project.images / f"{name}.{true_extension(read_head(path))}"
    write_atomic(target, path.read_bytes())
    with project.transaction():
        project.pictures.add(
            Picture(
                name, origin="folder", post={"file_name": path.name, "folder": _folder_of(path, source)},
                **facts_of(project.folder, target, image.size),
            )
        )
        project.pictures.set_tags(name, "sidecar", [Tag(tag, category, "sidecar") for tag, category in tags.items()])
    return ("added", "with tags") if tags else ("added",)


def read_sidecar(path: Path) -> tuple[dict[str, str], str]:
    """Reads the tags (tag -> category) beside a picture, and the whole text; empty where there is no sidecar.

    Understands captions with commas (.txt, .caption) and JSON with a list, a text or a mapping of categories under `tags`.
    """
    for file in sidecars_of(path):
        read = encodings.decode(file.read_bytes())
        text = read.text
        if read.damaged:
            raise PictureError(f"{file} is no text; write it anew or remove it, then add the folder again.")
        return (_from_json(text, file) if file.suffix == ".json" else _from_text(text)), text
    return {}, ""


def sidecars_of(path: Path) -> list[Path]:
    """Lists the sidecars beside a picture (`a.txt`, `a.png.txt`, ...), the one whose tags count first."""
    places = (place for suffix in _SIDECARS for place in (path.with_suffix(suffix), path.with_name(path.name + suffix)))
    return [place for place in places if place.is_file()]


def decode(data: bytes) -> str:
    """Decodes a sidecar in any of the usual encodings."""
    return encodings.decode(data).text


def _from_text(text: str) -> dict[str, str]:
    from lorasmith.tags.captions import tags_of_caption

    return dict.fromkeys(tags_of_caption(text), "general")


def _from_json(text: str, file: Path) -> dict[str, str]:
    try:
        value: Any = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise PictureError(
            f"{file} is not valid JSON ({error}); correct it or remove it, then add the folder again."
        ) from error
    if isinstance(value, dict) and isinstance(value.get("post"), dict):  # e621's own answer for one post
        value = value["post"]
    if isinstance(value, dict):
        value = _tags_in(value)
    if isinstance(value, str):
        return _from_text(value) if "," in value else dict.fromkeys(value.split(), "general")
    if isinstance(value, list):
        return {str(tag): "general" for tag in value}
    if isinstance(value, dict):
        return {str(tag): str(category) for category, tags in value.items() if isinstance(tags, list) for tag in tags}
    return {}


def _tags_in(post: dict[str, Any]) -> Any:
    """Finds the tags in a JSON sidecar: `tags`, `caption`, or one field a category (`tags_artist`, `tag_string_artist`)."""
    if isinstance(post.get("tags"), list | dict) or (isinstance(post.get("tags"), str) and post["tags"]):
        return post["tags"]
    by_category = {
        name.removeprefix(start): tags.split() if isinstance(tags, str) else tags
        for name, tags in post.items()
        for start in ("tags_", "tag_string_")
        if name.startswith(start)
    }
    return by_category or post.get("tag_string") or post.get("caption", [])
