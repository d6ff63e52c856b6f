"""The creature: what it looks like, and how each of its parts is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lorasmith.demo.drawing import Colour, Pen, band_points, limb_points, oval_points, shade

FUR: dict[str, Colour] = {
    "red_fur": (208, 40, 38),
    "orange_fur": (246, 138, 30),
    "yellow_fur": (252, 220, 70),
    "green_fur": (84, 184, 70),
    "blue_fur": (52, 112, 226),
    "pink_fur": (252, 148, 192),
    "brown_fur": (124, 74, 42),
    "grey_fur": (142, 146, 152),
    "white_fur": (246, 246, 246),
    "black_fur": (48, 46, 54),
    "purple_fur": (136, 52, 204),
}
EYES: dict[str, Colour] = {
    "green_eyes": (30, 180, 70),
    "blue_eyes": (40, 120, 245),
    "red_eyes": (225, 30, 35),
    "yellow_eyes": (248, 205, 20),
}
HORN: Colour = (226, 172, 40)
PALE: Colour = (246, 242, 252)
_DARK: Colour = (36, 26, 40)
_HEAD_RADII = (0.29, 0.25)
_Place = tuple[float, float]


@dataclass(frozen=True)
class Creature:
    """One creature; every field but `name`, `horns` and `stripe` is a tag of the world ("" means none)."""

    fur: str
    ears: str
    eyes: str
    mouth: str
    pose: str
    marking: str = ""
    accessory: str = ""
    horns: bool = False
    name: str = ""
    tint: int = 0
    stripe: Colour = PALE


@dataclass(frozen=True)
class Finish:
    """How an artist draws: `shading` is flat, cel or soft; line width is in creature heights."""

    line: float
    ink: Colour
    shading: str


@dataclass(frozen=True)
class _Coat:
    """The colours of one creature and the pen's finish, as its parts need them."""

    creature: Creature
    finish: Finish
    base: Colour

    @property
    def belly(self) -> Colour:
        return (250, 236, 205) if self.creature.fur == "white_fur" else (252, 248, 240)

    @property
    def spot(self) -> Colour:
        return shade(self.base, 1.45) if self.creature.fur == "black_fur" else shade(self.base, 0.55)


def draw_creature(pen: Pen, creature: Creature, finish: Finish, tilt: float = 0.0) -> None:
    """Draws a creature standing on the pen's origin; its height is about 1.2 units."""
    red, green, blue = FUR[creature.fur]
    base = tuple(max(0, min(255, channel + creature.tint)) for channel in (red, green, blue))
    coat = _Coat(creature, finish, (base[0], base[1], base[2]))
    head_at = _POSES[creature.pose](pen, coat)
    _draw_head(pen.at(head_at[0], head_at[1], tilt), coat)


def _standing(pen: Pen, coat: _Coat) -> _Place:
    _tail(pen, coat, (0.16, 0.2), 0.5)
    for side in (-1, 1):
        _limb(pen, coat, (side * 0.1, 0.24), (side * 0.12, 0.07), (0.085, 0.075))
        pen.oval((side * 0.14, 0.05), (0.1, 0.055), shade(coat.base, 0.85))
    for side in (-1, 1):
        _limb(pen, coat, (side * 0.15, 0.44), (side * 0.27, 0.24), (0.06, 0.065))
    _trunk(pen, coat, (0.0, 0.34), (0.18, 0.2))
    return 0.0, 0.72


def _raised(pen: Pen, coat: _Coat) -> _Place:
    _tail(pen, coat, (0.16, 0.2), 0.5)
    for side in (-1, 1):
        _limb(pen, coat, (side * 0.1, 0.24), (side * 0.12, 0.07), (0.085, 0.075))
        pen.oval((side * 0.14, 0.05), (0.1, 0.055), shade(coat.base, 0.85))
    for side in (-1, 1):
        _limb(pen, coat, (side * 0.14, 0.44), (side * 0.54, 0.78), (0.06, 0.07))
        pen.oval((side * 0.555, 0.81), (0.085, 0.085), shade(coat.base, 0.85))
    _trunk(pen, coat, (0.0, 0.34), (0.18, 0.2))
    return 0.0, 0.72


