"""One glance at a JPEG beside imagehash on the same file: `python benchmarks/one_decode.py [rounds]`.

imagehash is no dependency of the project; get it for this with `pip install imagehash`.

Drawn are scenes of the demo's world at 3 to 9 megapixels in three finishes: flat, with strokes and soft shading, and painted
(thousands of strokes, and grain). Each is saved at quality 85 and 90 as boorus mostly have them (4:2:0), at 95 without chroma
subsampling, and at 90 as a progressive file. A glance is size, pixel hash, dHash and pHash, colours, sharpness, blockiness,
blankness, greyness, border, and the thumbnail of 256 pixels. CPU seconds on one thread, the best of the rounds, taken in turn.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2
import numpy as np
from PIL import Image

from lorasmith.demo.world import NEW_LOOKS, random_scene, vary
from lorasmith.imaging.measure import glance, measure_picture
from lorasmith.imaging.read import open_picture

try:
    import imagehash
except ImportError:  # `prune_pass.py` takes only the drawings from here
    imagehash = None

SIZES = ((2048, 1536), (1500, 2000), (2000, 2600), (2480, 3508))
STROKES = {"flat": 0, "shaded": 600, "painted": 9000}
FILES: dict[str, dict[str, object]] = {
    "q85": {"quality": 85},
    "q90": {"quality": 90},
    "q95 4:4:4": {"quality": 95, "subsampling": 0},
    "q90 progressive": {"quality": 90, "progressive": True},
}


def drawn(width: int, height: int, finish: str, seed: int) -> Image.Image:
    """Draws a scene; strokes take the colour under them a little lighter or darker."""
    scene = random.Random(f"one decode {seed}")
    pixels = random_scene(scene, (vary(NEW_LOOKS, scene),)).draw_array(width, height).copy()
    if finish == "flat":
        return Image.fromarray(pixels)
    dice = np.random.default_rng(seed)
    for _ in range(STROKES[finish]):
        x, y, turn = int(dice.integers(0, width)), int(dice.integers(0, height)), dice.uniform(0, np.pi)
        length = dice.uniform(0.004, 0.02) * max(width, height)
        ink = np.clip(pixels[y, x].astype(int) + int(dice.integers(-28, 29)), 0, 255).tolist()
        thick = max(1, round(max(width, height) / 1400 * dice.uniform(0.6, 1.6)))
        end = (int(x + length * np.cos(turn)), int(y + length * np.sin(turn)))
        cv2.line(pixels, (x, y), end, ink, thick, cv2.LINE_AA)
    light = cv2.resize(dice.normal(0, 1, (12, 12)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shaded = pixels * (1 + 0.08 * light[..., None])
    if finish == "painted":
        shaded = shaded + dice.normal(0, 2.2, (height, width, 1))
    return Image.fromarray(np.clip(shaded, 0, 255).astype(np.uint8))


def phash_alone(path: Path) -> None:
    with Image.open(path) as image:
        imagehash.phash(image)


def three_apart(path: Path) -> None:
    """pHash, dHash and a thumbnail, each from the file, as three tools one after the other do."""
    phash_alone(path)
    with Image.open(path) as image:
        imagehash.dhash(image)
    with Image.open(path) as image:
        image.thumbnail((256, 256))


def whole(path: Path) -> None:
    """The same figures as a glance from a full decode."""
    measure_picture(open_picture(path))


WAYS: dict[str, Callable[[Path], object]] = {
    "phash": phash_alone, "three": three_apart, "whole": whole, "ours": glance,
}  # fmt: skip


def best_of(rounds: int, path: Path) -> dict[str, float]:
    best = dict.fromkeys(WAYS, float("inf"))
    for _ in range(rounds):
        for name, way in WAYS.items():
            began = time.process_time()
            way(path)
            best[name] = min(best[name], time.process_time() - began)
    return best


def told(name: str, rows: list[dict[str, float]]) -> None:
    total = {way: sum(row[way] for row in rows) for way in WAYS}
    each = [row["phash"] / row["ours"] for row in rows]
    ratios = [total[way] / total["ours"] for way in ("phash", "three", "whole")]
    print(f"{name:24} {len(rows):3} {1000 * total['ours'] / len(rows):8.1f} ms   {ratios[0]:5.2f} ({min(each):.2f} to "
          f"{max(each):.2f})   {ratios[1]:6.2f}   {ratios[2]:6.2f}")  # fmt: skip


def main(rounds: int) -> None:
    if imagehash is None:
        sys.exit("imagehash is needed to compare with: pip install imagehash")
    cv2.setNumThreads(1)
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        for seed, (width, height) in enumerate(SIZES):
            for finish in STROKES:
                picture = drawn(width, height, finish, seed)
                for file, how in FILES.items():
                    picture.save(path, **how)  # type: ignore[arg-type]
                    rows[f"{width}x{height}", finish, file] = best_of(rounds, path)
    print(f"{'':24} {'':3} {'ours':>11}   phash / ours (each)   three   whole")
    for part in range(3):
        for kind in dict.fromkeys(key[part] for key in rows):
            told(kind, [row for key, row in rows.items() if key[part] == kind])
    told("all", list(rows.values()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
