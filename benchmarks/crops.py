"""How well the character is found and cropped: `python benchmarks/crops.py [pictures a kind] [--other FOLDER]`.

Drawn are scenes of the demo's world, whose true outline is known: a scene drawn over black and over white differs only where
no creature is. Further kinds put the same creatures into rooms full of furniture (with and without outlines), before leaves
and before blocks, which the demo's world has not; these and the seeds are made here. `--other` pastes the transparent PNG
files of a folder (emoji, stickers) onto the drawn grounds and on the pictures of its folder `grounds`, if it has one.

Told for each kind: the mean and median overlap (IoU) of the crop's box without margin, the share of boxes at 0.85 or more,
the mean overlap of the masks, and the milliseconds of CPU time for a mask. "none" counts pictures where nothing was found.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.demo import world
from lorasmith.demo.scenery import BACKGROUNDS, paint_background
from lorasmith.demo.world import Scene, random_creature, random_scene
from lorasmith.imaging.crop import Box, character_box
from lorasmith.imaging.masks import character_mask

Pixels = NDArray[np.uint8]
Alpha = NDArray[np.float32]
SIZES = ((800, 1067), (800, 800), (1067, 800), (800, 1200), (1200, 800), (800, 1422), (640, 853))


@dataclass(frozen=True)
class Drawing:
    """A picture and the share of each pixel that the character covers."""

    kind: str
    picture: Image.Image
    alpha: Alpha


@dataclass(frozen=True)
class Row:
    kind: str
    box: float
    mask: float
    found: bool
    seconds: float


def drawn_over(scene: Scene, size: tuple[int, int], ground: int) -> Pixels:
    """Draws the creatures of a scene where they stand in it, over one grey."""

    def paint(pixels: Pixels, background: str, rng: random.Random) -> None:
        paint_background(pixels, background, rng)  # takes the same numbers from the dice
        pixels[:] = ground

    with mock.patch.object(world, "paint_background", paint):
        return scene.draw_array(*size)


def alpha_of(scene: Scene, size: tuple[int, int]) -> Alpha:
    dark, light = (drawn_over(scene, size, ground).astype(np.float32) for ground in (0, 255))
    return np.asarray(1 - (light - dark).mean(axis=2) / 255, np.float32)


def demo_scenes(count: int, seed: str) -> Iterator[Drawing]:
    for background in BACKGROUNDS:
        dice = random.Random(f"{seed} {background}")
        for _ in range(count):
            cast = tuple(random_creature(dice) for _ in range(2 if dice.random() < 0.1 else 1))
            scene = random_scene(dice, cast)
            scene = Scene(scene.creatures, background, scene.framing, scene.artist, scene.seed)
            size = dice.choice(SIZES)
            yield Drawing(background, scene.draw(*size), alpha_of(scene, size))


def furnished(pixels: Pixels, dice: random.Random, ink: bool) -> None:
    """Paints a room with shelves, books, frames, a lamp, a rug and a table; with `ink` all of it is outlined."""
    height, width = pixels.shape[:2]
    wall, floor = ([dice.randint(90, 240) for _ in range(3)] for _ in range(2))
    pixels[:] = wall
    edge = round(dice.uniform(0.6, 0.8) * height)
    pixels[edge:] = floor

    def box(x: float, y: float, w: float, h: float, colour: list[int] | None = None) -> None:
        corners = (round(x * width), round(y * height)), (round((x + w) * width), round((y + h) * height))
        cv2.rectangle(pixels, *corners, colour or [dice.randint(20, 240) for _ in range(3)], -1)
        if ink:
            cv2.rectangle(pixels, *corners, (24, 20, 26), max(2, width // 250), cv2.LINE_AA)

    for _ in range(dice.randint(1, 3)):
        x, y, w = dice.uniform(-0.1, 0.8), dice.uniform(0.05, 0.6), dice.uniform(0.15, 0.35)
        at = x
        while at < x + w:
            step = dice.uniform(0.015, 0.04)
            box(at, y - dice.uniform(0.06, 0.1), step, 0.1)
            at += step
        box(x, y, w + 0.03, 0.02)
    for _ in range(dice.randint(1, 3)):
        box(dice.uniform(0, 0.85), dice.uniform(0.02, 0.4), dice.uniform(0.08, 0.2), dice.uniform(0.08, 0.2))
    side = dice.choice((-0.12, 0.8))
    box(side, dice.uniform(0.35, 0.6), 0.32, 0.5)
    centre = round(dice.uniform(0, 1) * width), round(dice.uniform(0.82, 0.95) * height)
    cv2.ellipse(pixels, centre, (width // 3, height // 14), 0, 0, 360, [dice.randint(40, 230) for _ in range(3)], -1)
    lamp = dice.choice((0.1, 0.9))
    box(lamp - 0.008, 0.45, 0.016, 0.4)
    box(lamp - 0.06, 0.36, 0.12, 0.1)


def leaves(pixels: Pixels, dice: random.Random) -> None:
    """Paints a thicket: some hundred leaves in shades of one or two colours."""
    height, width = pixels.shape[:2]
    base = np.array([dice.randint(30, 120), dice.randint(90, 190), dice.randint(40, 120)])
    pixels[:] = (base * 0.6).astype(np.uint8)
    for _ in range(350):
        centre = dice.randrange(width), dice.randrange(height)
        radii = dice.randint(width // 50, width // 14), dice.randint(width // 90, width // 30)
        colour = np.clip(base * dice.uniform(0.55, 1.3), 0, 255).astype(int).tolist()
        cv2.ellipse(pixels, centre, radii, dice.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)


def blocks(pixels: Pixels, dice: random.Random) -> None:
    """Paints a town: a sky that pales, and houses with windows."""
    height, width = pixels.shape[:2]
    top, low = (np.array([dice.randint(60, 250) for _ in range(3)]) for _ in range(2))
    ramp = np.linspace(0, 1, height)[:, None, None]
    pixels[:] = (top * (1 - ramp) + low * ramp).astype(np.uint8)
    at = -0.05
    while at < 1:
        wide, high = dice.uniform(0.08, 0.2), dice.uniform(0.25, 0.8)
        colour = [dice.randint(40, 200) for _ in range(3)]
        left, right, roof = round(at * width), round((at + wide) * width), round((1 - high) * height)
        cv2.rectangle(pixels, (left, roof), (right, height), colour, -1)
        step = max(12, width // 28)
        for x in range(left + step // 2, right - step // 2, step):
            for y in range(roof + step // 2, height, step):
                if dice.random() < 0.6:
                    cv2.rectangle(pixels, (x, y), (x + step // 3, y + step // 2), (245, 230, 140), -1)
        at += wide
    cv2.rectangle(pixels, (0, round(0.85 * height)), (width, height), (90, 90, 96), -1)


GROUNDS: dict[str, Callable[[Pixels, random.Random], None]] = {
    "furnished": lambda pixels, dice: furnished(pixels, dice, ink=False),
    "furnished, inked": lambda pixels, dice: furnished(pixels, dice, ink=True),
    "thicket": leaves,
    "town": blocks,
}


def pasted(kind: str, ground: Pixels, figure: Pixels, alpha: Alpha) -> Drawing:
    shares = alpha[..., None]
    mixed = ground * (1 - shares) + figure * shares
    return Drawing(kind, Image.fromarray(np.clip(mixed + 0.5, 0, 255).astype(np.uint8)), alpha)


def cluttered_scenes(count: int, seed: str) -> Iterator[Drawing]:
    for kind, paint in GROUNDS.items():
        dice = random.Random(f"{seed} {kind}")
        for _ in range(count):
            scene, (width, height) = random_scene(dice, (random_creature(dice),)), dice.choice(SIZES)
            ground = np.zeros((height, width, 3), np.uint8)
            paint(ground, dice)
            alpha = alpha_of(scene, (width, height))
            figure = drawn_over(scene, (width, height), 0).astype(np.float32) / np.maximum(alpha, 1e-3)[..., None]
            yield pasted(kind, ground, np.clip(figure, 0, 255).astype(np.uint8), alpha)


def other_figures(folder: Path, count: int, seed: str) -> Iterator[Drawing]:
    figures, photos = sorted(folder.glob("*.png")), sorted((folder / "grounds").glob("*.*"))
    for kind in [*GROUNDS, "photograph"]:
        dice = random.Random(f"{seed} other {kind}")
        for _ in range(count if kind != "photograph" or photos else 0):
            width, height = dice.choice(SIZES)
            ground = np.zeros((height, width, 3), np.uint8)
            if kind == "photograph":
                with Image.open(dice.choice(photos)) as photo:
                    ground[:] = np.asarray(photo.convert("RGB").resize((width, height)))
            else:
                GROUNDS[kind](ground, dice)
            with Image.open(dice.choice(figures)) as file:
                cut = file.convert("RGBA")
            cut = cut.crop(cut.getchannel("A").getbbox())
            scale = min(width / cut.width, height / cut.height) * dice.uniform(0.45, 0.95)
            cut = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))))
            layer = Image.new("RGBA", (width, height))
            x, y = round((width - cut.width) * dice.uniform(0.2, 0.8)), round((height - cut.height) * dice.uniform(0.5, 1))
            layer.paste(cut, (x, y))
            rgba = np.asarray(layer)
            yield pasted(f"other, {kind}", ground, rgba[..., :3], rgba[..., 3].astype(np.float32) / 255)


def measured(drawing: Drawing) -> Row:
    began = time.process_time()
    found = character_mask(drawing.picture)
    seconds = time.process_time() - began
    true = (drawing.alpha > 0.5).astype(np.uint8) * 255
    box, wanted = character_box(found, 0.0), character_box(true, 0.0) or Box(0, 0, 1, 1)
    both, either = ((found > 0) & (true > 0)).sum(), ((found > 0) | (true > 0)).sum()
    return Row(drawing.kind, box.overlap(wanted) if box else 0.0, both / max(1, either), box is not None, seconds)


def told(name: str, rows: list[Row]) -> None:
    boxes = np.array([row.box for row in rows])
    masks = np.mean([row.mask for row in rows])
    print(f"{name:24} {len(rows):4} {boxes.mean():6.3f} {np.median(boxes):6.3f} {(boxes >= 0.85).mean():6.2f} "
          f"{masks:6.3f} {sum(not row.found for row in rows):5} {1000 * np.mean([row.seconds for row in rows]):7.0f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=40)
    parser.add_argument("--seed", default="crops")
    parser.add_argument("--other", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{'':24} {'':4} {'mean':>6} {'median':>6} {'>=.85':>6} {'mask':>6} {'none':>5} {'ms':>7}")
    rows: list[Row] = []
    sources = [demo_scenes(asked.count, asked.seed), cluttered_scenes(asked.count, asked.seed)]
    if asked.other:
        sources.append(other_figures(asked.other, asked.count, asked.seed))
    for source, name in zip(sources, ("demo's world, all", "more clutter, all", "other figures, all"), strict=False):
        part = [measured(drawing) for drawing in source]
        for kind in dict.fromkeys(row.kind for row in part):
            told(kind, [row for row in part if row.kind == kind])
        told(name, part)
        if name.startswith("demo"):
            told("demo's, without white", [row for row in part if row.kind != "white_background"])
        rows += part
    told("all", rows)


if __name__ == "__main__":
    main()
