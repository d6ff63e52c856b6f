"""Looks at a picture once: size, hashes, sharpness, compression traces, greyness, border, and a thumbnail."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.quality import Grey, blockiness, blockiness_of_jpeg, sharpness
from lorasmith.imaging.read import Decoded, open_reduced, reduction

VERSION = 3  # raised whenever a figure changes; measures of another version are made anew
_DHASH_NOISE = 2.0
_SMALL_SIDE = 256  # hashes, colours, blankness, greyness and border are read off a picture of this size

_ONCE_SEEN = 24 << 20  # bytes; glibc learns from blocks of up to 32 MB
_BAND = 4  # rows, or a multiple: reductions by 2 and 4 begin with each band
_BAND_BYTES = 1 << 18

Pixels = NDArray[np.uint8]

# glibc gives freed memory back to the system, and takes a page fault for each page of the next picture, until it has seen a
# block this large come and go: from then on it keeps twice as much. That was a third of a JPEG's time. Nobody writes to it.
_block = np.empty(_ONCE_SEEN, np.uint8)
del _block


@dataclass(frozen=True)
class Measures:
    """What one decode tells about a picture.

    `pixel_sha` is of every pixel's brightness, the colours of the copy of 256 pixels, and the size: a third of the bytes of
    all pixels, and what it does not tell apart nobody can. Of a JPEG the pixels are those of the reduced decode (see
    `open_reduced`): copies of one JPEG have the same, whatever their metadata; a JPEG and a PNG made of it are near
    duplicates only.
    `dhash` and `phash` are 64 bits as 16 hex digits; `colours` is a 4 x 4 grid of mean RGB as 96 hex digits.
    `sharpness` (0..1) is how much of an edge's contrast lies within one pixel, at 1024 pixels at most: clean drawings
    0.75 and more (0.6 as JPEG of quality 20), enlarged three times 0.3, four times 0.26, under a Gaussian blur of
    1 pixel 0.4, of 2 0.23, of 3 0.2, of 5 0.15. Larger pictures are looked at reduced and the figure is corrected.
    `blockiness` (0..1) is how far an 8-pixel grid of steps stands out: 0.01 without JPEG, 0.12 at quality 50, 0.2
    at 20. Of a JPEG it is what its quantisation says, or more where a reduced grid shows it.
    `blank` pictures have next to nothing on them; the hashes of pictures that are not `telling` mean nothing.
    `border` is the mean RGB of the outermost pixels and `border_spread` their mean difference from their median, on
    a copy of 256 pixels.
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
        """Gives the measures as values that JSON can hold, with the version of these figures."""
        return asdict(self) | {"border": list(self.border), "version": VERSION}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self | None:
        """Makes measures from `to_dict` of them; None where there are none, or of another version of these figures."""
        if values is None or values.get("version") != VERSION:
            return None
        fields = {name: value for name, value in values.items() if name != "version"}
        return cls(**{**fields, "border": tuple(values["border"])})


def measure(path: Path) -> Measures:
    """Decodes a picture file once and measures it; raises `PictureError` where it cannot be read."""
    return glance(path)[0]


def glance(path: Path, side: int = 256) -> tuple[Measures, Image.Image]:
    """Decodes a picture file once and gives its measures and an RGB thumbnail with no side longer than that.

    A JPEG is decoded at 1/2 or 1/4 where it is large enough. Raises `PictureError` where the file cannot be read.
    """
    decoded = open_reduced(Path(path))
    measures, small = _measure(decoded)
    if side != _SMALL_SIDE:
        small = _at_most(np.asarray(decoded.picture), side)
    return measures, Image.fromarray(small)


def measure_picture(image: Image.Image, lossless: bool = True) -> Measures:
    """Measures an RGB picture that is already open."""
    return _measure(Decoded(image.convert("RGB"), image.width, image.height, lossless=lossless))[0]


def _measure(decoded: Decoded) -> tuple[Measures, Pixels]:
    """Gives the measures, and the small copy that most of them were read off."""
    further = reduction(decoded.width, decoded.height) // decoded.reduced
    grey, lesser = _walked(decoded.picture, further)
    if decoded.luma_steps:
        block = blockiness_of_jpeg(None if decoded.left_out else grey, decoded.reduced, decoded.luma_steps)
    else:
        block = blockiness(grey)
    small = _at_most(lesser, _SMALL_SIDE)
    small_grey = _grey(small)
    border, spread = _border(small)
    dhash, phash, blank = _dhash(small_grey), _phash(small_grey), _is_blank(small_grey)
    measures = Measures(
        width=decoded.width,
        height=decoded.height,
        lossless=decoded.lossless,
        pixel_sha=_pixel_sha(decoded, grey, small),
        dhash=f"{dhash:016x}",
        phash=f"{phash:016x}",
        colours=cv2.resize(small, (4, 4), interpolation=cv2.INTER_AREA).tobytes().hex(),
        telling=not blank and 4 < dhash.bit_count() < 60 and 4 < phash.bit_count() < 60,
        sharpness=round(sharpness(_grey(lesser) if further > 1 else grey, max(decoded.width, decoded.height)), 4),
        blockiness=round(block, 4),
        blank=blank,
        is_grey=_is_grey(small),
        border=border,
        border_spread=round(spread, 2),
    )
    return measures, small