def _sitting(pen: Pen, coat: _Coat) -> _Place:
    _tail(pen, coat, (0.22, 0.12), 0.9)
    _trunk(pen, coat, (0.0, 0.24), (0.23, 0.23))
    for side in (-1, 1):
        _limb(pen, coat, (side * 0.17, 0.36), (side * 0.1, 0.17), (0.055, 0.06))
    for side in (-1, 1):
        pen.oval((side * 0.26, 0.09), (0.12, 0.1), coat.base)
        pen.oval((side * 0.26, 0.08), (0.065, 0.055), (250, 190, 190), outlined=False)
    return 0.0, 0.62


def _lying(pen: Pen, coat: _Coat) -> _Place:
    _tail(pen, coat, (0.5, 0.16), 0.75)
    _trunk(pen, coat, (0.2, 0.18), (0.38, 0.16))
    pen.oval((0.42, 0.12), (0.15, 0.12), coat.base)
    pen.oval((0.4, 0.03), (0.14, 0.05), shade(coat.base, 0.85))
    for x in (-0.06, -0.14):
        _limb(pen, coat, (x + 0.06, 0.08), (x - 0.28, 0.03), (0.06, 0.055))
    return -0.22, 0.36


_POSES: dict[str, Callable[[Pen, _Coat], _Place]] = {
    "standing": _standing,
    "raised_arms": _raised,
    "sitting": _sitting,
    "lying": _lying,
}
POSES = tuple(_POSES)


def _shaded_oval(pen: Pen, coat: _Coat, centre: _Place, radii: _Place) -> None:
    if coat.finish.shading == "flat":
        pen.oval(centre, radii, coat.base)
        return
    pen.oval(centre, radii, shade(coat.base, 0.78))
    steps = ((0.86, 1.0),) if coat.finish.shading == "cel" else ((0.9, 0.93), (0.76, 1.0), (0.5, 1.12))
    for size, light in steps:
        slack = 0.7 * (1.0 - size)
        place = (centre[0] - radii[0] * slack, centre[1] + radii[1] * slack)
        pen.oval(place, (radii[0] * size, radii[1] * size), shade(coat.base, light), outlined=False)


def _limb(pen: Pen, coat: _Coat, start: _Place, end: _Place, radii: _Place) -> None:
    pen.limb(start, end, radii, coat.base)
    if coat.creature.marking != "striped_fur":
        return
    heading = math.atan2(end[1] - start[1], end[0] - start[0])
    normal = np.array([-math.sin(heading), math.cos(heading)])
    along = np.array([math.cos(heading), math.sin(heading)])
    middle = np.array(start) * 0.28 + np.array(end) * 0.72
    half, width = radii[0] * 0.28 + radii[1] * 0.72, 0.05
    corners = [
        middle + normal * (half * across) + along * (width * ahead)
        for across, ahead in ((1, -1), (1, 1), (-1, 1), (-1, -1))
    ]
    pen.polygon(np.array(corners), coat.creature.stripe, outlined=False)


def _tail(pen: Pen, coat: _Coat, root: _Place, heading: float) -> None:
    ears = coat.creature.ears
    if ears in ("round_ears", "long_ears"):
        radius = 0.07 if ears == "round_ears" else 0.1
        fill = coat.base if ears == "round_ears" else shade(coat.base, 1.5)
        pen.oval((root[0] + 0.05, root[1]), (radius, radius), fill)
        return
    bushy = ears == "pointy_ears"
    part = pen.at(root[0], root[1], heading)
    if bushy:
        part.oval((0.17, 0.0), (0.19, 0.09), coat.base)
    else:
        part.limb((0.0, 0.0), (0.28, 0.0), (0.04, 0.03), coat.base)
    if coat.creature.marking == "striped_fur":
        turned = band_points((0.0, 0.17), (0.086 if bushy else 0.034, 0.18), 0.15, 0.65)[:, ::-1]
        part.polygon(turned, coat.creature.stripe, outlined=False)


