"""What of each picture is learnt: masks in the size of the latents, out of alpha, a file, or where the character is found."""

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image

from lorasmith.errors import PictureError
from lorasmith.imaging.masks import character_mask
from lorasmith.imaging.read import open_picture
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import Fit
from lorasmith.training.dataset import TrainingPicture

LATENT = 8  # pixels of the picture to a side of a latent's pixel
_LEAST = 0.004  # share of a picture under which a mask is no figure but a fault

Masks = dict[tuple[str, bool], torch.Tensor]  # by picture name and whether it is mirrored


def masks_of(pictures: list[TrainingPicture], fits: Mapping[str, Fit], settings: TrainSettings) -> Masks:
    """Gives the weight of each latent pixel [1, h/8, w/8], from `unmasked_weight` to 1; a picture without a mask is all 1.

    Raises `PictureError` when a mask's file cannot be read or has another shape than its picture.
    """
    if settings.masked_loss == "none":
        return {}
    found: Masks = {}
    for picture in pictures:
        fit = fits[picture.name]
        mask = _find(picture, settings.masked_loss)
        covered = _fitted(mask, fit) if mask is not None else torch.ones(1, fit.bucket[1] // LATENT, fit.bucket[0] // LATENT)
        if float(covered.mean()) < _LEAST:
            covered = torch.ones_like(covered)
        weight = settings.unmasked_weight + (1 - settings.unmasked_weight) * covered
        for mirrored in (False, True) if settings.flip else (False,):
            found[picture.name, mirrored] = (weight.flip(-1) if mirrored else weight).contiguous()
    return found


def has_mask(picture: TrainingPicture, kind: str) -> bool:
    """Says whether a picture brings a mask of its own, looking at its head alone."""
    if kind == "file":
        return picture.mask is not None
    if kind == "character":
        return True
    try:
        with Image.open(picture.path) as image:
            return "A" in image.getbands() or "transparency" in image.info
    except (OSError, ValueError):
        return False


def _find(picture: TrainingPicture, kind: str) -> Image.Image | None:
    """Gives a picture's mask as it is upright, 0 to 255, or None where it has none."""
    if kind == "character":
        return Image.fromarray((character_mask(open_picture(picture.path)) > 0).astype(np.uint8) * 255)
    if kind == "file":
        return None if picture.mask is None else open_picture(picture.mask).convert("L")
    if not has_mask(picture, "alpha"):
        return None
    try:
        with Image.open(picture.path) as image:
            turned = image.getexif().get(0x0112, 1)
            alpha = image.convert("RGBA").getchannel("A")
    except (OSError, ValueError) as error:
        raise PictureError(f"{picture.path} cannot be read as a picture; mend it or leave it out (drop).") from error
    return _upright(alpha, turned)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turns a channel as its picture's EXIF orientation says."""
    ways = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_270], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_90],
    }  # fmt: skip
    for way in ways.get(orientation, []):
        image = image.transpose(way)
    return image


def _fitted(mask: Image.Image, fit: Fit) -> torch.Tensor:
    """Brings a mask the way of its picture into the bucket, and its areas to the latents' pixels [1, h/8, w/8]."""
    if mask.size != fit.resized:
        mask = mask.resize(fit.resized, Image.Resampling.BILINEAR)
    (left, top), (width, height) = fit.offset, fit.bucket
    cut = mask.crop((left, top, left + width, top + height))
    small = cut.resize((width // LATENT, height // LATENT), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None]
