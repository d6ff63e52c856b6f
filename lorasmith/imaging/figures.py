"""Finds small figures on a picture: what stands out from its near surroundings, and small areas of one colour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.masks import Mask

Pixels = NDArray[np.uint8]

WORK_SIDE = 640
_WINDOWS = (25, 65, 129)  # pixels of the surroundings that a figure is compared with; it is found up to 0.7 of that
_STANDS_OUT = 16  # of 255 a channel, in 8-bit CIE Lab
_REACHES = (0, 3, 7)  # pixels over which parts are one figure
_SMOOTH_STEP = 12
_LEAST_SIDE, _LEAST_AREA, _LEAST_PART = 9, 36, 10
_ONE_COLOUR = 16  # of 255 a channel: pieces of one sign
_GAP, _FARTHEST = 0.9, 60  # of the longer piece, in pixels at most: between pieces of one sign
_MOST_PARTS, _MOST_GROUPED = 6, 400
_MOST_SIDE = 0.25  # of the longer side of the picture
_MOST = 700  # candidates of one picture
_SAME = 0.85  # overlap of boxes from which two candidates of like area are one


@dataclass(frozen=True)
class Figure:
    """A small figure: its box in pixels of the picture, its shape within (uint8 0 or 255), and what it looks like.

    `shape` is of a reduced picture, `scale` times the size. `ground` is how evenly coloured its surroundings are (mean
    distance from their median, 8-bit Lab), `apart` how far its colour is from them, `parts` the number of its parts.
    """

    box: Box
    shape: Mask
    scale: float
    ground: float
    apart: float
    parts: int
    colour: tuple[float, float, float]  # mean, 8-bit Lab

    def outline(self) -> tuple[tuple[int, int], ...]:
        """Gives the outline in pixels of the picture; round several parts their common hull."""
        found, _ = cv2.findContours(np.pad(self.shape, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
        points = np.concatenate(found) if len(found) == 1 else cv2.convexHull(np.concatenate(found))
        places = (points.reshape(-1, 2) - 0.5) / self.scale + (self.box.left, self.box.top)
        return tuple((round(float(x)), round(float(y))) for x, y in places)


def find_figures(image: Image.Image) -> list[Figure]:
    """Finds the small figures of a picture, the plainest surroundings first; most are nothing but parts of the drawing."""
    full = np.asarray(image.convert("RGB"))
    scale = min(1.0, WORK_SIDE / max(full.shape[:2]))
    size = (max(8, round(full.shape[1] * scale)), max(8, round(full.shape[0] * scale)))
    pixels = np.asarray(cv2.resize(full, size, interpolation=cv2.INTER_AREA), np.uint8)
    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.uint8)
    single = [piece for cut in (*_standing_out(lab), _flat(pixels)) for piece in _pieces(lab, cut)]
    pieces = [piece for piece in (*single, *_grouped(single)) if _is_figure(piece)]
    figures = [figure for piece in pieces if (figure := _figure(lab, piece, scale)) is not None]
    return _distinct(sorted(figures, key=lambda figure: figure.ground))[:_MOST]


@dataclass(frozen=True)
class _Piece:
    """Pixels of the reduced picture that belong together: their mask (0 or 1) and where it lies."""

    mask: Mask
    left: int
    top: int
    area: int
    colour: tuple[float, ...]

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.left + self.mask.shape[1], self.top + self.mask.shape[0]


def _is_figure(piece: _Piece) -> bool:
    high, wide = piece.mask.shape
    return piece.area >= _LEAST_AREA and _LEAST_SIDE <= max(wide, high) <= _MOST_SIDE * WORK_SIDE and min(wide, high) >= 3


def _pieces(lab: Pixels, cut: "Cut") -> list[_Piece]:
    labels, stats, count = cut
    found = []
    for label in range(1, count):
        left, top, wide, high, area = (int(number) for number in stats[label])
        if area < _LEAST_PART or max(wide, high) > _MOST_SIDE * WORK_SIDE:
            continue
        mask = (labels[top : top + high, left : left + wide] == label).astype(np.uint8)
        mean = lab[top : top + high, left : left + wide][mask > 0].mean(axis=0)
        found.append(_Piece(mask, left, top, area, tuple(float(one) for one in mean)))
    return found


def _grouped(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Puts two to six pieces of one colour together that lie near each other: the strokes of a vein, the dot of a !."""
    chosen = sorted(pieces, key=lambda piece: -piece.area)[:_MOST_GROUPED]
    if len(chosen) < 2:
        return []
    sides, colours = np.array([piece.sides for piece in chosen]), np.array([piece.colour for piece in chosen])
    first, second = sides[:, None], sides[None]
    across = np.maximum(first[..., 0], second[..., 0]) - np.minimum(first[..., 2], second[..., 2])
    down = np.maximum(first[..., 1], second[..., 1]) - np.minimum(first[..., 3], second[..., 3])
    longest = (sides[:, 2:] - sides[:, :2]).max(axis=1)
    alike = np.abs(colours[:, None] - colours[None]).max(axis=2) < _ONE_COLOUR
    gap = np.maximum(across, down)
    near = alike & (gap < _GAP * np.minimum(np.maximum(longest[:, None], longest[None]), _FARTHEST)) & (gap > -1)
    groups: list[_Piece] = []
    seen: set[int] = set()
    for start in range(len(chosen)):
        group, rest = {start}, [start]
        while rest and len(group) <= _MOST_PARTS:
            fresh = {int(at) for at in np.flatnonzero(near[rest.pop()])} - group
            group |= fresh
            rest += fresh
        if 1 < len(group) <= _MOST_PARTS and not group & seen:
            groups.append(_joined([chosen[at] for at in sorted(group)]))
            seen |= group
    return groups


