"""What goes wrong with the files of a booru: blur, blocks, blown-up thumbnails, and writing over the picture."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from lorasmith.demo.drawing import Pixels

_WORDS = ("HELLO", "OH NO", "HI THERE", "GOOD DAY", "WAIT", "LOOK OUT", "YES", "SURPRISE")
_NAMES = ("Ink.W", "m.paw", "B. Line", "Flatty", "C.Wright")


class _File(Protocol):
    @property
    def ext(self) -> str: ...


def spoil(pixels: Pixels, faults: tuple[str, ...], seed: int, twist: int = 0) -> Pixels:
    """Draws the faults over a copy of a picture; `twist` shifts its brightness, as a recoloured twin has."""
    rng = random.Random(f"faults {seed}")
    spoilt = pixels.copy()
    for fault in faults:
        if fault in _SPOILERS:
            spoilt = _SPOILERS[fault](spoilt, rng)
    if twist:
        spoilt = np.clip(spoilt.astype(np.int16) + twist, 0, 255).astype(np.uint8)
    return spoilt


def encode(pixels: Pixels, file: _File) -> bytes:
    """Writes a picture as JPEG, PNG or WebP bytes."""
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    if file.ext == "jpg":
        picture.save(buffer, "JPEG", quality=92)
    elif file.ext == "webp":
        picture.save(buffer, "WEBP", quality=90, method=1)
    else:
        picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _blurred(pixels: Pixels, rng: random.Random) -> Pixels:
    sigma = min(pixels.shape[:2]) * rng.uniform(0.008, 0.014)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), dtype=np.uint8)


def _resampled(pixels: Pixels, width: int, height: int, method: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), dtype=np.uint8)


def _upscaled(pixels: Pixels, rng: random.Random) -> Pixels:
    height, width = pixels.shape[:2]
    shrink = 150.0 / min(height, width)
    tiny = _resampled(pixels, round(width * shrink), round(height * shrink), cv2.INTER_AREA)
    return _resampled(tiny, width, height, cv2.INTER_LINEAR)


def _jpeg_blocks(pixels: Pixels, rng: random.Random) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=rng.randint(6, 10))
    buffer.seek(0)
    return np.array(Image.open(buffer).convert("RGB"), dtype=np.uint8)


def _write(
    pixels: Pixels,
    words: str,
    place: tuple[float, float],
    size: float,
    ink: tuple[int, int, int],
    font: int = cv2.FONT_HERSHEY_DUPLEX,
) -> None:
    """Writes words centred on a place in shares of the picture; `size` is a letter's height as such a share."""
    height, width = pixels.shape[:2]
    scale = size * min(height, width) / 22.0
    thickness = max(1, round(scale * 1.8))
    (length, rise), _ = cv2.getTextSize(words, font, scale, thickness)
    corner = (round(place[0] * width - length / 2), round(place[1] * height + rise / 2))
    cv2.putText(pixels, words, corner, font, scale, ink, thickness, cv2.LINE_AA)


def _signature(pixels: Pixels, rng: random.Random) -> Pixels:
    place = (rng.choice((0.14, 0.86)), 0.955)
    _write(pixels, rng.choice(_NAMES), place, 0.03, (20, 20, 24), cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
    return pixels


def _speech_bubble(pixels: Pixels, rng: random.Random) -> Pixels:
    height, width = pixels.shape[:2]
    x, y = rng.choice((0.2, 0.8)), rng.uniform(0.1, 0.16)
    lean = 1.0 if x < 0.5 else -1.0
    corners = np.array([[x, y + 0.05], [x + 0.07 * lean, y + 0.05], [x + 0.1 * lean, y + 0.14]])
    tail = (corners * [width, height]).astype(np.int32)
    centre, radii = (round(x * width), round(y * height)), (round(0.17 * width), round(0.08 * height))
    line, ink, paper = max(4, width // 90), (16, 16, 20), (250, 250, 250)
    cv2.ellipse(pixels, centre, radii, 0, 0, 360, ink, line, cv2.LINE_AA)
    cv2.polylines(pixels, [tail], True, ink, line, cv2.LINE_AA)
    cv2.ellipse(pixels, centre, radii, 0, 0, 360, paper, -1, cv2.LINE_AA)
    cv2.fillPoly(pixels, [tail], paper, cv2.LINE_AA)
    _write(pixels, rng.choice(_WORDS), (x, y), 0.03 * min(1.0, width / height + 0.2), ink)
    return pixels


def _text(pixels: Pixels, rng: random.Random) -> Pixels:
    words, y = rng.choice(_WORDS), rng.choice((0.09, 0.92))
    for ink, lift in (((15, 15, 20), 0.004), ((255, 240, 60), 0.0)):
        _write(pixels, words, (0.5 + lift, y + lift), 0.08, ink)
    return pixels


def _sketch(pixels: Pixels, rng: random.Random) -> Pixels:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    size = max(3, min(pixels.shape[:2]) // 160) | 1
    soft = cv2.GaussianBlur(grey, (0, 0), size)
    lines = np.clip(255 - 3.0 * np.maximum(0, soft.astype(np.int16) - grey), 0, 255)
    paper = (0.8 * lines + 0.2 * grey).astype(np.uint8)
    return np.repeat(paper[:, :, None], 3, axis=2)


_SPOILERS: dict[str, Callable[[Pixels, random.Random], Pixels]] = {
    "blurred": _blurred,
    "upscaled": _upscaled,
    "jpeg_blocks": _jpeg_blocks,
    "sketch": _sketch,
    "signature": _signature,
    "speech_bubble": _speech_bubble,
    "text": _text,
}
