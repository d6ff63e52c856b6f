"""Finds the panels of a comic page and the figures of a model sheet, so that each can be a picture of its own."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box, character_box
from lorasmith.imaging.masks import Mask

_WORK_SIDE = 500
_PLAIN_SHARE = 0.985  # of a gutter's line that has its colour
_ALIKE = 8.0  # Lab distance
_LEAST_FLANK = 0.8  # of a gutter's length along which something else begins
_LEAST_GUTTER, _MOST_GUTTER = 0.005, 0.12  # of the page's long side
_LEAST_PANEL = 0.15  # of the page's sides
_LEAST_HEIGHT = 0.35  # of the tallest figure
_PLAIN_GROUND = 0.9

Field = NDArray[np.float32]
Colour = NDArray[np.float32]
_Axis = Literal[0, 1]
_Rect = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Split:
    """The boxes a picture can be parted into, in reading order, and how sure that is (0..1); none when unsure."""

    boxes: tuple[Box, ...] = ()
    confidence: float = 0.0


@dataclass(frozen=True)
class _Gutter:
    """A plain band across a part of the page: its first line, the first after it, and how much it looks like one."""

    start: int
    end: int
    worth: float


@dataclass(frozen=True)
class _Page:
    """A page's colours (CIE Lab) and the one colour of its rim, if it has one."""

    lab: Field
    paper: Colour | None


