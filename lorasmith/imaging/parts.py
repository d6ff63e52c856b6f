"""Finds parts of a drawn character by shape, place and colour: eyes, nose, fur; hair by the colour that is named."""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.crop import Box, character_box
from lorasmith.imaging.masks import Mask
from lorasmith.imaging.recolour import main_colour

Part = Literal["eyes", "nose", "fur", "hair"]
Rgb = tuple[int, int, int]
Field = NDArray[np.float32]
Flags = NDArray[np.bool_]

_NEAR = 26.0  # distance in CIE Lab, lightness counted half, within which a pixel has a colour
_LOOK = 240  # pixels of the head's longer side while its parts are looked for
_LOOK_FAR = 480  # the same of the whole character's
_VIVID, _OTHER = 22.0, 24.0  # Lab: least chroma of an iris, and how far its hue lies from the head's main colour
_HUES = 16
_SMALLEST_EYE, _LARGEST_EYE = 0.0025, 0.09  # of the head's box
_DARK, _DULL = 32.0, 18.0  # Lab: the greatest lightness and chroma of a nose
_LINE = 0.07  # of the distance between the eyes: ink lines are thinner, and are taken off a nose
_MUCH, _MUCH_FAR = 0.4, 0.09  # of the head's, or the character's, pixels: irises are less
_SURE_PAIR, _SURE_FAR = 0.6, 0.75
_PUPIL = 0.05  # share of what touches an iris that is dark: its pupil, or the lid's line


class _Blob(NamedTuple):
    """A patch of one colour within the head: its mask [height, width], middle, width, height and pixels."""

    mask: Mask
    x: float
    y: float
    wide: int
    high: int
    area: int


def coloured(image: Image.Image, mask: Mask, colour: Rgb) -> Mask:
    """Masks the pixels of the character that have a colour or a shade of it; uint8 [height, width] with a soft edge."""
    near = (_apart(_lab(np.asarray(image.convert("RGB"))), colour) < _NEAR) & (mask > 0)
    return np.asarray(cv2.GaussianBlur(near.astype(np.uint8) * 255, (3, 3), 0), np.uint8)


def find_part(image: Image.Image, mask: Mask, head: Box | None, part: Part, old: Rgb | None = None) -> Mask | None:
    """Masks a part of the character, uint8 [height, width] with a soft edge; None where it is not found surely enough.

    With the part's own colour `old` it is what has that colour where the part can be: fur anywhere, eyes within the head, hair
    also where it hangs on from there, a nose under the eyes; without it a nose is dark.
    `mask` is 255 on the character; all but fur need the `head`.
    """
    if part == "fur":
        return coloured(image, mask, old or main_colour(image, mask))
    if head is None or not head.area:
        return None
    if old is not None and part != "nose":
        return _within(coloured(image, mask, old), head, part)
    if part == "hair":
        return None
    lab, inner = _looked_at(image, mask, head)
    eyes = _eyes(lab, inner)
    dark = (lab[..., 0] < _DARK) & (np.linalg.norm(lab[..., 1:], axis=2) < _DULL)
    found = eyes if part == "eyes" else _nose(inner, dark if old is None else _apart(lab, old) < _NEAR, eyes)
    if not found:
        return None
    small = np.maximum.reduce([blob.mask for blob in found])
    result = np.zeros_like(mask)
    result[head.top : head.bottom, head.left : head.right] = cv2.resize(
        small, (head.width, head.height), interpolation=cv2.INTER_LINEAR
    )
    return result


