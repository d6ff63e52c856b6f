"""The character sheet `info.md`: written by research, edited by hand, read again by later stages.

A line `- purple_fur (96 %): darker on the back` under a heading is one tag, its share of the posts and a note. The word
`pick` in the note of a choice makes that side part of the core.
Whatever the reader does not know (other headings, prose between the lines) is kept and written back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from lorasmith.tags.spelling import with_underscores

_HEADINGS = {
    "core": "Core looks",
    "toggles": "Toggles",
    "choices": "Choices",
}
_HINTS = {
    "core": "What the character always is: the trigger stands for these, captions leave them out.",
    "toggles": "What it puts on and off: captions keep these, so that a prompt can switch them.",
    "choices": "Traits that vary. Write `pick` behind the side it is meant to have: that joins the core looks. "
    "Leave both sides, and captions tell them apart.",
}
SHEET_CLASSES = ("core", "toggle", "choice", "picked", "state")
_KEYS = {"core": "core", "toggle": "toggles", "choice": "choices", "picked": "choices"}
_PICK = re.compile(r"pick(ed)?[.!]?", re.IGNORECASE)
_NAMES = "Names"
_NOTES = "Notes"
_TAG_LINE = re.compile(
    # a bullet and the tag; a colon in it is followed by something (`re:zero_coat`, `:3`, `>:3`), the one before a note is not
    r"^[-*+]\s+`?(?P<tag>:?[^\s`:](?:[^`:]|:(?=[^\s`]))*?)`?"
    r"(?:\s+\(\s*(?P<percent>\d{1,3}(?:[.,]\d+)?)\s*%\s*\))?"
    r"(?::(?:\s+(?P<note>.*))?)?$"
)
_NAME_LINE = re.compile(r"^[-*+]\s+([\w .:/-]+?):\s+(\S.*)$")


@dataclass(frozen=True)
class SheetTag:
    """One tag on the sheet: its share of the posts in whole percent (None where nobody counted) and a person's note."""

    tag: str
    percent: int | None = None
    note: str = ""


@dataclass(frozen=True)
class CharacterSheet:
    """What is known of a character: `site_names` maps a site to its tag there; `other` holds unknown headings' text."""

    trigger: str
    site_names: dict[str, str] = field(default_factory=dict)
    core: tuple[SheetTag, ...] = ()
    toggles: tuple[SheetTag, ...] = ()
    choices: tuple[SheetTag, ...] = ()
    notes: str = ""
    other: tuple[tuple[str, str], ...] = ()
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def core_names(self) -> tuple[str, ...]:
        """Gives the names of what the trigger stands for: the core looks, and the sides that a person picked."""
        return tuple(dict.fromkeys(entry.tag for entry in (*self.core, *filter(_is_picked, self.choices))))

    def told_names(self) -> tuple[str, ...]:
        """Gives the names of what captions always tell: toggles, and the sides of choices that nobody picked."""
        return tuple(entry.tag for entry in (*self.toggles, *self.choices) if not _is_picked(entry))


    def classes(self) -> dict[str, str]:
        """Gives the class of each tag on the sheet: core, toggle, choice, or picked for a choice that joins the core."""
        found = {entry.tag: "picked" if _is_picked(entry) else "choice" for entry in self.choices}
        return found | {entry.tag: "toggle" for entry in self.toggles} | {entry.tag: "core" for entry in self.core}

    def moved(self, tag: str, to: str, percent: int | None = None, note: str = "") -> "CharacterSheet":
        """Gives the sheet with a tag in another class; `state` takes it off. What was noted of it stays.

        `percent` and `note` are for a tag that is not on the sheet yet.
        """
        if to not in SHEET_CLASSES:
            raise ValueError(to)
        tag = with_underscores(tag)
        known = next((entry for entry in (*self.core, *self.toggles, *self.choices) if entry.tag == tag), None)
        entry = _unpicked(known or SheetTag(tag, percent, note))
        if to == "picked":
            entry = replace(entry, note=", ".join(part for part in (entry.note, "pick") if part))
        key = _KEYS.get(to, "")
        lists: dict[str, Any] = {name: tuple(one for one in getattr(self, name) if one.tag != tag) for name in _HEADINGS}
        here = known is not None and any(one.tag == tag for one in getattr(self, key, ()))
        for name in _HEADINGS:
            if name == key and here:  # in its place
                lists[name] = tuple(entry if one.tag == tag else one for one in getattr(self, name))
            elif name == key:
                lists[name] = _in_order((*lists[name], entry))
        return replace(self, **lists)


def _in_order(entries: tuple[SheetTag, ...]) -> tuple[SheetTag, ...]:
    """Puts the last entry before the first that is rarer; the others stay as a person has them."""
    *others, new = entries
    rarer = (place for place, one in enumerate(others) if (one.percent or 0) < (new.percent or 0))
    place = next(rarer, len(others))
    return (*others[:place], new, *others[place:])