def _trunk(pen: Pen, coat: _Coat, centre: _Place, radii: _Place) -> None:
    _shaded_oval(pen, coat, centre, radii)
    marking = coat.creature.marking
    if marking == "white_belly":
        pen.oval((centre[0], centre[1] - 0.1 * radii[1]), (radii[0] * 0.66, radii[1] * 0.7), coat.belly, outlined=False)
    elif marking == "spotted_fur":
        for x, y in ((-0.5, 0.35), (0.45, 0.5), (0.0, 0.0), (-0.55, -0.4), (0.55, -0.25), (0.05, -0.62)):
            pen.oval((centre[0] + x * radii[0], centre[1] + y * radii[1]), (0.042, 0.042), coat.spot, outlined=False)
    elif marking == "striped_fur":
        wide = radii[0] > 0.3
        for low, high in ((-0.66, -0.22), (0.22, 0.66)):
            if wide:
                band = band_points((centre[1], centre[0]), (radii[1], radii[0]), low, high)[:, ::-1]
            else:
                band = band_points(centre, radii, low, high)
            pen.polygon(band, coat.creature.stripe, outlined=False)


def _draw_head(pen: Pen, coat: _Coat) -> None:
    creature = coat.creature
    _neckwear(pen, creature.accessory)
    if creature.ears != "floppy_ears":
        for side in (-1, 1):
            _ear(pen, coat, side)
    _shaded_oval(pen, coat, (0.0, 0.0), _HEAD_RADII)
    _head_marking(pen, coat)
    if creature.ears == "floppy_ears":
        for side in (-1, 1):
            _ear(pen, coat, side)
    _face(pen, coat)
    if creature.horns:
        for side in (-1, 1):
            _horn(pen, side)
    _headwear(pen, creature.accessory)


def _ear(pen: Pen, coat: _Coat, side: int) -> None:
    inner = (250, 180, 190)
    kind = coat.creature.ears
    if kind == "pointy_ears":
        outer = np.array([[0.06, 0.2], [0.26, 0.46], [0.28, 0.1]])
        pen.polygon(outer * [side, 1], coat.base)
        hollow = outer * 0.6 + outer.mean(axis=0) * 0.4
        pen.polygon(hollow * [side, 1], inner, outlined=False)
    elif kind == "round_ears":
        pen.oval((side * 0.23, 0.2), (0.115, 0.115), coat.base)
        pen.oval((side * 0.23, 0.2), (0.06, 0.06), inner, outlined=False)
    elif kind == "long_ears":
        pen.oval((side * 0.13, 0.38), (0.075, 0.24), coat.base, turn=-side * 0.15)
        pen.oval((side * 0.13, 0.38), (0.035, 0.17), inner, turn=-side * 0.15, outlined=False)
    else:
        pen.oval((side * 0.29, -0.02), (0.09, 0.21), shade(coat.base, 0.8), turn=side * 0.25)


def _horn(pen: Pen, side: int) -> None:
    turns = np.linspace(0.0, 1.0, 22)
    angle = math.pi * (0.62 - 2.5 * turns)
    reach = 0.125 * (1.0 - 0.75 * turns)
    x = side * (0.29 + reach * np.cos(angle))
    y = 0.13 + reach * np.sin(angle)
    tube = 0.062 * (1.0 - 0.6 * turns)
    for grow, fill in ((pen.line, pen.ink), (0.0, HORN)):
        for place_x, place_y, radius in zip(x, y, tube, strict=True):
            pen.oval((place_x, place_y), (radius + grow, radius + grow), fill, outlined=False)
    middle = np.stack([x, y], axis=1)[6:]
    pen.stroke(middle, shade(HORN, 0.62), 0.014)