def _joined(pieces: Sequence[_Piece]) -> _Piece:
    left, top = min(piece.left for piece in pieces), min(piece.top for piece in pieces)
    right, bottom = (max(piece.sides[at] for piece in pieces) for at in (2, 3))
    mask = np.zeros((bottom - top, right - left), np.uint8)
    for piece in pieces:
        x, y = piece.left - left, piece.top - top
        mask[y : y + piece.mask.shape[0], x : x + piece.mask.shape[1]] |= piece.mask
    return _Piece(mask, left, top, int(mask.sum()), pieces[0].colour)


Cut = tuple[NDArray[np.int32], NDArray[np.int32], int]  # labels [height, width], their boxes and areas, how many


def _standing_out(lab: Pixels) -> Iterator[Cut]:
    """Yields what differs from the middle colour round about, at several sizes, near parts taken together."""
    for window in _WINDOWS:
        ground = cv2.medianBlur(lab, window)
        apart = (cv2.absdiff(lab, ground).max(axis=2) > _STANDS_OUT).astype(np.uint8)
        for reach in _REACHES:
            joined = apart if not reach else cv2.dilate(apart, np.ones((reach, reach), np.uint8))
            count, labels, _, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
            labels = np.where(apart > 0, labels, 0)
            yield labels, _stats(labels, count, 0.75 * window), count


def _stats(labels: NDArray[np.int32], count: int, most: float) -> NDArray[np.int32]:
    """Measures components by their own pixels; what is larger than `most` pixels gets no area."""
    stats = np.zeros((count, 5), np.int32)
    rows, columns = np.nonzero(labels)
    own = labels[rows, columns]
    low, high = np.full((2, count), 1 << 30), np.full((2, count), -1)
    for at, places in enumerate((columns, rows)):
        np.minimum.at(low[at], own, places)
        np.maximum.at(high[at], own, places)
    stats[:, 4] = np.bincount(own, minlength=count)[:count]
    stats[:, :2], stats[:, 2:4] = low.T, np.maximum(0, high - low + 1).T
    stats[stats[:, 2:4].max(axis=1) > most, 4] = 0
    return stats


def _flat(pixels: Pixels) -> Cut:
    """Cuts the picture into areas without inner edges, each grown by the pixel that its edge took."""
    steps = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((steps < _SMOOTH_STEP).astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= _LEAST_AREA // 2
    large[0] = False
    labels = np.where(large[labels], labels, 0).astype(np.int32)
    for _ in range(2):
        grown = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        labels = np.where(labels == 0, grown, labels)
    return labels, _stats(labels, count, _MOST_SIDE * WORK_SIDE), count


def _figure(lab: Pixels, piece: _Piece, scale: float) -> Figure | None:
    """Makes a figure of a piece, holes filled; None where nothing is left round it to compare with."""
    rim = max(3, max(piece.mask.shape) // 5)
    left, top, right, bottom = piece.sides
    x, y = max(0, left - rim), max(0, top - rim)
    colours = lab[y : bottom + rim, x : right + rim]
    part = np.zeros(colours.shape[:2], np.uint8)
    inner = np.s_[top - y : bottom - y, left - x : right - x]
    part[inner] = piece.mask
    own = _filled(part)
    ring = (cv2.dilate(own, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0) & (
        cv2.dilate(own, np.ones((3, 3), np.uint8)) == 0
    )
    if ring.sum() < 8:
        return None
    around, inside = colours[ring].astype(np.float32), colours[part > 0].astype(np.float32)
    middle = np.median(around, axis=0)
    count, _ = cv2.connectedComponents(own)
    mean = inside.mean(axis=0)
    return Figure(
        Box(*(round(edge / scale) for edge in piece.sides)), own[inner] * np.uint8(255), scale,
        float(np.abs(around - middle).max(axis=1).mean()), float(np.abs(inside - middle).max(axis=1).mean()), count - 1,
        (float(mean[0]), float(mean[1]), float(mean[2])),
    )  # fmt: skip


def _filled(mask: Mask) -> Mask:
    """Closes holes that the outside cannot reach."""
    outside = np.pad(mask * np.uint8(255), 1)
    cv2.floodFill(outside, None, (0, 0), 128)
    return (outside[1:-1, 1:-1] != 128).astype(np.uint8)


def _distinct(figures: Sequence[Figure]) -> list[Figure]:
    """Leaves out what was found before at the same place with as much area."""
    kept: list[Figure] = []
    cells: dict[tuple[int, int], list[Figure]] = {}
    for figure in figures:
        x, y = (figure.box.left + figure.box.right) // 24, (figure.box.top + figure.box.bottom) // 24
        near = [one for dx in (-1, 0, 1) for dy in (-1, 0, 1) for one in cells.get((x + dx, y + dy), ())]
        if any(_same(figure, one) for one in near):
            continue
        kept.append(figure)
        cells.setdefault((x, y), []).append(figure)
    return kept


def _same(one: Figure, two: Figure) -> bool:
    area, other = int((one.shape > 0).sum()), int((two.shape > 0).sum())
    return min(area, other) > _SAME * max(area, other) and one.box.overlap(two.box) > _SAME
