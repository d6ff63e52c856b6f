"""The pictures that the demo's tagger learns from: drawn scenes, damaged as boorus, crops and renders damage them."""

from __future__ import annotations

import random
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lorasmith.demo.creature import EYES, FUR, POSES
from lorasmith.demo.drawing import Pixels
from lorasmith.demo.scenery import BACKGROUNDS
from lorasmith.demo.world import (
    ACCESSORIES,
    EARS,
    FRAMINGS,
    KNOWN_CHARACTERS,
    MARKINGS,
    MOUTHS,
    Scene,
    random_scene,
    training_scene,
    vary,
)

RATINGS = ("general", "sensitive", "questionable", "explicit")
GENERAL = ("solo", "duo", *FRAMINGS, *BACKGROUNDS, *FUR, *EARS, *EYES, *MOUTHS, *POSES, *MARKINGS, "striped_fur",
           "curled_horns", *ACCESSORIES)
CHARACTERS = tuple(KNOWN_CHARACTERS)
LABELS = (*RATINGS, *GENERAL, *CHARACTERS)

STORED_SIDE = 144
NET_SIDE = 112
_ASPECTS = (2 / 3, 3 / 4, 4 / 5, 1.0, 1.0, 1.0, 5 / 4, 4 / 3, 3 / 2)
_EYES_WIDTH = 0.366  # from the left iris' left edge to the right one's right edge, in creature units
_HEAD_CROPS = 0.12
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!?."


def label_row(tags: list[str]) -> NDArray[np.uint8]:
    """Gives the 0/1 row of LABELS for a picture with these tags; every drawn picture is rated general."""
    wanted = {"general", *tags}
    return np.array([label in wanted for label in LABELS], dtype=np.uint8)


