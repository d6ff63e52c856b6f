"""Consolidation of a caption set: core looks go under the trigger, an outfit's tags under a tag of its own; one undo takes it back."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.project.caption_sets import TRIGGER, Gathered
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text, fold
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.cast import who_is_on
from lorasmith.stages.tag.edit_tags import STAGE
from lorasmith.stages.tag.index import open_index

if TYPE_CHECKING:
    from lorasmith.tags.core import Known, Weighed
    from lorasmith.tags.coverage import Share
    from lorasmith.tags.index import TagIndex
    from lorasmith.tags.sheet import CharacterSheet

_WRITES = "`lorasmith tag` writes the captions; `lorasmith undo` takes this back."


@dataclass(frozen=True)
class Consolidated:
    """What goes under the trigger of one caption set and what stays, each with its figures; and how the toggles stand."""

    applied: bool
    caption_set: str
    pictures: int  # originals: a crop counts with the picture it was cut from
    core: "tuple[Weighed, ...]"
    stays: "tuple[Weighed, ...]"
    toggles: "tuple[Share, ...]"  # with what to do where there are too few or too many
    worn_together: tuple[tuple[str, ...], ...]  # tags that `tags outfit` could put under one
    next: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a person wants of a consolidation: tags that are core whatever the figures say, tags that are left, or none at all."""

    core: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    none: bool = False  # nothing by hand any more: `lorasmith tag` decides again


def consolidate(project: Project, wanted: Wanted = Wanted(), caption_set: str = "", *, preview: bool = False) -> Consolidated:
    """Puts the core looks of the character under the trigger in one caption set."""
    from lorasmith.tags.core import together
    from lorasmith.tags.spelling import demand_tag

    settings = project.settings(TagSettings)
    name = caption_set or settings.caption_set
    index, pictures = _by_original(project, name)
    for word in (*wanted.core, *wanted.leave):
        if not index.fitting(demand_tag(word)):
            _unknown(word)
    sheet = sheet_of(project)
    toggles = tuple(entry.tag for entry in sheet.toggles)
    core, stays = _weighed(project, index, settings, _known(project, sheet, settings, wanted))
    triggers = {fold(trigger) for trigger in (project.trigger, *settings.cast)}
    core = [row for row in core if fold(row.tag) not in triggers]
    if not preview:
        rows = [Gathered(TRIGGER, row.tag, {"share": row.share, "lift": row.lift, "why": row.why}) for row in core]
        rows = [] if wanted.none else rows
        with project.change(STAGE, f"tags consolidate {name}"):
            project.caption_sets.gather(name, TRIGGER, rows)
    changeable = [row.tag for row in stays if row.kind == "toggle"]
    return Consolidated(
        not preview, name, pictures, tuple(core), tuple(stays), _toggles(index, pictures, toggles or changeable),
        tuple(together(index.bits, changeable)), "" if preview else _WRITES,
    )  # fmt: skip


def _weighed(
    project: Project, index: "TagIndex", settings: TagSettings, known: "Known"
) -> "tuple[list[Weighed], list[Weighed]]":
    """Parts the tags into looks and what stays; of several characters each is weighed on the pictures that show it alone."""
    from lorasmith.tags.core import weigh
    from lorasmith.tags.filter import bits_of

    parts = [index.everything]
    if settings.cast:
        who = who_is_on(project, project.pictures.trained(), project.tag_rows.by_picture(), settings)
        alone = {name.split(".")[0]: shown[0] for name, shown in who.items() if len(shown) == 1}
        parts = [bits_of([index.places[name] for name, its in alone.items() if its == one]) for one in settings.cast]
    core: dict[str, Weighed] = {}
    stays: dict[str, Weighed] = {}
    for part in filter(None, parts):
        counts = {tag: count for tag, bits in index.bits.items() if (count := (bits & part).bit_count())}
        found, rest = weigh(counts, part.bit_count(), index.categories, known, settings.core_share)
        core = {row.tag: row for row in found} | core
        stays = {row.tag: row for row in rest} | stays
    return list(core.values()), [row for row in stays.values() if row.tag not in core]


