"""The audit of a project's tags: the record and captions of one set, and the files that lie in its dataset folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.project.pictures import TOUCH_UP, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.consolidate import sheet_of
from lorasmith.stages.tag.index import open_index

if TYPE_CHECKING:
    from lorasmith.tags.audit import Finding
    from lorasmith.tags.index import TagIndex

_CUT_OUTS = frozenset(["crop", "head", "panel", "figure"])
_PICTURES = frozenset([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"])


@dataclass(frozen=True)
class Audited:
    """What the audit found; the lists of tags leave out what the trigger stands for."""

    caption_set: str
    pictures: int
    findings: "tuple[Finding, ...]"
    constant: dict[str, int]  # tag -> pictures
    variable: dict[str, int]
    rare: dict[str, int]


def audit_tags(project: Project, caption_set: str = "", known: "tuple[list[Picture], TagIndex] | None" = None) -> Audited:
    """Looks over the tags and captions of the pictures that are trained on; `known` are these and their index, where they are."""
    from lorasmith.tags.audit import Looked, audit, spread
    from lorasmith.tags.consolidate import DROPPED_CATEGORIES
    from lorasmith.tags.groups import group_of

    name = caption_set or project.settings(TagSettings).caption_set
    pictures = project.pictures.trained() if known is None else known[0]
    index = open_index(project, pictures, name) if known is None else known[1]
    captions = {one.picture: one.text for one in project.pictures.captions(name).values()}
    tagged = zip(pictures, index.tags_by_place(), strict=True)
    looked = [Looked(one.name, tuple(its), captions.get(one.name), _is_cut_out(one)) for one, its in tagged]
    findings = [*audit(looked, project.trigger, [entry.tag for entry in sheet_of(project).toggles]), *_orphans(project, name)]
    named = [tag for tag, category in index.categories.items() if category in DROPPED_CATEGORIES and group_of(tag) is None]
    parts = spread(looked, [*named, project.trigger, *(project.fact("core_tags") or ())])
    return Audited(name, len(pictures), tuple(findings), dict(parts.constant), dict(parts.variable), dict(parts.rare))


def _is_cut_out(picture: Picture) -> bool:
    """Says whether a picture shows less than it was drawn with: a crop, a panel, or the figure without its ground."""
    if picture.kind in _CUT_OUTS:
        return True
    steps = (picture.operation or {}).get("steps", ())
    return picture.kind == TOUCH_UP and any("background" in str(step) for step in steps)


def _orphans(project: Project, caption_set: str) -> "Iterator[Finding]":
    """Yields files of the dataset folder that stand alone: captions without a picture, pictures without a caption."""
    from lorasmith.tags.audit import found

    texts: set[str] = set()
    pictures: dict[str, int] = {}
    root = project.dataset(caption_set)
    for file in root.rglob("*") if root.is_dir() else ():
        stem = (file.parent / file.stem).relative_to(root).as_posix()
        if file.suffix.lower() == ".txt":
            texts.add(stem)
        elif file.suffix.lower() in _PICTURES:
            pictures[stem] = pictures.get(stem, 0) + 1
    for what, names in (
        ("a caption file without a picture", sorted(texts - pictures.keys())),
        ("a picture file without a caption", sorted(pictures.keys() - texts)),
        ("two picture files with one caption", sorted(stem for stem, count in pictures.items() if count > 1)),
    ):
        if names:
            yield found("orphan", what, names, f"it lies in {root}; `lorasmith tag` writes what is missing, your own files stay")
