"""Reads writing in a picture: the PP-OCRv6 networks that come in rapidocr's wheel, run by sessions of our own."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.crop import Box

Pixels = NDArray[np.uint8]
Share = NDArray[np.float32]
Corners = NDArray[np.float32]  # [4, 2]: top left, top right, bottom right, bottom left as the words are read

_PACKAGE = "rapidocr"
_FINDER, _READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
_THREADS = 1
_STEP = 32  # both sides that the finder takes are multiples of it
_TILE = 1024  # the longest side that is looked at in one piece
_FURTHER = 0.55  # scale of the second look against the first
_SHORT = 704  # the shorter side of a picture that is too long for one piece
_LAP = 160  # how far pieces reach into each other
_INK = 0.22  # share above which a pixel counts as writing (DB, Liao et al. 2019)
_SURE = 0.38  # mean share that a line must have
_UNCLIP = 1.0  # the finder marks the core of a line; this is how far it is grown again
_ROOM = 0.15  # of its height, that a line is grown by on each side to be read
_READ_WELL = 0.75
_LEAST = 4  # pixels of the shorter side of a line, where it was looked for
_LINE_HEIGHT = 48
_LONGEST_LINE = 1600
_MOST_LINES = 200
_while_loading = Lock()


@dataclass(frozen=True)
class Line:
    """One line of writing: corners in the picture's pixels, what was read, and how sure finder and reader are, 0..1."""

    corners: tuple[tuple[float, float], ...]
    words: str
    seen: float
    read: float

    @property
    def box(self) -> Box:
        """Gives the upright rectangle round the line."""
        points = np.asarray(self.corners)
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
        return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))

    @property
    def height(self) -> float:
        """Gives the height of the letters' line, whichever way it is turned."""
        one, two, three = (np.asarray(corner) for corner in self.corners[:3])
        return float(min(np.linalg.norm(two - one), np.linalg.norm(three - two)))


def find_lines(image: Image.Image) -> list[Line]:
    """Finds lines of writing and reads them, from top to bottom; what cannot be read well is told with its low share.

    However large the picture is, only pieces of about a megapixel are held beside it. Raises `UsageError` where the
    networks' package is not there.
    """
    found: list[tuple[Corners, float]] = []
    for part, scale, turned in _pieces(image.size):
        size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
        method = Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
        pixels = _bgr(image.resize(size, method, _tuple(part)))
        for corners, seen in _turned_lines(pixels) if turned else _lines_in(pixels):
            found.append((corners / (size[0] / part.width, size[1] / part.height) + (part.left, part.top), seen))
    lines = [_read(image, corners.astype(np.float32), seen) for corners, seen in _apart(found)[:_MOST_LINES]]
    return sorted(_best(lines), key=lambda line: (line.box.top, line.box.left))


class _Piece(NamedTuple):
    """A part of the picture to look at: how much it is reduced, and whether it is laid on its side."""

    box: Box
    scale: float
    turned: bool = False


def _pieces(size: tuple[int, int]) -> list[_Piece]:
    """Cuts a picture into the pieces to look at: the whole three times, or the parts of a long, narrow one.

    The looks from further off find large letters, and lines that up close run together with what is by them; the one at
    the picture laid on its side finds upright lines.
    """
    long, short = max(size), min(size)
    scale = min(_TILE / long, 2.0)
    if short * scale >= _SHORT / 2 or long <= _TILE:
        whole = Box(0, 0, *size)
        return [_Piece(whole, scale), _Piece(whole, scale * _FURTHER), _Piece(whole, scale * _FURTHER, turned=True)]
    scale = min(1.0, _SHORT / short)
    step, reach = round((_TILE - _LAP) / scale), round(_TILE / scale)
    starts = range(0, max(1, long - round(_LAP / scale)), step)
    if size[0] >= size[1]:
        return [_Piece(Box(start, 0, min(long, start + reach), short), scale) for start in starts]
    return [_Piece(Box(0, start, short, min(long, start + reach)), scale) for start in starts]


