"""Finds the character in a picture: a small network, the border's colours and GrabCut, with no download."""

from functools import cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.regions import likelihood

Mask = NDArray[np.uint8]
Pixels = NDArray[np.uint8]
Share = NDArray[np.float32]

_NETWORK_FILE = Path(__file__).with_name("models") / "selfie_segmentation.tflite"
_NETWORK_SIDE = 256
_WORK_SIDE = 320
_SMOOTH_STEP = 10
_PLAIN_DISTANCE = 14.0
_SURE = 0.8  # of a region's likelihood: from there on only its edge is left to GrabCut
_EDGE = 5  # pixels of the reduced picture
_SECOND_FIGURE = 0.2  # of the first one's weight
_one_at_a_time = Lock()


def character_mask(image: Image.Image) -> Mask:
    """Gives 255 where the character is and 0 elsewhere, as uint8 [height, width]; all 0 when none was found.

    A plain background is told by its colour alone. Otherwise the picture is cut into smooth regions, each is judged by
    its colour, place, outline, neighbours and what the network sees there, and GrabCut settles what is left.
    """
    full = np.asarray(image.convert("RGB"))
    pixels = _reduced(full)
    seen = _network(pixels)
    mask = _against_plain(pixels)
    if mask is None:
        mask = _against_regions(pixels, seen)
    mask = _main_parts(mask, pixels, seen)
    large = cv2.resize(mask, (full.shape[1], full.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.where(large > 127, 255, 0).astype(np.uint8)


def parted(image: Image.Image) -> tuple[NDArray[np.int32], Share, Share]:
    """Gives what a mask is decided from, each [height, width] of a reduced copy: regions numbered from 0, CIE Lab, and 0..1.

    The last is what the network sees of a character.
    """
    pixels = _reduced(np.asarray(image.convert("RGB")))
    return _regions(pixels), _lab(pixels), _network(pixels)


def _lab(pixels: Pixels) -> Share:
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _reduced(pixels: Pixels) -> Pixels:
    scale = min(1.0, _WORK_SIDE / max(pixels.shape[:2]))
    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


@cache
def _loaded_network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromTFLite(np.frombuffer(_NETWORK_FILE.read_bytes(), np.uint8))


def _network(pixels: Pixels) -> Share:
    """Gives MediaPipe's selfie segmentation, 0..1 per pixel: input RGB / 255 stretched to 256 x 256."""
    side = (_NETWORK_SIDE, _NETWORK_SIDE)
    blob = cv2.dnn.blobFromImage(cv2.resize(pixels, side, interpolation=cv2.INTER_AREA), 1 / 255)
    with _one_at_a_time:
        network = _loaded_network()
        network.setInput(blob)
        seen = network.forward()[0, 0]
    return np.asarray(cv2.resize(seen, (pixels.shape[1], pixels.shape[0])), np.float32)


def _against_plain(pixels: Pixels) -> Mask | None:
    """Gives what differs from the one colour round the picture; None where the border is not of one colour.

    The lower edge is not asked: characters stand on it or are cut by it.
    """
    lab = _lab(pixels)
    depth = max(2, min(lab.shape[:2]) // 60)
    sides = [lab[:depth], lab[: -lab.shape[0] // 8, :depth], lab[: -lab.shape[0] // 8, -depth:]]
    ring = np.concatenate([side.reshape(-1, 3) for side in sides])
    colour = np.median(ring, axis=0)
    if (np.linalg.norm(ring - colour, axis=1) < _PLAIN_DISTANCE / 2).mean() < 0.85:
        return None
    alike = (np.linalg.norm(lab - colour, axis=2) < _PLAIN_DISTANCE).astype(np.uint8)
    _, labels = cv2.connectedComponents(alike, connectivity=4)
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    if not (alike[-depth:, :depth].any() or alike[-depth:, -depth:].any()):  # a floor, not one colour
        return None
    found = ~np.isin(labels, outside[outside > 0])
    return found.astype(np.uint8) * 255 if 0.01 < found.mean() < 0.97 else None


def _against_regions(pixels: Pixels, seen: Share) -> Mask:
    """Takes the regions that look like parts of a character; GrabCut settles doubtful ones and the edges."""
    regions = _regions(pixels)
    if not regions.any():
        return np.where(seen > 0.5, 255, 0).astype(np.uint8)
    likely = likelihood(regions, _lab(pixels), seen)[regions].astype(np.float32)
    prior = np.where(likely > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = np.ones((_EDGE, _EDGE), np.uint8)
    prior[cv2.erode((likely > _SURE).astype(np.uint8), edge, borderValue=1) > 0] = cv2.GC_FGD
    prior[cv2.erode((likely < 1 - _SURE).astype(np.uint8), edge, borderValue=1) > 0] = cv2.GC_BGD
    if not (np.isin(prior, (cv2.GC_PR_FGD, cv2.GC_FGD)).any() and np.isin(prior, (cv2.GC_PR_BGD, cv2.GC_BGD)).any()):
        return np.where(likely > 0.5, 255, 0).astype(np.uint8)
    return _grab_cut(pixels, prior)


def _grab_cut(pixels: Pixels, labels: Mask) -> Mask:
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), labels, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    return np.where(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)), 255, 0).astype(np.uint8)


def _regions(pixels: Pixels) -> NDArray[np.int32]:
    """Cuts the picture into regions without inner edges, numbered from 0."""
    smooth = cv2.bilateralFilter(pixels, 5, 20, 3)
    steps = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((steps < _SMOOTH_STEP).astype(np.uint8), connectivity=4)
    kept = stats[:, cv2.CC_STAT_AREA] >= max(12, labels.size // 4000)
    kept[0] = False
    markers = np.where(kept, np.cumsum(kept), 0)[labels].astype(np.int32)
    if not kept.any():
        return np.zeros_like(markers)
    cv2.watershed(cv2.cvtColor(smooth, cv2.COLOR_RGB2BGR), markers)
    lines = markers < 1
    # the one-pixel lines of the watershed go to a neighbouring region
    grown = cv2.dilate(markers.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
    markers[lines] = np.maximum(grown, 1)[lines]
    return markers - 1


def _mean_in(regions: NDArray[np.int32], values: Share) -> Share:
    count = int(regions.max()) + 1
    sums = np.bincount(regions.ravel(), values.ravel().astype(np.float64), count)
    return (sums / np.maximum(np.bincount(regions.ravel(), minlength=count), 1)).astype(np.float32)


def _main_parts(mask: Mask, pixels: Pixels, seen: Share) -> Mask:
    """Keeps the part most like a character (large, central, with inner detail, no bare rectangle) and its like."""
    side = max(3, round(max(mask.shape) / 100) | 1)
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    count, labels, stats, centres = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    height, width = mask.shape
    area = stats[:, cv2.CC_STAT_AREA]
    away = np.hypot((centres[:, 0] - width / 2) / width, (centres[:, 1] - height / 2) / height)
    boxed = area / (stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT])
    likeness, detail = _mean_in(labels, seen), np.minimum(1, _mean_in(labels, _detail(pixels)) / 12)
    bare = boxed > 0.93
    weight = area * (1.2 - away) * (0.35 + likeness) * (0.25 + detail) * np.where(bare, 0.4, 1.0)
    weight[0] = 0
    chosen = int(weight.argmax())
    if area[chosen] < 0.005 * mask.size:
        return np.zeros_like(mask)
    lead = weight / weight.max()
    kept = (lead >= 0.5) | ~bare & ((lead >= _SECOND_FIGURE) | _near_to(labels, chosen, count) & (lead >= 0.04))
    kept[0] = False
    return _filled(np.where(kept[labels], 255, 0).astype(np.uint8))


def _near_to(labels: NDArray[np.int32], chosen: int, count: int) -> NDArray[np.bool_]:
    """Tells which parts lie within a fiftieth of the picture of the chosen one: limbs cut off by an outline."""
    reach = max(5, max(labels.shape) // 25 | 1)
    grown = cv2.dilate((labels == chosen).astype(np.uint8), np.ones((reach, reach), np.uint8))
    return np.isin(np.arange(count), labels[grown > 0])


def _detail(pixels: Pixels) -> Share:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.float32)


def _filled(mask: Mask) -> Mask:
    """Closes holes that the outside cannot reach."""
    outside = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), 128)
    return np.where(outside[1:-1, 1:-1] == 128, 0, 255).astype(np.uint8)
