"""Measures a picture once: size, hashes, sharpness, compression traces, greyness and border."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.read import open_picture, read_head
from lorasmith.imaging.signatures import is_lossless

_SHARPNESS_SIDE = 1024
_TILES = 8
_TILE_SIDE = 48  # pixels, at least
_EDGE_CONTRAST = 24
_EDGE_REACH = 9
_DHASH_NOISE = 2.0

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Measures:
    """What one decode tells about a picture.

    `dhash` and `phash` are 64 bits as 16 hex digits; `colours` is a 4 x 4 grid of mean RGB as 96 hex digits.
    `sharpness` (0..1) is how much of an edge's contrast lies within one pixel, at 1024 pixels at most: clean drawings
    0.75 and more (0.6 as JPEG of quality 20), enlarged three times 0.3, four times 0.26, under a Gaussian blur of
    1 pixel 0.4, of 2 0.23, of 3 0.2, of 5 0.15.
    `blockiness` (0..1) is how far an 8-pixel grid of steps stands out: 0.01 without JPEG, 0.12 at quality 50, 0.2
    at 20.
    `blank` pictures have next to nothing on them; the hashes of pictures that are not `telling` mean nothing.
    `border` is the mean RGB of the outermost pixels and `border_spread` their mean difference from their median.
    """

    width: int
    height: int
    lossless: bool
    pixel_sha: str
    dhash: str
    phash: str
    colours: str
    telling: bool
    sharpness: float
    blockiness: float
    blank: bool
    is_grey: bool
    border: tuple[int, int, int]
    border_spread: float

    def to_dict(self) -> dict[str, Any]:
        """Gives the measures as values that JSON can hold."""
        return asdict(self) | {"border": list(self.border)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Makes measures from `to_dict` of them; a missing or unknown field is a TypeError or KeyError."""
        return cls(**{**values, "border": tuple(values["border"])})


def measure(path: Path) -> Measures:
    """Decodes a picture file once and measures it; raises `PictureError` where it cannot be read."""
    return measure_picture(open_picture(path), is_lossless(read_head(path)))


def measure_picture(image: Image.Image, lossless: bool = True) -> Measures:
    """Measures an RGB picture that is already open."""
    pixels = np.asarray(image.convert("RGB"))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    border, spread = _border(pixels)
    dhash, phash = _dhash(grey), _phash(small)
    blank = _is_blank(grey)
    return Measures(
        width=image.width,
        height=image.height,
        lossless=lossless,
        pixel_sha=_pixel_sha(pixels),
        dhash=f"{dhash:016x}",
        phash=f"{phash:016x}",
        colours=cv2.resize(pixels, (4, 4), interpolation=cv2.INTER_AREA).tobytes().hex(),
        telling=not blank and 4 < dhash.bit_count() < 60 and 4 < phash.bit_count() < 60,
        sharpness=round(sharpness(grey), 4),
        blockiness=round(blockiness(grey), 4),
        blank=blank,
        is_grey=_is_grey(pixels),
        border=border,
        border_spread=round(spread, 2),
    )


def sharpness(grey: Grey) -> float:
    """Gives the steepness of the picture's edges, 0..1, whatever their number: flat-shaded drawings have few.

    At every edge the largest step between neighbours is divided by the contrast round it (1 for a hard step, 0.4
    under a Gaussian blur of 1 pixel, 0.2 of 2). The 90th percentile is taken in each of 8 x 8 tiles (fewer in small
    pictures) and the 70th over the tiles, so that neither a signature on a blurred picture nor a soft background
    behind a sharp figure decides.
    """
    grey = _at_most(grey, _SHARPNESS_SIDE)
    if min(grey.shape) < 2 * _EDGE_REACH:
        return 0.0
    window = np.ones((_EDGE_REACH, _EDGE_REACH), np.uint8)
    contrast = cv2.subtract(cv2.dilate(grey, window), cv2.erode(grey, window))
    step = np.zeros_like(grey)
    step[:, :-1] = cv2.absdiff(grey[:, 1:], grey[:, :-1])
    step[:-1] = np.maximum(step[:-1], cv2.absdiff(grey[1:], grey[:-1]))
    on_edge = (contrast >= _EDGE_CONTRAST) & (step == cv2.dilate(step, window)) & (step > 0)
    ratio = step / np.maximum(contrast, 1).astype(np.float32)
    # Tiles of a small picture hold too few edges to judge by: it gets fewer, larger ones.
    tiles = max(1, min(_TILES, min(grey.shape) // _TILE_SIDE))
    values = [
        float(np.percentile(found, 90))
        for rows, marks in zip(np.array_split(ratio, tiles), np.array_split(on_edge, tiles), strict=True)
        for tile, mark in zip(np.array_split(rows, tiles, 1), np.array_split(marks, tiles, 1), strict=True)
        if (found := tile[mark]).size >= 8
    ]
    return min(1.0, float(np.percentile(values, 70))) if values else 0.0


def blockiness(grey: Grey) -> float:
    """Gives how far steps on an 8-pixel grid exceed the others, 0..1; drawn edges count little, any offset is seen."""
    if min(grey.shape) < 32:
        return 0.0
    return min(1.0, max(0.0, (_grid_excess(grey) + _grid_excess(np.ascontiguousarray(grey.T))) / 2))


def _grid_excess(grey: Grey) -> float:
    steps = np.minimum(cv2.absdiff(grey[:, 1:], grey[:, :-1]), 12)
    columns = steps.mean(axis=0)
    phases = np.array([columns[offset::8].mean() for offset in range(8)])
    best = int(phases.argmax())
    others = np.delete(phases, best)
    excess = phases[best] - others.max()
    return float(excess / (phases[best] + others.mean() + 0.1))


def _pixel_sha(pixels: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:32]


def _dhash(grey: Grey) -> int:
    """Gives 8 x 8 signs of horizontal steps; a step of at most 2 levels is no step, or noise on paper white decides."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.float32)
    return _as_int(small[:, 1:] > small[:, :-1] + _DHASH_NOISE)


def _phash(small: NDArray[np.float32]) -> int:
    """Gives the signs against their median of the 8 x 8 lowest DCT terms of a 32 x 32 grey picture."""
    low = cv2.dct(small)[:8, :8]
    return _as_int(low > np.median(low))


def _as_int(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _is_blank(grey: Grey) -> bool:
    low, high = np.percentile(_at_most(grey, 256), (0.5, 99.5))
    return bool(high - low < 16)


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    small = cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA).astype(np.int16)
    return bool(np.percentile(small.max(axis=2) - small.min(axis=2), 99.5) < 14)


def _border(pixels: NDArray[np.uint8]) -> tuple[tuple[int, int, int], float]:
    depth = max(1, min(pixels.shape[:2]) // 50)
    sides = (pixels[:depth], pixels[-depth:], pixels[:, :depth], pixels[:, -depth:])
    ring = np.concatenate([side.reshape(-1, 3) for side in sides]).astype(np.float32)
    red, green, blue = (round(float(value)) for value in ring.mean(axis=0))
    return (red, green, blue), float(np.abs(ring - np.median(ring, axis=0)).mean())


def _at_most(grey: Grey, side: int) -> Grey:
    longest = max(grey.shape)
    if longest <= side:
        return grey
    height, width = (max(1, round(length * side / longest)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
