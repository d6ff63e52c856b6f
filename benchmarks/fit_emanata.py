"""Fits the net that knows emanata by their shapes: `python benchmarks/fit_emanata.py OUT.npz [pictures]`.

Signs drawn from formulas, in many proportions, with and without outlines, are put on scenes of the demo's world and found there
as `imaging/figures.py` finds them; whatever else it finds is no sign. Put the file in the place of
`lorasmith/imaging/models/emanata.npz` and run `emanata.py`, whose signs are others. The same arguments on the same machine
give the same file.
"""

import argparse
import math
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np
import torch
from crops import cluttered_scenes
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lorasmith.demo.world import training_scene
from lorasmith.imaging.crop import Box
from lorasmith.imaging.emanata import SIGNS, look_of
from lorasmith.imaging.figures import find_figures

Alpha = NDArray[np.uint8]
SIDE = 256  # of a sign as it is drawn, before it is turned and made small
NEAR = 0.6  # overlap of a figure's box with a sign's from which it is the sign
LETTERS = "ABDEFGHKLMNPRSTUVWXYZabdefghknrst23456789%&+#@*"
SIZES = ((640, 640), (480, 640), (640, 480), (427, 640), (900, 1200))


def ellipse(drawing: Alpha, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> None:
    where = (round(centre[0]), round(centre[1]))
    cv2.ellipse(drawing, where, (max(1, round(radii[0])), max(1, round(radii[1]))), turn, 0, 360, 255, -1)


def curve(drawing: Alpha, x: NDArray[np.float64], y: NDArray[np.float64], wide: int = 0) -> None:
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    if wide:
        cv2.polylines(drawing, [points], False, 255, wide)
    else:
        cv2.fillPoly(drawing, [points], 255)


def heart(drawing: Alpha, dice: random.Random) -> None:
    if dice.random() < 0.5:
        t = np.linspace(0, 2 * np.pi, 200)
        deep = dice.uniform(0.6, 1.3)
        y = 13 * np.cos(t) - 5 * deep * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        curve(drawing, 128 + 6.2 * 16 * np.sin(t) ** 3, 120 - 6.2 * y)
        return
    r, apart = dice.uniform(46, 58), dice.uniform(0.7, 0.95)
    for side in (-1, 1):
        ellipse(drawing, (128 + side * apart * r, 96), (r, r * dice.uniform(0.95, 1.15)))
    low = dice.uniform(190, 232)
    wide = (apart + math.cos(0.5)) * r
    curve(drawing, np.array([128 - wide, 128 + wide, 128.0]), np.array([96 + 0.45 * r, 96 + 0.45 * r, low]))
    curve(drawing, np.array([128 - apart * r, 128 + apart * r, 128.0]), np.array([110.0, 110.0, low]))


def sweatdrop(drawing: Alpha, dice: random.Random) -> None:
    def one(x: float, y: float, size: float, turn: float) -> None:
        t = np.linspace(0, 2 * np.pi, 160)
        wide, power = dice.uniform(0.45, 0.85), dice.uniform(0.8, 2.6)
        across, down = wide * size * np.sin(t) * np.sin(t / 2) ** power, -size * np.cos(t)
        bend = dice.uniform(-0.25, 0.25) * (down - size) ** 2 / (4 * size)
        across = across + bend
        cos, sin = math.cos(turn), math.sin(turn)
        curve(drawing, x + cos * across - sin * down, y + sin * across + cos * down)

    many = dice.choice((1, 1, 1, 1, 3))
    if many == 1:
        one(128, 128, 100, 0)
    else:
        for place in range(many):
            angle = (place - (many - 1) / 2) * dice.uniform(0.5, 0.8)
            x, y = 128 + 104 * math.sin(angle), 210 - 130 * math.cos(angle)
            one(x, y, dice.uniform(34, 48), angle + math.pi * dice.choice((0, 1)))


def anger_vein(drawing: Alpha, dice: random.Random) -> None:
    wide, gap, reach = dice.randint(10, 34), dice.uniform(12, 34), dice.uniform(60, 100)
    bow = dice.uniform(0.25, 1.0)
    count = 4 if dice.random() < 0.8 else 3
    for place in range(count):
        turn = place * 2 * math.pi / count + dice.uniform(-0.06, 0.06)
        t = np.linspace(0, 1, 30)
        # from outside beside one axis towards the middle and out again beside the next one
        near = gap + wide / 2
        start, middle, end = np.array([near, reach]), np.array([near, near]) * (1.6 - 0.6 * bow), np.array([reach, near])
        way = ((1 - t) ** 2)[:, None] * start + (2 * t * (1 - t))[:, None] * middle + (t**2)[:, None] * end
        if count == 3:
            way = way @ np.array([[0.9, -0.25], [-0.25, 0.9]])
        cos, sin = math.cos(turn), math.sin(turn)
        curve(drawing, 128 + cos * way[:, 0] - sin * way[:, 1], 128 + sin * way[:, 0] + cos * way[:, 1], wide)


def note(drawing: Alpha, dice: random.Random) -> None:
    head, stem, thick = dice.uniform(28, 42), dice.uniform(120, 165), dice.randint(8, 20)
    rx, ry, turn = head, head * dice.uniform(0.65, 0.9), dice.uniform(-30, 0)
    if dice.random() < 0.45:  # beamed
        apart, slope = dice.uniform(90, 125), dice.uniform(-26, 4)
        for place in (0, 1):
            x, y = 128 - apart / 2 + place * apart - head / 2, 205 + place * slope
            ellipse(drawing, (x, y), (rx, ry), turn)
            cv2.line(drawing, (round(x + rx - thick / 2), round(y)), (round(x + rx - thick / 2), round(y - stem)), 255, thick)
        left, top = 128 - apart / 2 - head / 2 + rx - thick, 205 - stem
        beam = dice.uniform(16, 40)
        right = left + apart + thick
        curve(drawing, np.array([left, right, right, left]), np.array([top, top + slope, top + slope + beam, top + beam]))
        return
    x, y = dice.uniform(95, 120), 200.0
    ellipse(drawing, (x, y), (rx, ry), turn)
    stem_x = x + rx - thick / 2
    cv2.line(drawing, (round(stem_x), round(y)), (round(stem_x), round(y - stem)), 255, thick)
    if dice.random() < 0.85:  # its flag
        t, long, drop = np.linspace(0, 1, 30), dice.uniform(35, 65), dice.uniform(50, 95)
        fat = dice.uniform(14, 40)
        upper = np.stack([stem_x + long * t**0.8, y - stem + drop * t], axis=1)
        lower = np.stack([stem_x + long * t**0.8, y - stem + fat * (1 - t) + drop * t], axis=1)
        both = np.concatenate([upper, lower[::-1]])
        curve(drawing, both[:, 0], both[:, 1])
        if dice.random() < 0.6:
            curve(drawing, lower[:, 0], lower[:, 1] - 4, max(4, thick - 6))


def sparkle(drawing: Alpha, dice: random.Random) -> None:
    t, power = np.linspace(0, 2 * np.pi, 240), 2 / dice.uniform(0.3, 0.75)
    wide = 110 * dice.choice((1, 1, dice.uniform(0.55, 0.9)))
    x, y = np.cos(t), np.sin(t)
    curve(drawing, 128 + wide * np.sign(x) * np.abs(x) ** power, 128 + 110 * np.sign(y) * np.abs(y) ** power)


def typed(words: str, drawing: Alpha, dice: random.Random) -> None:
    files = sorted(Path("/usr/share/fonts").rglob("DejaVu*.ttf"))
    font = ImageFont.truetype(str(dice.choice(files)), 150)
    picture = Image.fromarray(drawing)
    ImageDraw.Draw(picture).text((128, 128), words, 255, font, anchor="mm", stroke_width=dice.randint(0, 10))
    drawing[:] = np.asarray(picture)


def exclamation(drawing: Alpha, dice: random.Random) -> None:
    if dice.random() < 0.4:
        typed(dice.choice(("!", "!!", "!", "!?")), drawing, dice)
        return
    many = dice.choice((1, 1, 1, 2))
    for place in range(many):
        x = 128 + (place - (many - 1) / 2) * 74
        top, low, up = dice.uniform(14, 32), dice.uniform(4, 16), dice.uniform(150, 172)
        lean = dice.uniform(-16, 16)
        curve(drawing, np.array([x - top + lean, x + top + lean, x + low, x - low]), np.array([24.0, 24.0, up, up]))
        if dice.random() < 0.6:
            ellipse(drawing, (x + lean, 24 + 3), (top, 0.5 * top))
            ellipse(drawing, (x, up), (low, low))
        dot = dice.uniform(13, 24)
        ellipse(drawing, (x - 0.1 * lean, up + dot + dice.uniform(10, 30)), (dot, dot * dice.uniform(0.8, 1.1)))


def question(drawing: Alpha, dice: random.Random) -> None:
    if dice.random() < 0.4:
        typed(dice.choice(("?", "?", "??")), drawing, dice)
        return
    wide, radius = dice.randint(18, 38), dice.uniform(42, 56)
    t = np.linspace(-math.pi * dice.uniform(0.9, 1.1), math.pi * dice.uniform(0.25, 0.45), 40)
    x, y = 128 + radius * np.cos(t), 84 + radius * np.sin(t)
    foot = dice.uniform(150, 178)
    x, y = np.append(x, [128, 128]), np.append(y, [max(y[-1] + 10, 84 + radius + 14), foot])
    curve(drawing, x, y, wide)
    dot = dice.uniform(0.5, 0.75) * wide
    ellipse(drawing, (128, foot + wide / 2 + dot + dice.uniform(8, 22)), (dot, dot))


def motion_lines(drawing: Alpha, dice: random.Random) -> None:
    many, wide = dice.choice((2, 3, 3, 3, 4)), dice.randint(6, 18)
    spread, bow, long = dice.uniform(0, 0.35), dice.uniform(-30, 30), dice.uniform(60, 100)
    apart = dice.uniform(28, 60)
    for place in range(many):
        off = place - (many - 1) / 2
        t = np.linspace(-1, 1, 20)
        reach = long * dice.uniform(0.6, 1.0)
        x, y = reach * t, off * apart * (1 + spread * t) + bow * (1 - t**2)
        curve(drawing, 128 + x, 128 + y, wide)


DRAWERS: tuple[Callable[[Alpha, random.Random], None], ...] = (
    heart, sweatdrop, anger_vein, note, sparkle, exclamation, question, motion_lines,
)  # fmt: skip
TURNS = (35, 75, 45, 25, 20, 25, 20, 180)  # degrees each way


def nothing(drawing: Alpha, dice: random.Random) -> None:
    """Draws what is no sign: a letter, a blob, a polygon, an ellipse, a moon, a stroke."""
    kind = dice.randrange(7)
    noise = np.random.default_rng(dice.getrandbits(32))
    if kind == 0:
        typed(dice.choice(LETTERS) if dice.random() < 0.6 else "".join(dice.sample(LETTERS, 3)), drawing, dice)
    elif kind == 1:
        t = np.linspace(0, 2 * np.pi, 120)
        radius = 80 + sum(noise.normal(0, 14) * np.cos(each * t + noise.uniform(0, 6)) for each in (2, 3, 4, 5))
        curve(drawing, 128 + radius * np.cos(t), 128 + radius * np.sin(t))
    elif kind == 2:
        curve(drawing, *noise.uniform(30, 226, (2, dice.randint(3, 6))))
    elif kind == 3:
        ellipse(drawing, (128, 128), (noise.uniform(30, 110), noise.uniform(30, 110)))
    elif kind == 4:
        ellipse(drawing, (128, 128), (95, 95))
        bite = drawing.copy() * 0
        ellipse(bite, (128 + noise.uniform(20, 90), 128 + noise.uniform(-40, 40)), (90, 90))
        drawing[bite > 0] = 0
    elif kind == 5:
        many = dice.randint(5, 8)
        t = np.arange(2 * many) * math.pi / many
        radius = np.where(np.arange(2 * many) % 2, 105, noise.uniform(40, 80))
        curve(drawing, 128 + radius * np.sin(t), 128 - radius * np.cos(t))
    else:
        t = np.linspace(-1, 1, 30)
        curve(drawing, 128 + 100 * t, 128 + noise.uniform(-60, 60) * t**2 + noise.uniform(-60, 60) * t, dice.randint(8, 50))


def turned(drawing: Alpha, most: float, dice: random.Random) -> Alpha:
    way = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), dice.uniform(-most, most), 0.72)
    way[0, :2] *= dice.uniform(0.8, 1.25)
    way[0, 2] += SIDE / 2 - way[0, :2] @ (SIDE / 2, SIDE / 2) - way[0, 2]
    drawing = np.asarray(cv2.warpAffine(drawing, way, (SIDE, SIDE)), np.uint8)
    rows, columns = np.flatnonzero(drawing.any(axis=1)), np.flatnonzero(drawing.any(axis=0))
    return drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def put(pixels: NDArray[np.uint8], drawing: Alpha, dice: random.Random) -> Box:
    """Draws a sign somewhere on a picture, in colours that stand out, three in five with an outline."""
    height, width = pixels.shape[:2]
    size = dice.uniform(0.03, 0.14) * max(height, width)
    scale = size / max(drawing.shape)
    sides = (max(4, round(drawing.shape[1] * scale)), max(4, round(drawing.shape[0] * scale)))
    small = cv2.resize(drawing, sides, interpolation=cv2.INTER_AREA)
    rim = round(dice.uniform(0.03, 0.09) * size) if dice.random() < 0.6 else 0
    small = np.pad(small, rim)
    places = [
        (dice.randint(0, max(0, width - small.shape[1])), dice.randint(0, max(0, height - small.shape[0])))
        for _ in range(dice.choice((1, 4, 8)))
    ]  # signs mostly stand where little is drawn
    deep, wide = small.shape
    left, top = min(places, key=lambda at: pixels[at[1] : at[1] + deep, at[0] : at[0] + wide].std(axis=(0, 1)).sum())
    part = pixels[top : top + small.shape[0], left : left + small.shape[1]]
    small = small[: part.shape[0], : part.shape[1]]
    under = part.reshape(-1, 3).mean(axis=0)
    for _ in range(60):
        colour = np.array([dice.choice((0, 255, dice.randrange(256))) for _ in range(3)], np.float64)
        if np.abs(colour - under).max() > 60:
            break
    if rim:
        line = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1,) * 2)).astype(np.float64)[..., None] / 255
        ink = np.array(dice.choice(((12, 10, 16), (12, 10, 16), (255, 255, 255), tuple(0.5 * colour))))
        part[:] = (part * (1 - line) + ink * line).astype(np.uint8)
    share = small.astype(np.float64)[..., None] / 255
    tone = colour * (1 - 0.3 * dice.random() * np.linspace(0, 1, small.shape[0])[:, None, None]) if dice.random() < 0.2 else colour
    part[:] = (part * (1 - share) + tone * share).astype(np.uint8)
    if dice.random() < 0.25 and size > 40:  # a glint
        cv2.circle(part, (round(0.35 * small.shape[1]), round(0.35 * small.shape[0])), round(0.06 * size), (255, 255, 255), -1)
    rows, columns = np.flatnonzero(small.max(axis=1) > 127), np.flatnonzero(small.max(axis=0) > 127)
    first, last = (left + int(columns[0]), top + int(rows[0])), (left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    return Box(first[0] - rim, first[1] - rim, last[0] + rim, last[1] + rim)


def shared(one: Box, two: Box) -> bool:
    """Says whether two boxes overlap."""
    return max(one.left, two.left) < min(one.right, two.right) and max(one.top, two.top) < min(one.bottom, two.bottom)


def example(number: int, grounds: list[NDArray[np.uint8]]) -> tuple[list[NDArray[np.float64]], list[int], Counter[tuple[int, bool]]]:
    """Gives looks and labels of the figures on one picture with signs on it."""
    dice = random.Random(f"emanata fit {number}")
    pixels = grounds[number % len(grounds)].copy()
    if dice.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    pixels = np.roll(pixels, dice.randrange(3), axis=2)
    truths: list[tuple[Box, int]] = []
    for _ in range(dice.randint(4, 9)):
        kind = dice.randrange(len(DRAWERS) + 3)
        drawing = np.zeros((SIDE, SIDE), np.uint8)
        (nothing if kind >= len(DRAWERS) else DRAWERS[kind])(drawing, dice)
        if not drawing.any():
            continue
        turn = 180 if kind >= len(DRAWERS) else TURNS[kind]
        before = pixels.copy()
        box = put(pixels, turned(drawing, turn, dice), dice)
        if any(box.overlap(other) for other, _ in truths):
            pixels = before
        else:
            truths.append((box, 0 if kind >= len(DRAWERS) else kind + 1))
    if dice.random() < 0.3:
        coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, dice.randint(40, 92)])[1]
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    looks, labels, told = [], [], Counter[tuple[int, bool]]()
    seen = set()
    for figure in find_figures(Image.fromarray(pixels)):
        hit = max(truths, key=lambda truth: truth[0].overlap(figure.box), default=None)
        overlap = 0.0 if hit is None else hit[0].overlap(figure.box)
        if overlap < NEAR and any(shared(figure.box, box) for box, _ in truths):
            continue  # a part of one, or one with something else: neither
        label = hit[1] if hit is not None and overlap >= NEAR else 0
        if label:
            seen.add(hit)
        looks.append(look_of(figure))
        labels.append(label)
    for truth in truths:
        told[truth[1], truth in seen] += 1
    return looks, labels, told