@dataclass(frozen=True)
class Outfit:
    """An outfit of one caption set: its tag, the tags it stands for, and the pictures that show it."""

    applied: bool
    caption_set: str
    outfit: str
    tags: tuple[str, ...]
    pictures: int
    shown_on: tuple[str, ...]
    next: str = ""


def set_outfit(project: Project, outfit: str, tags: Sequence[str], caption_set: str = "", *, preview: bool = False) -> Outfit:
    """Puts the tags of an outfit under a tag of its own in one caption set; without tags the outfit is given up."""
    from lorasmith.tags.spelling import demand_tag

    name = caption_set or project.settings(TagSettings).caption_set
    outfit = demand_tag(outfit)
    demand_safe_text(outfit, "outfit's tag")
    index = open_index(project, caption_set=name)
    wanted = tuple(dict.fromkeys(tag for word in tags for tag in (index.fitting(demand_tag(word)) or [_unknown(word)])))
    if fold(outfit) == fold(project.trigger) or outfit in wanted:
        raise UsageError(f"'{outfit}' cannot stand for the outfit: it is the trigger or one of its tags; invent a word for it.")
    worn = _worn(index, wanted)
    if not preview:
        why = {"of": len(wanted), "pictures": worn.bit_count()}
        with project.change(STAGE, f"tags outfit {outfit}"):
            project.caption_sets.gather(name, outfit, [Gathered(outfit, tag, why) for tag in wanted])
    return Outfit(not preview, name, outfit, wanted, worn.bit_count(), tuple(index.chosen(worn)), "" if preview else _WRITES)


def _unknown(word: str) -> str:
    raise UsageError(f"No picture has the tag '{word}'; `lorasmith tags count` lists those that there are.")


def _worn(index: "TagIndex", tags: Sequence[str]) -> int:
    """Gives the pictures that have at least half of an outfit's tags, as captions see it."""
    from lorasmith.tags.consolidate import worn_outfits
    from lorasmith.tags.filter import bits_of

    outfit = {"": frozenset(tags)}
    return bits_of([place for place, its in enumerate(index.tags_by_place()) if worn_outfits(its, outfit)])


def sheet_of(project: Project) -> "CharacterSheet":
    """Reads the character sheet, an empty one where there is none."""
    from lorasmith.tags.sheet import CharacterSheet, read_sheet

    if not project.sheet.is_file():
        return CharacterSheet(project.trigger)
    return read_sheet(project.sheet.read_text(encoding="utf-8", errors="replace"))


def _by_original(project: Project, caption_set: str) -> "tuple[TagIndex, int]":
    """Gives the tags of the pictures trained on with each crop counted as the picture it was cut from; and how many those are."""
    from lorasmith.tags.index import index_of

    roots = {picture.name: picture.name.split(".")[0] for picture in project.pictures.trained()}
    names = sorted(set(roots.values()))
    roots |= {name: name for name in names}
    rows = ((roots[name], tag, category) for name, tag, category in project.tag_rows.rows() if name in roots)
    return index_of(names, rows), len(names)


def _known(project: Project, sheet: "CharacterSheet", settings: TagSettings, wanted: Wanted) -> "Known":
    from lorasmith.tags.core import Known
    from lorasmith.tags.spelling import demand_tag

    core, leave = (frozenset(map(demand_tag, words)) for words in (wanted.core, wanted.leave))
    named = frozenset((*settings.core_tags, *sheet.core_names()))
    kept = frozenset((*settings.keep_tags, *sheet.told_names()))
    return Known(_lifts(project), (named - leave) | core, ((kept - frozenset(settings.core_tags)) | leave) - core)


def _lifts(project: Project) -> dict[str, float]:
    """Reads how much more often tags come with the character than on the site, as research measured it."""
    table = project.research / "tags.csv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", errors="replace", newline="") as stream:
        return {row["tag"]: lift for row in csv.DictReader(stream) if (lift := _number(row.get("lift"))) is not None and "tag" in row}


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _toggles(index: "TagIndex", pictures: int, toggles: Iterable[str]) -> "tuple[Share, ...]":
    from lorasmith.tags.coverage import toggle_share

    return tuple(toggle_share(tag, index.bits.get(tag, 0).bit_count(), pictures) for tag in toggles)
