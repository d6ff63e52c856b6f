"""The five backgrounds of the drawn world, painted over a whole picture."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from lorasmith.demo.drawing import Colour, Pen, Pixels, shade


def paint_background(pixels: Pixels, background: str, rng: random.Random) -> None:
    """Paints one background; one local unit is the picture's height, and y goes up from its lower edge."""
    height, width = pixels.shape[:2]
    pen = Pen(pixels, float(height), (0.0, float(height)), line=0.005)
    _PAINTERS[background](pen, width / height, rng)


def _fill(pen: Pen, width: float, low: float, high: float, colour: Colour) -> None:
    box = np.array([[-0.1, low], [width + 0.1, low], [width + 0.1, high], [-0.1, high]])
    pen.polygon(box, colour, outlined=False)


def _white(pen: Pen, width: float, rng: random.Random) -> None:
    level = rng.randint(248, 255)
    pen.pixels[:] = (level, level, level)


def _forest(pen: Pen, width: float, rng: random.Random) -> None:
    pen.pixels[:] = (150, 205, 170)
    ground = rng.uniform(0.26, 0.36)
    count = max(3, round(width * 4.5))
    for index in range(count):
        x = (index + rng.uniform(0.25, 0.75)) * width / count
        crown = rng.uniform(0.7, 0.95)
        trunk = np.array([[x - 0.03, ground - 0.05], [x - 0.022, crown], [x + 0.022, crown], [x + 0.03, ground - 0.05]])
        pen.polygon(trunk, (104, 70, 44), outlined=False)
        leaf = shade((38, 118, 60), rng.uniform(0.85, 1.12))
        for lift, size in ((-0.16, 0.2), (0.0, 0.17), (0.14, 0.12)):
            base = crown + lift - 0.05
            tree = np.array([[x - size, base], [x + size, base], [x, base + 0.24]])
            pen.polygon(tree, shade(leaf, 1.0 + 0.4 * lift), outlined=False)
    _fill(pen, width, -0.1, ground, (86, 150, 66))


def _beach(pen: Pen, width: float, rng: random.Random) -> None:
    pen.pixels[:] = (150, 218, 250)
    horizon, shore = rng.uniform(0.54, 0.62), rng.uniform(0.28, 0.36)
    sun = (rng.choice((0.14, 0.86)) * width, rng.uniform(0.82, 0.9))
    pen.oval(sun, (0.085, 0.085), (255, 240, 120), outlined=False)
    _fill(pen, width, 0.0, horizon, (30, 140, 205))
    _fill(pen, width, 0.0, shore + 0.03, (225, 245, 250))
    _fill(pen, width, -0.1, shore, (240, 218, 160))


def _night(pen: Pen, width: float, rng: random.Random) -> None:
    pen.pixels[:] = (14, 22, 62)
    for _ in range(round(26 * width) + 6):
        star = (rng.uniform(0.0, width), rng.uniform(0.35, 1.0))
        size = rng.uniform(0.007, 0.014)
        pen.oval(star, (size, size), (250, 250, 215), outlined=False)
    moon = (rng.choice((0.14, 0.86)) * width, rng.uniform(0.8, 0.88))
    pen.oval(moon, (0.085, 0.085), (250, 246, 200), outlined=False)
    pen.oval((moon[0] + 0.04, moon[1] + 0.025), (0.075, 0.075), (14, 22, 62), outlined=False)
    hill = rng.uniform(0.2, 0.3)
    x = np.linspace(-0.1, width + 0.1, 24)
    phase = rng.uniform(0.0, 6.0)
    ridge = np.stack([x, hill + 0.03 * np.sin(x * 2.0 * math.pi / max(width, 1.0) + phase)], axis=1)
    pen.polygon(np.concatenate([ridge, [[width + 0.1, -0.1], [-0.1, -0.1]]]), (24, 52, 58), outlined=False)


def _inside(pen: Pen, width: float, rng: random.Random) -> None:
    pen.pixels[:] = (246, 208, 168)
    floor = rng.uniform(0.24, 0.32)
    x = rng.choice((0.2, 0.8)) * width
    half, low, high = min(0.2, 0.19 * width), 0.58, 0.92
    for grow, colour in ((0.025, (250, 250, 246)), (0.0, (160, 215, 245))):
        frame = np.array(
            [
                [x - half - grow, low - grow],
                [x + half + grow, low - grow],
                [x + half + grow, high + grow],
                [x - half - grow, high + grow],
            ]
        )
        pen.polygon(frame, colour, outlined=False)
    pen.stroke(np.array([[x, low], [x, high]]), (250, 250, 246), 0.02)
    pen.stroke(np.array([[x - half, 0.75], [x + half, 0.75]]), (250, 250, 246), 0.02)
    _fill(pen, width, -0.1, floor, (164, 104, 60))
    for board in (0.33, 0.66):
        _fill(pen, width, floor * board, floor * board + 0.008, (128, 78, 44))
    _fill(pen, width, floor, floor + 0.03, (250, 244, 230))


_PAINTERS: dict[str, Callable[[Pen, float, random.Random], None]] = {
    "white_background": _white,
    "forest": _forest,
    "beach": _beach,
    "night": _night,
    "inside": _inside,
}
BACKGROUNDS = tuple(_PAINTERS)
