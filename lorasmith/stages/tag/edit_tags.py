"""Batch edits of the master record: planned, shown as a difference, and applied as one entry of the history.

What a person adds and takes out are rows of the source `person`: they hold for every caption set. Where a tag stands in a
caption belongs to one set.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.project.caption_sets import Placed
from lorasmith.project.project import Project
from lorasmith.project.tag_rows import PersonTag
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.behind import Behind
from lorasmith.stages.tag.index import open_index, unknown_words

if TYPE_CHECKING:
    from lorasmith.tags.batch import Difference, Plan
    from lorasmith.tags.index import TagIndex

STAGE = "tags"  # what the history calls edits of tags and of caption sets
_FEW = 3  # pictures that the history names
SHOWN = 40  # pictures of a difference that are listed unless more are asked for


@dataclass(frozen=True)
class TagEdit:
    """What a person wants: an action of tags/batch.py with its words, on the pictures that a filter means."""

    action: str
    words: tuple[str, ...] = ()
    where: str = ""
    caption_set: str = ""  # for first, last and sort; empty: the one that [tag] names
    pictures: tuple[str, ...] = ()  # these alone, of those that the filter means; empty: all of them


@dataclass(frozen=True)
class EditedTags:
    """What an edit did, or would do: the same figures before as after."""

    applied: bool
    pictures: int  # that are trained on, and change
    behind_them: int  # originals that change too, so that crops made anew keep the edit
    added: dict[str, int]  # tag -> pictures
    removed: dict[str, int]
    moved: dict[str, int]
    difference: "tuple[Difference, ...]"
    not_listed: int
    hints: tuple[str, ...] = ()
    next: str = ""


@dataclass(frozen=True)
class _Worked:
    """An edit worked out on a project."""

    index: "TagIndex"
    trained: int  # pictures, a bit each
    plan: "Plan"
    caption_set: str
    hints: tuple[str, ...] = field(default=())


def edit_tags(project: Project, edit: TagEdit, *, preview: bool = False, shown: int = SHOWN) -> EditedTags:
    """Edits the tags of the pictures that a filter means; with `preview` only says what would change."""
    worked = _work_out(project, edit)
    words = " ".join((edit.action, *edit.words, *(("where", edit.where) if edit.where else ()), *_named(edit.pictures)))
    if not preview:
        with project.change(STAGE, f"tags {words}"), project.transaction():
            project.tag_rows.say(_said(worked))
            _place(project, worked)
    return _told(worked, preview, shown)


def _work_out(project: Project, edit: TagEdit) -> _Worked:
    from lorasmith.tags.batch import plan_edit
    from lorasmith.tags.filter import bits_of, read_filter

    chosen = read_filter(edit.where)
    trained = project.pictures.trained()
    everywhere = edit.action == "rename"
    if everywhere and edit.where:
        raise UsageError("`rename` is for all pictures of the project; with --where it is `replace`.")
    everything = project.pictures.all()
    behind = Behind(trained, {picture.name: picture for picture in everything})
    pictures = everything if everywhere else [*trained, *behind.pictures]
    caption_set = edit.caption_set or project.settings(TagSettings).caption_set
    index = open_index(project, pictures, caption_set)
    seen = {picture.name for picture in trained}
    mask = sum(1 << place for place, name in enumerate(index.names) if name in seen) if everywhere else (1 << len(trained)) - 1
    meant = chosen.holds(index)
    if not everywhere or edit.pictures:  # the filter asks those that are trained on; what is behind them follows
        meant &= mask & (_bits_of(index, edit.pictures, seen) if edit.pictures else mask)
        meant |= bits_of(index.places[name] for name in behind.meant_by(set(index.chosen(meant))))
    plan = plan_edit(index, meant, edit.action, edit.words)
    hints = unknown_words(index, chosen)
    if not hints and not (plan.changed or plan.moved):
        hints = ("Nothing changes: the pictures are as the edit wants them.",)
    return _Worked(index, mask, plan, caption_set, hints)


def _named(pictures: Sequence[str]) -> tuple[str, ...]:
    """Words the pictures that an edit names, for the history."""
    if len(pictures) > _FEW:
        return ("on", str(len(pictures)), "pictures")
    return ("on", ", ".join(pictures)) if pictures else ()


def _bits_of(index: "TagIndex", names: Sequence[str], trained: Collection[str]) -> int:
    """Gives the pictures named a bit each."""
    unknown = next((name for name in names if name not in trained), None)
    if unknown is not None:
        raise UsageError(f"'{unknown}' is not trained on; `lorasmith tags count` and the Tag page show the pictures that are.")
    return sum(1 << index.places[name] for name in set(names))


def _said(worked: _Worked) -> Iterator[PersonTag]:
    """Yields the rows of the person that make the difference."""
    index, plan = worked.index, worked.plan
    for changes, there in ((plan.removed, False), (plan.added, True)):
        for tag, bits in changes.items():
            category = index.categories.get(tag) or _category(index, tag)
            for name in index.chosen(bits):
                yield PersonTag(name, tag, category, there)


def _category(index: "TagIndex", tag: str) -> str:
    from lorasmith.tags.groups import group_of

    known = next((index.categories[each] for each in index.spellings(tag)), "")
    return known or ("species" if group_of(tag) == "species" else "general")


def _place(project: Project, worked: _Worked) -> None:
    """Moves tags within the captions of one set."""
    plan, index = worked.plan, worked.index
    names = list(index.chosen(plan.moved))
    if not names:
        return
    sets = project.caption_sets
    if not plan.sort:
        before = sets.placed(worked.caption_set)
        sets.place(worked.caption_set, [one for name in names for one in _places(index, plan, name, before.get(name, {}))])
        return
    tagged = zip(index.names, index.tags_by_place(), strict=True) if plan.sort != "groups" else ()
    chosen = set(names)
    put = (one for name, tags in tagged if name in chosen for one in _sorted(index, plan.sort, name, tags))
    sets.place(worked.caption_set, put, names)


def _sorted(index: "TagIndex", how: str, name: str, tags: Sequence[str]) -> Iterator[Placed]:
    """Yields the places of all tags of a picture in the order of the alphabet, or the most common first."""
    order = sorted(tags, key=lambda tag: (-index.bits[tag].bit_count() if how == "count" else 0, tag))
    for place, tag in enumerate(order, -len(order)):
        yield Placed(name, tag, place)


def _places(index: "TagIndex", plan: "Plan", name: str, places: Mapping[str, int]) -> Iterator[Placed]:
    """Yields the places of the tags that move on one picture: before all that stand before, or behind all behind."""
    at = index.places[name]
    order = [tag for tag in (*plan.first, *plan.last) if index.bits[tag] >> at & 1]
    start = min((0, *places.values())) - len(order) if plan.first else max((0, *places.values())) + 1
    for place, tag in enumerate(order, start):
        yield Placed(name, tag, place)


def _told(worked: _Worked, preview: bool, shown: int) -> EditedTags:
    """Words an edit: what it does to pictures that are trained on; those behind them are counted only."""
    from lorasmith.tags.batch import differences

    plan, index, seen = worked.plan, worked.index, worked.trained
    changed = (plan.changed | plan.moved) & seen
    rows = (row for row in differences(index, plan) if seen >> index.places[row.picture] & 1)
    listed = tuple(rows if shown <= 0 else islice(rows, shown))
    moved = Counter({tag: (index.bits[tag] & plan.moved & seen).bit_count() for tag in (*plan.first, *plan.last)})
    if plan.sort:
        moved[f"sorted by {plan.sort}"] = (plan.moved & seen).bit_count()
    written = "" if preview or not changed else "`lorasmith tag` writes the captions; `lorasmith undo` takes the edit back."
    return EditedTags(
        not preview, changed.bit_count(), ((plan.changed | plan.moved) & ~seen).bit_count(),
        _counted(plan.added, seen), _counted(plan.removed, seen), dict(moved), listed, changed.bit_count() - len(listed),
        worked.hints, written,
    )  # fmt: skip


def _counted(changes: Mapping[str, int], seen: int) -> dict[str, int]:
    counts = {tag: (bits & seen).bit_count() for tag, bits in changes.items()}
    return {tag: count for tag, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if count}
