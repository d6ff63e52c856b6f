"""Finds plain frames and letterbox bars round a picture, to the pixel."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box

Pixels = NDArray[np.int16]

_LOOK_SIDE = 1024  # sides longer than this are first looked at reduced
_ALIKE = 14  # levels of each channel that a bar's pixel may differ from its colour
_CLEAN = 0.985  # share of such pixels in a line of a bar
_WRITTEN = 0.55  # ... where words stand in the bar
_STEP = 0.5  # share of pixels that must differ where the picture begins: a plain background has no such step
_DEEPEST = 0.4  # of a side
_LEAST = 0.006  # of a side, and 3 pixels
_PASSES = 3  # frames within frames


class _Side(NamedTuple):
    """How to look at the lines of one side from without: a view whose first axis leads inwards."""

    name: str
    view: Callable[[Pixels], Pixels]


_SIDES = (
    _Side("top", lambda pixels: pixels),
    _Side("bottom", lambda pixels: pixels[::-1]),
    _Side("left", lambda pixels: pixels.transpose(1, 0, 2)),
    _Side("right", lambda pixels: pixels.transpose(1, 0, 2)[::-1]),
)


def find_border(image: Image.Image) -> Box | None:
    """Gives the picture's inside where bars of one colour stand at a side or all round it; None where none do.

    A bar is told from a plain background by where it ends: in a straight step over most of the side.
    """
    whole = inside = Box(0, 0, *image.size)
    for _ in range(_PASSES):
        smaller = _without_bars(image, inside, first=inside == whole)
        if smaller == inside:
            break
        inside = smaller
    return None if inside == whole else inside


def _without_bars(image: Image.Image, box: Box, first: bool) -> Box:
    """Takes one bar off each side that has one."""
    scale = max(1.0, max(box.width, box.height) / _LOOK_SIDE)
    size = (max(1, round(box.width / scale)), max(1, round(box.height / scale)))
    look = _pixels(image, box, size)
    deep: dict[str, int] = {}
    for one, two in (_SIDES[:2], _SIDES[2:]):
        lines = look[deep.get("top", 0) : look.shape[0] - deep.get("bottom", 0)]
        bars = [_bar(side.view(lines), scale if first else 0) for side in (one, two)]
        if not _belong(*bars):
            bars = [bar if bar.bare else _NONE for bar in bars]
        deep |= {one.name: bars[0].depth, two.name: bars[1].depth}
    if not any(deep.values()):
        return box
    if scale == 1:
        return _taken_off(box, deep)
    exact = {side.name: _exact(image, box, side, deep[side.name], scale) for side in _SIDES}
    return _taken_off(box, exact)


def _taken_off(box: Box, deep: dict[str, int]) -> Box:
    return Box(
        box.left + deep["left"], box.top + deep["top"], box.right - deep["right"], box.bottom - deep["bottom"]
    )


def _pixels(image: Image.Image, box: Box, size: tuple[int, int]) -> Pixels:
    area = (box.left, box.top, box.right, box.bottom)
    part = image.crop(area) if size == (box.width, box.height) else image.resize(size, Image.Resampling.BOX, area)
    return np.asarray(part.convert("RGB"), np.int16)


class _Bar(NamedTuple):
    """How many lines deep, and of which colour."""

    depth: int
    colour: NDArray[np.float64]

    @property
    def bare(self) -> bool:
        """Says whether it is black or white, as bars are that stand alone; floors and skies have colours."""
        return bool(self.depth and (self.colour.max() <= 10 or self.colour.min() >= 250))


_NONE = _Bar(0, np.zeros(3))


def _belong(one: _Bar, two: _Bar) -> bool:
    """Says whether the bars of opposite sides are of one colour; a floor is no bar because the sky is another."""
    return bool(one.depth and two.depth and np.abs(one.colour - two.colour).max() <= _ALIKE)


def _bar(lines: Pixels, scale: float) -> _Bar:
    """Measures the bar at the first of the lines; at scale 0 it may be as thin as one line."""
    if len(lines) < 8 or lines.shape[1] < 8:
        return _NONE
    colour = np.median(lines[:2].reshape(-1, 3), axis=0)
    shares = _alike(lines, colour)
    depth = 0
    for place, share in enumerate(shares[: round(_DEEPEST * len(lines)) + 1]):
        if share >= _CLEAN:
            depth = place + 1
        elif share < _WRITTEN:
            break
    last = min(depth + 2, len(shares) - 1)  # the line between may be half bar, half picture
    least = max(3 / scale, _LEAST * len(lines)) if scale else 1
    if not least <= depth <= _DEEPEST * len(lines) or shares[last] > 1 - _STEP:
        return _NONE
    return _Bar(depth, colour)


def _alike(lines: Pixels, colour: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((np.abs(lines - colour).max(axis=2) <= _ALIKE).mean(axis=1), np.float64)


def _exact(image: Image.Image, box: Box, side: _Side, deep: int, scale: float) -> int:
    """Looks at a bar's inner edge at full size: how many lines it really has."""
    if not deep:
        return 0
    upright = side.name in ("top", "bottom")
    length = box.height if upright else box.width
    low, high = max(0, round((deep - 2) * scale)), min(length, round((deep + 3) * scale) + 1)
    one, two = (low, high) if side.name in ("top", "left") else (length - high, length - low)
    area = (
        Box(box.left, box.top + one, box.right, box.top + two)
        if upright
        else Box(box.left + one, box.top, box.left + two, box.bottom)
    )
    lines = side.view(_pixels(image, area, (area.width, area.height)))
    shares = _alike(lines, np.median(lines[:1].reshape(-1, 3), axis=0))
    within = np.flatnonzero(shares < 1 - _STEP)
    return low + int(within[0]) if len(within) else round(deep * scale)