def head_by_eyes(image: Image.Image, mask: Mask, head: Box | None = None) -> Box | None:
    """Guesses the face's box round a pair of eyes, in the head or wherever on the character; None where none is seen surely.

    For heads that their outline does not tell: wide horns, hair, a head before the body. A drawn face is some two and a half
    times as wide as its eyes are apart.
    """
    around = head or character_box(mask, 0.0)
    if around is None or min(around.width, around.height) < 16:
        return None
    lab, inner = _looked_at(image, mask, around, _LOOK if head else _LOOK_FAR)
    eyes = _eyes(lab, inner, far=head is None)
    if len(eyes) != 2:
        return None
    scale = around.width / lab.shape[1]
    x, y = ((eyes[0].x + eyes[1].x) / 2 * scale + around.left, (eyes[0].y + eyes[1].y) / 2 * scale + around.top)
    apart = float(np.hypot(eyes[0].x - eyes[1].x, eyes[0].y - eyes[1].y)) * scale
    sides = (x - 1.3 * apart, y - 1.15 * apart, x + 1.3 * apart, y + 1.25 * apart)
    return Box(*(round(side) for side in sides)).inside(image.size)


def _looked_at(image: Image.Image, mask: Mask, box: Box, side: int = _LOOK) -> tuple[Field, Flags]:
    """Gives a part of a picture at a size for looking, in CIE Lab, and where the character is in it."""
    scale = min(1.0, side / max(box.width, box.height))
    size = (max(8, round(box.width * scale)), max(8, round(box.height * scale)))
    crop = image.convert("RGB").crop((box.left, box.top, box.right, box.bottom))
    inner = cv2.resize(mask[box.top : box.bottom, box.left : box.right], size, interpolation=cv2.INTER_AREA) > 127
    return _lab(np.asarray(crop.resize(size, Image.Resampling.BOX))), inner


def _lab(pixels: NDArray[np.uint8]) -> Field:
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _apart(lab: Field, colour: Rgb) -> Field:
    """Gives the distance of each pixel from a colour; shades of one colour differ in lightness first."""
    wanted = _lab(np.array([[colour]], np.uint8))[0, 0]
    return np.asarray(np.linalg.norm((lab - wanted) * np.array([0.5, 1.0, 1.0], np.float32), axis=2), np.float32)


def _within(found: Mask, head: Box, part: Part) -> Mask | None:
    """Keeps of a coloured area what lies in the head; of hair also what hangs on from there."""
    inside = np.zeros_like(found)
    inside[head.top : head.bottom, head.left : head.right] = 255
    if part == "hair":
        _, labels = cv2.connectedComponents((found > 127).astype(np.uint8))
        hanging = np.unique(labels[(inside > 0) & (labels > 0)])
        inside = np.where(np.isin(labels, hanging), 255, inside).astype(np.uint8)
    kept = np.minimum(found, inside)
    return kept if kept.any() else None


