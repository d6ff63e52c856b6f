"""Finds speech bubbles by their shape: a light, closed, smooth region with writing in it. No network is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box

Region = NDArray[np.uint8]  # 0 or 1, [height, width]
Lab = NDArray[np.float32]
Polygon = tuple[tuple[int, int], ...]

_LOOK_SIDE = 896
_ALIKE = 11.0  # Lab distance within which a pixel is the bubble's paper
_LIGHT = 68.0  # Lab lightness of paper, 0..100
_PLAIN = 0.7  # share of the pixels round a line that are paper
_SMALLEST, _LARGEST = 0.002, 0.4  # of the picture
_CONVEX = 0.86  # of the body's convex hull
_ON_EDGE = 0.3  # share of the box's outline that may lie on the picture's edge
_STEP = 16.0  # Lab distance between the paper and what is round the bubble
_CLOSED = 0.8  # share of the outline with such a step


@dataclass(frozen=True)
class Bubble:
    """A bubble: its body's box, its outline with and without the tail, how sure, and which lines are in it."""

    box: Box
    whole: Polygon
    body: Polygon
    confidence: float
    lines: tuple[int, ...]


def find_bubbles(image: Image.Image, lines: Sequence[Sequence[tuple[float, float]]], expected: bool = False) -> list[Bubble]:
    """Finds the bubbles round lines of writing, given by their corners; if `expected`, also such as have none read."""
    scale = min(1.0, _LOOK_SIDE / max(image.size))
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    small = np.asarray(image.resize(size, Image.Resampling.BOX, reducing_gap=2.0).convert("RGB"), np.float32)
    lab = cv2.cvtColor(small / 255, cv2.COLOR_RGB2LAB)
    quads = [np.asarray(corners, np.float32) * scale for corners in lines]
    found: list[Bubble] = []
    taken = np.zeros(lab.shape[:2], np.uint8)
    for place, quad in enumerate(quads):
        centre = _inside(quad.mean(axis=0), taken.shape)
        region = None if taken[centre[1], centre[0]] else _region_round(lab, quad, quads)
        bubble = region is not None and _judged(lab, region, quads, scale, place)
        if region is not None and bubble:
            taken |= region
            found.append(bubble)
    if expected:
        found += (bubble for region in _light_regions(lab, taken) if (bubble := _judged(lab, region, quads, scale, None)))
    return [_fitted(bubble, image.size) for bubble in found]


