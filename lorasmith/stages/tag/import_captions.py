"""Captions of another layout taken in for the pictures that are here; one entry of the history."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import UsageError
from lorasmith.project.encodings import decode
from lorasmith.project.pictures import REFUSED, Decision, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.safety import any_refused
from lorasmith.stages.tag.edit_tags import STAGE

_SIDECARS = (".txt", ".caption", ".cap", ".tags", ".json")
SOURCE = "sidecar"  # the source of tags that came with a picture


@dataclass(frozen=True)
class ImportedCaptions:
    """What was taken in."""

    applied: bool
    captions: int  # found in the source
    pictures: int  # that got tags
    tags: int
    refused: int  # captions that mark minors: their pictures are put out
    without_picture: tuple[str, ...]
    next: str = ""


def import_captions(project: Project, source: Path, *, add: bool = False, preview: bool = False) -> ImportedCaptions:
    """Reads captions and enters their tags as what came with the pictures, in place of what did before or beside it."""
    found = _read(source)
    pictures = _by_word(project)
    fitting = {name: [pictures[word] for word in _words(name) if word in pictures] for name in found}
    lost = tuple(name for name, its in fitting.items() if not its)
    wanted: dict[str, list[str]] = {}
    for name, its in fitting.items():
        for picture in its[:1]:
            wanted.setdefault(picture, []).extend(found[name])
    refused = [name for name, tags in wanted.items() if any_refused(tags)]
    if not preview:
        with project.change(STAGE, f"import captions of {source.name}"), project.transaction():
            for name, tags in wanted.items():
                if name in refused:
                    project.pictures.decide(name.split(".")[0], Decision("drop", REFUSED, "refused"), maker=REFUSED)
                else:
                    _enter(project, name, tags, add)
    kept = {name: tags for name, tags in wanted.items() if name not in refused}
    return ImportedCaptions(
        not preview, len(found), len(kept), sum(map(len, kept.values())), len(refused), lost[:40],
        "" if preview or not kept else "`lorasmith tag` writes the captions; `lorasmith undo` takes this back.",
    )  # fmt: skip


def _enter(project: Project, name: str, tags: list[str], add: bool) -> None:
    """Enters the tags of a picture, and on what was made from it all but the framing, which is its own."""
    from lorasmith.tags.groups import group_of

    _enter_one(project, name, tags, add)
    for edit in project.pictures.all_edits_of(name):
        _enter_one(project, edit.name, [tag for tag in tags if group_of(tag) != "framing"], add)


def _enter_one(project: Project, name: str, tags: list[str], add: bool) -> None:
    rows = project.pictures.tags(name)
    known = {row.tag: row.category for row in rows}
    said = [row for row in rows if row.source == SOURCE] if add else []
    said += [Tag(tag, known.get(tag, "general"), SOURCE) for tag in tags]
    project.pictures.set_tags(name, SOURCE, {row.tag: row for row in reversed(said)}.values())


def _read(source: Path) -> dict[str, list[str]]:
    from lorasmith.tags.layouts import SUFFIXES, read_layout

    if source.is_dir():
        found = dict(_of_folder(source))
        if not found:
            raise UsageError(f"{source} holds no captions ({', '.join(_SIDECARS)}).")
        return found
    if not source.is_file():
        raise UsageError(f"{source} is missing; name a folder of captions, or a {', '.join(SUFFIXES)} file.")
    if source.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{source.name} is no layout that is known; name a folder of captions, or a {', '.join(SUFFIXES)} file.")
    try:
        return read_layout(_text_of(source), source.suffix.lower())
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error


def _text_of(file: Path) -> str:
    """Reads a file of captions; raises `UsageError` for one that is no text."""
    read = decode(file.read_bytes())
    if read.damaged:
        raise UsageError(f"{file} is no text; write it anew or remove it.")
    return read.text


def _of_folder(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields the captions of a folder, a file a picture; the first suffix of a name counts."""
    from lorasmith.stages.add.stage import read_sidecar
    from lorasmith.tags.layouts import read_tags, stem_of

    seen = set()
    for file in sorted(source.rglob("*"), key=lambda file: (file.stem, _place(file))):
        if file.suffix.lower() not in _SIDECARS or not file.is_file() or file.stem in seen:
            continue
        seen.add(file.stem)
        if file.suffix.lower() == ".json":
            tags = list(read_sidecar(file)[0])
        else:
            tags = read_tags(_text_of(file))
        if tags:
            yield stem_of(file.stem), tags


def _place(file: Path) -> int:
    return _SIDECARS.index(file.suffix.lower()) if file.suffix.lower() in _SIDECARS else len(_SIDECARS)


def _words(name: str) -> list[str]:
    """Gives what a caption's file may be called after: the picture's name, its own file's, a post's number, an md5."""
    lower = name.casefold()
    return list(dict.fromkeys((lower, lower.split(" ")[0], lower.rpartition("_")[2])))


def _by_word(project: Project) -> Mapping[str, str]:
    """Gives the pictures by all they may be called; a word that means two of them means none."""
    found: dict[str, str] = {}
    double: set[str] = set()
    for picture in project.pictures.all():
        for word in _called(picture):
            if found.setdefault(word, picture.name) != picture.name:
                double.add(word)
    return {word: name for word, name in found.items() if word not in double}


def _called(picture: Picture) -> set[str]:
    from lorasmith.tags.layouts import stem_of

    words = {picture.name.casefold()}
    if picture.parent is None:
        words |= {picture.md5.casefold(), stem_of(str(picture.post.get("file_name", ""))).casefold()}
        words.add(str(picture.post.get("id", "")))
    return words - {""}
