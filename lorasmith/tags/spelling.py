"""How tags are written: underscores, spaces, commas, and the escapes of prompts. Stored tags have underscores."""

import re
from functools import lru_cache

from lorasmith.errors import UsageError

_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")
_SCORE_WORD = re.compile(r"score_\d(?:_up)?")  # Pony was trained on these with their underscores
_SPACES = re.compile(r"\s+")
_SPECIAL = re.compile(r"([\\()\[\]])")
_ESCAPED = re.compile(r"\\([\\()\[\]])")


def is_kaomoji(tag: str) -> bool:
    """Says whether a tag is drawn rather than written (`^_^`, `o_o`): it has `_` and nowhere two letters in a row."""
    return "_" in tag and not _TWO_LETTERS.search(tag)


def with_spaces(tag: str) -> str:
    """Writes a tag as trainers read it: spaces for underscores, but a kaomoji and Pony's score words as they are."""
    return tag if is_kaomoji(tag) or _SCORE_WORD.fullmatch(tag) else _SPACES.sub(" ", tag.replace("_", " ")).strip()


def with_underscores(tag: str) -> str:
    """Writes a tag as boorus store it: no spaces anywhere."""
    return _SPACES.sub("_", tag.strip())


def spelled(tag: str, underscores: bool) -> str:
    """Writes a tag with underscores or with spaces."""
    return with_underscores(tag) if underscores else with_spaces(tag)


def without_parentheses(tag: str) -> str:
    """Writes a tag without `(` and `)`, keeping what stands between them; a drawn one (`:)`) as it is."""
    return tag.replace("(", "").replace(")", "") if _TWO_LETTERS.search(tag) else tag


@lru_cache(maxsize=1 << 16)
def same_tag(tag: str) -> str:
    """Writes a tag as two spellings of it compare: with underscores, without parentheses, in one case."""
    return without_parentheses(with_underscores(tag)).casefold()


def without_comma(tag: str) -> str:
    """Replaces commas, which would cut a tag in two in a caption: `a,_b` becomes `a_b`."""
    return _SPACES.sub(" ", re.sub(r"_{2,}", "_", tag.replace(",", " " if " " in tag else "_"))).strip(" _")


def demand_tag(tag: str) -> str:
    """Gives a tag that a person typed as it is stored; raises `UsageError` when it is empty or holds a comma."""
    cleaned = with_underscores(_ESCAPED.sub(r"\1", tag.strip().removeprefix("\ufeff")))
    if not cleaned:
        raise UsageError("A tag is empty; write at least one letter.")
    if "," in cleaned:
        raise UsageError(f"The tag '{tag}' holds a comma, which separates tags; give two tags, or leave the comma out.")
    return cleaned


def for_prompt(tag: str) -> str:
    r"""Writes a tag for a prompt, where parentheses are weights: spaces, and `\(` for `(`."""
    return _SPECIAL.sub(r"\\\1", with_spaces(tag))


def escaped(text: str) -> str:
    r"""Writes a text for a prompt as it is, but for brackets, which would be weights there: `\(` for `(`."""
    return re.sub(r"([()\[\]])", r"\\\1", text)


def from_prompt(tag: str) -> str:
    r"""Reads a tag out of a prompt: the reverse of `for_prompt`, as boorus store it."""
    return with_underscores(_ESCAPED.sub(r"\1", tag))