def grounds_of(count: int) -> list[NDArray[np.uint8]]:
    """Draws scenes of the demo's world, and rooms, leaves and blocks behind the same creatures."""
    dice = random.Random("emanata grounds")
    drawn = [np.array(training_scene(dice, held_out=False).draw(*dice.choice(SIZES)).convert("RGB")) for _ in range(count)]
    return drawn + [np.array(each.picture.convert("RGB")) for each in cluttered_scenes(max(1, count // 16), "emanata")]


def fitted(looks: NDArray[np.float64], labels: NDArray[np.int64], hidden: int, rounds: int) -> dict[str, NDArray[np.float16]]:
    """Fits the net by Adam in batches; gives its numbers."""
    seen, wanted = torch.tensor(looks, dtype=torch.float32), torch.tensor(labels)
    mean, spread = seen.mean(0), seen.std(0) + 0.05
    known = ((seen - mean) / spread).clamp(-8, 8)
    first, last = torch.nn.Linear(known.shape[1], hidden), torch.nn.Linear(hidden, len(SIGNS))
    net = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Dropout(0.15), last)
    solver = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    pace = torch.optim.lr_scheduler.CosineAnnealingLR(solver, rounds)
    for turn in range(rounds):
        order = torch.randperm(len(known))
        for batch in order.split(256):
            solver.zero_grad()
            torch.nn.functional.cross_entropy(net(known[batch]), wanted[batch], label_smoothing=0.01).backward()
            solver.step()
        pace.step()
        if turn % 10 == 9:
            print(f"round {turn + 1}", flush=True)
    numbers = {
        "mean": mean, "spread": spread, "in": first.weight, "in_bias": first.bias, "out": last.weight, "out_bias": last.bias,
    }  # fmt: skip
    return {name: each.detach().numpy().astype(np.float16) for name, each in numbers.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("count", nargs="?", type=int, default=600)
    parser.add_argument("--hidden", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    grounds = grounds_of(min(160, asked.count))
    looks, labels, told = [], [], Counter[tuple[int, bool]]()
    for number in range(asked.count):
        more, its, seen = example(number, grounds)
        looks += more
        labels += its
        told += seen
    for kind, name in enumerate(SIGNS):
        drawn = told[kind, True] + told[kind, False]
        share = told[kind, True] / max(1, drawn)
        print(f"{name or 'no sign':18} {drawn} drawn, {labels.count(kind)} figures, {share:.2f} of them found")
    np.savez(asked.out, **fitted(np.stack(looks), np.array(labels), asked.hidden, asked.rounds))


if __name__ == "__main__":
    main()
