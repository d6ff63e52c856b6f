"""Fits the two small nets that judge regions: `python benchmarks/fit_regions.py OUT.npz [pictures a kind]`.

The pictures are those of `crops.py` with other seeds, half of them spoilt (hue, brightness, light, grain, blur, JPEG).
`--other FOLDER` adds pasted figures as in `crops.py`; `--leave-out KIND` (repeatable) keeps a kind out, to see how the rest
does on it: put the file in the place of `lorasmith/imaging/models/regions.npz` and run `crops.py`.
The same arguments on the same machine give the same file.
"""

import argparse
import itertools
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np
import torch
from crops import Drawing, cluttered_scenes, demo_scenes, other_figures
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.masks import parted
from lorasmith.imaging.regions import Map, first_look, second_look, sums, surveyed

Figures = NDArray[np.float64]
Example = tuple[Figures, Map, Figures]  # look, map, the true share of each region


def spoilt(pixels: NDArray[np.uint8], dice: random.Random) -> NDArray[np.uint8]:
    noise = np.random.default_rng(dice.getrandbits(32))
    if dice.random() < 0.35:
        tones = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).astype(np.int16)
        tones[..., 0] = (tones[..., 0] + dice.randint(0, 179)) % 180
        tones[..., 1] = np.clip(tones[..., 1] * dice.uniform(0.3, 1.1), 0, 255)
        pixels = cv2.cvtColor(tones.astype(np.uint8), cv2.COLOR_HSV2RGB)
    if dice.random() < 0.06:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if dice.random() < 0.25:
        pixels = (255 * (pixels / 255.0) ** dice.uniform(0.7, 1.5)).astype(np.uint8)
    if dice.random() < 0.35:
        coarse = noise.normal(0, 1, (dice.randint(3, 14),) * 2).astype(np.float32)
        light = cv2.resize(coarse, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        pixels = np.clip(pixels * (1 + dice.uniform(0.02, 0.1) * light[..., None]), 0, 255).astype(np.uint8)
    if dice.random() < 0.25:
        grain = noise.normal(0, dice.uniform(2, 9), (*pixels.shape[:2], 1))
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    if dice.random() < 0.2:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), dice.uniform(0.8, 4)), np.uint8)
    if dice.random() < 0.4:
        coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, dice.randint(25, 92)])[1]
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return pixels


def examples(drawings: Iterator[Drawing], left_out: set[str]) -> Iterator[Example]:
    dice = random.Random(5)
    for place, drawing in enumerate(drawings):
        if drawing.kind in left_out:
            continue
        picture = drawing.picture
        if place % 2:
            picture = Image.fromarray(spoilt(np.asarray(picture), dice))
        regions, lab, seen = parted(picture)
        if not regions.any():
            continue
        found = surveyed(regions, lab)
        true = cv2.resize(drawing.alpha, regions.shape[::-1], interpolation=cv2.INTER_AREA)
        yield first_look(regions, found, seen), found, sums(regions, true, len(found.area)) / found.area


def fitted(
    looks: Figures, true: Figures, weights: Figures, hidden: int, pull: float
) -> tuple[Callable[[Figures], Figures], dict[str, NDArray[np.float32]]]:
    """Fits one net by L-BFGS to the weighted cross-entropy; gives its answer as a function, and its numbers."""
    seen, wanted, weight = (torch.tensor(each, dtype=torch.float32) for each in (looks, true, weights))
    mean, spread = seen.mean(0), seen.std(0) + 1e-6
    first, last = torch.nn.Linear(seen.shape[1], hidden), torch.nn.Linear(hidden, 1)
    net = torch.nn.Sequential(first, torch.nn.Tanh(), last)
    solver = torch.optim.LBFGS(net.parameters(), max_iter=400, line_search_fn="strong_wolfe")

    def closure() -> float:
        solver.zero_grad()
        apart = torch.nn.functional.binary_cross_entropy_with_logits(
            net((seen - mean) / spread)[:, 0], wanted, weight=weight, reduction="sum"
        )
        loss = apart / weight.sum() + pull * (first.weight.square().sum() + last.weight.square().sum())
        loss.backward()
        return float(loss.detach())

    solver.step(closure)
    numbers = {
        "mean": mean, "spread": spread, "in": first.weight, "in_bias": first.bias, "out": last.weight[0],
        "out_bias": last.bias,
    }  # fmt: skip

    def answer(look: Figures) -> Figures:
        with torch.no_grad():
            return torch.sigmoid(net((torch.tensor(look, dtype=torch.float32) - mean) / spread))[:, 0].double().numpy()

    return answer, {name: each.detach().numpy() for name, each in numbers.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("count", nargs="?", type=int, default=240)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--leave-out", action="append", default=[])
    parser.add_argument("--hidden", type=int, default=12)
    parser.add_argument("--pull", type=float, default=1e-4)
    asked = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    sources = [demo_scenes(asked.count, "fit"), cluttered_scenes(asked.count, "fit")]
    if asked.other:
        sources.append(other_figures(asked.other, asked.count, "fit"))
    known = list(examples(itertools.chain(*sources), set(asked.leave_out)))
    true = np.concatenate([each[2] for each in known])
    # a region counts by its area and by its side: a picture is more than its two largest parts
    sides = [np.sqrt(found.area) for _, found, _ in known]
    weights = np.concatenate([side / side.sum() + side**2 / (side**2).sum() for side in sides])
    first, numbers = fitted(np.concatenate([each[0] for each in known]), true, weights, asked.hidden, asked.pull)
    looks = np.concatenate([second_look(look, found, first(look)) for look, found, _ in known])
    _, more = fitted(looks, true, weights, asked.hidden, asked.pull)
    kept = {f"first_{name}": each for name, each in numbers.items()} | {f"second_{name}": e for name, e in more.items()}
    np.savez_compressed(asked.out, **kept)
    print(f"{len(known)} pictures, {len(true)} regions, {asked.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
