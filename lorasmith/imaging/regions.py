"""Tells which regions of a cut-up picture belong to a character, from colour, place, outlines and neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Pixels = NDArray[np.uint8]
Field = NDArray[np.float32]
Figures = NDArray[np.float64]

_ALIKE = 9.0  # Lab distance at which two flat colours look the same
_INK_STEP = 10.0  # how much darker than both sides a line is
_REACH = 0.16  # how far a region's surroundings go, in long sides


_WEIGHTS_FILE = Path(__file__).with_name("models") / "regions.npz"


@dataclass(frozen=True)
class Map:
    """The regions of one picture [n]: area, mean colour (Lab), centre (0..1), and their common borders [n, n] in pixels."""

    area: Figures
    colour: Figures
    centre: Figures
    common: Figures
    inked: Figures


def likelihood(labels: Labels, lab: Field, seen: Field) -> Figures:
    """Gives, for each region, how likely it is a part of the character, 0..1.

    `labels` numbers the regions from 0, `lab` are the colours (CIE Lab) and `seen` is what the network says, each
    [height, width]. Two small nets, each of one hidden layer, were fitted on drawn scenes (`benchmarks/fit_regions.py`): the
    second one knows what the first one said of a region's neighbours.
    """
    found = surveyed(labels, lab)
    look = first_look(labels, found, seen)
    return _answer("second", second_look(look, found, _answer("first", look)))


@cache
def _weights() -> Mapping[str, Figures]:
    with np.load(_WEIGHTS_FILE, allow_pickle=False) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def _answer(name: str, look: Figures) -> Figures:
    kept = _weights()
    known = (look - kept[f"{name}_mean"]) / kept[f"{name}_spread"]
    hidden = np.tanh(np.clip(known, -8, 8) @ kept[f"{name}_in"].T + kept[f"{name}_in_bias"])
    return np.asarray(1 / (1 + np.exp(-(hidden @ kept[f"{name}_out"] + kept[f"{name}_out_bias"]))))


def sums(labels: Labels, values: Field | Labels, count: int) -> Figures:
    """Adds the values of each region up."""
    return np.bincount(labels.ravel(), values.ravel().astype(np.float64), count).astype(np.float64)


def surveyed(labels: Labels, lab: Field) -> Map:
    """Measures the regions and their borders; a border is inked where a line darker than both sides runs along it."""
    count = int(labels.max()) + 1
    area = np.maximum(np.bincount(labels.ravel(), minlength=count), 1).astype(np.float64)
    colour = np.stack([sums(labels, lab[..., channel], count) / area for channel in range(3)], axis=1)
    rows, columns = (np.asarray(each, np.int32) for each in np.indices(labels.shape))
    centre = np.stack(
        [sums(labels, columns, count) / area / labels.shape[1], sums(labels, rows, count) / area / labels.shape[0]], axis=1
    )
    darkest = cv2.erode(np.ascontiguousarray(lab[..., 0]), np.ones((5, 5), np.uint8))
    common, inked = np.zeros(count * count), np.zeros(count * count)
    for one, other, dark in (
        (labels[:, :-1], labels[:, 1:], np.minimum(darkest[:, :-1], darkest[:, 1:])),
        (labels[:-1], labels[1:], np.minimum(darkest[:-1], darkest[1:])),
    ):
        apart = one != other
        a, b = one[apart], other[apart]
        line = np.minimum(colour[a, 0], colour[b, 0]) - dark[apart] > _INK_STEP
        pair = a.astype(np.int64) * count + b
        common += np.bincount(pair, minlength=count * count)
        inked += np.bincount(pair, line, minlength=count * count)
    square = common.reshape(count, count), inked.reshape(count, count)
    return Map(area, colour, centre, *(each + each.T for each in square))


def first_look(labels: Labels, found: Map, seen: Field) -> Figures:
    """Gives what is told of each region by itself, as [n, features]."""
    count, (height, width) = len(found.area), labels.shape
    root = np.sqrt(found.area)
    upper = np.bincount(np.concatenate([labels[0], labels[:, 0], labels[:, -1]]), minlength=count).astype(np.float64)
    upper_only = np.bincount(labels[0], minlength=count).astype(np.float64)
    lower = np.bincount(labels[-1], minlength=count).astype(np.float64)
    apart = np.linalg.norm(found.colour[:, None] - found.colour[None], axis=2)
    recurring = np.exp(-((apart / _ALIKE) ** 2)) @ (upper / upper.sum())
    far = np.sort(apart + np.where(upper > 0, 0, 1e3)[None], axis=1)[:, 0]
    around = found.common.sum(axis=1)
    network = sums(labels, seen, count) / found.area
    corners = np.isin(np.arange(count), [labels[0, 0], labels[0, -1]])
    low_corners = np.isin(np.arange(count), [labels[-1, 0], labels[-1, -1]])
    boxes = _boxes(labels, count)
    extent = found.area / np.maximum(boxes[:, 0] * boxes[:, 1], 1)
    straight = _straight(labels, count) / np.maximum(2 * around, 1)
    inkedness = found.inked.sum(axis=1) / np.maximum(around, 1)
    share = np.log(found.area / labels.size)
    aside, below = np.abs(found.centre[:, 0] - 0.5), found.centre[:, 1]
    return np.stack(
        [
            network, network**2, np.minimum(upper / root, 4), upper > 0, np.minimum(upper_only / root, 3),
            np.minimum(lower / root, 3), lower > 0, recurring, np.sqrt(recurring), np.minimum(far, 60) / 30,
            share, share**2 / 10, aside, aside**2, below, below**2, corners, low_corners, extent, extent > 0.93,
            np.minimum(straight, 2), inkedness, inkedness * (upper > 0), boxes[:, 0] / width, boxes[:, 1] / height,
            found.colour[:, 0] / 100, np.linalg.norm(found.colour[:, 1:], axis=1) / 60,
            np.minimum(around / root, 20) / 10,
        ],
        axis=1,
    ).astype(np.float64)  # fmt: skip


def second_look(look: Figures, found: Map, likely: Figures) -> Figures:
    """Adds to what is told of each region what the first guess says of its neighbours, its likes and its surroundings."""
    count = len(likely)
    logit = np.log(np.clip(likely, 0.01, 0.99) / np.clip(1 - likely, 0.01, 0.99))
    plain = np.maximum(found.common - found.inked, 0)
    columns = [logit]
    for weight in (found.common, found.inked, plain):
        total = weight.sum(axis=1)
        columns += [np.where(total > 0, weight @ logit / np.maximum(total, 1), 0.0)]
    apart = np.linalg.norm(found.colour[:, None] - found.colour[None], axis=2)
    alike = np.exp(-((apart / _ALIKE) ** 2)) * np.minimum(found.area, found.area.sum() / 20)[None]
    columns += [alike @ logit / np.maximum(alike.sum(axis=1), 1e-9)]
    np.fill_diagonal(alike, 0)
    columns += [alike @ logit / (alike.sum(axis=1) + found.area.sum() / 200)]
    distance = np.linalg.norm(found.centre[:, None] - found.centre[None], axis=2)
    near = np.exp(-((distance / _REACH) ** 2)) * np.sqrt(found.area)[None]
    columns += [near @ logit / near.sum(axis=1)]
    holder = (found.common / np.maximum(found.common.sum(axis=1, keepdims=True), 1)).max(axis=1)
    of_holder = logit[found.common.argmax(axis=1)] if count > 1 else logit
    columns += [np.where(holder > 0.7, of_holder, 0.0)]
    return np.concatenate([look, np.stack(columns, axis=1)], axis=1)


def _boxes(labels: Labels, count: int) -> Figures:
    """Gives each region's width and height in pixels."""
    rows, columns = np.indices(labels.shape)
    flat = labels.ravel()
    found = []
    for places in (columns.ravel(), rows.ravel()):
        low, high = np.full(count, 10**6), np.zeros(count)
        np.minimum.at(low, flat, places)
        np.maximum.at(high, flat, places)
        found.append(high - low + 1)
    return np.stack(found, axis=1).astype(np.float64)


def _straight(labels: Labels, count: int, run: int = 15) -> Figures:
    """Counts, on both sides, the border pixels of each region that lie on a level or upright line of `run` pixels or more."""
    total = np.zeros(count)
    for turned in (labels, labels.T):
        apart = (turned[:-1] != turned[1:]).astype(np.uint8)
        lines = cv2.morphologyEx(apart, cv2.MORPH_OPEN, np.ones((1, run), np.uint8)) > 0
        total += np.bincount(turned[:-1][lines], minlength=count) + np.bincount(turned[1:][lines], minlength=count)
    return total
