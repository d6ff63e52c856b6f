"""Cuts a character out with a soft edge that holds nothing of the old ground, and puts another ground behind it."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.crop import Box, character_box
from lorasmith.imaging.masks import Mask

Ground = Literal["keep", "blur", "white", "grey", "pink"]
GROUNDS: dict[str, tuple[int, int, int]] = {"white": (255, 255, 255), "grey": (128, 128, 128), "pink": (255, 170, 190)}

Field = NDArray[np.float32]
Flags = NDArray[np.bool_]

_BAND = 0.012  # of the long side: how far from the mask's edge the true edge may lie
_STEP = 10  # levels from one pixel to the next, within one colour
_SURE = 0.75  # of a colour's pixels that are on one side of the mask: so the others in the band are too
_LEAST_APART = 0.06  # of brightness 0..1, between the character and the ground
_INK = 0.22  # of brightness 0..1: darker thin patches round the character are its outline
_BLUR = 1 / 40  # of the long side
_WIDEST = 8  # pixels: a wider blur is made of a smaller picture, in which it is so wide


def with_background(image: Image.Image, mask: Mask, how: Ground = "grey") -> Image.Image:
    """Gives the picture as RGB with its ground kept, blurred, or replaced by white, grey or pink.

    `mask` is uint8 [height, width], 255 on the character. A mask that is all 0 leaves nothing but the new ground, and a
    blurred one blurs all. Raises `UsageError` for another word or a mask of another size.
    """
    if how == "keep":
        return image.convert("RGB")
    if how != "blur" and how not in GROUNDS:
        raise UsageError(f"{how!r} is no background; say keep, blur, white, grey or pink.")
    pixels = _pixels(image)
    alpha, colour = _matted(pixels, _demand(mask, image))
    ground = _blurred(pixels, alpha) if how == "blur" else np.array(GROUNDS[how], np.float32) / 255
    mixed = colour * alpha[..., None] + ground * (1 - alpha[..., None])
    return Image.fromarray(np.clip(mixed * 255 + 0.5, 0, 255).astype(np.uint8))


def cut_out(image: Image.Image, mask: Mask) -> Image.Image:
    """Gives the character as RGBA; colours at the edge are its own, without the old ground, and 0 where nothing shows.

    Raises `UsageError` for a mask of another size.
    """
    alpha, colour = _matted(_pixels(image), _demand(mask, image))
    shares = np.clip(alpha * 255 + 0.5, 0, 255).astype(np.uint8)
    inks = np.clip(colour * 255 + 0.5, 0, 255).astype(np.uint8)
    inks[shares == 0] = 0
    return Image.fromarray(np.dstack([inks, shares]), "RGBA")


def alpha_matte(image: Image.Image, mask: Mask) -> Field:
    """Gives the share of each pixel that the character covers, 0..1, as float32 [height, width].

    Near the mask's edge, patches of one colour go to the side that most of them is on; what lies between the patches is
    weighed between the colours beside it. Elsewhere, and where colours run into each other, it says what the mask says.
    Raises `UsageError` for a mask of another size.
    """
    return _matted(_pixels(image), _demand(mask, image))[0]


def _pixels(image: Image.Image) -> Field:
    return (np.asarray(image.convert("RGB"), np.float32) / 255).astype(np.float32)


def _demand(mask: Mask, image: Image.Image) -> Mask:
    if mask.shape != (image.height, image.width):
        raise UsageError(f"The mask is {mask.shape[::-1]} and the picture {image.size}; both must have one size.")
    return mask


def _matted(pixels: Field, mask: Mask) -> tuple[Field, Field]:
    """Gives alpha and the character's own colours; only the part of the picture round the mask is worked on."""
    alpha, colour = np.zeros(mask.shape, np.float32), pixels.copy()
    box = character_box(mask, 0.0)
    if box is None:
        return alpha, colour
    size = (mask.shape[1], mask.shape[0])
    band = max(2, round(_BAND * max(size)))
    near = Box(box.left - 3 * band, box.top - 3 * band, box.right + 3 * band, box.bottom + 3 * band).inside(size)
    part = np.s_[near.top : near.bottom, near.left : near.right]
    alpha[part], colour[part] = _weighed(pixels[part], mask[part] > 127, band)
    return alpha, colour


