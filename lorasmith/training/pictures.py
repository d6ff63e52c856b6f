"""Reads the training pictures: upright, on white where transparent, fitted into their bucket."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lorasmith.errors import PictureError
from lorasmith.imaging.read import open_picture
from lorasmith.training.buckets import Fit, Size

_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112


def size_of(path: Path) -> Size:
    """Gives a picture's upright width and height from its header alone; `PictureError` when it cannot be read."""
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(_ORIENTATION) in _TURNED
            return (picture.height, picture.width) if turned else picture.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path) from error


def read_fitted(path: Path, fit: Fit) -> torch.Tensor:
    """Reads a picture into its bucket as fp32 [3, h, w] from -1 to 1; `PictureError` when it is broken."""
    picture = open_picture(path)
    if picture.size != fit.resized:
        picture = picture.resize(fit.resized, Image.Resampling.LANCZOS)
    (left, top), (width, height) = fit.offset, fit.bucket
    pixels = np.asarray(picture.crop((left, top, left + width, top + height)), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1).contiguous()


def _unreadable(path: Path) -> PictureError:
    return PictureError(f"{path} cannot be read as a picture; mend it or leave it out (drop), then train again.")