def _blobs(flags: Flags, smallest: float, largest: float) -> list[_Blob]:
    """Lists the separate patches of a size, given as shares of the head's box, that are compact."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats(flags.astype(np.uint8), connectivity=4)
    blobs = []
    for label in range(1, count):
        wide, high, area = (int(stats[label, each]) for each in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        if not smallest * flags.size <= area <= largest * flags.size or not 0.35 < wide / high < 3:
            continue
        if area > 0.3 * wide * high:
            x, y = middles[label]
            blobs.append(_Blob(np.where(labels == label, 255, 0).astype(np.uint8), float(x), float(y), wide, high, area))
    return blobs


def _eyes(lab: Field, inner: Flags, far: bool = False) -> list[_Blob]:
    """Finds two irises: vivid patches of one colour that is not the head's, alike, side by side, with white or black at them.

    From `far` a whole character is looked at, in which eyes are smaller and need not lie in the middle.
    """
    if inner.sum() < 50:
        return []
    main = np.median(lab[inner], axis=0)
    chroma = np.linalg.norm(lab[..., 1:], axis=2)
    other = (np.linalg.norm(lab[..., 1:] - main[1:], axis=2) > _OTHER) | (np.abs(lab[..., 0] - main[0]) > 2 * _OTHER)
    vivid = inner & (chroma > _VIVID) & other & (lab[..., 0] > 15)
    hue = np.arctan2(lab[..., 2], lab[..., 1])
    best, found = _SURE_FAR if far else _SURE_PAIR, list[_Blob]()
    for step in range(_HUES):
        middle = 2 * np.pi * step / _HUES - np.pi
        near = np.abs(np.angle(np.exp(1j * (hue - middle)))) < 1.5 * np.pi / _HUES
        if (vivid & near).sum() > (_MUCH_FAR if far else _MUCH) * inner.sum():
            continue  # much of the character has this colour
        blobs = _blobs(vivid & near, _SMALLEST_EYE * (0.1 if far else 1), _LARGEST_EYE * (0.3 if far else 1))
        for place, one in enumerate(blobs):
            for two in blobs[place + 1 :]:
                score = _pair(one, two, lab, inner, far)
                if score > best:
                    best, found = score, [one, two]
    return found


def _pair(one: _Blob, two: _Blob, lab: Field, inner: Flags, far: bool) -> float:
    """Gives how much two patches look like a pair of eyes, 0..1."""
    high, wide = inner.shape
    apart, step = abs(one.x - two.x) / wide, abs(one.y - two.y) / high
    alike = min(one.area, two.area) / max(one.area, two.area)
    if alike < 0.4 or not (0.05 if far else 0.12) < apart < 0.7 or step > 0.6 * apart or step > 0.2:
        return 0.0
    if far and (abs(one.x - two.x) > 5 * max(one.wide, two.wide) or min(_pupil(blob, lab) for blob in (one, two)) < _PUPIL):
        return 0.0
    lit, dark = (min(_beside(blob, flags) for blob in (one, two)) for flags in (lab[..., 0] > 85, lab[..., 0] < 30))
    if dark < _PUPIL:
        return 0.0
    columns = np.flatnonzero(inner.any(axis=0))
    centre = (columns[0] + columns[-1]) / 2
    middle = 1.0 if far else 1 - min(1.0, abs((one.x + two.x) / 2 - centre) / (0.3 * wide))
    size = min(1.0, (one.area + two.area) / (0.02 * inner.size * (0.1 if far else 1)))
    return 0.25 * alike + 0.2 * min(1.0, 4 * lit) + 0.35 * min(1.0, 4 * dark) + 0.1 * middle + 0.1 * size


def _pupil(blob: _Blob, lab: Field) -> float:
    """Gives the share of a patch's outline that is a dark hole in it."""
    contours, _ = cv2.findContours(blob.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(blob.mask)
    cv2.fillPoly(filled, [cv2.convexHull(max(contours, key=len))], 1)
    hole = (filled > 0) & (blob.mask == 0) & (lab[..., 0] < 30)
    return float(hole.sum() / max(1, filled.sum()))


def _beside(blob: _Blob, flags: Flags) -> float:
    """Gives the share of pixels with a quality round a patch and in its holes."""
    grown = cv2.dilate(blob.mask, np.ones((5, 5), np.uint8))
    ring = (grown > 0) & (blob.mask == 0)
    return float(flags[ring].mean()) if ring.any() else 0.0


def _nose(inner: Flags, like: Flags, eyes: list[_Blob]) -> list[_Blob]:
    """Finds the patch under and between the eyes among what looks `like` a nose; without eyes there is nothing to go by."""
    if len(eyes) != 2:
        return []
    middle, height = (eyes[0].x + eyes[1].x) / 2, (eyes[0].y + eyes[1].y) / 2
    apart = abs(eyes[0].x - eyes[1].x)
    thick = 2 * max(1, round(_LINE * apart / 2)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
    patches = cv2.morphologyEx((inner & like).astype(np.uint8), cv2.MORPH_OPEN, disc) > 0
    best, found = 0.0, list[_Blob]()
    for blob in _blobs(patches, 0.0006, 0.03):
        down, aside = (blob.y - height) / apart, abs(blob.x - middle) / apart
        if 0.1 < down < 1.0 and aside < 0.25 and blob.area > 0.45 * blob.wide * blob.high:
            score = 1 - abs(down - 0.42) - aside
            if score > best:
                best, found = score, [blob]
    return found
