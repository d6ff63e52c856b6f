"""Finds the same mark on many pictures: the same name or logo, with letters or without, in the same corner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import cv2
import numpy as np
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.marks import LOGO, WRITING, Mark

_ACROSS, _DOWN = 32, 8  # cells of a mark's small picture, one bit each
_NEAR_BITS = 56  # of 256; unrelated marks differ in some 110
_ASKED = 24  # members of a group that a mark is compared with
_NEAR_WORDS = 0.75
_NEAR_PLACE = 0.06  # of the picture's shorter side, from the nearest corner
_NEAR_SHAPE = 1.5  # of the sides' ratios
_CELLS = 16  # of a logo's small pictures, each way: one of its shape, one of its light and dark
_LOGO_BITS, _LOGO_SHAPE_BITS = 84, 32  # of 512, and of the 256 that tell the shape
_LOGO_PLACE, _LOGO_SHAPE = 0.03, 1.25  # logos without letters stand at one place in one size, of the picture or in pixels
_LOGO_SHARE = 0.1  # of all pictures: scenery stands at one place on a few of them as well
_LOGO_COLOUR = 40.0  # mean distance in RGB
_JOINT = 0.5  # of the smaller of two marks: then one is a part of the other


@dataclass(frozen=True)
class Look:
    """What a mark looks like, small enough to keep: corner, place from there, ratio of sides, a hash of its ink."""

    mark: Mark
    corner: str
    place: tuple[float, float]
    ratio: float
    ink: int
    short: int = 0  # the picture's shorter side in pixels
    colour: tuple[float, ...] = ()  # mean, of a logo


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
    ratio = box.width / max(1, box.height)
    if mark.kind == LOGO:
        return Look(mark, f"{end} {side}", place, ratio, *_shape(image, mark, short))
    return Look(mark, f"{end} {side}", place, ratio, _ink(image, mark))


def _shape(image: Image.Image, mark: Mark, short: int) -> tuple[int, int, tuple[float, ...]]:
    """Gives 512 bits, 256 of the shape and 256 of what is lighter than its mean, the picture's side, and the mean colour."""
    box, fine = mark.box, 4 * _CELLS
    area = (box.left, box.top, box.right, box.bottom)
    part = np.asarray(image.resize((fine, fine), Image.Resampling.BOX, area, reducing_gap=2.0).convert("RGB"), np.float32)
    scale = np.array([fine / box.width, fine / box.height])
    points = ((np.asarray(mark.outline, np.float64) - (box.left, box.top)) * scale).round().astype(np.int32)
    inside = np.zeros((fine, fine), np.float32)
    cv2.fillPoly(inside, [points], 1.0)
    if not inside.any():
        inside[:] = 1.0
    shape = cv2.resize(inside, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA) > 0.5
    grey = cv2.resize(part.mean(axis=2), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    light = shape & (grey > (grey[shape].mean() if shape.any() else 0.0))
    bits = np.packbits(np.concatenate([shape.ravel(), light.ravel()])).tobytes()
    return int.from_bytes(bits, "big"), short, tuple(float(one) for one in part[inside > 0].mean(axis=0))


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
    """Groups what is the same mark on at least `least` pictures, the most frequent first; each mark is in one group.

    Of logos without letters also a tenth of all pictures must bear it.
    """
    wanted = {*WRITING, LOGO}
    entries = [(name, look) for name, own in sorted(looks.items()) for look in own if look.mark.kind in wanted]
    groups: list[list[tuple[str, Look]]] = []
    for entry in sorted(entries, key=lambda each: (-each[1].mark.confidence, each[0])):
        home = next((group for group in groups if _same(entry[1], group)), None)
        if home is None:
            groups.append([entry])
        else:
            home.append(entry)
    many = [group for group in groups if len({name for name, _ in group}) >= least]
    many = _whole(many, least, max(least, round(_LOGO_SHARE * len(looks))))
    many.sort(key=lambda group: (-len(group), group[0][1].mark.words, group[0][0]))
    return [_told(group) for group in many]


def _whole(groups: Sequence[list[tuple[str, Look]]], least: int, least_logos: int) -> list[list[tuple[str, Look]]]:
    """Leaves out parts of logos, and what of a logo was found once more: the group of more and larger marks stays."""
    taken: dict[str, list[Box]] = {}
    left = []
    for group in sorted(groups, key=_rank):
        logo = group[0][1].mark.kind == LOGO
        if logo:
            group = [(name, look) for name, look in group if not _is_taken(look.mark.box, taken.get(name, ()))]
            group = list({name: (name, look) for name, look in reversed(group)}.values())[::-1]  # one on each picture
        if len({name for name, _ in group}) >= (least_logos if logo else least):
            left.append(group)
            for name, look in group:
                taken.setdefault(name, []).append(look.mark.box)
    return left


def _rank(group: Sequence[tuple[str, Look]]) -> tuple[bool, float, str]:
    areas = sorted(look.mark.box.area for _, look in group)
    weight = len({name for name, _ in group}) * areas[len(areas) // 2] ** 0.5  # a whole on some before its part on all
    return group[0][1].mark.kind == LOGO, -weight, group[0][0]


def _is_taken(own: Box, others: Sequence[Box]) -> bool:
    return any(_common(own, other) > _JOINT * min(own.area, other.area) for other in others)


def _common(one: Box, two: Box) -> int:
    wide = min(one.right, two.right) - max(one.left, two.left)
    return max(0, wide) * max(0, min(one.bottom, two.bottom) - max(one.top, two.top))


def _told(group: Sequence[tuple[str, Look]]) -> Repeat:
    first = group[0][1]
    return Repeat(first.mark.words, first.corner, tuple(sorted(((name, look.mark) for name, look in group), key=str)))


def _same(look: Look, group: Sequence[tuple[str, Look]]) -> bool:
    """Compares with the group's surest marks."""
    return any(_alike(look, other) for _, other in group[:_ASKED])


def _alike(one: Look, two: Look) -> bool:
    if one.mark.kind == LOGO or two.mark.kind == LOGO:
        return one.mark.kind == two.mark.kind and _same_logo(one, two)
    if one.corner != two.corner or max(abs(a - b) for a, b in zip(one.place, two.place, strict=True)) > _NEAR_PLACE:
        return False
    if not 1 / _NEAR_SHAPE < one.ratio / two.ratio < _NEAR_SHAPE:
        return False
    return (one.ink ^ two.ink).bit_count() <= _NEAR_BITS or _words_alike(one.mark.words, two.mark.words)


def _same_logo(one: Look, two: Look) -> bool:
    if one.corner != two.corner or not 1 / _LOGO_SHAPE < one.ratio / two.ratio < _LOGO_SHAPE:
        return False
    differing = one.ink ^ two.ink
    if differing.bit_count() > _LOGO_BITS or (differing >> _CELLS * _CELLS).bit_count() > _LOGO_SHAPE_BITS:
        return False
    if max(abs(a - b) for a, b in zip(one.colour, two.colour, strict=True)) > _LOGO_COLOUR:
        return False
    return any(_same_place(one, two, *shorts) for shorts in ((one.short, two.short), (two.short, two.short)))


def _same_place(one: Look, two: Look, first: int, second: int) -> bool:
    """Compares place and size, the first picture's as parts of `first` pixels: of its own side, or in the other's pixels."""
    factor = one.short / first
    sizes = one.mark.box.width / first, two.mark.box.width / second
    near = max(abs(a * factor - b) for a, b in zip(one.place, two.place, strict=True)) < _LOGO_PLACE
    return near and 1 / _LOGO_SHAPE < sizes[0] / sizes[1] < _LOGO_SHAPE


def _words_alike(one: str, two: str) -> bool:
    return min(len(one), len(two)) >= 3 and SequenceMatcher(None, one.lower(), two.lower()).ratio() >= _NEAR_WORDS