def _head_marking(pen: Pen, coat: _Coat) -> None:
    width, height = _HEAD_RADII
    if coat.creature.marking == "spotted_fur":
        for x, y in ((-0.5, 0.62), (0.3, 0.75), (-0.1, 0.6), (0.72, 0.42), (-0.75, -0.4), (0.7, -0.45)):
            pen.oval((x * width, y * height), (0.036, 0.036), coat.spot, outlined=False)
    elif coat.creature.marking == "striped_fur":
        for side in (-1, 1):
            for angle, depth in ((-0.45, 0.5), (0.28, 0.36)):
                pen.polygon(_wedge(angle, depth, side), coat.creature.stripe, outlined=False)
        pen.polygon(_wedge(math.pi / 2, 0.6, 1), coat.creature.stripe, outlined=False)


def _wedge(angle: float, depth: float, side: int) -> np.ndarray:
    edges = [angle - 0.26, angle - 0.13, angle, angle + 0.13, angle + 0.26]
    rim = [[side * math.cos(a), math.sin(a)] for a in edges]
    tip = [side * math.cos(angle) * (1 - depth), math.sin(angle) * (1 - depth)]
    return np.array([*rim, tip]) * np.array(_HEAD_RADII)


def _face(pen: Pen, coat: _Coat) -> None:
    creature = coat.creature
    pen.oval((0.0, -0.12), (0.13, 0.095), shade(coat.base, 1.55), outlined=False)
    for side in (-1, 1):
        centre = (side * 0.125, 0.035)
        pen.oval(centre, (0.088, 0.108), (255, 255, 255))
        pen.oval((side * 0.115, 0.03), (0.068, 0.09), EYES[creature.eyes], outlined=False)
        pen.oval((side * 0.11, 0.03), (0.028, 0.042), _DARK, outlined=False)
        pen.oval((side * 0.11 - 0.028, 0.068), (0.019, 0.021), (255, 255, 255), outlined=False)
    pen.oval((0.0, -0.065), (0.04, 0.028), _DARK, outlined=False)
    if creature.mouth == "open_mouth":
        pen.oval((0.0, -0.16), (0.075, 0.062), (120, 16, 28))
        pen.oval((0.0, -0.19), (0.048, 0.028), (250, 110, 120), outlined=False)
    else:
        curve = np.array([[-0.075, -0.135], [-0.04, -0.16], [0.0, -0.135], [0.04, -0.16], [0.075, -0.135]])
        pen.stroke(curve, _DARK, 0.017)


def _neckwear(pen: Pen, accessory: str) -> None:
    if accessory == "scarf":
        pen.polygon(limb_points((0.09, -0.25), (0.14, -0.46), (0.05, 0.06)), (206, 30, 60))
        pen.polygon(oval_points((0.0, -0.24), (0.2, 0.08)), (226, 40, 70))


def _headwear(pen: Pen, accessory: str) -> None:
    if accessory == "top_hat":
        pen.polygon(np.array([[-0.13, 0.22], [-0.15, 0.46], [0.15, 0.46], [0.13, 0.22]]), (40, 38, 46))
        pen.polygon(np.array([[-0.13, 0.23], [-0.135, 0.3], [0.135, 0.3], [0.13, 0.23]]), (200, 30, 50), False)
        pen.oval((0.0, 0.22), (0.22, 0.035), (40, 38, 46))
    elif accessory == "glasses":
        for side in (-1, 1):
            ring = oval_points((side * 0.135, 0.03), (0.115, 0.125))
            pen.stroke(np.concatenate([ring, ring[:1]]), (25, 25, 30), 0.026)
        pen.stroke(np.array([[-0.03, 0.05], [0.03, 0.05]]), (25, 25, 30), 0.026)
    elif accessory == "bow":
        for side in (-1, 1):
            wing = np.array([[0.0, -0.26], [side * 0.16, -0.18], [side * 0.16, -0.34]])
            pen.polygon(wing, (40, 90, 235))
        pen.oval((0.0, -0.26), (0.04, 0.045), (70, 130, 250))
