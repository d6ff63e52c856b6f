"""A pen that draws outlined vector shapes in normalised coordinates onto a pixel array of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]

_TURN = np.linspace(0.0, 2.0 * math.pi, 40, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_HALF = np.linspace(-math.pi / 2, math.pi / 2, 14)
_SUBPIXEL_BITS = 4


def shade(colour: Colour, factor: float) -> Colour:
    """Darkens (factor < 1) or lightens towards white (factor > 1) a colour."""
    if factor <= 1.0:
        return _clip(channel * factor for channel in colour)
    return _clip(channel + (255 - channel) * (factor - 1.0) for channel in colour)


def _clip(channels: object) -> Colour:
    red, green, blue = (max(0, min(255, round(value))) for value in channels)  # type: ignore[attr-defined]
    return red, green, blue


@dataclass(frozen=True)
class Pen:
    """Draws on `pixels` (H x W x 3, RGB); local x goes right, local y goes up, one unit is `scale` pixels."""

    pixels: Pixels
    scale: float
    origin: tuple[float, float]
    mirror: int = 1
    angle: float = 0.0
    line: float = 0.012
    ink: Colour = (30, 26, 32)

    def at(self, x: float, y: float, angle: float = 0.0) -> Pen:
        """Gives the pen of a part whose own origin is (x, y), turned by `angle` radians counter-clockwise."""
        place = self._to_pixels(np.array([[x, y]]))[0]
        return replace(self, origin=(float(place[0]), float(place[1])), angle=self.angle + angle)

    def _to_pixels(self, points: Points) -> Points:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        x = points[:, 0] * cos - points[:, 1] * sin
        y = points[:, 0] * sin + points[:, 1] * cos
        return np.stack([self.origin[0] + self.mirror * self.scale * x, self.origin[1] - self.scale * y], axis=1)

    def polygon(self, points: Points, fill: Colour, outlined: bool = True) -> None:
        """Fills a closed polygon and draws its outline half outside it."""
        corners = np.rint(self._to_pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        if outlined:
            thickness = max(1, round(2 * self.line * self.scale))
            cv2.polylines(self.pixels, [corners], True, self.ink, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(self.pixels, [corners], fill, cv2.LINE_AA, _SUBPIXEL_BITS)

    def stroke(self, points: Points, colour: Colour, width: float) -> None:
        """Draws an open line of a width in local units."""
        corners = np.rint(self._to_pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        thickness = max(1, round(width * self.scale))
        cv2.polylines(self.pixels, [corners], False, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def oval(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        fill: Colour,
        turn: float = 0.0,
        outlined: bool = True,
    ) -> None:
        """Fills an ellipse turned by `turn` radians."""
        self.polygon(oval_points(centre, radii, turn), fill, outlined)

    def limb(
        self, start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float], fill: Colour
    ) -> None:
        """Fills a rounded limb that tapers from the first radius to the second."""
        self.polygon(limb_points(start, end, radii), fill)


def oval_points(centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Points:
    """Gives 40 points around an ellipse."""
    points = _CIRCLE * np.array(radii)
    if turn:
        cos, sin = math.cos(turn), math.sin(turn)
        points = points @ np.array([[cos, sin], [-sin, cos]])
    return points + np.array(centre)


def limb_points(start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float]) -> Points:
    """Gives the outline of a capsule with a radius for each end."""
    heading = math.atan2(end[1] - start[1], end[0] - start[0])
    far, near = _HALF + heading, _HALF + heading + math.pi
    return np.concatenate(
        [
            np.stack([end[0] + radii[1] * np.cos(far), end[1] + radii[1] * np.sin(far)], axis=1),
            np.stack([start[0] + radii[0] * np.cos(near), start[1] + radii[0] * np.sin(near)], axis=1),
        ]
    )


def band_points(centre: tuple[float, float], radii: tuple[float, float], low: float, high: float) -> Points:
    """Gives the part of an upright ellipse between two heights in -1..1 of its vertical radius."""
    heights = np.linspace(low, high, 6)
    reach = np.sqrt(np.maximum(0.0, 1.0 - heights**2))
    right = np.stack([reach, heights], axis=1)
    left = np.stack([-reach, heights], axis=1)[::-1]
    return np.concatenate([right, left]) * np.array(radii) + np.array(centre)
