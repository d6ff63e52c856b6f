"""The caption of one draw: shuffled, thinned or dropped, as a function of the draw's key alone.

The order of things is kohya's: dropout of the whole, wildcards, fixed and free tags, warm-up, shuffle, dropout of tags.
"""

import math
import random
import re
from dataclasses import dataclass

SEPARATOR = "|||"  # what stands before it stays in place (kohya's keep_tokens_separator)
TOGETHER = ";;;"  # tags joined by it move as one (kohya's secondary_separator)

_CHOICE = re.compile(r"\{([^{}]*)\}")
_OPEN, _CLOSE = "\0", "\1"  # stand for braces that are written twice


@dataclass(frozen=True)
class CaptionRules:
    """How a caption varies from draw to draw; the two dropouts are shares from 0 to 1."""

    shuffle: bool = True
    keep_tokens: int = 1
    tag_dropout: float = 0.0
    caption_dropout: float = 0.0
    wildcards: bool = False


def split_tags(caption: str) -> list[str]:
    """Cuts a caption at its commas into stripped, non-empty tags."""
    return [tag for part in caption.split(",") if (tag := part.strip())]


def draw_caption(caption: str, rules: CaptionRules, key: str, shown: float = 1.0) -> str:
    """Gives the caption as it is trained on this time; `key` names the draw and decides everything random.

    `shown` is the share of the free tags that warm-up lets in so far, at least one. The kept tags never move and are never
    dropped; the separators never reach the text encoder.
    """
    chance = random.Random(key)
    if chance.random() < rules.caption_dropout:
        return ""
    head, tags, tail = _parts(_line(caption, rules.wildcards, chance), rules.keep_tokens)
    if rules.shuffle:
        tags = sorted(tags, key=lambda _: chance.random())
    if shown < 1:
        tags = tags[: max(1, math.floor(shown * len(tags) + 0.5))]
    tags = [tag for tag in tags if chance.random() >= rules.tag_dropout]
    return ", ".join(part for tag in (*head, *tags, *tail) for part in split_tags(tag.replace(TOGETHER, ",")))


def _line(caption: str, wildcards: bool, chance: random.Random) -> str:
    """Gives the line that is meant: the first, or with wildcards any of them, its choices made."""
    lines = [line for line in caption.splitlines() if line.strip()] or [""]
    if not wildcards:
        return lines[0]
    line = lines[int(chance.random() * len(lines))].replace("{{", _OPEN).replace("}}", _CLOSE)

    def choose(found: re.Match[str]) -> str:
        choices = found[1].split("|")
        return choices[int(chance.random() * len(choices))]

    return _CHOICE.sub(choose, line).replace(_OPEN, "{").replace(_CLOSE, "}")


def _parts(caption: str, keep_tokens: int) -> tuple[list[str], list[str], list[str]]:
    """Splits a caption into fixed head, free tags and fixed tail."""
    if SEPARATOR in caption:
        head, free, *rest = caption.split(SEPARATOR)
        return split_tags(head), split_tags(free), [tag for part in rest for tag in split_tags(part)]
    tags = split_tags(caption)
    return tags[:keep_tokens], tags[keep_tokens:], []
