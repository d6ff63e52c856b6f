"""touch-up's again: what the last erasing of a picture was made from and how, so that it can be made another time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError
from lorasmith.project.pictures import ERASE, VERSIONS, Picture
from lorasmith.project.project import Project
from lorasmith.stages.prepare.edits import mask_file
from lorasmith.stages.touch_up.erasing import PAINTED
from lorasmith.stages.touch_up.work import SURE, Choice, choice_of

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.marks import Mark

PART = "panel"


@dataclass(frozen=True)
class Plan:
    """What is done to one picture: the steps on the version that they start from, and what a person says of the erasing."""

    source: Picture
    words: tuple[str, ...]
    choice: Choice = Choice()  # noqa: RUF009 - it is frozen
    sure: float = SURE
    painted: "PIL.Image.Image | None" = None
    repeated: "Sequence[Mark]" = ()
    last: Picture | None = None  # the version that this one takes the place of


def standing(project: Project, name: str) -> list[Picture]:
    """Gives what stands for a picture: its newest version, or of one that was split the newest versions of the parts."""
    newest = project.pictures.newest_version(name)
    parts = [edit for edit in project.pictures.edits_of(newest.name) if edit.kind == PART]
    said = project.pictures.decisions_of(part.name for part in parts)
    left = [part for part in parts if part.name not in said or said[part.name].verdict != "drop"]
    return [each for part in left for each in standing(project, part.name)] or [newest]


def plan_again(project: Project, leaf: Picture) -> Plan | None:
    """Says how the last erasing of a picture was made, and what was done after it; None where nothing was erased."""
    chain = chain_of(project, leaf)
    places = [place for place, version in enumerate(chain) if erases(version)]
    if not places:
        return None
    first, rest = chain[places[-1]], chain[places[-1] + 1 :]
    record = dict(first.operation or {})
    words = [word for version in (first, *rest) for word in _words(version)]
    told = record.get("choice") or {"how": record.get("how", {})}
    source = project.pictures.get(first.parent or "")
    painted = _painted(project, source, first)
    return Plan(source, tuple(words), choice_of(told), record.get("sure", SURE), painted, _repeated(record), leaf)


def last_erased(project: Project, name: str) -> list[Plan]:
    """Gives the plans of what stands for a picture; a version that a person dropped counts where no other was erased."""
    leaves = standing(project, name)
    if plans := [plan for leaf in leaves if (plan := plan_again(project, leaf))]:
        return plans
    whole = plan_again(project, project.pictures.newest_version(name))  # erased before it was split
    if whole is None:
        versions = [edit for edit in project.pictures.edits_of(leaves[0].name) if edit.kind in VERSIONS]
        whole = plan_again(project, max(versions, key=_number)) if versions else None
    return [whole] if whole else []


def _number(version: Picture) -> int:
    return int(version.name.rpartition(".")[2])


def chain_of(project: Project, leaf: Picture) -> list[Picture]:
    """Lists the versions that led to this one, the oldest first."""
    chain = []
    while leaf.kind in VERSIONS and leaf.parent is not None:
        chain.append(leaf)
        leaf = project.pictures.get(leaf.parent)
    return chain[::-1]


def _words(version: Picture) -> list[str]:
    record = version.operation or {}
    return [f"erase {PAINTED}"] if version.kind == ERASE else list(record.get("words", record.get("asked", ())))


def erases(version: Picture) -> bool:
    """Says whether a version came of an erasing, with other steps or without."""
    return any(word.startswith("erase") for word in _words(version))


def _painted(project: Project, source: Picture, version: Picture) -> "PIL.Image.Image | None":
    """Gives the mask that a version was made with; an older one, of which none was kept, is seen by what changed."""
    from PIL import Image, ImageChops

    from lorasmith.imaging.erase import open_mask
    from lorasmith.imaging.read import open_picture

    file = mask_file(project, version.name)
    if file.exists():
        return open_mask(file, (source.width, source.height))
    if version.kind != ERASE:
        return None
    before, after = (open_picture(project.file_of(picture)) for picture in (source, version))
    if before.size != after.size:
        raise PictureError(f"How {version.name} was made is no longer known; undo it and erase another time.")
    changed: Image.Image = ImageChops.difference(before, after).convert("L").point(lambda value: 255 if value else 0)
    return changed


def _repeated(record: dict[str, Any]) -> "list[Mark]":
    """Gives the marks back that only the whole set told."""
    from lorasmith.imaging.crop import Box
    from lorasmith.imaging.marks import Mark

    rows: Iterable[dict[str, Any]] = (row for step in record.get("steps", ()) for row in step.get("marks", ()))
    return [
        Mark(row["kind"], Box(*row["box"]), row["sure"], row["words"], tuple((x, y) for x, y in row["outline"]))
        for row in rows
        if row.get("outline")
    ]


def with_more(plan: Plan, more: Choice, seed: int | None, painted: "PIL.Image.Image | None") -> Plan:
    """Adds what a person says now to what was said before; without a word more, only the next seed."""
    from PIL import ImageChops

    old = plan.choice
    said = bool(more.without or more.boxes or painted)
    how = replace(old.how, seed=seed if seed is not None else old.how.seed + (not said))
    choice = Choice(how, _joined(old.without, more.without), _joined(old.boxes, more.boxes))
    if painted is not None and plan.painted is not None:
        painted = ImageChops.lighter(plan.painted, painted)
    return replace(plan, choice=choice, painted=painted or plan.painted)


def _joined(one: tuple[Any, ...], two: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*one, *two)))
