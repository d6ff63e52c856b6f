"""Aspect-ratio buckets: which sizes there are, which picture goes where, what it loses, and the batches of an epoch.

The list is kohya's (area of the resolution, steps, bounds). The assignment differs from kohya's on purpose: the
distance is |log(ratio / ratio)|, so the same mismatch counts the same for landscape and portrait; kohya compares w/h
linearly, which `bucket_rule = "kohya"` asks for. Bounds that are not set are 0.625 and 1.875 of the resolution: 320 to
960 at 512, 480 to 1440 at 768, and at 1024 portraits of 832x1216 keep their shape.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from lorasmith.settings.tables import TrainSettings

Size = tuple[int, int]  # width, height
SHORTEST, LONGEST = 0.625, 1.875  # bounds of the sides, as shares of the resolution


@dataclass(frozen=True)
class Fit:
    """How one picture comes into its bucket: resized to cover it (`scale` > 1 enlarges), then cut in the middle."""

    bucket: Size
    resized: Size
    offset: Size  # of the bucket inside the resized picture
    scale: float

    @property
    def cut(self) -> Size:
        """Gives the pixels lost of the resized picture's width and height."""
        return self.resized[0] - self.bucket[0], self.resized[1] - self.bucket[1]

    @property
    def loss(self) -> float:
        """Gives the share of the picture's area that is cut off."""
        return 1 - (self.bucket[0] * self.bucket[1]) / (self.resized[0] * self.resized[1])


@dataclass(frozen=True)
class Draws:
    """A picture's part in an epoch: its bucket and how often it is drawn."""

    bucket: Size
    repeats: int


