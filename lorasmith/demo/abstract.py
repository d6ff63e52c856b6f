"""Pictures of nothing: bands, discs and lines in any colour, so that the VAE can pass on looks it was never shown."""

from __future__ import annotations

import math
import random

import numpy as np

from lorasmith.demo.drawing import Colour, Pen, Pixels


def abstract_picture(rng: random.Random, width: int, height: int) -> Pixels:
    """Draws 6 to 14 overlapping discs, some of them banded, and a few lines, on one colour."""
    pixels: Pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[:] = _colour(rng)
    size = float(min(width, height))
    pen = Pen(pixels, size, (0.0, float(height)), ink=rng.choice(((24, 20, 26), _colour(rng))))
    for _ in range(rng.randint(6, 14)):
        centre = (rng.uniform(0, width / size), rng.uniform(0, height / size))
        radii = (rng.uniform(0.04, 0.3), rng.uniform(0.04, 0.3))
        turn = rng.uniform(0.0, math.pi)
        pen.oval(centre, radii, _colour(rng), turn, outlined=rng.random() < 0.6)
        if rng.random() < 0.5:
            _bands(pen.at(*centre, angle=turn), radii, rng)
    for _ in range(rng.randint(0, 3)):
        ends = np.array([[rng.uniform(0, width / size), rng.uniform(0, height / size)] for _ in range(2)])
        pen.stroke(ends, _colour(rng), rng.uniform(0.01, 0.05))
    return pixels


def _bands(pen: Pen, radii: tuple[float, float], rng: random.Random) -> None:
    colour, width = _colour(rng), rng.uniform(0.02, 0.06)
    x = -radii[0] * 0.7
    while x < radii[0] * 0.7:
        reach = radii[1] * math.sqrt(max(0.0, 1.0 - (x / radii[0]) ** 2)) * 0.9
        pen.polygon(np.array([[x, -reach], [x + width, -reach], [x + width, reach], [x, reach]]), colour, False)
        x += width * rng.uniform(1.8, 2.6)


def _colour(rng: random.Random) -> Colour:
    """Picks a colour, as often vivid as dull."""
    channels = [rng.randint(0, 255) for _ in range(3)]
    if rng.random() < 0.5:
        low, high = rng.sample(range(3), 2)
        channels[low], channels[high] = rng.randint(0, 70), rng.randint(180, 255)
    return channels[0], channels[1], channels[2]
