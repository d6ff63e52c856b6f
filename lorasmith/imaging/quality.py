"""How sharp a picture is and how much compression has left on it, also where it was decoded at reduced size."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SHARPNESS_SIDE = 1024
_BAND = 128  # rows
_TILES = 8
_TILE_SIDE = 48  # pixels, at least
_TILE_EDGES = 8  # fewer edge pixels say nothing about a tile
_EDGE_CONTRAST = 24
_EDGE_REACH = 9
# Medians over drawings: what is seen at half size, and what the same picture shows whole.
_SEEN_AT_HALF = (0.15, 0.22, 0.28, 0.36, 0.42, 0.50, 0.58, 0.68, 0.86, 0.94, 1.0)
_SEEN_WHOLE = (0.10, 0.15, 0.18, 0.20, 0.23, 0.27, 0.33, 0.43, 0.68, 0.85, 1.0)
# The mean of the ten finest luma steps of a JPEG, and the blockiness that flat drawings then show: quality 95 to 10.
_STEPS = (1.2, 4.0, 7.9, 13.2, 22.0, 33.0, 66.0, 160.0)
_OF_STEPS = (0.01, 0.03, 0.08, 0.12, 0.155, 0.19, 0.26, 0.4)
# The excess of the grid at 1/2 and 1/4, and the blockiness of the same picture whole; less than the first is chance.
_EXCESS = {2: (0.025, 0.035, 0.055, 0.08, 0.18, 0.34, 0.43), 4: (0.025, 0.032, 0.042, 0.055, 0.14, 0.25, 0.39)}
_OF_EXCESS = (0.0, 0.1, 0.15, 0.19, 0.26, 0.44, 0.51)

Grey = NDArray[np.uint8]


def sharpness(grey: Grey, long_side: int = 0) -> float:
    """Gives the steepness of the picture's edges, 0..1, whatever their number: flat-shaded drawings have few.

    At every edge the largest step between neighbours is divided by the contrast round it (1 for a hard step, 0.4
    under a Gaussian blur of 1 pixel, 0.2 of 2). The 90th percentile is taken in each of 8 x 8 tiles (fewer in small
    pictures) and the 70th over the tiles, so that neither a signature on a blurred picture nor a soft background
    behind a sharp figure decides.
    `long_side` is the picture's own where `grey` is reduced: the figure is then what 1024 pixels would have shown, to
    about 0.03 where edges are soft, and less surely where they are hard.
    """
    grey = _at_most(grey, _SHARPNESS_SIDE)
    if min(grey.shape) < 2 * _EDGE_REACH:
        return 0.0
    seen = _steepness(grey)
    octaves = float(np.log2(max(1.0, min(_SHARPNESS_SIDE, long_side) / max(grey.shape))))
    return seen + (float(np.interp(seen, _SEEN_AT_HALF, _SEEN_WHOLE)) - seen) * min(1.0, octaves) if seen else 0.0


def _steepness(grey: Grey) -> float:
    window = np.ones((_EDGE_REACH, _EDGE_REACH), np.uint8)
    contrast = cv2.subtract(cv2.dilate(grey, window), cv2.erode(grey, window))
    step = np.zeros_like(grey)
    step[:, :-1] = cv2.absdiff(grey[:, 1:], grey[:, :-1])
    step[:-1] = cv2.max(step[:-1], cv2.absdiff(grey[1:], grey[:-1]))
    steepest = cv2.compare(step, cv2.dilate(step, window), cv2.CMP_EQ)
    on_edge = cv2.bitwise_and(steepest, cv2.compare(contrast, _EDGE_CONTRAST, cv2.CMP_GE))  # type: ignore[call-overload]
    places = np.flatnonzero(np.asarray(cv2.bitwise_and(on_edge, step)) > 0)
    ratio = step.ravel()[places] / contrast.ravel()[places].astype(np.float64)
    # Tiles of a small picture hold too few edges to judge by: it gets fewer, larger ones.
    tiles = max(1, min(_TILES, min(grey.shape) // _TILE_SIDE))
    rows, columns = np.divmod(places, grey.shape[1])
    tile = (rows * tiles // grey.shape[0]) * tiles + columns * tiles // grey.shape[1]
    values = _percentile_of_each(tile, ratio, 0.9)
    return min(1.0, float(np.percentile(values, 70))) if len(values) else 0.0


def _percentile_of_each(group: NDArray[np.intp], values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Gives the percentile (linear, as numpy's) of each group that is large enough; values lie in 0..1."""
    if not len(values):
        return values
    ordered = np.sort(2.0 * group + values)
    ends = np.searchsorted(ordered, 2.0 * np.arange(group.max() + 2) - 0.5)
    counts = np.diff(ends)
    starts, counts = ends[:-1][counts >= _TILE_EDGES], counts[counts >= _TILE_EDGES]
    place = starts + share * (counts - 1)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, starts + counts - 1)
    between = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    return np.asarray(between - 2.0 * np.rint(ordered[low] // 2), np.float64)


def blockiness(grey: Grey) -> float:
    """Gives how far steps on an 8-pixel grid exceed the others, 0..1; drawn edges count little, any offset is seen."""
    return min(1.0, max(0.0, _excess_of_both(grey, 8)))


def blockiness_of_jpeg(grey: Grey | None, reduced: int, steps: tuple[int, ...]) -> float:
    """Gives the same for a JPEG decoded at 1/1, 1/2 or 1/4: what its luma table says or its pixels, the greater.

    The table knows this file's own quality alone. The pixels show, on the reduced grid, that a poor JPEG was saved again
    in a better one, from about quality 30 down; None for pixels that cannot show it.
    """
    told = float(np.interp(np.mean(sorted(steps)[:10]), _STEPS, _OF_STEPS)) if steps else 0.0
    if grey is None or reduced not in (1, *_EXCESS):
        return told
    if reduced == 1:
        return max(told, blockiness(grey))
    return max(told, float(np.interp(_excess_of_both(grey, 8 // reduced), _EXCESS[reduced], _OF_EXCESS)))


def _excess_of_both(grey: Grey, period: int) -> float:
    if min(grey.shape) < 4 * period:
        return 0.0
    columns, rows = _mean_steps(grey)
    return (_grid_excess(columns, period) + _grid_excess(rows, period)) / 2


def _mean_steps(grey: Grey) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gives the mean step between neighbours at each place across and down; steps over 12 are drawn edges and count as 12.

    Band by band, which stays in the processor's cache, and in whole sums, which are exact and much faster than means.
    """
    height, width = grey.shape
    columns, rows = np.zeros(width - 1, np.int64), np.zeros(height - 1, np.int64)
    for top in range(0, height, _BAND):
        here, next_ones = grey[top : top + _BAND], grey[top + 1 : top + _BAND + 1]
        columns += _sums(cv2.absdiff(here[:, 1:], here[:, :-1]), 0)
        rows[top : top + _BAND] = _sums(cv2.absdiff(next_ones, here[: len(next_ones)]), 1) if len(next_ones) else 0
    return columns / height, rows / width


def _sums(steps: NDArray[Any], along: int) -> NDArray[Any]:
    clipped = cv2.min(steps, 12)  # type: ignore[call-overload]
    return np.asarray(cv2.reduce(clipped, along, cv2.REDUCE_SUM, dtype=cv2.CV_32S)).ravel()


def _grid_excess(steps: NDArray[np.float64], period: int) -> float:
    phases = np.array([steps[offset::period].mean() for offset in range(period)])
    best = int(phases.argmax())
    others = np.delete(phases, best)
    excess = phases[best] - others.max()
    return float(excess / (phases[best] + others.mean() + 0.1))


def _at_most(grey: Grey, side: int) -> Grey:
    """Gives the picture with no side longer than that, each pixel the mean of those it stands for."""
    longest = max(grey.shape)
    if longest <= side:
        return grey
    height, width = (max(1, round(length * side / longest)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