def bucket_sizes(resolution: int, shortest: int, longest: int, step: int) -> list[Size]:
    """Lists the buckets, sorted: area at most the resolution's square, sides multiples of `step`."""
    area = resolution * resolution
    low = max(step, shortest // step * step)
    high = -(-longest // step) * step
    side = max(step, resolution // step * step)
    found = {(side, side)}
    for width in range(low, high + 1, step):
        height = min(high, area // width // step * step)
        if height >= low:
            found |= {(width, height), (height, width)}
    return sorted(found)


def bounds_of(settings: TrainSettings) -> tuple[int, int]:
    """Gives the shortest and the longest side of a bucket, as set or as they follow from the resolution."""
    return (
        settings.min_bucket or int(settings.resolution * SHORTEST),
        settings.max_bucket or int(settings.resolution * LONGEST),
    )


def buckets_of(settings: TrainSettings) -> list[Size]:
    """Lists the buckets that the settings ask for."""
    return bucket_sizes(settings.resolution, *bounds_of(settings), settings.bucket_step)


def nearest_bucket(size: Size, buckets: list[Size]) -> Size:
    """Gives the bucket with the nearest aspect ratio on a log scale; the larger area wins a tie, then the first."""
    if size in buckets:
        return size
    ratio = math.log(size[0] / size[1])
    return min(buckets, key=lambda each: (round(abs(math.log(each[0] / each[1]) - ratio), 9), -each[0] * each[1], each))


def kohya_bucket(size: Size, buckets: list[Size]) -> Size:
    """Gives the bucket that kohya's trainer chooses: the smallest difference of width / height, the first of equals."""
    if size in buckets:
        return size
    ratio = size[0] / size[1]
    return min(buckets, key=lambda each: abs(each[0] / each[1] - ratio))


def fit(size: Size, bucket: Size) -> Fit:
    """Works out the covering resize and the centre crop of a picture of `size` for `bucket`."""
    scale = max(bucket[0] / size[0], bucket[1] / size[1])
    resized = (max(bucket[0], int(size[0] * scale + 0.5)), max(bucket[1], int(size[1] * scale + 0.5)))
    return Fit(bucket, resized, ((resized[0] - bucket[0]) // 2, (resized[1] - bucket[1]) // 2), scale)


def fit_without_enlarging(size: Size, resolution: int, step: int) -> Fit:
    """Works out a picture's own bucket: shrunk to the resolution's area where it has more, cut to multiples of `step`.

    The rule of kohya's `bucket_no_upscale`, for which there are no bounds; a side under one step is still enlarged to it.
    """
    width, height = size
    if width * height > resolution * resolution:
        ratio = width / height
        wide = math.sqrt(resolution * resolution * ratio)
        size = _nearer(ratio, step, wide, resolution * resolution / wide)
    bucket = max(step, size[0] // step * step), max(step, size[1] // step * step)
    scale = max(size[0] / width, bucket[0] / width, bucket[1] / height)
    resized = max(size[0], bucket[0]), max(size[1], bucket[1])
    return Fit(bucket, resized, ((resized[0] - bucket[0]) // 2, (resized[1] - bucket[1]) // 2), scale)


def _nearer(ratio: float, step: int, wide: float, high: float) -> Size:
    """Rounds either the width or the height to the step, whichever keeps the shape better."""
    by_width = (width := _down(wide, step)), _down(width / ratio, step)
    by_height = _down((height := _down(high, step)) * ratio, step), height
    if _off(by_width, ratio) < _off(by_height, ratio):
        return by_width[0], int(by_width[0] / ratio + 0.5)
    return int(by_height[1] * ratio + 0.5), by_height[1]


def _down(side: float, step: int) -> int:
    return max(step, int(side + 0.5) // step * step)


def _off(size: Size, ratio: float) -> float:
    return abs(size[0] / size[1] - ratio)


def fits_of(settings: TrainSettings, sizes: Mapping[str, Size]) -> dict[str, Fit]:
    """Works out the bucket and the geometry of every picture, by name; `sizes` are upright widths and heights."""
    if settings.bucket_no_upscale:
        side, step = settings.resolution, settings.bucket_step
        return {name: fit_without_enlarging(size, side, step) for name, size in sizes.items()}
    buckets = tuple(buckets_of(settings))
    return {name: fit(size, _chosen(settings.bucket_rule, size, buckets)) for name, size in sizes.items()}


@lru_cache(maxsize=1 << 15)  # a page asks again for the same pictures at each key that is typed
def _chosen(rule: str, size: Size, buckets: tuple[Size, ...]) -> Size:
    choose = kohya_bucket if rule == "kohya" else nearest_bucket
    return choose(size, list(buckets))


def draws_per_bucket(draws: Mapping[str, Draws]) -> dict[Size, int]:
    """Counts an epoch's draws in each bucket, in order of size."""
    counts: dict[Size, int] = {}
    for each in draws.values():
        counts[each.bucket] = counts.get(each.bucket, 0) + each.repeats
    return dict(sorted(counts.items()))


def steps_per_epoch(draws: Mapping[str, Draws], batch_size: int, accumulation: int = 1) -> int:
    """Counts an epoch's steps of `accumulation` batches: every bucket's last batch may be smaller, nothing is dropped."""
    batches = sum(-(-count // batch_size) for count in draws_per_bucket(draws).values())
    return -(-batches // accumulation)


def epoch_batches(draws: Mapping[str, Draws], batch_size: int, seed: int, epoch: int) -> list[tuple[str, ...]]:
    """Gives an epoch's batches of names, each of one bucket: a function of the set, the seed and the epoch alone.

    Only `Random.random()` is used, whose sequence Python promises to keep from version to version.
    """
    chance = random.Random(f"{seed}:{epoch}")
    pools: dict[Size, list[str]] = {}
    for name in sorted(draws):
        pools.setdefault(draws[name].bucket, []).extend([name] * draws[name].repeats)
    batches: list[tuple[str, ...]] = []
    for bucket in sorted(pools):
        names = sorted(pools[bucket], key=lambda _: chance.random())
        batches.extend(tuple(names[at : at + batch_size]) for at in range(0, len(names), batch_size))
    return sorted(batches, key=lambda _: chance.random())


def epoch_steps(draws: Mapping[str, Draws], settings: TrainSettings, epoch: int) -> list[list[tuple[str, ...]]]:
    """Gives an epoch's steps, each the batches whose gradients are added up for one update."""
    batches = epoch_batches(draws, settings.batch_size, settings.seed, epoch)
    each = settings.gradient_accumulation
    return [batches[at : at + each] for at in range(0, len(batches), each)]