def panels(image: Image.Image) -> Split:
    """Finds the panels of a page that level and upright gutters part; an empty `Split` where there are none.

    A gutter is a band of one colour from edge to edge, along which something else begins on both sides. A band between
    two flat colours of their own (a skirting board, a shore) is none. Slanted and curved gutters are not seen.
    """
    pixels = np.asarray(image.convert("RGB"))
    scale = min(1.0, _WORK_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if min(size) < 40:
        return Split()
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    found: list[tuple[_Rect, float]] = []
    _part(_Page(lab, _paper(lab)), (0, 0, *size), 1.0, found)
    if len(found) < 2:
        return Split()
    covered = sum((right - left) * (bottom - top) for (left, top, right, bottom), _ in found) / (size[0] * size[1])
    if covered < 0.6:
        return Split()
    boxes = tuple(_enlarged(rect, image.size, scale) for rect, _ in found)
    return Split(boxes, round(min(worth for _, worth in found), 3))


def _enlarged(rect: _Rect, size: tuple[int, int], scale: float) -> Box:
    left, top, right, bottom = (side / scale for side in rect)
    return Box(round(left), round(top), round(right), round(bottom)).inside(size)


def _paper(lab: Field) -> Colour | None:
    rim = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    colour = np.median(rim, axis=0)
    alike = np.linalg.norm(rim - colour, axis=1) < _ALIKE
    return np.asarray(colour, np.float32) if alike.mean() > _PLAIN_SHARE else None


def _part(page: _Page, rect: _Rect, worth: float, found: list[tuple[_Rect, float]]) -> None:
    """Parts a rectangle at its gutters, rows first, and its parts again; adds what cannot be parted."""
    rect = _without_margins(page, rect)
    left, top, right, bottom = rect
    for axis in (0, 1):
        gutters = _gutters(page, rect, axis)
        if not gutters:
            continue
        low, high = (top, bottom) if axis == 0 else (left, right)
        edges = [low, *(edge for each in gutters for edge in (each.start, each.end)), high]
        sure = min(worth, *(each.worth for each in gutters))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            _part(page, (left, start, right, end) if axis == 0 else (start, top, end, bottom), sure, found)
        return
    found.append((rect, worth))


def _lines(lab: Field, rect: _Rect, axis: int) -> Field:
    """Gives the rectangle as [lines, places on it, 3], the lines across `axis`."""
    left, top, right, bottom = rect
    part = lab[top:bottom, left:right]
    return part if axis == 0 else part.transpose(1, 0, 2)


def _plain(lines: Field) -> tuple[NDArray[np.bool_], Field]:
    colours = np.median(lines, axis=1)
    alike = np.linalg.norm(lines - colours[:, None], axis=2) < _ALIKE
    return alike.mean(axis=1) >= _PLAIN_SHARE, colours


def _without_margins(page: _Page, rect: _Rect) -> _Rect:
    """Takes the lines of bare paper off round a rectangle."""
    if page.paper is None:
        return rect
    left, top, right, bottom = rect
    bare = np.linalg.norm(page.lab[top:bottom, left:right] - page.paper, axis=2) < _ALIKE
    rows = np.flatnonzero(bare.mean(axis=1) < _PLAIN_SHARE)
    columns = np.flatnonzero(bare.mean(axis=0) < _PLAIN_SHARE)
    if not (rows.size and columns.size):
        return rect
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _gutters(page: _Page, rect: _Rect, axis: int) -> list[_Gutter]:
    lines = _lines(page.lab, rect, axis)
    longest, side = max(page.lab.shape[:2]), page.lab.shape[axis]
    plain, colours = _plain(lines)
    offset = rect[1 - axis]
    found: list[_Gutter] = []
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and plain[end] and np.linalg.norm(colours[end] - colours[start]) < _ALIKE:
            end += 1
        fits = max(1.5, _LEAST_GUTTER * longest) <= end - start <= _MOST_GUTTER * longest
        if fits and start > 0 and end < len(lines):
            worth = _worth(lines, start, end, page.paper)
            if worth > 0:
                found.append(_Gutter(start + offset, end + offset, worth))
        start = max(end, start + 1)
    edges = [offset, *(edge for each in found for edge in (each.start, each.end)), offset + len(lines)]
    wide = all(b - a >= _LEAST_PANEL * side for a, b in zip(edges[::2], edges[1::2], strict=True))
    return found if wide else []


def _worth(lines: Field, start: int, end: int, paper: Colour | None) -> float:
    """Says how much a plain band looks like a gutter, 0..1: what begins beside it, and that it is no stripe of a scene."""
    colour = np.median(lines[start:end].reshape(-1, 3), axis=0)
    flanks = [_flank(lines, place, step, colour) for place, step in ((start, -1), (end, 1))]
    least = min(float((np.linalg.norm(flank - colour, axis=1) > 12).mean()) for flank in flanks)
    if least < _LEAST_FLANK or np.hypot(colour[1], colour[2]) > 25:
        return 0.0
    middles = [np.median(flank, axis=0) for flank in flanks]
    flat = [
        float((np.linalg.norm(flank - middle, axis=1) < _ALIKE).mean())
        for flank, middle in zip(flanks, middles, strict=True)
    ]
    framed = float(np.linalg.norm(middles[0] - middles[1])) < 2 * _ALIKE and max(middles[0][0], middles[1][0]) < 45
    if framed and min(flat) > 0.7:
        return least
    on_paper = paper is not None and float(np.linalg.norm(paper - colour)) < _ALIKE
    if (min if on_paper else max)(flat) < 0.7:
        return 0.85 * least
    return 0.6 * least if on_paper else 0.0


def _flank(lines: Field, place: int, step: int, colour: Colour) -> Field:
    """Gives, for each place along a gutter, the colour most unlike it within the next three lines: a frame may be thin."""
    rows = [lines[at] for at in (place + min(step, 0) + step * index for index in range(3)) if 0 <= at < len(lines)]
    near = np.stack(rows)
    apart = np.linalg.norm(near - colour, axis=2)
    return np.asarray(np.take_along_axis(near, apart.argmax(axis=0)[None, :, None], axis=0)[0], np.float32)


def figures(image: Image.Image, mask: Mask) -> Split:
    """Parts the separate figures of a model sheet, left to right and row by row; one box or none where it is no sheet.

    `mask` is the characters' mask (uint8 [height, width]) of `image`. Only on a plain ground: two characters in a scene
    belong together. The confidence falls where the figures differ in height or colour.
    """
    whole = character_box(mask, 0.0)
    if whole is None:
        return Split()
    pixels = np.asarray(image.convert("RGB"))
    scale = min(1.0, _WORK_SIDE / max(image.size))
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    small = (cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    lab = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    alone = Split((whole,), 0.5)
    if not _is_on_plain(lab, small):
        return alone
    reach = max(3, max(size) // 100 | 1)
    joined = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    parts = [(1 + place, Box(x, y, x + w, y + h)) for place, (x, y, w, h, _) in enumerate(stats[1:].tolist())]
    tallest = max(box.height for _, box in parts)
    large = [(label, box) for label, box in parts if box.height >= _LEAST_HEIGHT * tallest and _is_solid(box, tallest)]
    boxes = _with_small_ones([box for _, box in large], [box for _, box in parts])
    if len(large) < 2 or not _are_apart(boxes):
        return alone
    heights = [box.height for _, box in large]
    like = _likeness([lab[(labels == label) & (small > 0)] for label, _ in large])
    sure = round(0.5 + 0.3 * min(heights) / max(heights) * like + 0.2 * like, 3)
    real = [_enlarged((box.left, box.top, box.right, box.bottom), image.size, scale) for box in boxes]
    return Split(tuple(_in_reading_order(real)), sure)


def _is_on_plain(lab: Field, mask: Mask) -> bool:
    ground = lab[cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0]
    if ground.size < 30:
        return False
    apart = np.linalg.norm(ground - np.median(ground, axis=0), axis=1)
    return bool((apart < 2 * _ALIKE).mean() > _PLAIN_GROUND)


def _is_solid(box: Box, tallest: int) -> bool:
    return box.width >= 0.12 * tallest


def _with_small_ones(large: list[Box], parts: list[Box]) -> list[Box]:
    """Gives each small part (a thrown hat, a spark) to the figure nearest to it, if it is near."""
    grown = list(large)
    for part in parts:
        if part in large or not large:
            continue
        gaps = [_gap(part, box) for box in large]
        nearest = int(np.argmin(gaps))
        if gaps[nearest] < 0.15 * large[nearest].height:
            box = grown[nearest]
            grown[nearest] = Box(
                min(box.left, part.left), min(box.top, part.top), max(box.right, part.right), max(box.bottom, part.bottom)
            )
    return grown


def _gap(one: Box, other: Box) -> float:
    across = max(0, one.left - other.right, other.left - one.right)
    down = max(0, one.top - other.bottom, other.top - one.bottom)
    return float(np.hypot(across, down))


def _are_apart(boxes: list[Box]) -> bool:
    """Tells that no figure's box takes a tenth of another's."""
    return all(
        one.overlap(other) * (one.area + other.area) < 0.1 * min(one.area, other.area) * (1 + one.overlap(other))
        for place, one in enumerate(boxes)
        for other in boxes[place + 1 :]
    )


def _likeness(colours: list[Field]) -> float:
    """Gives how alike the figures' colours are, 0..1: the least common part of two histograms."""
    shares = []
    for each in colours:
        counts, _ = np.histogramdd(each, bins=(4, 5, 5), range=((0, 100), (-80, 80), (-80, 80)))
        shares.append(counts.ravel() / max(1, counts.sum()))
    return float(min(np.minimum(one, other).sum() for i, one in enumerate(shares) for other in shares[i + 1 :]))


def _in_reading_order(boxes: list[Box]) -> list[Box]:
    """Sorts into rows by their middles, each row from left to right."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda each: (each.top + each.bottom, each.left)):
        middle = (box.top + box.bottom) / 2
        if rows and middle < min(each.bottom for each in rows[-1]):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda each: each.left)]
