"""Guesses where a drawn character's head is from its outline and inner detail, without a model."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.masks import Mask

_WORK_SIDE = 200
_LEAST_SCORE = 0.95
_LEAST_LEAD = 0.06
_LEAST_DETAIL = 0.15
_WIDE, _WIDE_DOUBT = 4.0, 0.3

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """Where a head is, how sure that is (0..1), and how upright it stands on the rest of the character (0..1)."""

    box: Box
    sure: float
    upright: float


@dataclass(frozen=True)
class _Disc:
    """A largest disc inside the outline, in pixels of the reduced mask, and how much it looks like a head."""

    x: int
    y: int
    radius: float
    score: float = 0.0
    lead: float = 1.0  # of its score over the next one's


def head_box(image: Image.Image, mask: Mask, margin: float = 0.1) -> Box | None:
    """Gives the box of `find_head`; None when unsure."""
    found = find_head(image, mask, margin)
    return None if found is None else found.box


def find_head(image: Image.Image, mask: Mask, margin: float = 0.1) -> Head | None:
    """Gives a nearly square box round the head, ears and hair with a margin; None when unsure.

    `mask` is the character's mask (uint8 [height, width]) of `image`. The head is taken to be a round part that hangs
    on the rest by a neck, lies high, and has finer detail (eyes, mouth) than the rest.
    """
    scale = _WORK_SIDE / max(mask.shape)
    size = (max(8, round(mask.shape[1] * scale)), max(8, round(mask.shape[0] * scale)))
    small = (cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    if small.mean() < 0.01:
        return None
    _, parts, stats, _ = cv2.connectedComponentsWithStats(small, connectivity=8)
    small = (parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    grey = cv2.resize(np.asarray(image.convert("L")), size, interpolation=cv2.INTER_AREA)
    found = _best_disc(small, grey)
    if found is None:
        return None
    box = _round_head(small, found, margin)
    real = Box(*(round(value / scale) for value in (box.left, box.top, box.right, box.bottom)))
    doubt = _WIDE_DOUBT if box.width > _WIDE * found.radius else 1.0  # raised arms or a body hang on both sides
    return Head(real.inside(image.size), round(doubt * _sureness(found), 3), _upright(small, found))


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
    lead = scored[0].score - scored[1].score if len(scored) > 1 else 1.0
    return replace(scored[0], lead=lead)


def _sureness(disc: _Disc) -> float:
    over, lead = (disc.score - _LEAST_SCORE) / 0.5, (disc.lead - _LEAST_LEAD) / 0.4
    return round(0.5 * min(1.0, over) + 0.5 * min(1.0, lead), 3)


def _upright(mask: Mask, disc: _Disc) -> float:
    """Gives the cosine of the angle between upwards and the way from the body's middle to the head's; 1 where no body is seen."""
    body = mask.copy()
    cv2.circle(body, (disc.x, disc.y), round(1.3 * disc.radius), 0, -1)
    rows, columns = np.nonzero(body)
    if len(rows) < disc.radius**2:
        return 1.0
    across, up = disc.x - float(columns.mean()), float(rows.mean()) - disc.y
    return round(max(0.0, up / max(1e-6, float(np.hypot(across, up)))), 3)


def _discs(depth: Field, most: int = 8) -> list[_Disc]:
    """Lists the largest discs inside the outline, largest first; none has its centre inside an earlier one."""
    left = depth.copy()
    discs: list[_Disc] = []
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
    faceless = 1.0 if fine < _LEAST_DETAIL else 0.0
    score = 0.5 * free + 0.7 * (1.0 - height) + 0.25 * fine + 0.35 * size - faceless
    return _Disc(disc.x, disc.y, disc.radius, score)


def _round_head(mask: Mask, disc: _Disc, margin: float) -> Box:
    """Widens the disc to what stands out beside and over it (cheeks, ears, horns); nearly square, little below."""
    radius = disc.radius
    band = np.asarray(mask[max(0, round(disc.y - 0.9 * radius)) : round(disc.y + 0.4 * radius) + 1].any(axis=0))
    half = min(1.8 * radius, max(1.1 * radius, _free_reach(band, disc.x)))
    left, right = max(0, round(disc.x - half)), round(disc.x + half)
    top, bottom = max(0, round(disc.y - 2.2 * radius)), disc.y + 1.05 * radius
    above = np.flatnonzero(mask[top : disc.y, left : right + 1].any(axis=1))
    upper = top + int(above[0]) if above.size else disc.y - radius
    if upper == top:
        upper = _ear_tips(mask, disc, top)
    half = max(half, 0.4 * (bottom - upper))
    extra = margin * max(2 * half, bottom - upper)
    edges = (disc.x - half - extra, upper - extra, disc.x + half + extra, bottom + 0.5 * extra)
    return Box(*(round(edge) for edge in edges))


def _ear_tips(mask: Mask, disc: _Disc, top: int) -> int:
    """Gives the row where what stands over the middle of the head ends, above `top`; raised arms are beside it."""
    left, right = max(0, round(disc.x - 0.75 * disc.radius)), round(disc.x + 0.75 * disc.radius)
    rows = np.asarray(mask[max(0, round(disc.y - 3.6 * disc.radius)) : top, left : right + 1].any(axis=1))
    empty = np.flatnonzero(~rows[::-1])
    return top - (int(empty[0]) if empty.size else len(rows))


def _free_reach(band: NDArray[np.bool_], x: int) -> float:
    """Gives how far the outline goes on the side where it ends sooner: on the other side the body may hang."""
    empty = np.flatnonzero(~band)
    before, after = empty[empty < x], empty[empty > x]
    return float(min(x - before[-1] if before.size else x, after[0] - x if after.size else len(band) - x))
