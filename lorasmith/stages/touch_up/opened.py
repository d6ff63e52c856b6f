"""One picture as touch-up sees it: its marks by their numbers, and the versions that led to what stands for it now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.project.pictures import PERSON, VERSIONS, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.stages.prepare.suggestions import root_of
from lorasmith.stages.touch_up.again import PART, chain_of, erases, standing
from lorasmith.stages.touch_up.erasing import KINDS, PAINTED, REPEATED, marks_of, told_of
from lorasmith.stages.touch_up.work import Sides, Work, choice_of

LOOKED_FOR = tuple(kind for kind in KINDS if kind not in (REPEATED, PAINTED))


@dataclass(frozen=True)
class Version:
    """One version of a picture: what was done to which other one, and whether it stands."""

    name: str
    file: str
    sha256: str
    parent: str
    what: str
    tags_gone: tuple[str, ...]
    verdict: str  # keep or drop
    said: bool  # a person said so
    standing: bool  # training starts from it


@dataclass(frozen=True)
class Opened:
    """A picture with its marks; where something was erased in it, the marks are those of that erasing, on what it started from."""

    name: str
    source: str
    file: str
    sha256: str
    width: int
    height: int
    again: bool
    marks: tuple[Mapping[str, Any], ...]
    boxes: tuple[Sides, ...]  # that a person erased as well
    versions: tuple[Version, ...]


def opened(project: Project, name: str) -> Opened:
    """Looks at what stands for a picture; finding marks takes a second or two."""
    root = root_of(project, name)
    leaves = standing(project, root.name)
    if len(leaves) > 1:
        raise UsageError(f"{root.name} was split into {', '.join(leaf.name for leaf in leaves)}; open one of them.")
    leaf = leaves[0]
    erasing = next((version for version in reversed(chain_of(project, leaf)) if erases(version)), None)
    source = leaf if erasing is None else project.pictures.get(erasing.parent or "")
    record = {} if erasing is None else dict(erasing.operation or {})
    if erasing is None:
        marks = _found(project, source)
    else:
        marks = [mark for step in record.get("steps", ()) for mark in step.get("marks", ())]
    boxes = choice_of(record.get("choice", {})).boxes
    return Opened(
        root.name, source.name, source.file, source.sha256, source.width, source.height, erasing is not None, tuple(marks), boxes,
        tuple(_versions(project, root, leaf)),
    )  # fmt: skip


def _found(project: Project, source: Picture) -> list[dict[str, Any]]:
    from lorasmith.imaging.read import open_picture

    work = Work(open_picture(project.file_of(source)), tuple(project.pictures.said(source.name)))
    _, marks = marks_of(work, set(LOOKED_FOR))
    return [told_of(work, mark, number) for number, mark in enumerate(marks, 1)]


def _versions(project: Project, root: Picture, leaf: Picture) -> list[Version]:
    """Lists the picture and its versions, the oldest first; those of parts that were split off are the parts' own."""
    chain = {each.name for each in chain_of(project, leaf)} | {leaf.name, root.name}
    found = [root, *sorted(_under(project, root), key=lambda one: int(one.name.rpartition(".")[2]))]
    decisions = project.pictures.decisions_of(each.name for each in found)
    return [_version(one, decisions.get(one.name), one.name == leaf.name, one.name in chain) for one in found]


def _under(project: Project, picture: Picture) -> list[Picture]:
    edits = [edit for edit in project.pictures.edits_of(picture.name) if edit.kind in VERSIONS]
    return [each for edit in edits for each in (edit, *_under(project, edit))]


def _version(picture: Picture, decision: Decision | None, stands: bool, leads: bool) -> Version:
    record = picture.operation or {}
    steps = [str(step.get("step")) for step in record.get("steps", ()) if step.get("changes", True)]
    what = ", ".join(steps) or ("part of the page" if picture.kind == PART else picture.kind or "as it came")
    verdict = "keep" if decision is None else decision.verdict
    return Version(
        picture.name, picture.file, picture.sha256, picture.parent or "", what if leads or verdict == "drop" else f"{what} (replaced)",
        tuple(record.get("dropped", ())), verdict, decision is not None and decision.maker == PERSON, stands,
    )  # fmt: skip
