"""A wiki page's text without its markup (DText, as the e621 and Danbooru families write it)."""

import re

from lorasmith.safety import text_is_refused

LONGEST = 1500  # characters kept of a page
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\r\n?"), "\n"),
    (re.compile(r"^h[1-6](#[\w-]+)?\.\s*", re.MULTILINE | re.IGNORECASE), ""),
    (re.compile(r"\[\[(?:[^\]|]*\|)([^\]|]+)\]\]"), r"\1"),  # [[page|words]]
    (re.compile(r"\[\[([^\]|]+)\|?\]\]"), r"\1"),
    (re.compile(r"\{\{([^}|]+)(?:\|([^}]+))?\}\}"), r"\1"),
    (re.compile(r'"([^"\n]+)":(?:\[[^\]\n]*\]|\S+)'), r"\1"),  # "words":address
    (re.compile(r"\[/?[a-z][^\]\n]{0,60}\]", re.IGNORECASE), ""),
    (re.compile(r"^[ \t*]*(thumb|post|pool|set|topic|forum)\s+#\d+\s*$", re.MULTILINE | re.IGNORECASE), ""),
    (re.compile(r"<[^>\n]{1,200}>"), ""),
    (re.compile(r"https?://\S+"), ""),
    (re.compile(r"^[ \t]*\*+[ \t]*", re.MULTILINE), "- "),
    (re.compile(r"^#+ ", re.MULTILINE), ""),  # would be a heading of the sheet
    (re.compile(r"[ \t]+\n"), "\n"),
    (re.compile(r"\n{3,}"), "\n\n"),
)


def plain_text(markup: str, longest: int = LONGEST) -> str:
    """Gives the words of a page, cut at the end of a line; lines that speak of minors are left out."""
    text = markup[: 8 * longest]
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    kept: list[str] = []
    for line in text.strip().split("\n"):
        if sum(map(len, kept)) + len(line) > longest:
            break
        if not text_is_refused(line.replace("_", " ")):
            kept.append(line.rstrip())
    return "\n".join(kept).strip()
