"""Guesses where a drawn character's head is from its outline and inner detail, without a model."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.masks import Mask

_WORK_SIDE = 200
_LEAST_SCORE = 0.95
_LEAST_LEAD = 0.06

Field = NDArray[np.float32]


@dataclass(frozen=True)
class _Disc:
    """A largest disc inside the outline, in pixels of the reduced mask, and how much it looks like a head."""

    x: int
    y: int
    radius: float
    score: float = 0.0


def head_box(image: Image.Image, mask: Mask, margin: float = 0.15) -> Box | None:
    """Gives a nearly square box round the head, ears and hair with a margin; None when unsure.

    `mask` is the character's mask (uint8 [height, width]) of `image`. The head is taken to be a round part that hangs on the
    rest by a neck, lies high, and has finer detail (eyes, mouth) than the rest.
    """
    scale = _WORK_SIDE / max(mask.shape)
    size = (max(8, round(mask.shape[1] * scale)), max(8, round(mask.shape[0] * scale)))
    small = (cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    if small.mean() < 0.01:
        return None
    grey = cv2.resize(np.asarray(image.convert("L")), size, interpolation=cv2.INTER_AREA)
    found = _best_disc(small, grey)
    if found is None:
        return None
    box = _round_head(small, found, margin)
    real = Box(*(round(value / scale) for value in (box.left, box.top, box.right, box.bottom)))
    return real.inside(image.size)


def _best_disc(mask: Mask, grey: Mask) -> _Disc | None:
    depth = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows = np.flatnonzero(mask.any(axis=1))
    discs = _discs(depth)
    detail = _detail(mask, grey)
    scored = sorted(
        (_scored(disc, mask, detail, (int(rows[0]), int(rows[-1])), discs[0].radius) for disc in discs),
        key=lambda disc: -disc.score,
    )
    if scored[0].score < _LEAST_SCORE or len(scored) > 1 and scored[0].score - scored[1].score < _LEAST_LEAD:
        return None
    return scored[0]


def _discs(depth: Field, most: int = 8) -> list[_Disc]:
    """Lists the largest discs inside the outline, largest first; none has its centre inside an earlier one."""
    left, discs = depth.copy(), []
    largest = float(depth.max())
    while len(discs) < most:
        y, x = np.unravel_index(int(left.argmax()), left.shape)
        radius = float(left[y, x])
        if radius < max(3.0, 0.35 * largest):
            break
        discs.append(_Disc(int(x), int(y), radius))
        cv2.circle(left, (int(x), int(y)), round(radius * 1.1), 0.0, -1)
    return discs or [_Disc(0, 0, 1.0)]


def _detail(mask: Mask, grey: Mask) -> Field:
    """Gives the strength of edges well inside the outline, against their mean there."""
    steps = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32)
    inside = cv2.erode(mask, np.ones((7, 7), np.uint8)) > 0
    steps[~inside] = 0
    return np.asarray(steps / (steps[inside].mean() + 2.0) if inside.any() else steps, np.float32)


def _scored(disc: _Disc, mask: Mask, detail: Field, rows: tuple[int, int], largest: float) -> _Disc:
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    xs = np.rint(disc.x + 1.35 * disc.radius * np.cos(angles)).astype(int).clip(-1, mask.shape[1])
    ys = np.rint(disc.y + 1.35 * disc.radius * np.sin(angles)).astype(int).clip(-1, mask.shape[0])
    around = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_REPLICATE)[ys + 1, xs + 1]
    free = 1.0 - float(around.mean())
    height = (disc.y - disc.radius - rows[0]) / max(1, rows[1] - rows[0])
    face = np.zeros_like(mask)
    cv2.circle(face, (disc.x, disc.y), max(1, round(0.85 * disc.radius)), 1, -1)
    fine = min(2.0, float(detail[face > 0].mean()))
    size = min(1.0, disc.radius / largest)
    score = 0.5 * free + 0.7 * (1.0 - height) + 0.25 * fine + 0.35 * size
    return _Disc(disc.x, disc.y, disc.radius, score)


def _round_head(mask: Mask, disc: _Disc, margin: float) -> Box:
    """Widens the disc to what stands out over it (ears, horns, hair) and makes the box nearly square."""
    radius = disc.radius
    left, right = max(0, round(disc.x - 1.3 * radius)), round(disc.x + 1.3 * radius)
    top, bottom = max(0, round(disc.y - 2.4 * radius)), round(disc.y + 1.15 * radius)
    above = np.flatnonzero(mask[top : disc.y, left : right + 1].any(axis=1))
    top = top + int(above[0]) if above.size else round(disc.y - radius)
    side = max(right - left, bottom - top)
    middle = (left + right) / 2
    half = max((right - left) / 2, side * 0.45)
    return Box(round(middle - half), top, round(middle + half), bottom).grown(margin)
