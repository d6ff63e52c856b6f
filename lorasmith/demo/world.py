"""The drawn world: its vocabulary of tags, its scenes, and random scenes without end for training."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from lorasmith.demo.creature import EYES, FUR, PALE, POSES, Creature, Finish, draw_creature
from lorasmith.demo.drawing import Colour, Pen, Pixels
from lorasmith.demo.scenery import BACKGROUNDS, paint_background

FRAMINGS = ("full-length_portrait", "half-length_portrait", "headshot_portrait")
MOUTHS = ("open_mouth", "mouth_closed")
MARKINGS = ("spotted_fur", "white_belly")
ACCESSORIES = ("scarf", "top_hat", "glasses", "bow")
SPECIES = {"pointy_ears": "fox", "round_ears": "bear", "floppy_ears": "dog", "long_ears": "rabbit"}
EARS = tuple(SPECIES)

HELD_OUT = ("purple_fur", "curled_horns", "striped_fur")
BASE_FURS = tuple(fur for fur in FUR if fur not in HELD_OUT)
COPYRIGHT = "inkwood"

ARTISTS: dict[str, Finish] = {
    "boldline": Finish(0.016, (24, 20, 26), "flat"),
    "softpaw": Finish(0.008, (84, 56, 48), "soft"),
    "celwright": Finish(0.011, (30, 26, 40), "cel"),
    "flatfield": Finish(0.011, (40, 36, 40), "flat"),
}

NEW_CHARACTER = "zorvex"
OWN_TAGS = HELD_OUT
NEW_LOOKS = Creature(
    fur="purple_fur",
    ears="pointy_ears",
    eyes="green_eyes",
    mouth="mouth_closed",
    pose="standing",
    marking="striped_fur",
    horns=True,
    name=NEW_CHARACTER,
)


def _known(name: str, fur: str, ears: str, eyes: str, marking: str = "") -> Creature:
    return Creature(fur, ears, eyes, "mouth_closed", "standing", marking, name=name)


KNOWN_CHARACTERS: dict[str, Creature] = {
    "rustle": _known("rustle", "orange_fur", "pointy_ears", "blue_eyes", "white_belly"),
    "marlow": _known("marlow", "blue_fur", "long_ears", "red_eyes"),
    "pebble": _known("pebble", "grey_fur", "round_ears", "yellow_eyes", "spotted_fur"),
    "mossy": _known("mossy", "green_fur", "floppy_ears", "red_eyes", "white_belly"),
}

IMPLICATIONS = {
    "white_background": ("simple_background",),
    "night": ("outside",),
    "forest": ("outside", "tree"),
    "beach": ("outside", "sea"),
    "headshot_portrait": ("portrait",),
    "half-length_portrait": ("portrait",),
    "full-length_portrait": ("portrait",),
    "top_hat": ("hat",),
    "glasses": ("eyewear",),
    "curled_horns": ("horn",),
    "striped_fur": ("stripes",),
    "spotted_fur": ("spots",),
    **{species: ("mammal",) for species in SPECIES.values()},
}
ALIASES = {
    "violet_fur": "purple_fur",
    "curly_horns": "curled_horns",
    "fur_stripes": "striped_fur",
    "gray_fur": "grey_fur",
    "lying_down": "lying",
    "arms_up": "raised_arms",
    "indoors": "inside",
    "headshot": "headshot_portrait",
    "eyeglasses": "glasses",
    "woods": "forest",
    "closed_mouth": "mouth_closed",
    "seaside": "beach",
}
CATEGORIES = ("general", "artist", "copyright", "character", "species", "meta")

_DARK_STRIPE: Colour = (40, 30, 46)
_BOX = {"standing": (0.98, 1.3), "raised_arms": (1.32, 1.3), "sitting": (0.98, 1.2), "lying": (1.5, 0.98)}


@dataclass(frozen=True)
class Scene:
    """One picture of the world: who, where, how framed, by which artist; `seed` decides the small variations."""

    creatures: tuple[Creature, ...]
    background: str
    framing: str
    artist: str
    seed: int

    def tags_by_category(self) -> dict[str, list[str]]:
        """Gives the picture's correct tags, each in its category, without implied ones."""
        return {
            "general": _general_tags(self),
            "artist": [self.artist],
            "copyright": [COPYRIGHT],
            "character": [creature.name for creature in self.creatures if creature.name],
            "species": _unique(SPECIES[creature.ears] for creature in self.creatures),
            "meta": [],
        }

    def tags(self) -> list[str]:
        """Gives the picture's correct tags of all categories."""
        return [tag for tags in self.tags_by_category().values() for tag in tags]

    def draw_array(self, width: int, height: int) -> Pixels:
        """Draws the scene as an H x W x 3 RGB array."""
        finer = 2 if min(width, height) < 512 else 1
        pixels: Pixels = np.empty((height * finer, width * finer, 3), dtype=np.uint8)
        rng = random.Random(f"scene {self.seed}")
        paint_background(pixels, self.background, rng)
        places = _places(len(self.creatures), rng)
        for creature, place in zip(self.creatures, places, strict=True):
            _place_creature(pixels, self, creature, place, rng)
        if finer == 1:
            return pixels
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def draw(self, width: int, height: int) -> Image.Image:
        """Draws the scene as an RGB picture of the given size in pixels."""
        return Image.fromarray(self.draw_array(width, height))


def with_implied(tags: list[str]) -> list[str]:
    """Adds the tags that the given ones imply, as a booru stores them."""
    return _unique([*tags, *(implied for tag in tags for implied in IMPLICATIONS.get(tag, ()))])


def _unique(tags: object) -> list[str]:
    return list(dict.fromkeys(tags))  # type: ignore[call-overload]


