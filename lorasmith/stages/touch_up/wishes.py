"""What touch-up is asked for: which steps, which pictures, and from which version of each they start."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError, UsageError
from lorasmith.progress import Progress, Report
from lorasmith.project.pictures import TOUCH_UP, Picture
from lorasmith.project.project import Project
from lorasmith.stages.tag.index import open_index
from lorasmith.stages.touch_up.again import PART, Plan, last_erased, standing, with_more
from lorasmith.stages.touch_up.erase import How
from lorasmith.stages.touch_up.erasing import REPEATED, WRITING
from lorasmith.stages.touch_up.operations import AGAIN
from lorasmith.stages.touch_up.work import SURE, Choice, Sides, words_of

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.marks import Mark


@dataclass(frozen=True)
class Wish:
    """What is to be done, to which pictures: names, or those whose tags fit the filter; without both, all that are kept."""

    steps: tuple[str, ...]
    names: tuple[str, ...] = ()
    filter: str = ""
    preview: bool = False
    sure: float | None = None  # marks found less surely are left; None: 0.6, or as the last time
    seed: int | None = None  # of what a renderer draws
    without: tuple[int, ...] = ()  # numbers of marks that stay
    boxes: tuple[Sides, ...] = ()  # also erased
    mask: Path | None = None  # white is also erased
    retag: bool = False  # let the tagger look at the results

    @property
    def again(self) -> bool:
        """Whether the last erasing is wanted another time."""
        return len(self.steps) == 1 and self.steps[0].strip() in AGAIN

    @property
    def said(self) -> bool:
        """Whether something is said of one picture's erasing."""
        return bool(self.without or self.boxes or self.mask)


def in_words(wish: Wish) -> str:
    """Says in the history what was asked for."""
    words = [*wish.steps, *(f"without {number}" for number in wish.without), *("one more box" for _ in wish.boxes)]
    words += [f"seed {wish.seed}"] if wish.seed is not None else []
    return ", ".join([*words, *(["a painted mask"] if wish.mask else [])])


def demand_sense(wish: Wish, renders: bool) -> None:
    """Refuses words that say nothing together."""
    if wish.said and len(wish.names) != 1:
        raise UsageError("--without, --box and --mask are about one picture; name it with --names.")
    if (wish.said or wish.seed is not None) and not wish.again and not any(step.startswith("erase") for step in wish.steps):
        raise UsageError("--without, --box, --mask and --seed are about an erasing, and no step erases; say erase or again.")
    if wish.seed is not None and not renders:
        raise UsageError("Another seed changes nothing without --webui: OpenCV leaves nothing to chance.")
    if wish.seed is not None and wish.seed < 0:
        raise UsageError(f"The seed is {wish.seed}; it must be 0 or more.")
    if wish.again and not wish.said and not renders:
        raise UsageError(
            "again with what? Say --without NUMBER, --box LEFT,TOP,RIGHT,BOTTOM or --mask FILE; or --webui, with a --seed."
        )


def chosen_pictures(project: Project, wish: Wish) -> list[Picture]:
    """Gives the kept originals that are meant, by name or by the filter over what is said of them."""
    from lorasmith.tags.filter import read_filter

    kept = {picture.name: picture for picture in project.pictures.kept()}
    if any(not name.strip() for name in wish.names):
        raise UsageError("--names is empty; give names, or leave it out for all pictures.")
    if wish.names:
        unknown = [name for name in wish.names if name.split(".")[0] not in kept]
        if unknown:
            raise UsageError(f"{unknown[0]} is not among the kept pictures; `prune --list` shows the names.")
        return [kept[name] for name in dict.fromkeys(name.split(".")[0] for name in wish.names)]
    if not wish.filter.strip():
        return list(kept.values())
    chosen = read_filter(wish.filter)
    index = open_index(project, list(kept.values()))
    return [kept[name] for name in index.chosen(chosen.holds(index))]


