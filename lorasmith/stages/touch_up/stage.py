"""touch-up: the same operations on many pictures: erase what is found, trim borders, change the ground, recolour, split."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError, UsageError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import TOUCH_UP, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TagSettings
from lorasmith.stages.prepare.edits import add_edit
from lorasmith.stages.prepare.suggestions import finders_for
from lorasmith.stages.touch_up.again import PART, Plan
from lorasmith.stages.touch_up.before_after import MOST_SHOWN, Pair, draw
from lorasmith.stages.touch_up.operations import read_steps
from lorasmith.stages.touch_up.retag import Difference, Look
from lorasmith.stages.touch_up.wishes import (
    Wish,
    asked_again,
    chosen_pictures,
    demand_sense,
    in_words,
    plans_again,
    plans_of,
)
from lorasmith.stages.touch_up.work import Sides, Step, Work

if TYPE_CHECKING:
    from lorasmith.imaging.finding import Finders
    from lorasmith.rendering.prompt import Renderer

_MOST_ROWS = 200  # of marks and of the tagger's differences in the result


@dataclass(frozen=True)
class FoundMark:
    """One mark that was found, by its number on its picture."""

    picture: str
    number: int
    kind: str
    words: str
    sure: float
    box: Sides
    erased: bool


@dataclass(frozen=True)
class TouchedUp:
    """What touch-up did, or would do."""

    looked_at: int
    changed: int
    made: tuple[str, ...]  # names of the new versions and parts
    done: dict[str, int]  # step -> pictures it changed
    dropped_tags: dict[str, int]  # tag -> pictures whose captions no longer have it
    not_done: dict[str, int]  # step and why it could not be done -> pictures
    marks: tuple[FoundMark, ...]
    tagger_says: tuple[Difference, ...]  # with `retag`: what it sees now and did not see before, and the other way round
    failed: tuple[str, ...]  # sentences
    sheet: str  # before and after, side by side


@dataclass
class _Result:
    """One picture after all steps; of a split the parts, each after the steps that follow."""

    plan: Plan
    work: Work
    steps: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    parts: "list[_Result]" = field(default_factory=list)
    rest: tuple[str, ...] = ()  # of a part: the words of the steps after the split

    @property
    def changes(self) -> bool:
        """Whether the picture itself is another one now."""
        return any(step.get("changes", True) for step in self.steps)


def touch_up(
    project: Project, wish: Wish, report: Report = silent, renderer: "Renderer | None" = None
) -> TouchedUp:
    """Does the steps one after the other on each picture, from its newest version; what changes is a new version.

    `again` makes the last erasing of each another time, from the picture that it was made from, and does the steps after it
    as well. All of it is one entry of the history. With `preview` nothing is recorded: the sheet shows what would be.
    """
    if not wish.again:
        read_steps(wish.steps)
    demand_sense(wish, renderer is not None)
    pictures = chosen_pictures(project, wish)
    failed: list[str] = []
    plans = plans_again(project, pictures, wish, failed) if wish.again else plans_of(project, pictures, wish, report)
    look = Look(project, project.settings(TagSettings), report) if wish.retag else None
    results, pairs, made, told = [], list[Pair](), list[str](), list[Difference]()
    work = _each(project, plans, wish, renderer, report, failed)
    if wish.preview:
        for result in work:
            results.append(result)
            _remember(project, result, pairs, look, told)
    else:
        with project.change("touch-up", f"touch-up: {in_words(wish)}"):
            for result in work:
                made += _put_down(project, result, wish) if result.steps else []
                results.append(result)
                _remember(project, result, pairs, look, told)
    report(Progress("touch-up", len(plans), len(plans), "done"))
    return _summed(len(pictures), results, made, told, failed, draw(project, pairs))


def _summed(  # noqa: PLR0913 - the result's fields
    looked_at: int, results: Sequence[_Result], made: Sequence[str], told: Sequence[Difference], failed: Sequence[str], sheet: str
) -> TouchedUp:
    every = [each for result in results for each in (result, *result.parts)]
    done = Counter(str(step["step"]) for one in every for step in one.steps)
    dropped = Counter(tag for one in every for tag in one.dropped)
    missed = Counter(f"{step}: {why}" for one in every for step, why in one.work.missed.items())
    marks = [
        FoundMark(one.plan.source.name, row["number"], row["kind"], row["words"], row["sure"], tuple(row["box"]), row["erased"])
        for one in every
        for row in one.work.marks
    ]
    changed = sum(bool(result.steps) for result in results)
    return TouchedUp(
        looked_at, changed, tuple(made), dict(done), dict(sorted(dropped.items())), dict(missed), tuple(marks[:_MOST_ROWS]),
        tuple(told[:_MOST_ROWS]), tuple(failed), sheet,
    )  # fmt: skip


def _each(  # noqa: PLR0913 - one walk over all that a wish has
    project: Project, plans: Sequence[Plan], wish: Wish, renderer: "Renderer | None", report: Report, failed: list[str]
) -> Iterator[_Result]:
    """Yields what the steps make of each picture."""
    finders = cache(lambda: finders_for(project.settings(PrepareSettings), report))  # opened by the first step that asks
    for place, plan in enumerate(plans):
        report(Progress("touch-up", place, len(plans), plan.source.name))
        try:
            result = _touched(project, plan, renderer, finders)
        except PictureError as error:
            failed.append(str(error))
            continue
        beyond = [number for number in wish.without if number > len(result.work.marks)]
        if beyond:
            there = len(result.work.marks)
            raise UsageError(f"{plan.source.name} has {there} marks, and no number {beyond[0]}; --preview numbers them.")
        yield result


def _touched(
    project: Project, plan: Plan, renderer: "Renderer | None", finders: "Callable[[], Finders]"
) -> _Result:
    """Does the steps on one picture; after a split those that follow on each part."""
    from lorasmith.boorus.sites import SITES
    from lorasmith.imaging.read import open_picture

    file = project.file_of(plan.source)
    site = SITES.get(str(plan.source.post.get("site")))
    work = Work(
        open_picture(file), tuple(project.pictures.said(plan.source.name)), plan.sure, renderer,
        danbooru=site is not None and site.family in ("danbooru", "gelbooru"), file=file, choice=plan.choice,
        painted=plan.painted, repeated=plan.repeated, finders=finders, again=plan.last is not None,
    )  # fmt: skip
    result = _Result(plan, work)
    steps = read_steps(plan.words)
    for place, each in enumerate(steps):
        _do(result, each)
        if work.parts:
            rest = steps[place + 1 :]
            result.parts = [_part(result, box, rest) for box in work.parts]
            break
    return result


def _part(whole: _Result, box: Sides, steps: "Sequence[tuple[Step, str, str]]") -> _Result:
    work = replace(
        whole.work, image=whole.work.image.crop(box), file=None, parts=[], marks=[], missed={}, brought=(), repeated=(), drawn=True
    )
    part = _Result(whole.plan, work, rest=tuple(words for _, _, words in steps))
    for each in steps:
        _do(part, each)
    return part


def _do(result: _Result, each: "tuple[Step, str, str]") -> None:
    step, arguments, words = each
    done = step.do(result.work, arguments)
    if done is None:
        return
    if isinstance(done, str):
        result.work.missed[words] = done
        return
    result.work.file = None
    result.steps.append({"step": words, **done.facts})
    result.dropped |= done.dropped


def _put_down(project: Project, result: _Result, wish: Wish) -> list[str]:
    """Records the new version, and the parts of a split with what was done to each; one transaction a picture."""
    with project.transaction():
        version, names = result.plan.source, []
        if result.changes:
            version = _add(project, version, result, result.plan.words, wish)
            names.append(version.name)
        for box, part in zip(result.work.parts, result.parts, strict=True):
            record = {"kind": PART, "maker": "touch-up", "replaces_parent": True, "box": list(box), "asked": list(wish.steps)}
            piece = add_edit(project, version, record, result.work.image.crop(box))
            names.append(piece.name)
            if part.changes:
                names.append(_add(project, piece, part, part.rest, wish).name)
    return names


def _add(project: Project, source: Picture, result: _Result, words: Sequence[str], wish: Wish) -> Picture:
    plan, gone = result.plan, set(result.dropped)
    record: dict[str, Any] = {
        "kind": TOUCH_UP, "maker": "touch-up", "replaces_parent": True, "steps": result.steps, "dropped": result.dropped,
        "asked": list(wish.steps), "words": list(words),
    }  # fmt: skip
    if any(word.startswith("erase") for word in words):
        record |= {"sure": plan.sure, "choice": plan.choice.told()}
    if wish.again:
        record["again"] = asked_again(wish)
    return add_edit(
        project, source, record, result.work.image, lambda tags: [tag for tag in tags if tag not in gone], result.work.brought,
        plan.painted if source is plan.source else None,
    )  # fmt: skip


def _remember(
    project: Project, result: _Result, pairs: "list[Pair]", look: "Look | None", told: "list[Difference]"
) -> None:
    """Keeps what the sheet and the result show of a picture, and lets go of its pixels: thousands would not fit."""
    images = [part.work.image for part in result.parts] or [result.work.image]
    if result.steps or result.work.marks:
        if len(pairs) < MOST_SHOWN:
            pairs.append(Pair.of(project, result.plan, images, result.work.marks, bool(result.steps)))
        if look is not None and result.changes and not result.parts:
            told += look.differences(result.plan.source, images[0])
    for each in (result, *result.parts):
        each.work.image = None  # type: ignore[assignment]