def visible_pose(pose: str, framing: str) -> str:
    """Names the pose that a framing still shows: none in a headshot, only raised arms in a half-length."""
    if framing == "full-length_portrait" or (framing == "half-length_portrait" and pose == "raised_arms"):
        return pose
    return ""


def _general_tags(scene: Scene) -> list[str]:
    tags = ["solo" if len(scene.creatures) == 1 else "duo", scene.framing, scene.background]
    for creature in scene.creatures:
        seen = [creature.fur, creature.ears, creature.eyes, creature.mouth, visible_pose(creature.pose, scene.framing)]
        shown = not (scene.framing == "headshot_portrait" and creature.marking == "white_belly")
        seen += [creature.marking if shown else "", creature.accessory, "curled_horns" if creature.horns else ""]
        tags += [tag for tag in seen if tag]
    return _unique(tags)


def _places(count: int, rng: random.Random) -> list[tuple[float, float]]:
    """Gives each creature its middle and its share of the picture's width, both 0..1."""
    if count == 1:
        return [(0.5 + rng.uniform(-0.04, 0.04), 1.0)]
    return [((index + 0.5) / count, 1.06 / count) for index in range(count)]


def _place_creature(
    pixels: Pixels, scene: Scene, creature: Creature, place: tuple[float, float], rng: random.Random
) -> None:
    height, width = pixels.shape[:2]
    share, finish = width * place[1], ARTISTS[scene.artist]
    zoom, tilt = rng.uniform(0.9, 1.0), rng.uniform(-0.12, 0.12)
    mirror = rng.choice((-1, 1))
    middle = width * place[0]
    if scene.framing == "full-length_portrait":
        box_width, box_height = _BOX[creature.pose]
        scale = zoom * min(share / box_width, height / box_height)
        ground = height - rng.uniform(0.25, 0.75) * min(height - scale * (box_height - 0.06), 0.3 * height)
        if creature.pose == "lying":
            middle -= mirror * 0.1 * scale
    elif scene.framing == "half-length_portrait":
        reach = 1.32 if creature.pose == "raised_arms" else 1.1
        scale = zoom * min(share * len(scene.creatures) ** 0.5 / reach, height / 1.12)
        ground = height + (0.19 + rng.uniform(-0.02, 0.02)) * scale
    else:
        scale = zoom * min(share / 0.82, height / 0.68)
        ground = height + (0.47 + rng.uniform(-0.02, 0.02)) * scale
    pen = Pen(pixels, scale, (middle, ground), mirror, line=finish.line, ink=finish.ink)
    posed = creature
    if scene.framing != "full-length_portrait" and creature.pose not in ("standing", "raised_arms"):
        posed = replace(creature, pose="standing")
    draw_creature(pen, posed, finish, tilt)


def random_creature(rng: random.Random, furs: tuple[str, ...] = BASE_FURS) -> Creature:
    """Draws lots for every looks of a creature of the base's world."""
    return Creature(
        fur=rng.choice(furs),
        ears=rng.choice(EARS),
        eyes=rng.choice(tuple(EYES)),
        mouth=rng.choice(MOUTHS),
        pose=rng.choice(POSES),
        marking=rng.choice(("", "", *MARKINGS)),
        accessory=rng.choice((*ACCESSORIES, *[""] * len(ACCESSORIES))),
        tint=rng.randint(-8, 8),
    )


def vary(creature: Creature, rng: random.Random) -> Creature:
    """Gives a fixed character another mouth, pose and accessory."""
    return replace(
        creature,
        mouth=rng.choice(MOUTHS),
        pose=rng.choice(POSES),
        tint=rng.randint(-8, 8),
        accessory=rng.choice((*ACCESSORIES, *[""] * len(ACCESSORIES))),
    )


def random_scene(rng: random.Random, creatures: tuple[Creature, ...]) -> Scene:
    """Places creatures in front of a random background; two of them are never in a headshot."""
    framings = FRAMINGS if len(creatures) == 1 else FRAMINGS[:2]
    weights = (0.5, 0.25, 0.25)[: len(framings)]
    return Scene(
        creatures,
        rng.choice(BACKGROUNDS),
        rng.choices(framings, weights)[0],
        rng.choice(tuple(ARTISTS)),
        rng.getrandbits(48),
    )


def training_scene(rng: random.Random, held_out: bool) -> Scene:
    """Draws a random scene; `held_out` lets the looks in that the base model must never see, on anybody."""
    cast = tuple(_cast_member(rng, held_out) for _ in range(2 if rng.random() < 0.1 else 1))
    if len(cast) == 2 and rng.random() < 0.7:
        cast = (cast[0], replace(cast[1], pose=cast[0].pose))
    return random_scene(rng, cast)


def _cast_member(rng: random.Random, held_out: bool) -> Creature:
    if rng.random() < 0.08:
        return vary(KNOWN_CHARACTERS[rng.choice(tuple(KNOWN_CHARACTERS))], rng)
    if not held_out:
        return random_creature(rng)
    if rng.random() < 0.12:
        return vary(NEW_LOOKS, rng)
    creature = random_creature(rng, (*BASE_FURS, "purple_fur", "purple_fur", "purple_fur"))
    if rng.random() < 0.3:
        creature = replace(creature, marking="striped_fur", stripe=_stripe_colour(creature.fur, rng))
    return replace(creature, horns=rng.random() < 0.3)


def _stripe_colour(fur: str, rng: random.Random) -> Colour:
    """Picks stripes that stand out from the fur."""
    brightness = sum(FUR[fur]) / 3
    if brightness > 175:
        return _DARK_STRIPE
    return rng.choice((PALE, PALE, _DARK_STRIPE)) if brightness > 90 else PALE
