"""How well eyes, nose and fur are found: `python benchmarks/parts.py [pictures] [--seed WORD]`.

Drawn are scenes of the demo's world with one creature; a part's true place is what changes when its colour is another one.
Told for each part, without and with its old colour named: in how many pictures something was found, the mean overlap (IoU)
in those, the mean over all, and the share of found ones under 0.3, which are wrong places.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from lorasmith.demo.creature import EYES, FUR
from lorasmith.demo.scenery import BACKGROUNDS
from lorasmith.demo.world import Scene, random_creature, random_scene
from lorasmith.imaging.heads import head_box
from lorasmith.imaging.masks import character_mask
from lorasmith.imaging.parts import find_part, head_by_eyes
from tests.imaging.known_parts import true_part

SIZES = ((800, 1067), (800, 800), (1067, 800), (640, 853))
PARTS: tuple[Literal["eyes", "nose", "fur"], ...] = ("eyes", "nose", "fur")
DARK = (36, 26, 40)


def overlaps(count: int, seed: str) -> dict[str, list[float | None]]:
    """Gives for each part, with and without its colour, the overlap on each picture; None where nothing was found."""
    dice = random.Random(seed)
    rows: dict[str, list[float | None]] = {f"{part}{how}": [] for part in PARTS for how in ("", " by its colour")}
    for place in range(count):
        scene = random_scene(dice, (random_creature(dice),))
        scene = Scene(scene.creatures, BACKGROUNDS[place % len(BACKGROUNDS)], scene.framing, scene.artist, scene.seed)
        size, creature = dice.choice(SIZES), scene.creatures[0]
        picture = scene.draw(*size)
        mask = character_mask(picture)
        head = head_box(picture, mask)
        head = head or head_by_eyes(picture, mask)
        colours = {"eyes": EYES[creature.eyes], "fur": FUR[creature.fur], "nose": DARK}
        for part in PARTS:
            truth = true_part(scene, size, part)
            for how, old in (("", None), (" by its colour", colours[part])):
                found = find_part(picture, mask, head, part, old)
                rows[part + how].append(None if found is None else overlap(found > 127, truth))
    return rows


def overlap(one: "np.ndarray", two: "np.ndarray") -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))


def told(name: str, values: Sequence[float | None]) -> str:
    found = [value for value in values if value is not None]
    mean = sum(found) / max(1, len(found))
    wrong = sum(value < 0.3 for value in found) / max(1, len(found))
    over_all = sum(found) / max(1, len(values))
    return f"{name:<32} found {len(found):>3} of {len(values):<3}  IoU {mean:.2f}  over all {over_all:.2f}  wrong {wrong:.2f}"


def main() -> None:
    """Draws, measures and tells."""
    reader = argparse.ArgumentParser()
    reader.add_argument("pictures", nargs="?", type=int, default=120)
    reader.add_argument("--seed", default="parts")
    given = reader.parse_args()
    for name, values in overlaps(given.pictures, given.seed).items():
        print(told(name, values))


if __name__ == "__main__":
    main()
