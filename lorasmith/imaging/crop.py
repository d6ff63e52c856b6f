"""Decides where to cut: the character, its head, and whether a cut is worth making."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.masks import Mask


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels; `right` and `bottom` are the first pixels outside it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return max(0, self.right - self.left)

    @property
    def height(self) -> int:
        """Pixels down."""
        return max(0, self.bottom - self.top)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.width * self.height

    def share_of(self, size: tuple[int, int]) -> float:
        """Gives the part of a picture of `size` (width, height) that the box covers, 0..1."""
        return self.area / max(1, size[0] * size[1])

    def grown(self, margin: float) -> Self:
        """Gives the box with `margin` times its longer side added on each side."""
        extra = round(margin * max(self.width, self.height))
        return type(self)(self.left - extra, self.top - extra, self.right + extra, self.bottom + extra)

    def inside(self, size: tuple[int, int]) -> Self:
        """Gives the part of the box that lies on a picture of `size` (width, height)."""
        width, height = size
        left, top = min(max(0, self.left), width), min(max(0, self.top), height)
        return type(self)(left, top, max(left, min(width, self.right)), max(top, min(height, self.bottom)))

    def overlap(self, other: "Box") -> float:
        """Gives the common area as a part of the joint area (IoU), 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        common = max(0, width) * max(0, height)
        return common / max(1, self.area + other.area - common)


def character_box(mask: Mask, margin: float = 0.08) -> Box | None:
    """Gives the rectangle round the mask (uint8 [height, width]) with a margin, on the picture; None for no mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not columns.size:
        return None
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return box.grown(margin).inside((mask.shape[1], mask.shape[0]))


def worth_cropping(box: Box, size: tuple[int, int], min_gain: float = 0.15) -> bool:
    """Tells whether cutting `box` out removes at least the share `min_gain` of a picture of `size` (width, height)."""
    return box.area > 0 and 1.0 - box.inside(size).share_of(size) >= min_gain


def cut(image: Image.Image, box: Box) -> Image.Image:
    """Gives the part of the picture inside the box, as a picture of its own."""
    inside = box.inside(image.size)
    return image.crop((inside.left, inside.top, inside.right, inside.bottom))


def fit_within(image: Image.Image, max_side: int) -> Image.Image:
    """Gives the picture with its longer side at `max_side` at most (Lanczos); it is never enlarged."""
    size = size_within(image.size, max_side)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def size_within(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Gives a size (width, height) with its longer side at `max_side` at most."""
    longest = max(size)
    if longest <= max_side:
        return size
    width, height = (max(1, round(length * max_side / longest)) for length in size)
    return width, height


def fit_short_side(image: Image.Image, short_side: int) -> Image.Image:
    """Makes a picture smaller by area averaging until its short side is `short_side` pixels; never larger."""
    if min(image.size) <= short_side:
        return image
    scale = short_side / min(image.size)
    width, height = (max(1, int(side * scale + 1e-9)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


@dataclass(frozen=True)
class BucketLoss:
    """What training does to a picture: its bucket (width, height), the share cut off (0..1), and the factor of its resize.

    A factor above 1 enlarges: the picture has fewer pixels than the bucket wants.
    """

    bucket: tuple[int, int]
    lost: float
    factor: float


def bucket_loss(size: tuple[int, int], buckets: Sequence[tuple[int, int]]) -> BucketLoss:
    """Says which of the buckets a picture of `size` (width, height) falls into and what it loses there.

    As in training: an equal size, else the nearest aspect ratio on a log scale (the larger area, then the first, wins a tie);
    the picture is resized to cover the bucket and cut in the middle. Raises `UsageError` for no buckets or an empty size.
    """
    if not buckets or min(size) < 1:
        raise UsageError(f"A picture of {size[0]} x {size[1]} pixels and {len(buckets)} buckets cannot be compared.")
    ratio = math.log(size[0] / size[1])
    bucket = size if size in buckets else min(
        buckets, key=lambda each: (round(abs(math.log(each[0] / each[1]) - ratio), 9), -each[0] * each[1], each)
    )  # fmt: skip
    factor = max(bucket[0] / size[0], bucket[1] / size[1])
    covering = max(bucket[0], int(size[0] * factor + 0.5)) * max(bucket[1], int(size[1] * factor + 0.5))
    return BucketLoss(bucket, 1 - bucket[0] * bucket[1] / covering, factor)
