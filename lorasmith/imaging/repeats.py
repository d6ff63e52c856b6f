"""Finds the same mark on many pictures: the same logo or name in the same corner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import cv2
import numpy as np
from PIL import Image

from lorasmith.imaging.marks import WRITING, Mark

_ACROSS, _DOWN = 32, 8  # cells of a mark's small picture, one bit each
_NEAR_BITS = 56  # of 256; unrelated marks differ in some 110
_ASKED = 24  # members of a group that a mark is compared with
_NEAR_WORDS = 0.75
_NEAR_PLACE = 0.06  # of the picture's shorter side, from the nearest corner
_NEAR_SHAPE = 1.5  # of the sides' ratios


@dataclass(frozen=True)
class Look:
    """What a mark looks like, small enough to keep: corner, place from there, ratio of sides, a hash of its ink."""

    mark: Mark
    corner: str
    place: tuple[float, float]
    ratio: float
    ink: int


@dataclass(frozen=True)
class Repeat:
    """One mark found on several pictures: its words as read most surely, and each picture's name with its mark."""

    words: str
    corner: str
    marks: tuple[tuple[str, Mark], ...]


def look_of(image: Image.Image, mark: Mark) -> Look:
    """Measures a mark for comparing; the picture itself need not be kept."""
    (width, height), box = image.size, mark.box
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    side, short = ("left" if x < width / 2 else "right"), min(width, height)
    end = "top" if y < height / 2 else "bottom"
    place = (min(x, width - x) / short, min(y, height - y) / short)
    return Look(mark, f"{end} {side}", place, box.width / max(1, box.height), _ink(image, mark))


def _ink(image: Image.Image, mark: Mark) -> int:
    """Gives 256 bits, one per cell: whether it differs from the mark's ground more than the middle cell does."""
    area = (mark.box.left, mark.box.top, mark.box.right, mark.box.bottom)
    size = (4 * _ACROSS, 4 * _DOWN)
    part = np.asarray(image.resize(size, Image.Resampling.BOX, area, reducing_gap=2.0).convert("RGB"), np.float32)
    rim = np.concatenate([part[0], part[-1]])
    apart = np.linalg.norm(part - np.median(rim, axis=0), axis=2)
    cells = cv2.resize(apart, (_ACROSS, _DOWN), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(cells > np.median(cells)).tobytes(), "big")


def repeated(looks: Mapping[str, Sequence[Look]], least: int = 3) -> list[Repeat]:
    """Groups what is the same mark on at least `least` pictures, the most frequent first; each mark is in one group."""
    entries = [(name, look) for name, own in sorted(looks.items()) for look in own if look.mark.kind in WRITING]
    groups: list[list[tuple[str, Look]]] = []
    for entry in sorted(entries, key=lambda each: (-each[1].mark.confidence, each[0])):
        home = next((group for group in groups if _same(entry[1], group)), None)
        if home is None:
            groups.append([entry])
        else:
            home.append(entry)
    many = [group for group in groups if len({name for name, _ in group}) >= least]
    many.sort(key=lambda group: (-len(group), group[0][1].mark.words, group[0][0]))
    return [_told(group) for group in many]


def _told(group: Sequence[tuple[str, Look]]) -> Repeat:
    first = group[0][1]
    return Repeat(first.mark.words, first.corner, tuple(sorted(((name, look.mark) for name, look in group), key=str)))


def _same(look: Look, group: Sequence[tuple[str, Look]]) -> bool:
    """Compares with the group's surest marks."""
    return any(_alike(look, other) for _, other in group[:_ASKED])


def _alike(one: Look, two: Look) -> bool:
    if one.corner != two.corner or max(abs(a - b) for a, b in zip(one.place, two.place, strict=True)) > _NEAR_PLACE:
        return False
    if not 1 / _NEAR_SHAPE < one.ratio / two.ratio < _NEAR_SHAPE:
        return False
    return (one.ink ^ two.ink).bit_count() <= _NEAR_BITS or _words_alike(one.mark.words, two.mark.words)


def _words_alike(one: str, two: str) -> bool:
    return min(len(one), len(two)) >= 3 and SequenceMatcher(None, one.lower(), two.lower()).ratio() >= _NEAR_WORDS