def _weighed(pixels: Field, mask: Flags, band: int) -> tuple[Field, Field]:
    """Gives alpha and the character's colours of a part of a picture, by the ground's colour next to each edge."""
    inside, outside, open_edge = _sides(pixels, mask, band)
    if not outside.any():
        return inside.astype(np.float32), pixels
    behind = _nearest(pixels, outside)
    apart = np.linalg.norm(pixels - behind, axis=2)
    apart[outside] = 0
    most = cv2.dilate(apart, np.ones((5, 5), np.uint8))
    share = np.clip(apart / np.maximum(most, _LEAST_APART), 0, 1)
    touching = open_edge & (cv2.dilate(outside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    alpha = np.where(touching, share, np.where(outside, 0.0, 1.0)).astype(np.float32)
    rest = 1 - alpha[..., None]
    own = np.clip((pixels - rest * behind) / np.maximum(alpha[..., None], 0.1), 0, 1)
    return alpha, np.where(touching[..., None], own, pixels).astype(np.float32)


def _sides(pixels: Field, mask: Flags, band: int) -> tuple[Flags, Flags, Flags]:
    """Tells what is the character, what is ground, and what lies between two patches of colour and may be either."""
    even = cv2.bilateralFilter((pixels * 255).astype(np.uint8), 5, 12, 2)
    steps = cv2.morphologyEx(even, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    flat = steps < _STEP
    count, labels = cv2.connectedComponents(flat.astype(np.uint8), connectivity=4)
    total = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    share = np.bincount(labels.ravel(), mask.ravel(), minlength=count) / total
    share[0] = 0.5
    near = _from_other_side(mask) <= band  # a disc of a large picture's band, laid on each pixel, would take minutes
    inked = _is_outline(pixels, mask, labels, flat, near, band)
    decided = np.where((share > _SURE) | inked, 1, np.where(share < 1 - _SURE, 0, -1))[labels]
    side = np.where(near & (decided >= 0), decided == 1, mask)
    open_edge = near & ~flat
    # an edge pixel far from the character's patches lies between two patches of ground
    held = cv2.dilate((side & ~open_edge).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    ground = ~side & ~open_edge | open_edge & ~mask & ~held
    open_edge &= ~ground
    return (side | open_edge) & ~ground, ground, open_edge


def _is_outline(pixels: Field, mask: Flags, labels: NDArray[np.int32], flat: Flags, near: Flags, band: int) -> Flags:
    """Tells which patches are the character's outer ink: dark, nowhere thick, and along the mask all the way.

    Before a dark ground the mask leaves it out. The patches are those of `labels`, [patches].
    """
    count = int(labels.max()) + 1
    total = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).ravel()
    light = np.bincount(labels.ravel(), pixels.mean(axis=2).ravel(), minlength=count) / total
    along = np.bincount(labels.ravel(), near.ravel(), minlength=count) / total
    touching = np.bincount(labels.ravel(), beside, minlength=count) / total
    deep = cv2.distanceTransform(flat.astype(np.uint8), cv2.DIST_L2, 3)
    thick = np.bincount(labels[deep > band], minlength=count) > 0
    found = (light < _INK) & (along > _SURE) & (touching > 0.05) & ~thick & (total > 4 * band)
    found[0] = False
    return np.asarray(found)


def _from_other_side(mask: Flags) -> Field:
    """Gives each pixel's distance in pixels to the nearest one on the other side of the mask."""
    sides = [cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (mask, ~mask)]
    return np.asarray(np.where(mask, *sides), np.float32)


def _nearest(pixels: Field, among: Flags) -> Field:
    """Gives for each pixel the colour of the nearest one of those in `among`."""
    _, labels = cv2.distanceTransformWithLabels(
        (~among).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(labels.max()) + 1, 3), np.float32)
    colours[labels[among]] = pixels[among]
    return np.asarray(colours[labels], np.float32)


def _blurred(pixels: Field, alpha: Field) -> Field:
    """Blurs the ground as if the character were not there, so that its colours do not glow round it."""
    sigma = max(1.0, _BLUR * max(alpha.shape))
    hidden = cv2.dilate(alpha, np.ones((5, 5), np.uint8))
    weight = (1 - hidden)[..., None] + np.float32(1e-4)
    total = _widely(weight, sigma)[..., None]
    return np.asarray(_widely(pixels * weight, sigma) / np.maximum(total, 1e-6), np.float32)


def _widely(field: Field, sigma: float) -> Field:
    """Blurs over `sigma` pixels; the time does not grow with them."""
    times = max(1, round(sigma / _WIDEST))
    if times == 1:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)
    high, wide = field.shape[:2]
    small = cv2.resize(field, (max(1, wide // times), max(1, high // times)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / times), (wide, high)), np.float32)
