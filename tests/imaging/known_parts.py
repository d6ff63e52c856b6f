"""Scenes of the demo's world with the true place of a creature's parts: a part is what changes with its colour."""

from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.demo import creature as drawn
from lorasmith.demo.drawing import Colour, Pen
from lorasmith.demo.world import Scene

Place = tuple[float, float]
_NOSE = (0.04, 0.028)  # the radii by which the nose is known among all ovals


def true_part(scene: Scene, size: tuple[int, int], part: str) -> NDArray[np.bool_]:
    """Tells which pixels of a scene drawn at `size` (width, height) are the eyes' irises, the nose or the fur of its creatures."""
    one, two = (_drawn_with(scene, size, part, colour).astype(int) for colour in ((250, 20, 20), (20, 30, 250)))
    apart = np.abs(one - two).max(axis=2)
    return np.asarray(apart > 60)


def _drawn_with(scene: Scene, size: tuple[int, int], part: str, colour: Colour) -> NDArray[np.uint8]:
    if part == "nose":
        real = Pen.oval

        def oval(pen: Pen, centre: Place, radii: Place, fill: Colour, **more: object) -> None:
            real(pen, centre, radii, colour if tuple(radii) == _NOSE else fill, **more)  # type: ignore[arg-type]

        with mock.patch.object(Pen, "oval", oval):
            return scene.draw_array(*size)
    table, names = (drawn.EYES, {one.eyes for one in scene.creatures})
    if part == "fur":
        table, names = drawn.FUR, {one.fur for one in scene.creatures}
    with mock.patch.dict(table, dict.fromkeys(names, colour)):
        return scene.draw_array(*size)


def drawn_creature(creature: drawn.Creature, part: str) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Draws a creature on a plain ground; gives the picture and the true place of a part."""
    scene = Scene((creature,), "white_background", "full-length_portrait", "celwright", 3)
    return scene.draw(600, 700), true_part(scene, (600, 700), part)
