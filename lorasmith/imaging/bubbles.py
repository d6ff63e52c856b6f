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
Corners = Sequence[tuple[float, float]]
Polygon = tuple[tuple[int, int], ...]

_LOOK_SIDE = 896
_ALIKE = 11.0  # Lab distance within which a pixel is the bubble's paper
_LIGHT, _PALE = 68.0, 30.0  # Lab lightness of paper, 0..100, and its greatest chroma
_PLAIN = 0.35  # share of a line's pixels that are paper, the rest being ink
_TIP = 12  # pixels that a tail's tip may be longer than where it is three pixels wide
_SMALLEST, _LARGEST = 0.002, 0.4  # of the picture
_WITHIN = 0.85  # share of a line that must lie on the paper
_OFF_CENTRE = 0.27  # of the body's sides: how far the words' middle may lie from its own
_ELSE = 0.12  # share of the paper that may be covered by something else than words: faces are white too
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


def find_bubbles(image: Image.Image, lines: Sequence[Corners], expected: bool = False) -> list[Bubble]:
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
        region = None if taken[centre[1], centre[0]] else _region_round(lab, quad)
        bubble = region is not None and _judged(lab, region, quads, scale, place)
        if region is not None and bubble:
            taken |= _closed(region)
            found.append(bubble)
    if expected:
        judged = (_judged(lab, region, quads, scale, None) for region in _light_regions(lab, taken))
        found += (bubble for bubble in judged if bubble)
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


def _region_round(lab: Lab, quad: NDArray[np.float32]) -> Region | None:
    """Gives the paper that a line stands on, with its holes; None where the ground is not light and plain."""
    paper = _paper(lab[_painted(lab.shape, [quad], 0.1) > 0])
    if paper is None:
        return None
    alike = (np.linalg.norm(lab - paper, axis=2) < _ALIKE).astype(np.uint8)
    opened = cv2.morphologyEx(alike, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(opened, connectivity=4)
    under = np.bincount(labels[_painted(lab.shape, [quad], 0.1) > 0])
    under[0] = 0
    return _with_tip((labels == under.argmax()).astype(np.uint8), alike) if under.any() else None


def _with_tip(region: Region, alike: Region) -> Region:
    """Adds what opening took off the region's narrow ends: a tail's tip, but nothing beyond a gap in the line."""
    for _ in range(_TIP):
        region = cv2.dilate(region, np.ones((3, 3), np.uint8)) & alike
    return region


def _paper(pixels: Lab) -> NDArray[np.float32] | None:
    """Gives the light colour that most of a line's pixels have; None where there is no such."""
    light = pixels[(pixels[:, 0] >= _LIGHT) & (np.hypot(pixels[:, 1], pixels[:, 2]) <= _PALE)]
    if len(light) < 8:
        return None
    _, places, counts = np.unique(np.round(light / 8), axis=0, return_inverse=True, return_counts=True)
    paper = np.median(light[places.ravel() == counts.argmax()], axis=0)
    plain = (np.linalg.norm(pixels - paper, axis=1) < _ALIKE).mean()
    return np.asarray(paper, np.float32) if plain >= _PLAIN else None


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
        paper = (labels == place).astype(np.uint8)
        region = _closed(paper)
        inner = cv2.erode(region, np.ones((5, 5), np.uint8)) > 0
        dark = (lab[..., 0][inner] < 45).mean() if inner.any() else 0
        if 0.03 < dark < 0.4 and not (region & taken).any():
            yield paper


def _judged(
    lab: Lab, paper: Region, quads: Sequence[NDArray[np.float32]], scale: float, place: int | None
) -> Bubble | None:
    """Says whether paper is a bubble's: not too large, closed all round, its body convex, words in its middle."""
    region = _closed(paper)
    area = int(region.sum())
    if not _SMALLEST * region.size < area < _LARGEST * region.size:
        return None
    body = _body(region)
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    frame = cv2.boundingRect(outline)
    convex = cv2.contourArea(outline) / max(1.0, cv2.contourArea(cv2.convexHull(outline)))
    closed = _step_share(lab, region)
    if convex < _CONVEX or closed < _CLOSED or _edge_share(frame, region.shape) > _ON_EDGE:
        return None
    within = tuple(index for index, quad in enumerate(quads) if _lies_in(quad, region))
    spoken = [quads[index] for index in within]
    if place is not None and (place not in within or not _holds_words(paper, region, spoken, frame)):
        return None
    left, top, wide, high = frame
    box = Box(*(round(value / scale) for value in (left, top, left + wide, top + high)))
    sure = round(float(convex * closed) * (1.0 if within else 0.6), 3)
    return Bubble(box, _polygon(region, scale), _polygon(body, scale), sure, within)


def _lies_in(quad: NDArray[np.float32], region: Region) -> bool:
    area = _painted(region.shape, [quad])
    return bool((area & region).sum() >= _WITHIN * max(1, area.sum()))


def _holds_words(paper: Region, region: Region, quads: Sequence[NDArray[np.float32]], frame: Sequence[int]) -> bool:
    """Says whether words stand in the middle of the paper, leave some of it free, and nothing else is on it."""
    left, top, wide, high = frame
    points = np.concatenate(quads)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    off = np.abs(middle - (left + wide / 2, top + high / 2)) / (wide, high)
    words = _painted(region.shape, quads, 0.25)
    other = int((region & ~paper & ~words & 1).sum())
    area = int(region.sum())
    free = area >= 1.3 * int((_painted(region.shape, quads) & region).sum())
    return bool(off.max() <= _OFF_CENTRE and other <= _ELSE * area and free)


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