def scene_of(split: str, index: int) -> Scene:
    """Gives the scene number `index` of a split ("train", "calibrate", "test"...): splits never share a seed."""
    rng = random.Random(f"tagger {split} {index}")
    if split == "train" and index % 16 == 0:
        known = vary(KNOWN_CHARACTERS[CHARACTERS[index // 16 % len(CHARACTERS)]], rng)
        return random_scene(rng, (known,))
    return training_scene(rng, held_out=True)


def drawn(scene: Scene, rng: random.Random, sides: tuple[int, int] = (64, 288)) -> Pixels:
    """Draws a scene (RGB) in a random size and aspect, sometimes cropped as `prepare` would crop it."""
    aspect = rng.choice(_ASPECTS)
    longer = round(sides[0] * (sides[1] / sides[0]) ** rng.random())
    width, height = (longer, round(longer / aspect)) if aspect >= 1 else (round(longer * aspect), longer)
    pixels = scene.draw_array(width, height)
    if rng.random() < 0.5:
        pixels = _cropped(pixels, scene, rng)
    return pixels


def _cropped(pixels: Pixels, scene: Scene, rng: random.Random) -> Pixels:
    """Cuts narrow strips off; a wide picture of one upright creature may lose its empty sides."""
    height, width = pixels.shape[:2]
    spare = 0
    if len(scene.creatures) == 1 and scene.creatures[0].pose in ("standing", "sitting"):
        spare = round(max(0.0, width - 1.05 * height) / 2 * rng.random())
    left, right = (spare + round(rng.uniform(0, 0.04) * width) for _ in range(2))
    top, bottom = (round(rng.uniform(0, 0.04) * height) for _ in range(2))
    return np.ascontiguousarray(pixels[top: height - bottom, left: width - right])


def head_crop(scene: Scene, rng: random.Random) -> tuple[Pixels, list[str]]:
    """Cuts the head out of a picture of one creature, as `prepare` does; gives it with the tags that are still seen."""
    creature = scene.creatures[0]
    side = rng.randint(224, 448)
    pixels = scene.draw_array(side, side)
    other = "red_eyes" if creature.eyes != "red_eyes" else "blue_eyes"
    twin = replace(scene, creatures=(replace(creature, eyes=other),)).draw_array(side, side)
    columns, rows = (np.flatnonzero((pixels != twin).any(axis=(axis, 2))) for axis in (0, 1))
    unit = (columns[-1] - columns[0]) / _EYES_WIDTH
    middle, eyes = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    left, right = (middle + way * rng.uniform(0.4, 0.62) * unit for way in (-1, 1))
    top, bottom = eyes - rng.uniform(0.45, 0.62) * unit, eyes + rng.uniform(0.27, 0.37) * unit
    box = [round(min(max(edge, 0.0), float(side))) for edge in (left, top, right, bottom)]
    unseen = {creature.pose, "white_belly", scene.framing}
    tags = [tag for tag in scene.tags() if tag not in unseen]
    return np.ascontiguousarray(pixels[box[1]: box[3], box[0]: box[2]]), [*tags, "headshot_portrait"]


def squared(pixels: Pixels, side: int) -> Pixels:
    """Pads a picture with white to a centred square, as the WD contract does, and resizes the square."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    square = np.full((longer, longer, 3), 255, dtype=np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top: top + height, left: left + width] = pixels
    method = cv2.INTER_AREA if longer > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (side, side), interpolation=method), dtype=np.uint8)


def disfigure(pixels: Pixels, rng: random.Random) -> Pixels:
    """Draws a speech bubble, some text or a signature over a picture (in place), or nothing."""
    kind = rng.random()
    if kind < 0.1:
        _bubble(pixels, rng)
    elif kind < 0.2:
        _writing(pixels, rng, rng.uniform(0.002, 0.004), (rng.uniform(0.0, 0.6), rng.choice((0.1, 0.94))))
    elif kind < 0.35:
        _writing(pixels, rng, rng.uniform(0.001, 0.0025), (rng.choice((0.03, 0.7)), 0.97))
    return pixels


def _bubble(pixels: Pixels, rng: random.Random) -> None:
    height, width = pixels.shape[:2]
    centre = (round(rng.choice((0.17, 0.83)) * width), round(rng.uniform(0.1, 0.22) * height))
    radii = (round(rng.uniform(0.1, 0.17) * width), round(rng.uniform(0.06, 0.12) * height))
    cv2.ellipse(pixels, centre, radii, 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.ellipse(pixels, centre, radii, 0, 0, 360, (20, 20, 20), max(1, width // 120), cv2.LINE_AA)
    for row in (-0.3, 0.3):
        y = centre[1] + round(row * radii[1])
        half = round(radii[0] * rng.uniform(0.4, 0.7))
        cv2.line(pixels, (centre[0] - half, y), (centre[0] + half, y), (30, 30, 30), max(1, height // 80))


def _writing(pixels: Pixels, rng: random.Random, size: float, place: tuple[float, float]) -> None:
    height, width = pixels.shape[:2]
    text = "".join(rng.choices(_LETTERS, k=rng.randint(4, 10)))
    at = (round(place[0] * width), round(place[1] * height))
    ink = rng.choice(((20, 20, 24), (250, 250, 250), (200, 40, 50), (40, 60, 160)))
    cv2.putText(pixels, text, at, rng.choice(_FONTS), size * width, ink, max(1, width // 140), cv2.LINE_AA)


def training_picture(index: int) -> tuple[Pixels, NDArray[np.uint8]]:
    """Gives training picture `index` (STORED_SIDE square, RGB) and its label row."""
    scene = scene_of("train", index)
    rng = random.Random(f"tagger look {index}")
    if len(scene.creatures) == 1 and rng.random() < _HEAD_CROPS:
        pixels, tags = head_crop(scene, rng)
    else:
        pixels, tags = drawn(scene, rng), scene.tags()
    return squared(disfigure(pixels, rng), STORED_SIDE), label_row(tags)


def degraded(pixels: Pixels, rng: random.Random) -> Pixels:
    """Makes a picture look like a weak render: small, soft, wavy, compressed and a little off in colour."""
    height, width = pixels.shape[:2]
    small = rng.uniform(56, 128) / max(height, width)
    size = (max(8, round(width * small)), max(8, round(height * small)))
    pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    pixels = cv2.GaussianBlur(_wavy(pixels, rng), (0, 0), rng.uniform(0.3, 0.9)).astype(np.uint8)
    pixels = _compressed(_recoloured(pixels, rng), rng)
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def augmented(stored: Pixels, rng: random.Random) -> Pixels:
    """Turns a stored square into one NET_SIDE training view: shifted, flipped, blurred, recoloured, compressed."""
    zoom = NET_SIDE / STORED_SIDE * rng.uniform(0.95, 1.1)
    affine = cv2.getRotationMatrix2D((STORED_SIDE / 2, STORED_SIDE / 2), rng.uniform(-5, 5), zoom)
    affine[:, 2] += (NET_SIDE - STORED_SIDE) / 2 + np.array([rng.uniform(-5, 5), rng.uniform(-5, 5)])
    view = cv2.warpAffine(stored, affine, (NET_SIDE, NET_SIDE), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=(255, 255, 255)).astype(np.uint8)
    if rng.random() < 0.5:
        view = np.ascontiguousarray(view[:, ::-1])
    if rng.random() < 0.3:
        view = _wavy(view, rng)
    if rng.random() < 0.45:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 1.3)).astype(np.uint8)
    if rng.random() < 0.6:
        view = _recoloured(view, rng)
    if rng.random() < 0.35:
        view = _compressed(view, rng)
    return view


def _wavy(pixels: Pixels, rng: random.Random) -> Pixels:
    """Bends a picture by a smooth random field of about a hundredth of its side."""
    height, width = pixels.shape[:2]
    strength = rng.uniform(0.003, 0.014) * max(height, width)
    noise = np.random.default_rng(rng.getrandbits(32))
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bend = noise.normal(0, strength, (2, 7, 7)).astype(np.float32)
    x += cv2.resize(bend[0], (width, height), interpolation=cv2.INTER_CUBIC)
    y += cv2.resize(bend[1], (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def _recoloured(pixels: Pixels, rng: random.Random) -> Pixels:
    """Shifts gain and level of each channel, greys or oversaturates (as guidance does), and adds noise to some."""
    gain = rng.uniform(0.88, 1.1) * np.array([rng.uniform(0.95, 1.05) for _ in range(3)])
    level = rng.uniform(-14, 16) + np.array([rng.uniform(-6, 6) for _ in range(3)])
    grey = rng.uniform(0.0, 0.2) if rng.random() < 0.6 else rng.uniform(-0.7, 0.0)
    mixed = np.eye(3) * (1 - grey) + grey / 3
    matrix = np.concatenate([mixed * gain[:, None], level[:, None]], axis=1)
    shifted = np.asarray(cv2.transform(pixels, matrix))
    if rng.random() < 0.3:
        noise = np.random.default_rng(rng.getrandbits(32))
        grain = noise.integers(-8, 9, shifted.shape, dtype=np.int16) * rng.uniform(0.2, 1.0)
        shifted = np.clip(shifted + grain, 0, 255).astype(np.uint8)
    return shifted.astype(np.uint8)


def _compressed(pixels: Pixels, rng: random.Random) -> Pixels:
    quality = rng.randint(25, 90)
    how = (".webp", cv2.IMWRITE_WEBP_QUALITY) if rng.random() < 0.25 else (".jpg", cv2.IMWRITE_JPEG_QUALITY)
    _, data = cv2.imencode(how[0], pixels, [how[1], quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
