"""Gives a part of a picture another colour and keeps its shading, lines and highlights."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.masks import Mask

Rgb = tuple[int, int, int]
Field = NDArray[np.float32]

# Ottosson 2020, "A perceptual color space for image processing": linear sRGB -> cone-like -> OkLab.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_FROM_CONES = np.linalg.inv(_TO_CONES)
_FROM_OKLAB = np.linalg.inv(_TO_OKLAB)
_GREY = 0.03  # chroma below which a colour has no hue to turn
_TINT_REACH = 0.3  # of lightness: how far from the part's own lightness a grey part is still tinted
_LINE, _SHADOW = 0.3, 0.75  # of the part's lightness: up to there it is a line, from there on a shadow
_MOST_VIVID = 4.0  # times the chroma it had


def recolour(image: Image.Image, region_mask: Mask, target_rgb: Rgb) -> Image.Image:
    """Gives the picture as RGB with the masked part's main colour turned into `target_rgb` (sRGB, 0..255 each).

    `region_mask` is uint8 [height, width]; values between 0 and 255 are a soft edge. Hue and chroma turn together in
    OkLab, lightness by a curve that leaves black and white where they are: shading, ink lines and highlights stay.
    Other pixels keep their exact value. Raises `UsageError` for a mask of another size.
    """
    if region_mask.shape != (image.height, image.width):
        raise UsageError(f"The mask is {region_mask.shape[::-1]} and the picture {image.size}; both must have one size.")
    plain = np.asarray(image.convert("RGB"))
    places = np.flatnonzero(region_mask.any(axis=1)), np.flatnonzero(region_mask.any(axis=0))
    if not places[0].size:
        return Image.fromarray(plain)
    part = np.s_[places[0][0] : places[0][-1] + 1, places[1][0] : places[1][-1] + 1]
    share = _shares(region_mask[part])
    lab = _oklab(plain[part])
    turned = _turned(lab, _main_colour(lab, share), _oklab(np.array([[target_rgb]], np.uint8))[0, 0])
    fresh = np.clip(_srgb(turned) * 255, 0, 255)
    mixed = plain[part] + share[..., None] * (fresh - plain[part])
    result = plain.copy()
    result[part] = np.where(share[..., None] > 0, np.clip(mixed + 0.5, 0, 255), plain[part]).astype(np.uint8)
    return Image.fromarray(result)


def main_colour(image: Image.Image, region_mask: Mask) -> Rgb:
    """Gives the colour that `recolour` would turn: the middle of the part's largest cluster, without lines and highlights."""
    lab = _oklab(np.asarray(image.convert("RGB")))
    found = _srgb(_main_colour(lab, _shares(region_mask))[None, None])[0, 0]
    red, green, blue = (round(float(value)) for value in np.clip(found * 255, 0, 255))
    return red, green, blue


def _lit(light: Field, old: float, new: float) -> Field:
    """Moves `old` to `new`, shadows in proportion, highlights towards white; where it brightens, dark lines stay dark."""
    below = light * (new / old)
    if new > old:
        part = np.clip((light / old - _LINE) / (_SHADOW - _LINE), 0, 1)
        part = part * part * (3 - 2 * part)
        below = part * below + (1 - part) * light
    above = 1 - (1 - light) * (1 - new) / (1 - old)
    return np.where(light < old, below, above).astype(np.float32)


def _shares(mask: Mask) -> Field:
    return (mask / 255).astype(np.float32)


def _main_colour(lab: Field, share: Field) -> Field:
    """Finds the fullest cell of a coarse histogram of the part and the median of what lies round it."""
    inside = lab[share > 0.5] if (share > 0.5).any() else lab[share > 0]
    if not inside.size:
        return np.zeros(3, np.float32)
    cells = np.floor(inside / np.array([0.08, 0.05, 0.05])).astype(np.int64)
    lit = (inside[:, 0] > 0.3) & (inside[:, 0] < 0.97) if inside.shape[0] > 20 else np.ones(len(inside), bool)
    pool = cells[lit] if lit.mean() > 0.3 else cells
    names, counts = np.unique(pool, axis=0, return_counts=True)
    centre = (names[counts.argmax()] + 0.5) * np.array([0.08, 0.05, 0.05])
    near = np.abs(inside - centre) < np.array([0.1, 0.06, 0.06])
    close = inside[near.all(axis=1)]
    return np.asarray(np.median(close, axis=0), np.float32)


def _turned(lab: Field, old: Field, new: Field) -> Field:
    light = np.clip(lab[..., 0], 0, 1)
    low, high = (float(np.clip(value, 0.02, 0.98)) for value in (old[0], new[0]))
    curve = _lit(light, low, high)
    hue, wanted, own = complex(old[1], old[2]), complex(new[1], new[2]), lab[..., 1] + 1j * lab[..., 2]
    if abs(hue) >= _GREY:
        factor = wanted / hue
        own = own * (factor if abs(factor) <= _MOST_VIVID else factor / abs(factor) * _MOST_VIVID)
    else:
        tint = np.exp(-(((light - old[0]) / _TINT_REACH) ** 2)) * np.clip((1 - light) / (1 - low), 0, 1)
        own = own * 0.5 + wanted * tint
    return np.stack([curve, own.real, own.imag], axis=2).astype(np.float32)


def _oklab(pixels: NDArray[np.uint8]) -> Field:
    """Turns sRGB bytes [height, width, 3] into OkLab."""
    srgb = pixels.astype(np.float32) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)
    cones = cv2.transform(linear, _TO_CONES)
    return np.asarray(cv2.transform(np.cbrt(cones), _TO_OKLAB), np.float32)


def _srgb(lab: Field) -> Field:
    cones = cv2.transform(lab, _FROM_OKLAB.astype(np.float32)) ** 3
    linear = np.clip(cv2.transform(cones.astype(np.float32), _FROM_CONES.astype(np.float32)), 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)
