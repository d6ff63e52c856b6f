"""Pictures with marks of our own, whose boxes are known: what `marks.py` and `emanata.py` measure on."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lorasmith.demo.spoiling import spoil
from lorasmith.demo.world import training_scene
from lorasmith.imaging.crop import Box

SIZES = ((1200, 1200), (900, 1200), (800, 1200), (1200, 900), (1440, 960),
         (1600, 1600), (640, 640), (2000, 1400), (720, 1280))  # fmt: skip
WORDS = ("HELLO", "Wait for me!", "oh no", "GOOD DAY", "What is that?", "Look out", "SURPRISE", "by the river",
         "Chapter 3", "see you soon", "COMMISSION", "Happy birthday", "don't move", "THE END", "too late",
         "so warm here", "RUN", "Huh?")  # fmt: skip
EAST = ("こんにちは", "待ってくれ", "ドキドキ", "ありがとう", "さようなら")
NAMES = ("Ink.W", "m.paw", "B. Line", "Flatty", "C.Wright", "Mirelle '24", "tofuwolf", "Ash K.", "Noriko 2023",
         "vexdraws", "J. Marsh")  # fmt: skip
SITES = ("patreon.com/inkpaw", "@softpaw_art", "inkwood.example.org", "twitter.com/mpaw", "(c) Flatty 2024",
         "www.celwright.net", "@bline")  # fmt: skip


class Truth(NamedTuple):
    """A mark that was drawn: kind, box, height of its line as a share of the picture's, and how it was made."""

    kind: str
    box: Box
    height: float
    make: str


@dataclass
class Sheet:
    """A picture in the making, with what was drawn on it."""

    image: Image.Image
    rng: random.Random
    fonts: dict[str, list[Path]]
    truths: list[Truth] = field(default_factory=list)
    frame: Box | None = None

    def write(self, kind: str, words: str, make: str, **how: Any) -> bool:
        """Writes words and notes their box; says whether there was room.

        `how`: height (a share), middle, ink (colour), share (of opaqueness), turn (degrees), edge (whether with a rim).
        """
        rng, (width, height) = self.rng, self.image.size
        share = how.get("height") or rng.uniform(0.03, 0.1)
        fonts = self.fonts["east" if not words.isascii() else "script" if make == "script" else "plain"]
        ink = ink_of(words, rng.choice(fonts), share * height, bool(how.get("edge")), how.get("turn") or 0)
        if ink.width > 0.94 * width:
            return False
        middle = how.get("middle") or (rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.9))
        rim = round(0.012 * width)
        spot = [round(at * side - own / 2) for at, side, own in zip(middle, (width, height), ink.size, strict=True)]
        left = min(max(rim, spot[0]), width - ink.width - rim)
        top = min(max(rim, spot[1]), height - ink.height - rim)
        box = Box(left, top, left + ink.width, top + ink.height)
        written = [truth.box for truth in self.truths if truth.kind != "bubble"]
        if top < 0 or left < 0 or any(shared(box.grown(0.1), other) for other in written):
            return False
        self._lay(ink, box, how)
        self.truths.append(Truth(kind, box, share, make))
        return True

    def _lay(self, ink: Image.Image, box: Box, how: dict[str, Any]) -> None:
        core, rim = ink.split()
        under = np.asarray(self.image.crop((box.left, box.top, box.right, box.bottom)))[np.asarray(core) > 0]
        colour = how.get("ink") or contrasting(under, bool(how.get("edge")), self.rng)
        light = sum(colour) > 380
        share = how.get("share") or 1.0
        if how.get("edge"):
            self.image.paste((10, 10, 14) if light else (250, 250, 250), (box.left, box.top), rim)
        self.image.paste(colour, (box.left, box.top), core.point(lambda value: round(value * share)))


def shared(one: Box, two: Box) -> bool:
    """Says whether two boxes overlap."""
    return max(one.left, two.left) < min(one.right, two.right) and max(one.top, two.top) < min(one.bottom, two.bottom)


def ink_of(words: str, font: Path, height: float, edge: bool, turn: float) -> Image.Image:
    """Draws words as coverage of letters and of letters with rim (LA), `height` pixels high, then turned."""
    probe = ImageFont.truetype(str(font), 100).getbbox(words)
    face = ImageFont.truetype(str(font), max(6, round(100 * height / (probe[3] - probe[1]))))
    rim = max(1, round(height * 0.06)) if edge else 0
    left, top, right, bottom = face.getbbox(words, stroke_width=rim)
    layers = []
    for stroke in (0, rim):
        layer = Image.new("L", (round(right - left) + 2, round(bottom - top) + 2))
        ImageDraw.Draw(layer).text((1 - left, 1 - top), words, fill=255, font=face, stroke_width=stroke)
        layers.append(layer.rotate(turn, Image.Resampling.BICUBIC, expand=True) if turn else layer)
    whole = layers[1].point(lambda value: 255 if value > 60 else 0).getbbox()
    return Image.merge("LA", layers).crop(whole)


