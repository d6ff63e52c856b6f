"""Captions as text: tags joined by commas, written without escapes, read tolerantly; minors' tags never pass."""

import re
from collections.abc import Iterable

from lorasmith.safety import demand_safe_text
from lorasmith.tags.spelling import spelled, with_underscores, without_comma, without_parentheses

# A comma separates tags unless it stands inside a pair of parentheses: `name_(a, b)` is one tag, `;)` opens none.
_PIECE = re.compile(r"(?:\([^()\n]*\)|[^,\n])+")


def caption_text(tags: Iterable[str], underscores: bool = False, parentheses: bool = True) -> str:
    """Writes one caption line, each tag once; raises `RefusedError` when a tag marks minors."""
    written: dict[str, str] = {}
    for tag in tags:
        text = spelled(without_comma(tag), underscores)
        text = text if parentheses else without_parentheses(text)
        if text:
            written.setdefault(text.casefold(), text)
    line = ", ".join(written.values())
    demand_safe_text(line, "caption")
    return line


def tags_of_caption(text: str) -> list[str]:
    """Reads the tags of a caption: byte order mark, several lines, missing spaces and repeats are forgiven."""
    found: dict[str, str] = {}
    for piece in _PIECE.findall(text.removeprefix("\ufeff")):
        tag = with_underscores(without_comma(piece))
        if tag:
            found.setdefault(tag.casefold(), tag)
    return list(found.values())
