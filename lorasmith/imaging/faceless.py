"""Takes a drawn face away: smooths it over within the head's outline, or paints the whole head over."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.masks import Mask

Pixels = NDArray[np.uint8]

_RIM = 0.05  # of the head's longer side: how far inside the outline the face ends
_ALIKE = 22.0  # Lab distance, lightness counted half, within which a pixel is the head's main colour
_CELL = (10.0, 8.0, 8.0)  # of a histogram in CIE Lab
_INK, _LIT = 24.0, 0.3  # Lab lightness of lines and black; share of a face above which it is not black
_LOOK = 400  # pixels of the picture's longer side while colours are spread
_SOFT = 0.12  # of the head's longer side: how far colours run into each other
_AROUND = 0.03  # of the head's longer side: how much of its edge goes with a head that is painted over


def face_of(mask: Mask, head: Box) -> Mask:
    """Gives the face as 0 and 255, uint8 [height, width]: what of the character lies inside the head, without its rim."""
    side = max(head.width, head.height)
    reach = 2 * max(1, round(_RIM * side)) + 1
    inner = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)), borderValue=0)
    oval = np.zeros_like(mask)
    middle = ((head.left + head.right) // 2, (head.top + head.bottom) // 2)
    cv2.ellipse(oval, middle, (round(0.44 * head.width), round(0.43 * head.height)), 0, 0, 360, 255, -1)
    return np.asarray(inner & oval, np.uint8)


def smooth_face(image: Image.Image, mask: Mask, head: Box) -> Image.Image:
    """Gives the picture as RGB with eyes, nose and mouth filled with the head's own colour; its shading goes on.

    `mask` is uint8 [height, width], 255 on the character. Pixels outside the face keep their exact value.
    """
    face = face_of(mask, head)
    if not face.any():
        return image.convert("RGB")
    pixels = np.asarray(image.convert("RGB")).copy()
    part = np.s_[head.top : head.bottom, head.left : head.right]
    inner, area = face[part] > 0, pixels[part]
    filled = _filled(pixels, mask, face, head)
    edge = max(1.0, 0.01 * max(head.width, head.height))
    share = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), edge)[..., None] * inner[..., None]
    pixels[part] = np.where(inner[..., None], np.clip(area + share * (filled - area) + 0.5, 0, 255), area)
    return Image.fromarray(pixels)


def _filled(pixels: Pixels, mask: Mask, face: Mask, head: Box) -> NDArray[np.float32]:
    """Spreads the skin's colours over the head's box, [height, width, 3]; worked out on a small copy, for they are soft."""
    scale = min(1.0, _LOOK / max(pixels.shape[:2]))
    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    skin = _of_skin(small, *(cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in (mask, face)))
    skin &= cv2.resize(face, size, interpolation=cv2.INTER_NEAREST) > 0
    middle = np.median(small[skin], axis=0).astype(np.float32) if skin.any() else np.float32(128) * np.ones(3, np.float32)
    sigma = max(1.0, _SOFT * scale * max(head.width, head.height))
    weight = cv2.GaussianBlur(skin.astype(np.float32), (0, 0), sigma)[..., None] + np.float32(1e-4)
    spread = cv2.GaussianBlur(np.where(skin[..., None], small, 0).astype(np.float32), (0, 0), sigma)
    whole = cv2.resize((spread + np.float32(1e-4) * middle) / weight, (pixels.shape[1], pixels.shape[0]))
    return np.asarray(whole[head.top : head.bottom, head.left : head.right], np.float32)


def head_of(mask: Mask, head: Box) -> Mask:
    """Gives the whole head as 0 and 255: what of the character, and of its outline, lies in the head's box."""
    reach = _reach(head)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inside = np.zeros_like(mask)
    inside[head.top : head.bottom, head.left : head.right] = 255
    return np.asarray(cv2.dilate(mask, kernel) & inside, np.uint8)


def cover_head(image: Image.Image, mask: Mask, head: Box) -> Image.Image:
    """Gives the picture as RGB with the head painted over in the colour of what is round it."""
    pixels = np.asarray(image.convert("RGB")).copy()
    reach = _reach(head)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = cv2.dilate(mask, kernel) > 0
    wide = Box(head.left - 4 * reach, head.top - 4 * reach, head.right + 4 * reach, head.bottom).inside(image.size)
    near = np.s_[wide.top : wide.bottom, wide.left : wide.right]
    around = pixels[near][~grown[near]]
    if not around.size:
        around = pixels[~grown] if not grown.all() else np.full((1, 3), 255, np.uint8)
    pixels[head_of(mask, head) > 0] = np.median(around, axis=0).astype(np.uint8)
    return Image.fromarray(pixels)


def _reach(head: Box) -> int:
    return max(2, round(_AROUND * max(head.width, head.height)))


def _of_skin(pixels: Pixels, mask: Mask, face: Mask) -> NDArray[np.bool_]:
    """Tells which pixels have the colour that fills much of the face and much of the character, or a shade of it.

    The face alone would often say the eyes', or the black of lines and rims.
    """
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    cells = np.floor(lab / np.array(_CELL, np.float32)).astype(np.int64) + 64
    keys = (cells[..., 0] * 256 + cells[..., 1]) * 256 + cells[..., 2]
    inner = face > 0
    inner = inner if inner.any() else mask > 0
    lit = inner & (lab[..., 0] > _INK)
    inner = lit if lit.sum() > _LIT * inner.sum() else inner
    names, counts = np.unique(keys[inner], return_counts=True)
    every, all_counts = np.unique(keys[mask > 0], return_counts=True)
    places = np.searchsorted(every, names)
    of_all = np.where(every[np.minimum(places, len(every) - 1)] == names, all_counts[np.minimum(places, len(every) - 1)], 1)
    key = int(names[(counts * of_all).argmax()])
    main = (np.array([key >> 16, key >> 8 & 255, key & 255]) - 64 + 0.5) * np.array(_CELL)
    apart = (lab - main.astype(np.float32)) * np.array([0.5, 1.0, 1.0], np.float32)
    return np.asarray(np.linalg.norm(apart, axis=2) < _ALIKE)