def _at_most(pixels: Pixels, side: int) -> Pixels:
    """Gives the picture with no side longer than that: halved while it can be, then once more by less than two."""
    whole_height, whole_width = height, width = pixels.shape[:2]
    final = min(1.0, side / max(height, width))
    while max(height, width) >= 2 * side:
        height, width = (height + 1) // 2, (width + 1) // 2
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    if final < 1:
        size = (max(1, round(whole_width * final)), max(1, round(whole_height * final)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return pixels


def _grey(pixels: Pixels) -> Grey:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _walked(picture: Image.Image, further: int) -> tuple[Grey, Pixels]:
    """Gives the brightness of an RGB picture, and the picture `further` times smaller: 1, 2 or 4.

    It walks down in bands that stay in the processor's cache: whole copies would be fetched from memory again and again.
    """
    width, height = picture.size
    grey = np.empty((height, width), np.uint8)
    lesser = np.empty((-(-height // further), -(-width // further), 3), np.uint8)
    rows = max(_BAND, _BAND_BYTES // (4 * width) // _BAND * _BAND)
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(height, top + rows)))
        # Pillow keeps four bytes for a pixel; as they are they are had much faster, and OpenCV leaves the fourth out.
        pixels: Pixels = np.frombuffer(band.tobytes("raw", "RGBX"), np.uint8).reshape(band.height, width, 4)
        grey[top : top + rows] = cv2.cvtColor(pixels, cv2.COLOR_RGBA2GRAY)
        first = top // further
        lesser[first : first + rows // further] = cv2.cvtColor(_less(pixels, further), cv2.COLOR_RGBA2RGB)
    return grey, lesser


def _less(pixels: Pixels, times: int) -> Pixels:
    """Gives a picture 2 or 4 times smaller by means of four; what is left over at the edges is a mean with its copies."""
    height, width = pixels.shape[:2]
    below, right = -height % times, -width % times
    if below or right:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT), np.uint8)
    while times > 1:
        size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels, times = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), times // 2
    return pixels


def _pixel_sha(decoded: Decoded, grey: Grey, small: Pixels) -> str:
    digest = hashlib.sha256(f"{decoded.width}x{decoded.height}".encode())
    for part in (grey.data, np.ascontiguousarray(small).data, decoded.left_out):
        digest.update(part)
    return digest.hexdigest()[:32]


def _dhash(grey: Grey) -> int:
    """Gives 8 x 8 signs of horizontal steps; a step of at most 2 levels is no step, or noise on paper white decides."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.float32)
    return _as_int(small[:, 1:] > small[:, :-1] + _DHASH_NOISE)


def _phash(grey: Grey) -> int:
    """Gives the signs against their median of the 8 x 8 lowest DCT terms of a 32 x 32 grey picture."""
    low = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[:8, :8]
    return _as_int(low > np.median(low))


def _as_int(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _is_blank(grey: Grey) -> bool:
    low, high = _levels(grey, 0.005, 0.995)
    return high - low < 16


def _is_grey(pixels: Pixels) -> bool:
    red, green, blue = cv2.split(cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA))
    most, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return _levels(np.asarray(cv2.subtract(most, least), np.uint8), 0.995)[0] < 14


def _levels(grey: Grey, *shares: float) -> list[int]:
    """Gives the levels that these shares of the pixels do not exceed."""
    below = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().cumsum(dtype=np.int64)
    return [int(np.searchsorted(below, share * grey.size)) for share in shares]


def _border(pixels: Pixels) -> tuple[tuple[int, int, int], float]:
    depth = max(1, min(pixels.shape[:2]) // 50)
    sides = (pixels[:depth], pixels[-depth:], pixels[:, :depth], pixels[:, -depth:])
    ring = np.concatenate([side.reshape(-1, 3) for side in sides]).astype(np.float32)
    red, green, blue = (round(float(value)) for value in ring.mean(axis=0))
    return (red, green, blue), float(np.abs(ring - np.median(ring, axis=0)).mean())
