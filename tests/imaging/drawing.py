"""Draws creatures whose outline and head are known, as pictures to read, measure, mask and crop."""

import random
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

Pose = Literal["standing", "sitting", "lying"]
Background = Literal["white", "plain", "gradient", "meadow", "room", "stripes"]
Colour = tuple[int, int, int]
POSES: tuple[Pose, ...] = ("standing", "sitting", "lying")
BACKGROUNDS: tuple[Background, ...] = ("white", "plain", "gradient", "meadow", "room", "stripes")
SCALE = 2


@dataclass
class Drawing:
    """A picture, the character's true mask (0 or 255) and its true head box (left, top, right, bottom)."""

    picture: Image.Image
    mask: np.ndarray
    head: tuple[int, int, int, int]


@dataclass
class Pen:
    """Draws each shape into the picture and into the mask at once."""

    picture: ImageDraw.ImageDraw
    mask: ImageDraw.ImageDraw
    x: float
    y: float
    unit: float
    outline: Colour = (30, 25, 35)
    head: list[float] = field(default_factory=list)

    def place(self, points):
        return [(self.x + self.unit * px, self.y + self.unit * py) for px, py in points]

    def oval(self, x, y, rx, ry, colour):
        box = self.place([(x - rx, y - ry), (x + rx, y + ry)])
        self.picture.ellipse(box, fill=colour, outline=self.outline, width=max(1, int(self.unit * 0.03)))
        self.mask.ellipse(box, fill=255)

    def shape(self, points, colour):
        places = self.place(points)
        self.picture.polygon(places, fill=colour, outline=self.outline, width=max(1, int(self.unit * 0.03)))
        self.mask.polygon(places, fill=255)

    def head_at(self, x, y, r, colour, eye, long_ears=False):
        ear = 1.5 if long_ears else 0.6
        for side in (-1, 1):
            tip = (x + side * r * 0.75, y - r * (0.8 + ear))
            self.shape([(x + side * r * 0.25, y - r * 0.7), tip, (x + side * r * 0.9, y - r * 0.3)], colour)
        self.oval(x, y, r, r * 0.92, colour)
        for side in (-1, 1):
            self.oval(x + side * r * 0.4, y - r * 0.1, r * 0.17, r * 0.22, eye)
        self.oval(x, y + r * 0.35, r * 0.3, r * 0.2, (250, 240, 225))
        (left, top), (right, bottom) = self.place([(x - r, y - r * (0.8 + ear)), (x + r, y + r * 0.92)])
        self.head = [left, top, right, bottom]


def _background(kind: Background, size: tuple[int, int], dice: random.Random) -> Image.Image:
    width, height = size
    plain = tuple(dice.randint(90, 240) for _ in range(3))
    image = Image.new("RGB", size, "white" if kind == "white" else plain)
    pen = ImageDraw.Draw(image)
    if kind == "gradient":
        ramp = Image.linear_gradient("L").resize(size)
        return Image.composite(Image.new("RGB", size, (70, 90, 170)), Image.new("RGB", size, (250, 190, 150)), ramp)
    if kind == "meadow":
        pen.rectangle([0, 0, width, height * 0.6], fill=(150, 200, 240))
        pen.ellipse([-width * 0.3, height * 0.5, width * 1.3, height * 1.4], fill=(110, 170, 80))
        for _ in range(5):
            x, y, r = dice.random() * width, dice.random() * height * 0.3, width * 0.08
            pen.ellipse([x - r, y - r * 0.5, x + r, y + r * 0.5], fill="white")
    if kind == "room":
        pen.rectangle([0, height * 0.75, width, height], fill=(120, 80, 50))
        pen.rectangle([width * 0.05, height * 0.1, width * 0.3, height * 0.4], fill=(180, 220, 240), outline="black")
        pen.rectangle([width * 0.75, height * 0.3, width * 0.98, height * 0.75], fill=(90, 60, 40))
    if kind == "stripes":
        for x in range(0, width, max(8, width // 12)):
            pen.rectangle([x, 0, x + width // 24, height], fill=tuple(min(255, value + 35) for value in plain))
    return image


def creature(
    pose: Pose = "standing",
    background: Background = "white",
    size: tuple[int, int] = (640, 800),
    seed: int = 0,
    fill: float = 0.8,
) -> Drawing:
    """Draws one creature; `fill` is its height (its length when lying) as a share of the picture's."""
    dice = random.Random(seed)
    big = (size[0] * SCALE, size[1] * SCALE)
    image, mask = _background(background, big, dice), Image.new("L", big, 0)
    length, height = {"standing": (2.0, 4.7), "sitting": (2.6, 3.9), "lying": (5.2, 2.6)}[pose]
    unit = fill * min(big[0] / length, big[1] / height)
    slack_x, slack_y = big[0] - unit * length, big[1] - unit * height
    pen = Pen(
        ImageDraw.Draw(image),
        ImageDraw.Draw(mask),
        slack_x * dice.uniform(0.3, 0.7) + unit * length / 2,
        slack_y * dice.uniform(0.5, 0.9),
        unit,
    )
    body = tuple(dice.randint(20, 235) for _ in range(3))
    limb, eye = tuple(int(value * 0.85) for value in body), tuple(dice.randint(0, 255) for _ in range(3))
    {"standing": _standing, "sitting": _sitting, "lying": _lying}[pose](pen, body, limb, eye, dice)
    head = tuple(round(value / SCALE) for value in pen.head)
    small = mask.resize(size, Image.Resampling.BOX).point(lambda value: 255 * (value > 127))
    return Drawing(image.resize(size, Image.Resampling.LANCZOS), np.asarray(small), head)


def _standing(pen, body, limb, eye, dice):
    pen.shape([(0.3, 3.0), (0.95, 2.2), (1.0, 2.5), (0.4, 3.4)], limb)
    for side in (-1, 1):
        pen.oval(side * 0.35, 3.9, 0.22, 0.75, limb)
        pen.oval(side * (0.6 + 0.2 * dice.random()), 2.3, 0.17, 0.7, limb)
    pen.oval(0, 2.5, 0.6, 1.0, body)
    pen.head_at(0, 1.05, 0.68, body, eye)


def _sitting(pen, body, limb, eye, dice):
    pen.oval(1.0, 3.3, 0.3, 0.5, limb)
    pen.oval(0, 2.7, 0.75, 1.05, body)
    for side in (-1, 1):
        pen.oval(side * 0.75, 3.4, 0.5, 0.4, limb)
        pen.oval(side * 0.35, 3.1, 0.18, 0.7, limb)
    pen.head_at(0.1 * dice.choice((-1, 1)), 1.05, 0.72, body, eye, dice.random() < 0.3)


def _lying(pen, body, limb, eye, dice):
    side = dice.choice((-1, 1))
    pen.shape([(-side * 1.4, 1.5), (-side * 2.5, 1.2), (-side * 2.4, 1.6), (-side * 1.4, 1.9)], limb)
    pen.oval(0, 1.75, 1.7, 0.65, body)
    for place in (-1.2, 0.5, 1.3):
        pen.oval(place * side, 2.25, 0.4, 0.2, limb)
    pen.head_at(side * 1.75, 1.2, 0.7, body, eye)
