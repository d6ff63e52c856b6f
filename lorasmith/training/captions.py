"""The caption of one draw: shuffled, thinned or dropped, as a function of the draw's key alone."""

import random
from dataclasses import dataclass

SEPARATOR = "|||"  # what stands before it stays in place (kohya's keep_tokens_separator)


@dataclass(frozen=True)
class CaptionRules:
    """How a caption varies from draw to draw; the two dropouts are shares from 0 to 1."""

    shuffle: bool = True
    keep_tokens: int = 1
    tag_dropout: float = 0.0
    caption_dropout: float = 0.0


def split_tags(caption: str) -> list[str]:
    """Cuts a caption at its commas into stripped, non-empty tags."""
    return [tag for part in caption.split(",") if (tag := part.strip())]


def draw_caption(caption: str, rules: CaptionRules, key: str) -> str:
    """Gives the caption as it is trained on this time; `key` names the draw and decides everything random.

    The kept tags never move and are never dropped; the separator never reaches the text encoder.
    """
    chance = random.Random(key)
    if chance.random() < rules.caption_dropout:
        return ""
    head, tags, tail = _parts(caption, rules.keep_tokens)
    if rules.shuffle:
        tags = sorted(tags, key=lambda _: chance.random())
    tags = [tag for tag in tags if chance.random() >= rules.tag_dropout]
    return ", ".join([*head, *tags, *tail])


def _parts(caption: str, keep_tokens: int) -> tuple[list[str], list[str], list[str]]:
    """Splits a caption into fixed head, free tags and fixed tail."""
    if SEPARATOR in caption:
        head, free, *rest = caption.split(SEPARATOR)
        return split_tags(head), split_tags(free), [tag for part in rest for tag in split_tags(part)]
    tags = split_tags(caption)
    return tags[:keep_tokens], tags[keep_tokens:], []
