"""Reinforcement tags: what helps to prompt each toggle, found in the set, written to info.md, where a person edits it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text
from lorasmith.stages.tag.consolidate import sheet_of
from lorasmith.stages.tag.index import open_index

_USEFUL = ("clothing", "accessories", "objects", "action", "hands", "background", "light")


@dataclass(frozen=True)
class Reinforced:
    """The reinforcement tags of the sheet, by toggle, and those that were found now."""

    reinforcement: dict[str, tuple[str, ...]]
    found_now: tuple[str, ...]
    without: tuple[str, ...]  # toggles that nothing comes with
    sheet: str


def reinforce(project: Project, toggle: str = "", tags: Sequence[str] = (), *, again: bool = False) -> Reinforced:
    """Writes what helps to prompt the toggles: the given tags for one, else what the set shows for those without a line."""
    from lorasmith.tags.reinforcement import read_reinforcement, with_reinforcement
    from lorasmith.tags.sheet import write_sheet
    from lorasmith.tags.spelling import demand_tag

    sheet = sheet_of(project)
    known = read_reinforcement(sheet)
    toggles = [entry.tag for entry in sheet.toggles]
    if toggle:
        found = {demand_tag(toggle): tuple(map(demand_tag, tags))}
    else:
        if not toggles:
            raise UsageError(f"{project.sheet} names no toggles; write some under 'Toggles', or name one and its tags here.")
        found = {name: its for name, its in _found(project, toggles).items() if its and (again or name not in known)}
    demand_safe_text("\n".join(tag for name, its in found.items() for tag in (name, *its)), "reinforcement tags")
    known |= found
    write_atomic(project.sheet, write_sheet(with_reinforcement(sheet, known)))
    return Reinforced(known, tuple(found), tuple(name for name in toggles if not known.get(name)), str(project.sheet))


def _found(project: Project, toggles: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Looks in the set which tags come with a toggle: clothing, what is held, place; neither looks nor pose."""
    from lorasmith.tags.core import companions
    from lorasmith.tags.groups import of_groups

    index = open_index(project)
    useful = of_groups(index.bits, _USEFUL)
    return {toggle: tuple(companions(index.bits, toggle, useful, index.everything)) for toggle in toggles}
