"""Trains the demo's tagger on drawn scenes and exports it: `python -m lorasmith.demo.train_tagger --work FOLDER`.

The work is split in rounds. Each round draws a shard of new pictures (until there are enough), trains on pictures out
of all shards, and saves everything, so that a stopped training goes on where it was. Every few rounds and at the end
the averaged weights are calibrated on scenes of their own and exported.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lorasmith.demo.drawing import Pixels
from lorasmith.demo.tagger_net import TaggerNet, export_onnx, write_tag_list
from lorasmith.demo.tagger_pictures import (
    NET_SIDE,
    augmented,
    degraded,
    drawn,
    label_row,
    scene_of,
    squared,
)
from lorasmith.demo.tagger_score import f1_by_tag, reader_of
from lorasmith.demo.tagger_shards import DRAWN_SHARD, RENDERED_SHARD, Shard, drawn_shard, rendered_shard
from lorasmith.files import sha256_of, write_atomic

MODELS = Path(__file__).parent / "models" / "tagger"
_EXPORT_EVERY = 6
_RENDERED_SHARE = 0.35
_EMA = 0.995
_WARM_UP = 200
_TEMPERATURES = np.linspace(0.6, 1.8, 25)


@dataclass(frozen=True)
class Plan:
    """The sizes of a training."""

    work: Path
    rounds: int = 46
    shards: int = 20
    rendered: int = 800
    views: int = 4000
    batch: int = 64
    rate: float = 2.5e-3
    vae: Path | None = None


@dataclass
class State:
    """Everything that a stopped training needs to go on."""

    net: TaggerNet
    average: TaggerNet
    optimiser: torch.optim.AdamW
    round: int = 0
    step: int = 0

    @classmethod
    def fresh(cls, plan: Plan) -> State:
        torch.manual_seed(1)
        net = TaggerNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=0.02)
        return cls(net, copy.deepcopy(net), optimiser)

    def save(self, path: Path) -> None:
        temporary = path.with_suffix(".tmp")
        torch.save({"net": self.net.state_dict(), "average": self.average.state_dict(), "round": self.round,
                    "step": self.step, "optimiser": self.optimiser.state_dict()}, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        saved = torch.load(path, weights_only=True)
        self.net.load_state_dict(saved["net"])
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.round, self.step = saved["round"], saved["step"]


class Stock:
    """The pictures at hand: drawn ones, and with a VAE a smaller stock of rendered-alike ones."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.drawn: list[Shard] = []
        shards = range(plan.rendered // RENDERED_SHARD)
        self.rendered = [rendered_shard(plan.work, index, plan.vae) for index in shards] if plan.vae else []

    def grow_to(self, count: int) -> None:
        """Draws or reads shards until there are `count` of them, or as many as the plan has."""
        for index in range(len(self.drawn), min(count, self.plan.shards)):
            self.drawn.append(drawn_shard(self.plan.work, index))

    def counts(self) -> list[int]:
        """Counts the pictures of each label."""
        rows: NDArray[np.int64] = sum(labels.sum(axis=0, dtype=int) for _, labels in (*self.drawn, *self.rendered))
        return [int(count) for count in rows]

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Gives the augmented batches of one round: BGR N x 3 x NET_SIDE x NET_SIDE, and labels."""
        rng = random.Random(f"tagger round {seed}")
        total = len(self.drawn) * DRAWN_SHARD
        order = rng.sample(range(total), min(total, self.plan.views))
        for start in range(0, len(order) - self.plan.batch + 1, self.plan.batch):
            chosen = [(self.drawn, *divmod(number, DRAWN_SHARD)) for number in order[start : start + self.plan.batch]]
            for place in range(round(self.plan.batch * _RENDERED_SHARE) if self.rendered else 0):
                chosen[place] = (self.rendered, rng.randrange(len(self.rendered)), rng.randrange(RENDERED_SHARD))
            views = np.stack([augmented(shards[shard][0][place], rng) for shards, shard, place in chosen])
            rows = np.stack([shards[shard][1][place] for shards, shard, place in chosen])
            bgr = torch.from_numpy(np.ascontiguousarray(views[:, :, :, ::-1]))
            yield bgr.permute(0, 3, 1, 2).float(), torch.from_numpy(rows).float()


def train_round(state: State, stock: Stock, plan: Plan) -> float:
    """Trains one round; gives its mean loss."""
    per_round = plan.views // plan.batch
    total, losses = plan.rounds * per_round, []
    for pictures, labels in stock.batches(state.round):
        done = min(1.0, state.step / total)
        warm = min(1.0, (state.step + 1) / _WARM_UP)
        for group in state.optimiser.param_groups:
            group["lr"] = plan.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = state.net(pictures)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
        state.optimiser.step()
        state.step += 1
        _follow(state)
        losses.append(float(loss.detach()))
    state.round += 1
    return float(np.mean(losses))


@torch.no_grad()
def _follow(state: State) -> None:
    """Moves the averaged weights towards the net's."""
    keep = min(_EMA, state.step / (state.step + 20))
    for mine, theirs in zip(state.average.state_dict().values(), state.net.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(theirs, 1 - keep)
        else:
            mine.copy_(theirs)


def sample_of(split: str, count: int, how: str) -> tuple[list[Pixels], NDArray[np.uint8]]:
    """Draws scenes of a split, "clean" or "degraded"."""
    pictures, rows = [], []
    for index in range(count):
        scene, rng = scene_of(split, index), random.Random(f"{split} {how} {index}")
        pixels = drawn(scene, rng, (160, 480) if how == "clean" else (96, 288))
        pictures.append(degraded(pixels, rng) if how == "degraded" else pixels)
        rows.append(label_row(scene.tags()))
    return pictures, np.stack(rows)


@torch.no_grad()
def calibrate(net: TaggerNet) -> float:
    """Finds the temperature with the least loss on clean and degraded drawings of the split "calibrate"."""
    logits, labels = [], []
    net.eval()
    for how in ("clean", "degraded"):
        pictures, rows = sample_of("calibrate", 150, how)
        views = np.stack([squared(pixels, NET_SIDE) for pixels in pictures])[:, :, :, ::-1]
        logits.append(net(torch.from_numpy(np.ascontiguousarray(views)).permute(0, 3, 1, 2).float()))
        labels.append(torch.from_numpy(rows).float())
    said, truth = torch.cat(logits), torch.cat(labels)
    losses = [float(functional.binary_cross_entropy_with_logits(said / heat, truth)) for heat in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def export(state: State, stock: Stock, out: Path) -> dict[str, object]:
    """Calibrates and writes model.onnx, selected_tags.csv and SHA256SUMS; gives the measures."""
    net = copy.deepcopy(state.average)
    heat = calibrate(net)
    out.mkdir(parents=True, exist_ok=True)
    model, tags = out / "model.onnx", out / "selected_tags.csv"
    difference = export_onnx(net, heat, model)
    write_tag_list(tags, stock.counts())
    write_atomic(out / "SHA256SUMS", "".join(f"{sha256_of(path)}  {path.name}\n" for path in (model, tags)))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    measures: dict[str, object] = {"temperature": heat, "onnx_difference": difference, "bytes": model.stat().st_size}
    for how in ("clean", "degraded"):
        pictures, rows = sample_of("validate", 200, how)
        by_tag = f1_by_tag(rows, reader_of(session)(pictures))
        worst = sorted(by_tag, key=by_tag.__getitem__)[:6]
        measures[f"f1_{how}"] = round(float(np.mean(list(by_tag.values()))), 4)
        measures[f"worst_{how}"] = {tag: round(by_tag[tag], 3) for tag in worst}
    return measures


def train(plan: Plan, out: Path) -> None:
    """Runs the rounds that are left, with a line of log.jsonl for each."""
    plan.work.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    state, stock, saved = State.fresh(plan), Stock(plan), plan.work / "state.pt"
    if saved.exists():
        state.load(saved)
        stock.grow_to(state.round)
    while state.round < plan.rounds:
        start, busy = time.time(), time.process_time()
        stock.grow_to(state.round + 1)
        state.net.train()
        line: dict[str, object] = {"round": state.round, "loss": round(train_round(state, stock, plan), 5)}
        state.save(saved)
        if state.round % _EXPORT_EVERY == 0 or state.round == plan.rounds:
            line |= export(state, stock, out)
        line |= {"wall_s": round(time.time() - start, 1), "cpu_s": round(time.process_time() - busy, 1)}
        with (plan.work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def main() -> None:
    """Reads the flags and trains."""
    parser = argparse.ArgumentParser(description="Trains the demo's tagger and exports it to ONNX.")
    parser.add_argument("--work", type=Path, required=True, help="folder for shards, state and log")
    parser.add_argument("--out", type=Path, default=MODELS, help="folder for model.onnx and selected_tags.csv")
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help="rounds of 4000 pictures")
    parser.add_argument("--vae", type=Path, help="SD1.x checkpoint: a third of the pictures pass through its VAE")
    given = parser.parse_args()
    torch.set_num_threads(1)
    train(Plan(given.work, given.rounds, vae=given.vae), given.out)


if __name__ == "__main__":
    main()