def _inside(point: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[int, int]:
    return int(np.clip(point[0], 0, shape[1] - 1)), int(np.clip(point[1], 0, shape[0] - 1))


def _fitted(bubble: Bubble, size: tuple[int, int]) -> Bubble:
    return Bubble(bubble.box.inside(size), bubble.whole, bubble.body, bubble.confidence, bubble.lines)


def _painted(shape: tuple[int, ...], quads: Sequence[NDArray[np.float32]], grown: float = 0.0) -> Region:
    area = np.zeros(shape[:2], np.uint8)
    for quad in quads:
        points = quad.mean(axis=0) + (quad - quad.mean(axis=0)) * (1 + grown)
        cv2.fillPoly(area, [np.round(points).astype(np.int32)], 1)
    return area


def _region_round(lab: Lab, quad: NDArray[np.float32], quads: Sequence[NDArray[np.float32]]) -> Region | None:
    """Gives the region of the paper's colour that a line stands in, its holes closed; None where the ground is not plain."""
    high = min(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[1]))
    reach = max(2, round(0.3 * float(high)))
    line = _painted(lab.shape, [quad])
    ring = cv2.dilate(line, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) & ~line & 1
    around = lab[ring > 0]
    if len(around) < 12:
        return None
    paper = np.median(around, axis=0)
    if paper[0] < _LIGHT or (np.linalg.norm(around - paper, axis=1) < _ALIKE).mean() < _PLAIN:
        return None
    alike = (np.linalg.norm(lab - paper, axis=2) < _ALIKE).astype(np.uint8) | _painted(lab.shape, quads)
    opened = cv2.morphologyEx(alike, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(opened, connectivity=4)
    x, y = _inside(quad.mean(axis=0), lab.shape)
    return _closed((labels == labels[y, x]).astype(np.uint8)) if labels[y, x] else None


def _closed(region: Region) -> Region:
    """Fills the holes: letters, and what lies on the paper."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    full = np.zeros_like(region)
    cv2.drawContours(full, outlines, -1, 1, cv2.FILLED)
    return full


def _light_regions(lab: Lab, taken: Region) -> Iterator[Region]:
    """Gives the nearly white regions with something dark in them: bubbles whose words could not be read."""
    white = ((lab[..., 0] > 92) & (np.hypot(lab[..., 1], lab[..., 2]) < 6)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(white, connectivity=4)
    for place in range(1, count):
        if not _SMALLEST * white.size < stats[place, cv2.CC_STAT_AREA] < _LARGEST * white.size:
            continue
        region = _closed((labels == place).astype(np.uint8))
        inner = cv2.erode(region, np.ones((5, 5), np.uint8)) > 0
        dark = (lab[..., 0][inner] < 45).mean() if inner.any() else 0
        if 0.03 < dark < 0.4 and not (region & taken).any():
            yield region


def _judged(
    lab: Lab, region: Region, quads: Sequence[NDArray[np.float32]], scale: float, place: int | None
) -> Bubble | None:
    """Says whether a region is a bubble: not too large, closed all round, its body convex, and more than its words."""
    area = int(region.sum())
    if not _SMALLEST * region.size < area < _LARGEST * region.size:
        return None
    body = _body(region)
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    convex = cv2.contourArea(outline) / max(1.0, cv2.contourArea(cv2.convexHull(outline)))
    closed = _step_share(lab, region)
    if convex < _CONVEX or closed < _CLOSED or _edge_share(cv2.boundingRect(outline), region.shape) > _ON_EDGE:
        return None
    within = tuple(index for index, quad in enumerate(quads) if _lies_in(quad, region))
    words = int((_painted(region.shape, [quads[index] for index in within]) & region).sum())
    if place is not None and (place not in within or area < 1.4 * words):
        return None
    left, top, wide, high = cv2.boundingRect(outline)
    box = Box(*(round(value / scale) for value in (left, top, left + wide, top + high)))
    sure = round(float(convex * closed) * (1.0 if within else 0.6), 3)
    return Bubble(box, _polygon(region, scale), _polygon(body, scale), sure, within)


def _lies_in(quad: NDArray[np.float32], region: Region) -> bool:
    x, y = _inside(quad.mean(axis=0), region.shape)
    return bool(region[y, x])


def _body(region: Region) -> Region:
    """Takes the tail off: what is narrower than a third of the region's shorter side."""
    _, _, wide, high = cv2.boundingRect(region)
    across = max(3, round(min(wide, high) * 0.33) | 1)
    return np.asarray(cv2.morphologyEx(_framed(region, across), cv2.MORPH_OPEN, _disc(across)), np.uint8)[
        across:-across, across:-across
    ]


def _framed(region: Region, width: int) -> Region:
    """Goes on with the region beyond the picture's edge, so that opening does not round it off there."""
    return np.asarray(cv2.copyMakeBorder(region, width, width, width, width, cv2.BORDER_REPLICATE), np.uint8)


def _disc(across: int) -> Region:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across)), np.uint8)


def _step_share(lab: Lab, region: Region) -> float:
    """Gives the share of the outline beyond which another colour begins at once."""
    paper = np.median(lab[region > 0], axis=0)
    near, far = cv2.dilate(region, _disc(3)), cv2.dilate(region, _disc(9))
    rim = (near - region) > 0
    apart = np.linalg.norm(lab - paper, axis=2).astype(np.float32)
    apart[region > 0] = 0
    strongest = cv2.dilate(np.where(far > 0, apart, 0), _disc(7))
    return float((strongest[rim] > _STEP).mean()) if rim.any() else 0.0


def _edge_share(box: Sequence[int], shape: tuple[int, ...]) -> float:
    left, top, wide, high = box
    touching = high * ((left <= 1) + (left + wide >= shape[1] - 1)) + wide * ((top <= 1) + (top + high >= shape[0] - 1))
    return float(touching / (2 * (wide + high)))


def _polygon(region: Region, scale: float) -> Polygon:
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    simple = cv2.approxPolyDP(outline, 0.8, closed=True).reshape(-1, 2)
    return tuple((round((int(x) + 0.5) / scale), round((int(y) + 0.5) / scale)) for x, y in simple)