def contrasting(under: np.ndarray, edged: bool, rng: random.Random) -> tuple[int, ...]:
    """Draws a colour that stands out from what is under it, as whoever writes would choose one.

    By at least 90 levels of brightness from the mean, or, without a rim, from 85 % of the pixels where any colour does.
    """
    brightness = under @ np.array([0.3, 0.59, 0.11])
    for attempt in range(400):
        colour = np.array([rng.randrange(256) for _ in range(3)])
        if rng.random() < 0.5:
            colour[:] = rng.choice((8, 20, 245, 255))
        own = float(colour @ np.array([0.3, 0.59, 0.11]))
        apart = abs(own - brightness.mean()) if edged or attempt > 200 else np.quantile(np.abs(own - brightness), 0.15)
        if apart >= 90:
            return tuple(int(value) for value in colour)
    return (255, 255, 255) if brightness.mean() < 128 else (0, 0, 0)


def turn_of(rng: random.Random) -> float:
    return rng.choice((0, 0, 0, 0, 0, rng.uniform(-8, 8), rng.uniform(-35, 35), 90))


def draw_signature(sheet: Sheet) -> None:
    rng = sheet.rng
    spot = (rng.choice((0.1, 0.5, 0.9, 0.9, 0.1)), rng.choice((0.955, 0.955, 0.955, 0.05)))
    kept = {"height": rng.uniform(0.018, 0.05), "middle": spot, "turn": rng.choice((0, 0, 0, rng.uniform(-12, 12)))}
    name, make = rng.choice(NAMES), rng.choice(("script", "script", "plain"))
    sheet.write("signature", name, make, **kept, edge=rng.random() < 0.15)


def draw_watermark(sheet: Sheet) -> None:
    rng = sheet.rng
    if rng.random() < 0.5:
        share, words = rng.uniform(0.35, 0.7), rng.choice(SITES)
        height, turn = rng.uniform(0.03, 0.06), rng.choice((0, 0, 25, -30))
        sheet.write("watermark", words, "see-through", height=height, share=share, turn=turn)
    else:
        spot = (rng.choice((0.2, 0.5, 0.8)), rng.choice((0.96, 0.04)))
        sheet.write("watermark", rng.choice(SITES), "plain", height=rng.uniform(0.015, 0.035), middle=spot)


def draw_text(sheet: Sheet) -> None:
    rng = sheet.rng
    east = bool(sheet.fonts["east"]) and rng.random() < 0.12
    words, edge = rng.choice(EAST if east else WORDS), rng.random() < 0.45
    lots = (rng.uniform(0.015, 0.03), rng.uniform(0.03, 0.06), rng.uniform(0.03, 0.06), rng.uniform(0.06, 0.14))
    height = rng.choice(lots)
    sheet.write("text", words, rng.choice(("plain", "plain", "script")), height=height, edge=edge, turn=turn_of(rng))


def draw_bubble(sheet: Sheet) -> None:
    """Draws a bubble of one of four shapes, three in four with a tail, and one to three lines in it."""
    rng, (width, height) = sheet.rng, sheet.image.size
    rx, ry = round(rng.uniform(0.14, 0.22) * width), round(rng.uniform(0.07, 0.12) * height)
    cx, cy = round(rng.uniform(0.25, 0.75) * width), round(rng.choice((0.16, 0.3, 0.8)) * height)
    body = Box(cx - rx, cy - ry, cx + rx, cy + ry)
    if any(shared(body.grown(0.05), truth.box) for truth in sheet.truths):
        return
    shape = rng.choice(("oval", "oval", "round", "cloud", "box"))
    line = max(2, round(rng.uniform(0.002, 0.006) * width))
    layer = Image.new("L", sheet.image.size)
    pen = ImageDraw.Draw(layer)
    draw_body(pen, shape, body)
    if rng.random() < 0.75:
        foot_x = cx + rng.choice((-1, 1)) * rng.uniform(0.3, 0.8) * rx
        foot_y = cy + rng.choice((1, 1, -1)) * rng.uniform(1.3, 1.6) * ry
        pen.polygon([(cx - 0.14 * rx, cy), (cx + 0.14 * rx, cy), (foot_x, foot_y)], fill=255)
    inner = np.asarray(layer)
    outer = cv2.dilate(inner, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line + 1, 2 * line + 1)))
    paper = rng.choice(((255, 255, 255),) * 4 + ((250, 245, 225), (225, 240, 252), (250, 228, 236)))
    sheet.image.paste((14, 14, 18), (0, 0), Image.fromarray(outer))
    sheet.image.paste(paper, (0, 0), layer)
    sheet.truths.append(Truth("bubble", body, 2 * ry / height, shape))
    rows = rng.choice((1, 2, 2, 3))
    size = min(1.0 * ry / rows, 0.09 * height) / height * 0.72
    for row in range(rows):
        words = rng.choice([words for words in WORDS if len(words) * size * height * 0.75 < 1.35 * rx] or ["Hi!"])
        middle = (cx / width, (cy + (row - (rows - 1) / 2) * size * 1.45 * height) / height)
        sheet.write("text", words, "plain", height=size, middle=middle, ink=(14, 14, 18))


