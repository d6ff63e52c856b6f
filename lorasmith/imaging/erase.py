"""Erasing: masks as a person painted them, their separate parts, and the classical way to fill one (OpenCV)."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lorasmith.errors import PictureError, UsageError
from lorasmith.imaging.read import read_head
from lorasmith.imaging.signatures import true_extension

Erase = Callable[[Image.Image, Image.Image], Image.Image]  # picture, mask -> picture

_HALF = 128
_RADIUS = 5  # pixels round a masked one that it is filled from
_CONTEXT = 32  # pixels of surroundings that are worked on with the mask
_MOST_PARTS = 8


def open_mask(path: Path, size: tuple[int, int]) -> Image.Image:
    """Gives a mask of 0 and 255: white is to be erased; transparent counts as black.

    Raises `PictureError` where it is no PNG, `UsageError` where it is blank or not of the picture's size.
    """
    if true_extension(read_head(path)) != "png":
        raise PictureError(f"{path} is not a PNG; save the mask as one.")
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            if opened.size != size:
                raise UsageError(f"The mask {path} is {opened.size} and the picture {size}; both must have one size.")
            painted = opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"{path} is broken or cut short ({error}): paint the mask again.") from error
    black = Image.new("RGBA", size, "black")
    grey = Image.alpha_composite(black, painted).convert("L")
    mask = grey.point(lambda value: 255 if value >= _HALF else 0)
    if mask.getbbox() is None:
        raise UsageError(f"The mask {path} is blank; paint white over what is to be erased.")
    return mask


def parts_of(mask: Image.Image, reach: int) -> list[Image.Image]:
    """Parts a mask into pieces that lie further from each other than twice `reach` pixels, eight at the most.

    Each can then be drawn at full resolution: two marks in two corners would else be drawn as one large part.
    """
    pixels = np.asarray(mask.convert("L")) > 0
    if not pixels.any():
        return []
    while True:
        side = 2 * max(1, reach) + 1
        grown = cv2.dilate(pixels.astype(np.uint8), np.ones((side, side), np.uint8))
        count, labels = cv2.connectedComponents(grown)
        if count - 1 <= _MOST_PARTS:
            break
        reach = 2 * max(1, reach)
    pieces = (np.where(pixels & (labels == label), 255, 0).astype(np.uint8) for label in range(1, count))
    return [Image.fromarray(piece) for piece in pieces]


def classical(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Fills what is white in the mask from its edges inwards (Telea 2004); all other pixels keep their exact value."""
    result = image.convert("RGB")
    for piece in parts_of(mask, _CONTEXT):
        left, top, right, bottom = piece.getbbox() or (0, 0, 0, 0)
        box = (
            max(0, left - _CONTEXT),
            max(0, top - _CONTEXT),
            min(image.width, right + _CONTEXT),
            min(image.height, bottom + _CONTEXT),
        )
        hole = piece.crop(box)
        filled = cv2.inpaint(np.asarray(result.crop(box)), np.asarray(hole), _RADIUS, cv2.INPAINT_TELEA)
        result.paste(Image.fromarray(filled), box[:2], hole)
    return result


def changed_pixels(before: Image.Image, after: Image.Image) -> int:
    """Counts the pixels that differ."""
    differ = np.asarray(before.convert("RGB")) != np.asarray(after.convert("RGB"))
    return int(differ.any(axis=2).sum())
