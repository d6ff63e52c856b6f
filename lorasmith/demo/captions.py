"""Captions for the base model's training: tags as the product writes them, as CLIP's token ids."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import torch

from lorasmith.checkpoints.clip.tokenizer import BOS, EOS, load_tokenizer
from lorasmith.demo.creature import EYES, POSES
from lorasmith.demo.scenery import BACKGROUNDS
from lorasmith.demo.world import (
    ACCESSORIES,
    ARTISTS,
    BASE_FURS,
    COPYRIGHT,
    EARS,
    FRAMINGS,
    KNOWN_CHARACTERS,
    MARKINGS,
    MOUTHS,
    SPECIES,
    Scene,
    with_implied,
)

LENGTH = 77
NAMED = (
    *BASE_FURS,
    *EARS,
    *EYES,
    *MOUTHS,
    *POSES,
    *MARKINGS,
    *ACCESSORIES,
    *FRAMINGS,
    *BACKGROUNDS,
    "solo",
    "duo",
    *ARTISTS,
    COPYRIGHT,
    *KNOWN_CHARACTERS,
    *SPECIES.values(),
)
_EXTRAS = ("signature", "text", "speech_bubble", "anthro", "digital_media_(artwork)", "smile", "looking_at_viewer")
_NO_TAG = -100


@dataclass(frozen=True)
class Tokens:
    """Token ids [77] of one caption, and per place the number in `NAMED` of the tag that ends there (-100: none)."""

    ids: torch.Tensor
    ends: torch.Tensor


@cache
def _tag_ids(tag: str) -> tuple[int, ...]:
    return tuple(load_tokenizer()(tag.replace("_", " "), add_special_tokens=False).input_ids)


@cache
def _comma() -> int:
    return int(load_tokenizer()(",", add_special_tokens=False).input_ids[0])


def caption_tags(scene: Scene, rng: random.Random) -> list[str]:
    """Gives a scene's tags in random order, some dropped, some implied ones added; none at all once in ten times."""
    if rng.random() < 0.1:
        return []
    keep = rng.choice((1.0, 0.9, 0.75))
    correct = scene.tags()
    tags = [tag for tag in correct if rng.random() < keep]
    tags += [tag for tag in with_implied(correct)[len(correct) :] if rng.random() < 0.25]
    tags += [tag for tag in _EXTRAS if rng.random() < 0.04]
    rng.shuffle(tags)
    return tags


def tokens(tags: list[str]) -> Tokens:
    """Joins tags by commas as a caption does, and cuts them at 75 tokens."""
    ids, ends = [BOS], [_NO_TAG]
    for place, tag in enumerate(tags):
        piece = ([_comma()] if place else []) + list(_tag_ids(tag))
        if len(ids) + len(piece) >= LENGTH:
            break
        ids += piece
        ends += [_NO_TAG] * (len(piece) - 1) + [NAMED.index(tag) if tag in NAMED else _NO_TAG]
    rest = LENGTH - len(ids)
    return Tokens(torch.tensor(ids + [EOS] * rest), torch.tensor(ends + [_NO_TAG] * rest))