def _unpicked(entry: SheetTag) -> SheetTag:
    left = (word.strip() for word in entry.note.split(","))
    return replace(entry, note=", ".join(word for word in left if word and not _PICK.fullmatch(word)))


def _is_picked(entry: SheetTag) -> bool:
    return any(_PICK.fullmatch(word.strip()) for word in entry.note.split(","))


def write_sheet(sheet: CharacterSheet) -> str:
    """Writes the sheet as Markdown."""
    parts = [f"# {sheet.trigger}\n", *_remark_lines(sheet, "")]
    parts += [_heading(_NAMES), *(f"- {site}: {name}\n" for site, name in sheet.site_names.items())]
    parts += _remark_lines(sheet, _NAMES)
    for key, heading in _HEADINGS.items():
        parts += [_heading(heading), f"*{_HINTS[key]}*\n\n"]
        parts += [_tag_line(entry) for entry in getattr(sheet, key)]
        parts += _remark_lines(sheet, heading)
    parts += [_heading(_NOTES), f"{sheet.notes}\n" if sheet.notes else ""]
    for heading, text in sheet.other:
        parts += [_heading(heading), f"{text}\n" if text else ""]
    return "".join(parts)


def read_sheet(text: str) -> CharacterSheet:
    """Reads a sheet back, however it was edited: order of headings, case, bullets, missing parts do not matter."""
    sections = list(_sections(text))
    values: dict[str, tuple[SheetTag, ...]] = {}
    names: dict[str, str] = {}
    remarks: dict[str, tuple[str, ...]] = {}
    notes, trigger, other = "", "", []
    for level, heading, lines in sections:
        key = next((key for key, title in _HEADINGS.items() if title.lower() == heading.lower()), None)
        if level == 0 or (level == 1 and not trigger):
            trigger = trigger or heading
            _keep(remarks, "", lines)
        elif key is not None:
            entries, rest = _read_tags(lines)
            values[key] = _merged(values.get(key, ()), entries)
            _keep(remarks, _HEADINGS[key], rest)
        elif heading.lower() == _NAMES.lower():
            _keep(remarks, _NAMES, _read_names(lines, names))
        elif heading.lower() == _NOTES.lower():
            notes = "\n".join(part for part in (notes, _block(lines)) if part)
        else:
            other.append((heading, _block(lines)))
    return CharacterSheet(trigger, names, notes=notes, other=tuple(other), remarks=remarks, **values)


def _heading(title: str) -> str:
    return f"\n## {title}\n\n"


def _tag_line(entry: SheetTag) -> str:
    share = "" if entry.percent is None else f" ({entry.percent} %)"
    return f"- {entry.tag}{share}{f': {entry.note}' if entry.note else ''}\n"


def _remark_lines(sheet: CharacterSheet, section: str) -> list[str]:
    return [f"{line}\n" for line in sheet.remarks.get(section, ())]


def _sections(text: str) -> Iterable[tuple[int, str, list[str]]]:
    """Cuts the text at its headings of the first and second level; text before the first belongs to no heading."""
    level, heading, lines = 1, "", list[str]()
    for line in text.removeprefix("\ufeff").splitlines():
        found = re.match(r"^(#{1,2})\s+(.*?)\s*$", line)
        if found is None:
            lines.append(line)
            continue
        if heading or any(line.strip() for line in lines):
            yield (level if heading else 0), heading, lines
        level, heading, lines = len(found[1]), found[2], []
    yield (level if heading else 0), heading, lines


def _read_tags(lines: list[str]) -> tuple[list[SheetTag], list[str]]:
    entries, rest = [], []
    for line in lines:
        found = _TAG_LINE.match(line.strip())
        if found is None:
            rest.append(line)
            continue
        percent = None if found["percent"] is None else min(100, round(float(found["percent"].replace(",", "."))))
        entries.append(SheetTag(with_underscores(found["tag"]), percent, (found["note"] or "").strip()))
    return entries, rest


def _read_names(lines: list[str], names: dict[str, str]) -> list[str]:
    """Fills `names` and gives the lines that are none."""
    rest = []
    for line in lines:
        found = _NAME_LINE.match(line.strip())
        if found is None:
            rest.append(line)
        else:
            names[found[1]] = with_underscores(found[2])
    return rest


def _merged(first: Iterable[SheetTag], second: Iterable[SheetTag]) -> tuple[SheetTag, ...]:
    """Joins two lists of tags, the first mention of a tag counts."""
    entries: dict[str, SheetTag] = {}
    for entry in (*first, *second):
        entries.setdefault(entry.tag, entry)
    return tuple(entries.values())


def _keep(remarks: dict[str, tuple[str, ...]], section: str, lines: Iterable[str]) -> None:
    """Remembers lines that are neither empty nor the program's own hint."""
    hints = {f"*{hint}*" for hint in _HINTS.values()}
    kept = [line.rstrip() for line in lines if line.strip() and line.strip() not in hints]
    if kept:
        remarks[section] = (*remarks.get(section, ()), *kept)


def _block(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")