KINDS = ((draw_bubble, 0.35), (draw_signature, 0.5), (draw_text, 0.5), (draw_watermark, 0.25))


def draw_body(pen: ImageDraw.ImageDraw, shape: str, body: Box) -> None:
    rx, ry, cx, cy = body.width / 2, body.height / 2, (body.left + body.right) / 2, (body.top + body.bottom) / 2
    if shape == "oval":
        pen.ellipse((body.left, body.top, body.right, body.bottom), fill=255)
    elif shape == "cloud":
        pen.ellipse((cx - 0.85 * rx, cy - 0.8 * ry, cx + 0.85 * rx, cy + 0.8 * ry), fill=255)
        for angle in np.linspace(0, 2 * np.pi, 11)[:-1]:
            x, y, puff = cx + 0.72 * rx * np.cos(angle), cy + 0.66 * ry * np.sin(angle), 0.34 * ry
            pen.ellipse((x - puff, y - puff, x + puff, y + puff), fill=255)
    else:
        pen.rounded_rectangle((body.left, body.top, body.right, body.bottom), 0.5 * ry if shape == "round" else 2, fill=255)


def draw_border(sheet: Sheet) -> None:
    """Puts bars at two opposite sides, or all round, of one colour; marks drawn before move along."""
    rng, (width, height) = sheet.rng, sheet.image.size
    deep = [round(rng.uniform(0.015, 0.09) * side) for side in (width, height)]
    across, down = rng.choice(((1, 1), (1, 0), (0, 1)))
    left, top = deep[0] * across, deep[1] * down
    colour = rng.choice(((0, 0, 0), (255, 255, 255), (0, 0, 0), (240, 236, 224), (90, 20, 60)))
    full = Image.new("RGB", (width + 2 * left, height + 2 * top), colour)
    full.paste(sheet.image, (left, top))
    sheet.image, sheet.frame = full, Box(left, top, left + width, top + height)
    sheet.truths = [
        Truth(kind, moved(box, left, top), share * height / full.height, make) for kind, box, share, make in sheet.truths
    ]


def moved(box: Box, right: int, down: int) -> Box:
    return Box(box.left + right, box.top + down, box.right + right, box.bottom + down)


def drawn_sheets(count: int, fonts: dict[str, list[Path]], seed: int) -> Iterator[Sheet]:
    """Draws scenes of the demo world: one in five with nothing on it, one in eight blocky or soft."""
    for number in range(count):
        rng = random.Random(f"marks {seed} {number}")
        size = rng.choice(SIZES)
        sheet = Sheet(training_scene(rng, held_out=True).draw(*size), rng, fonts)
        kinds: list[Callable[[Sheet], None]] = []
        if number % 5:
            kinds = [kind for kind, share in KINDS if rng.random() < share]
        for kind in kinds or [draw_text] * (number % 5 > 0):
            kind(sheet)
        if rng.random() < 0.12:
            draw_border(sheet)
        fault = rng.choice(("jpeg_blocks", "none", "none", "none", "none", "none", "none", "none"))
        sheet.image = Image.fromarray(spoil(np.asarray(sheet.image), (fault,), number))
        yield sheet


def natural_sheets(count: int, photos: Path, fonts: dict[str, list[Path]], seed: int) -> Iterator[Sheet]:
    """Takes photographs in the order of their names: three in ten stay as they are."""
    for number, path in enumerate(sorted(photos.iterdir())[:count]):
        rng = random.Random(f"marks {seed} {path.name}")
        with Image.open(path) as opened:
            sheet = Sheet(opened.convert("RGB"), rng, fonts)
        for kind in rng.sample([draw_text, draw_signature, draw_watermark, draw_bubble], rng.choice((1, 1, 2))):
            if number % 10 > 2:
                kind(sheet)
        yield sheet
