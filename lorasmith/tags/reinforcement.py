"""Reinforcement: for each toggle the tags that help to prompt it, as a section of the character sheet.

A line `- scarf: winter_clothes, snow` under the heading is one toggle and what helps; it is edited by hand like the rest.
"""

from collections.abc import Mapping
from dataclasses import replace

from lorasmith.tags.sheet import CharacterSheet
from lorasmith.tags.spelling import with_underscores

HEADING = "Reinforcement tags"
_BULLETS = ("- ", "* ", "+ ")
_HINT = "*Tags that help to prompt a toggle: write them beside it in a prompt where it alone is too weak.*"


def read_reinforcement(sheet: CharacterSheet) -> dict[str, tuple[str, ...]]:
    """Gives toggle -> the tags that help to prompt it."""
    found: dict[str, tuple[str, ...]] = {}
    for heading, text in sheet.other:
        if heading.lower() == HEADING.lower():
            for line in text.splitlines():
                toggle, colon, tags = line.strip()[2:].partition(": ")
                if colon and line.strip()[:2] in _BULLETS:
                    found[with_underscores(toggle)] = tuple(filter(None, map(with_underscores, tags.split(","))))
    return found


def with_reinforcement(sheet: CharacterSheet, wanted: Mapping[str, tuple[str, ...]]) -> CharacterSheet:
    """Gives the sheet with these reinforcement tags in it, in place of those it had; other lines of the section stay."""
    kept = [line for heading, text in sheet.other if heading.lower() == HEADING.lower() for line in text.splitlines()]
    kept = [line for line in kept if line.strip() and line.strip() != _HINT and line.strip()[:2] not in _BULLETS]
    lines = [_HINT, "", *(f"- {toggle}: {', '.join(tags)}" for toggle, tags in wanted.items() if tags), *kept]
    section = (HEADING, "\n".join(lines))
    before = [part for part in sheet.other if part[0].lower() != HEADING.lower()]
    return replace(sheet, other=(*before, section))