def plans_of(project: Project, pictures: Sequence[Picture], wish: Wish, report: Report) -> list[Plan]:
    """Gives the versions that the steps start from; those that came of these very steps need nothing more."""
    leaves = [leaf for picture in pictures for leaf in standing(project, picture.name)]
    named = {name for name in wish.names if "." in name} & {leaf.name for leaf in leaves}
    roots = {name for name in wish.names if "." not in name}
    if named:  # one part of a split picture
        leaves = [leaf for leaf in leaves if leaf.name in named or leaf.name.split(".")[0] in roots]
    if wish.said and any(_has_had(leaf, wish) for leaf in leaves):
        raise UsageError(f"That was erased in {wish.names[0]} already; say again in place of the steps to make it another time.")
    leaves = [leaf for leaf in leaves if not _has_had(leaf, wish)]
    if wish.said and len(leaves) > 1:
        raise UsageError(f"{wish.names[0]} was split into {', '.join(leaf.name for leaf in leaves)}; name one of them.")
    repeated = _repeated(project, leaves, wish.steps, report)
    choice = Choice(How(seed=wish.seed or 0), wish.without, wish.boxes)
    sure = SURE if wish.sure is None else wish.sure
    return [
        Plan(leaf, wish.steps, choice, sure, _painted(wish, leaf), repeated.get(leaf.name, ())) for leaf in leaves
    ]


def plans_again(project: Project, pictures: Sequence[Picture], wish: Wish, failed: list[str]) -> list[Plan]:
    """Gives how the last erasing of each picture is made another time."""
    plans, more = [], Choice(How(), wish.without, wish.boxes)
    for picture in pictures:
        try:
            found = [plan for plan in last_erased(project, picture.name) if not _has_had(plan.last, wish)]
            found = [with_more(plan, more, wish.seed, _painted(wish, plan.source)) for plan in found]
        except PictureError as error:
            failed.append(str(error))
            continue
        if not found and wish.names and not last_erased(project, picture.name):
            failed.append(f"Nothing was erased in {picture.name} yet.")
        if wish.said and len(found) > 1:
            raise UsageError(f"{picture.name} was split into parts that were erased in one by one; erase in them anew.")
        plans += [plan if wish.sure is None else replace(plan, sure=wish.sure) for plan in found]
    return plans


def _painted(wish: Wish, source: Picture) -> "PIL.Image.Image | None":
    from lorasmith.imaging.erase import open_mask

    return None if wish.mask is None else open_mask(wish.mask, (source.width, source.height))


def _has_had(leaf: Picture | None, wish: Wish) -> bool:
    """Says whether a version came of this very wish: a killed touch-up goes on with the next picture."""
    if leaf is None or leaf.kind not in (TOUCH_UP, PART):
        return False
    record = leaf.operation or {}
    if wish.again:
        return wish.seed is not None and record.get("again") == asked_again(wish)
    return record.get("asked") == list(wish.steps) and "again" not in record


def asked_again(wish: Wish) -> dict[str, Any]:
    """Gives what was said of another erasing as a record keeps it."""
    boxes = [list(box) for box in wish.boxes]
    return {"seed": wish.seed, "without": list(wish.without), "boxes": boxes, "mask": str(wish.mask or "")}


def _repeated(
    project: Project, leaves: Sequence[Picture], words: Sequence[str], report: Report
) -> "Mapping[str, Sequence[Mark]]":
    """Finds the marks that several pictures have at one place, where a step asks for them."""
    from lorasmith.imaging.logos import find_logos
    from lorasmith.imaging.marks import find_marks
    from lorasmith.imaging.read import open_picture
    from lorasmith.imaging.repeats import look_of, repeated

    first = words_of(words[0])
    if first[0] != "erase" or REPEATED not in first:
        return {}
    looks = {}
    for done, source in enumerate(leaves):
        report(Progress("touch-up", done, len(leaves), f"looking at {source.name}"))
        with suppress(PictureError):
            image = open_picture(project.file_of(source))
            marks = find_marks(image, frozenset(project.pictures.said(source.name)), signs=False)
            marks = [mark for mark in marks if mark.kind in WRITING]
            looks[source.name] = [look_of(image, mark) for mark in (*marks, *find_logos(image))]
    found: dict[str, list[Mark]] = {}
    for repeat in repeated(looks):
        for name, mark in repeat.marks:
            found.setdefault(name, []).append(mark)
    return found
