"""Two characters that the base model has never seen, for one LoRA: pictures of each alone and of both, as a folder."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from lorasmith.demo.creature import Creature
from lorasmith.demo.world import NEW_CHARACTER, NEW_LOOKS, Scene, random_scene, vary

SECOND_CHARACTER = "quillam"
SECOND_LOOKS = Creature(
    fur="yellow_fur",
    ears="long_ears",
    eyes="red_eyes",
    mouth="mouth_closed",
    pose="standing",
    marking="spotted_fur",
    name=SECOND_CHARACTER,
)
LOOKS = {NEW_CHARACTER: NEW_LOOKS, SECOND_CHARACTER: SECOND_LOOKS}
OWN = {  # what tells one from the other
    NEW_CHARACTER: ("purple_fur", "striped_fur", "curled_horns", "pointy_ears", "green_eyes"),
    SECOND_CHARACTER: ("yellow_fur", "spotted_fur", "long_ears", "red_eyes"),
}


def scenes(first: int, second: int, both: int, seed: str = "several") -> list[Scene]:
    """Deals scenes of the first character, of the second, and of both together."""
    rng = random.Random(seed)
    casts = [(NEW_LOOKS,)] * first + [(SECOND_LOOKS,)] * second + [(NEW_LOOKS, SECOND_LOOKS)] * both
    return [_scene(rng, cast) for cast in casts]


def _scene(rng: random.Random, cast: tuple[Creature, ...]) -> Scene:
    """Deals one scene; two in it take the same pose, so that they fit beside each other."""
    posed = tuple(vary(one, rng) for one in cast)
    return random_scene(rng, tuple(replace(one, pose=posed[0].pose) for one in posed))


def write_folder(folder: Path, dealt: list[Scene], side: int = 512) -> Path:
    """Draws scenes into a folder as PNG, each with its tags beside it; the characters' names are among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(dealt):
        scene.draw(side, side).save(folder / f"{number:03d}.png")
        (folder / f"{number:03d}.txt").write_text(", ".join(scene.tags()), encoding="utf-8")
    return folder
