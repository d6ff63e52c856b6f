"""Knows emanata by their shapes: hearts, sweat drops, anger veins, notes, sparkles, ! and ?, motion lines."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.figures import WORK_SIDE, Figure, find_figures
from lorasmith.imaging.masks import Mask, character_mask
from lorasmith.tags.emanata import signs_told

Values = NDArray[np.float64]

SIGNS = ("", "heart", "sweatdrop", "anger vein", "note", "sparkle", "exclamation mark", "question mark", "motion lines")
_WEIGHTS_FILE = Path(__file__).with_name("models") / "emanata.npz"
_GRID = 18  # cells of a shape's small picture, each way
_TOLD = 0.15  # where the tags tell of this kind of sign
_TOLD_LINES = 0.35  # the same of motion lines: much that is drawn consists of a few strokes
_UNTOLD = 0.985  # where nothing is known of the picture
_UNSAID = 0.995  # where there are tags, and none tells of it
_ON_CHARACTER = frozenset(["sweatdrop", "anger vein"])  # drawn on the head as well as beside it
_INSIDE = 0.6  # share of a figure on the character from which it is a part of it
_COMMON = 0.3  # of the smaller of two signs: then they are one


@dataclass(frozen=True)
class Sign:
    """A sign that was found: its kind, its box and outline in pixels, and how sure (0..1)."""

    kind: str
    box: Box
    sure: float
    outline: tuple[tuple[int, int], ...]


def find_emanata(image: Image.Image, tags: Collection[str] = frozenset()) -> list[Sign]:
    """Finds the signs beside a character, from top to bottom; `tags` (with underscores) are what is known of the picture.

    A kind that the tags tell of is believed as soon as it is likely at all; any other only where it is very sure.
    """
    figures = find_figures(image)
    if not figures:
        return []
    told = signs_told(tags)
    least = dict.fromkeys(SIGNS[1:], _UNSAID if tags else _UNTOLD)
    least |= {kind: _TOLD_LINES if kind == "motion lines" else _TOLD for kind in told}
    likely = judged(figures)
    favoured = likely[:, 1:] * [100.0 if kind in told else 1.0 for kind in SIGNS[1:]]
    best = favoured.argmax(axis=1) + 1
    found = [
        (float(row[kind]), SIGNS[kind], figure)
        for row, kind, figure in zip(likely, best, figures, strict=True)
        if row[kind] >= least[SIGNS[kind]]
    ]
    if not found:
        return []
    mask = character_mask(image)
    kept: list[Sign] = []
    for sure, kind, figure in sorted(found, key=_rank):
        inside = _share_inside(mask, figure.box)
        if inside > _INSIDE and not (kind in _ON_CHARACTER and kind in told):
            continue
        if not any(_joint(figure.box, other.box) for other in kept):
            kept.append(Sign(kind, figure.box.inside(image.size), round(sure, 3), figure.outline()))
    return sorted(kept, key=lambda sign: (sign.box.top, sign.box.left))


def _rank(found: tuple[float, str, Figure]) -> tuple[float, int, int]:
    """Orders what was found, the surest first; a sign as a whole comes before a part of it that is hardly surer."""
    sure, _, figure = found
    return -sure * figure.box.area**0.25, figure.box.top, figure.box.left


def _share_inside(mask: Mask, box: Box) -> float:
    part = mask[max(0, box.top) : box.bottom, max(0, box.left) : box.right]
    return float((part > 0).mean()) if part.size else 0.0


def _joint(one: Box, two: Box) -> bool:
    wide = min(one.right, two.right) - max(one.left, two.left)
    high = min(one.bottom, two.bottom) - max(one.top, two.top)
    return max(0, wide) * max(0, high) > _COMMON * min(one.area, two.area)


def judged(figures: Sequence[Figure]) -> Values:
    """Gives how likely each figure is each of `SIGNS`, [figures, signs]; the first is "none of them".

    A net of one hidden layer over the shape's small picture, fitted on drawn signs (`benchmarks/fit_emanata.py`).
    """
    kept = _weights()
    known = (np.stack([look_of(figure) for figure in figures]) - kept["mean"]) / kept["spread"]
    hidden = np.maximum(0, np.clip(known, -8, 8) @ kept["in"].T + kept["in_bias"])
    said = hidden @ kept["out"].T + kept["out_bias"]
    shares = np.exp(said - said.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


@cache
def _weights() -> Mapping[str, Values]:
    with np.load(_WEIGHTS_FILE, allow_pickle=False) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def look_of(figure: Figure) -> Values:
    """Gives what the net sees: the shape on a square grid, and its proportions, size, parts and surroundings."""
    high, wide = figure.shape.shape
    side = max(high, wide)
    square = np.zeros((side, side), np.uint8)
    square[(side - high) // 2 : (side - high) // 2 + high, (side - wide) // 2 : (side - wide) // 2 + wide] = figure.shape
    grid = cv2.resize(square, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float64).ravel() / 255
    points, _ = cv2.findContours(figure.shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(points)))
    area = float((figure.shape > 0).sum())
    more = [
        np.log(wide / high), area / (wide * high), min(1.2, area / max(1.0, hull)), np.log(side / WORK_SIDE),
        min(6, figure.parts), min(60.0, figure.ground), min(120.0, figure.apart),
    ]  # fmt: skip
    return np.concatenate([grid, more])