def _tuple(box: Box) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right, box.bottom)


def _bgr(image: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


@cache
def _session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
    options.enable_cpu_mem_arena = False  # the arena would keep the memory of the largest picture
    return onnxruntime.InferenceSession(str(_model(name)), options, providers=["CPUExecutionProvider"])


def _model(name: str) -> Path:
    """Gives a network's file in the package; the package itself is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    path = Path(spec.origin).parent / "models" / name if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        raise UsageError(
            f"The network {name} that finds writing is not there; it comes in the package {_PACKAGE}: "
            "run `python install.py setup` again."
        )
    return path


def _run(name: str, pixels: Pixels) -> Share:
    """Runs a network over BGR pixels, scaled to -1..1, as both want them."""
    values = (pixels.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[None]
    with _while_loading:
        session = _session(name)
    return np.asarray(session.run(None, {"x": np.ascontiguousarray(values)})[0], np.float32)


def _lines_in(pixels: Pixels) -> list[tuple[Corners, float]]:
    height, width = pixels.shape[:2]
    full = np.zeros((-(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP, 3), np.uint8)
    full[:height, :width] = pixels
    full[height:], full[:, width:] = full[height - 1], full[:, width - 1 : width]
    heat = _run(_FINDER, full)[0, 0][:height, :width]
    outlines, nesting = cv2.findContours((heat > _INK).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [outline for outline, row in zip(outlines, nesting[0] if outlines else (), strict=True) if row[3] < 0]
    found = [line for outline in outer if (line := _line_of(outline, heat)) is not None]
    return sorted(found, key=lambda line: -line[1])


def _turned_lines(pixels: Pixels) -> list[tuple[Corners, float]]:
    """Finds lines in the picture laid on its left side, and gives them upright."""
    width = pixels.shape[1]
    laid = _lines_in(np.ascontiguousarray(np.rot90(pixels)))
    return [(_as_read(np.stack([width - at[:, 1], at[:, 0]], axis=1).astype(np.float32)), seen) for at, seen in laid]


def _line_of(outline: NDArray[np.int32], heat: Share) -> tuple[Corners, float] | None:
    """Gives the turned rectangle round an outline, grown as the finder was trained to need it, and its mean share."""
    middle, (wide, high), turn = cv2.minAreaRect(outline)
    if min(wide, high) < _LEAST / 2:
        return None
    left, top, across, down = cv2.boundingRect(outline)
    inside = np.zeros((down, across), np.uint8)
    cv2.fillPoly(inside, [outline.reshape(-1, 2) - (left, top)], 1)
    seen = float(heat[top : top + down, left : left + across][inside > 0].mean())
    if seen < _SURE:
        return None
    area, around = max(1.0, wide * high), 2 * (wide + high)
    grown = 2 * area * _UNCLIP / around
    if min(wide, high) + grown < _LEAST + 2:
        return None
    corners = cv2.boxPoints((middle, (wide + grown, high + grown), turn))
    return _as_read(corners.astype(np.float32)), seen


def _as_read(corners: Corners) -> Corners:
    """Puts corners in reading order: the line runs along its longer side, from the left or, if upright, from above."""
    centre = corners.mean(axis=0)
    around = np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0])
    ordered = corners[np.argsort(around)]  # clockwise on the screen
    first = int(ordered.sum(axis=1).argmin())
    return np.roll(ordered, -first, axis=0)


def _apart(found: list[tuple[Corners, float]]) -> list[tuple[Corners, float]]:
    """Drops lines that were found twice, the less sure of the two."""
    kept: list[tuple[Corners, float]] = []
    for corners, seen in sorted(found, key=lambda line: -line[1]):
        if all(_common(corners, other) < 0.65 * max(_area(corners), _area(other)) for other, _ in kept):
            kept.append((corners, seen))
    return kept


def _best(lines: list[Line]) -> list[Line]:
    """Drops lines that lie for the greater part in a better one: in one that was read well, in a larger one."""
    kept: list[tuple[Line, Corners]] = []
    for line in sorted(lines, key=lambda line: (line.read < _READ_WELL, -line.height * line.box.width)):
        corners = np.asarray(line.corners, np.float32)
        if all(_common(corners, other) < 0.5 * min(_area(corners), _area(other)) for _, other in kept):
            kept.append((line, corners))
    return [line for line, _ in kept]


def _area(corners: Corners) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))


def _common(one: Corners, two: Corners) -> float:
    return float(cv2.intersectConvexConvex(one.astype(np.float32), two.astype(np.float32))[0])


def _read(image: Image.Image, corners: Corners, seen: float) -> Line:
    """Reads one line; an upright one is tried turned to either side, and the surer reading is taken."""
    strip = _strip(image, _wider(corners))
    tall = strip.shape[0] >= 1.5 * strip.shape[1]
    ways = [np.rot90(strip, 1), np.rot90(strip, 3)] if tall else [strip]
    words, sure = max((_words(way) for way in ways), key=lambda reading: reading[1])
    places = tuple((round(float(x), 1), round(float(y), 1)) for x, y in corners)
    return Line(places, words, round(seen, 3), round(sure, 3))


def _wider(corners: Corners) -> Corners:
    """Grows a line by what the reader needs round the letters."""
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    wide, high = float(np.linalg.norm(across)), float(np.linalg.norm(down))
    reach = _ROOM * min(wide, high)
    right, under = across / max(wide, 1.0) * reach, down / max(high, 1.0) * reach
    return (corners + np.stack([-right - under, right - under, right + under, under - right])).astype(np.float32)


def _strip(image: Image.Image, corners: Corners) -> Pixels:
    """Cuts a line out and lays it level, BGR; a large line is reduced before it is turned."""
    one, two, three = corners[:3]
    wide, high = float(np.linalg.norm(two - one)), float(np.linalg.norm(three - two))
    scale = min(1.0, 2 * _LINE_HEIGHT / max(1.0, min(wide, high)))
    low, top = np.floor(corners.min(axis=0)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int)
    box = Box(low, top, right, bottom).inside(image.size)
    size = (max(1, round(box.width * scale)), max(1, round(box.height * scale)))
    part = _bgr(image.resize(size, Image.Resampling.BILINEAR, _tuple(box), reducing_gap=2.0))
    source = ((corners - (box.left, box.top)) * scale).astype(np.float32)
    across, down = max(4, round(wide * scale)), max(4, round(high * scale))
    target = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    turn = cv2.getPerspectiveTransform(source, target)
    return np.asarray(cv2.warpPerspective(part, turn, (across, down), borderMode=cv2.BORDER_REPLICATE), np.uint8)


@cache
def _letters() -> tuple[str, ...]:
    """Lists what the reader can say: place 0 is nothing, the last is a space."""
    with _while_loading:
        written = _session(_READER).get_modelmeta().custom_metadata_map["character"]
    return ("", *written.splitlines(), " ")


def _words(strip: Pixels) -> tuple[str, float]:
    """Reads a level strip: the most likely letter at each step, repeats joined (CTC); gives words and mean share."""
    height, width = strip.shape[:2]
    across = int(np.clip(round(width * _LINE_HEIGHT / height), 16, _LONGEST_LINE))
    method = cv2.INTER_AREA if height > _LINE_HEIGHT else cv2.INTER_LINEAR
    level = cv2.resize(np.ascontiguousarray(strip), (across, _LINE_HEIGHT), interpolation=method)
    steps = _run(_READER, level)[0]
    best, sure = steps.argmax(axis=1), steps.max(axis=1)
    fresh = np.array([True, *(one != two for one, two in pairwise(best))]) & (best > 0)
    if not fresh.any():
        return "", 0.0
    letters = _letters()
    return "".join(letters[place] for place in best[fresh]).strip(), float(sure[fresh].mean())
