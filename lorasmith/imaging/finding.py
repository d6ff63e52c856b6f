"""Runs the optional models: masks in the ways of ISNet and BiRefNet, boxes in the way of YOLO, asked of the graph itself."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from lorasmith.errors import ModelFileError
from lorasmith.imaging.crop import Box
from lorasmith.imaging.finders import BUILT_IN, Tell, finder_file
from lorasmith.imaging.framing import Framing, look
from lorasmith.imaging.heads import Head
from lorasmith.imaging.masks import Mask, character_mask

Values = NDArray[np.float32]
_MASK_SIDE, _BOX_SIDE = 1024, 640  # where the graph leaves its size open
_LARGEST_SIDE = 4096
_MEAN, _SPREAD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)  # of ImageNet
_OVERLAP = 0.7  # boxes that overlap more are one
_LETTERBOXED = "img"  # the input's name in ISNet's graphs: pixels / 255, zeros beside; others: stretched, ImageNet's mean


class _Graph:
    """An ONNX file with one picture as its input."""

    def __init__(self, file: Path, side: int) -> None:
        wanted = [name for name in ("CUDAExecutionProvider", "DmlExecutionProvider", "CPUExecutionProvider")
                  if name in onnxruntime.get_available_providers()]  # fmt: skip
        try:
            self._session = onnxruntime.InferenceSession(str(file), providers=wanted)
        except Exception as error:  # onnxruntime's errors have no common class that it makes public
            raise ModelFileError(f"{file} cannot be read as an ONNX model; fetch it again, or name another.") from error
        self.file = file
        self.input = self._session.get_inputs()[0]
        shape = self.input.shape
        if len(self._session.get_inputs()) != 1 or len(shape) != 4 or shape[1] != 3 or "float" not in self.input.type:
            raise ModelFileError(f"{file} does not take one picture (floats, 1 x 3 x height x width) but {self.input.type} {shape}.")
        self.height, self.width = (length if isinstance(length, int) else side for length in shape[2:])
        if not 32 <= min(self.height, self.width) <= max(self.height, self.width) <= _LARGEST_SIDE:
            raise ModelFileError(f"{file} wants pictures of {self.width} x {self.height} pixels, which no such model does.")

    def run(self, pixels: Values) -> Values:
        """Gives the first output of a picture [height, width, 3] of the graph's size, without the batch's axis."""
        blob = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float16 if "float16" in self.input.type else np.float32)
        try:
            found: Any = self._session.run(None, {self.input.name: blob})[0]
        except Exception as error:
            raise ModelFileError(f"{self.file} failed on a picture ({_first_line(error)}); name another model.") from error
        return np.asarray(found[0], np.float32)

    def told(self, found: Values) -> str:
        """Says what came out, for the sentence of a graph of another kind."""
        return f"{self.file} gives {' x '.join(map(str, found.shape))} numbers"


class MaskFinder:
    """A model that gives a soft mask of the character."""

    def __init__(self, file: Path) -> None:
        self._graph = _Graph(file, _MASK_SIDE)

    def mask(self, image: Image.Image) -> Mask:
        """Gives 255 where the character is and 0 elsewhere, as uint8 [height, width]."""
        pixels = np.asarray(image.convert("RGB"))
        height, width = pixels.shape[:2]
        graph = self._graph
        if graph.input.name == _LETTERBOXED:
            scale = min(graph.width / width, graph.height / height)
            inside = (max(1, round(width * scale)), max(1, round(height * scale)))
            left, top = (graph.width - inside[0]) // 2, (graph.height - inside[1]) // 2
            given = np.zeros((graph.height, graph.width, 3), np.float32)
            given[top : top + inside[1], left : left + inside[0]] = cv2.resize(pixels, inside, interpolation=cv2.INTER_AREA)
            seen = self._shares(graph.run(np.asarray(given / 255, np.float32)))[top : top + inside[1], left : left + inside[0]]
        else:
            stretched = cv2.resize(pixels, (graph.width, graph.height), interpolation=cv2.INTER_AREA).astype(np.float32)
            seen = self._shares(graph.run(np.asarray((stretched / 255 - _MEAN) / _SPREAD, np.float32)))
        large = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.where(large > 0.5, 255, 0).astype(np.uint8)

    def _shares(self, found: Values) -> Values:
        """Reads the output as 0..1 per pixel of the input; what goes beyond that are logits."""
        flat = found[0] if found.ndim == 3 and found.shape[0] == 1 else found
        if flat.shape != (self._graph.height, self._graph.width) or not np.isfinite(flat).all():
            raise ModelFileError(f"{self._graph.told(found)}, not a mask of the picture; it is no mask model.")
        within = flat.min() >= -0.01 and flat.max() <= 1.01
        return flat if within else np.asarray(1 / (1 + np.exp(-flat.clip(-30, 30))), np.float32)


@dataclass(frozen=True)
class Found:
    """A box with the detector's confidence."""

    box: Box
    confidence: float


class BoxFinder:
    """A detector in the way of YOLO: centre, size and class scores of each place; the likeliest of overlapping boxes stays."""

    def __init__(self, file: Path, confidence: float) -> None:
        self._graph, self._confidence = _Graph(file, _BOX_SIDE), confidence

    def boxes(self, image: Image.Image) -> list[Found]:
        """Gives the boxes on a picture, the surest first."""
        graph = self._graph
        given = cv2.resize(np.asarray(image.convert("RGB")), (graph.width, graph.height), interpolation=cv2.INTER_LINEAR)
        found = graph.run(np.asarray(given / np.float32(255), np.float32))
        if found.ndim != 2 or found.shape[0] < 5 or not np.isfinite(found).all():
            raise ModelFileError(f"{graph.told(found)}, not boxes (4 and the classes, for each place); it is no detector.")
        scores = found[4:].max(axis=0)
        sure = scores >= self._confidence
        across, down, wide, high = found[:4, sure]
        x, y = image.width / graph.width, image.height / graph.height
        corners = np.stack([(across - wide / 2) * x, (down - high / 2) * y, wide * x, high * y], axis=1)
        chosen = cv2.dnn.NMSBoxes(corners.tolist(), scores[sure].tolist(), self._confidence, _OVERLAP) if len(corners) else ()
        boxes = [(corners[at], float(scores[sure][at])) for at in np.asarray(chosen, int).ravel()]
        whole = [Found(Box(*(round(float(edge)) for edge in (left, top, left + w, top + h))).inside(image.size), score)
                 for (left, top, w, h), score in boxes]  # fmt: skip
        return sorted((one for one in whole if one.box.area), key=lambda one: -one.confidence)


class Finders:
    """What looks at pictures: the mask that ships, or a model that a person chose; the head by its shape, or by a detector."""

    def __init__(self, mask_model: str, head_model: str, tell: Tell, *, offline: bool = False) -> None:
        self._mask_file: Path | None = None
        self._head_file: Path | None = None
        self.key = ""  # what a look depends on beside the picture
        if mask_model != BUILT_IN:
            self._mask_file, _ = finder_file(mask_model, "mask", tell, offline=offline)
            self.key += f":mask {_identity(self._mask_file)}"
        if head_model != BUILT_IN:
            self._head_file, self._row = finder_file(head_model, "head", tell, offline=offline)
            self.key += f":head {_identity(self._head_file)}"

    @cached_property
    def _mask(self) -> MaskFinder | None:
        return None if self._mask_file is None else MaskFinder(self._mask_file)

    @cached_property
    def _heads(self) -> BoxFinder | None:
        return None if self._head_file is None else BoxFinder(self._head_file, self._row.confidence)

    def look(self, image: Image.Image) -> Framing:
        """Looks where the character and its head are."""
        mask = self.mask(image)
        return look(image, mask, self.head(image, mask))

    def mask(self, image: Image.Image) -> Mask:
        """Gives 255 where the character is and 0 elsewhere, as uint8 [height, width]."""
        return character_mask(image) if self._mask is None else self._mask.mask(image)

    def head(self, image: Image.Image, mask: Mask) -> Head | None:
        """Gives the surest head whose middle lies on the character, with hair and ears; None leaves it to the shape."""
        if self._heads is None:
            return None
        for found in self._heads.boxes(image):
            box = found.box
            if mask[(box.top + box.bottom) // 2, (box.left + box.right) // 2] or not mask.any():
                return Head(box.grown(self._row.around).inside(image.size), round(min(1.0, found.confidence), 3), 1.0)
        return None


def _identity(file: Path) -> str:
    facts = file.stat()
    return f"{file.name} {facts.st_size} {facts.st_mtime_ns}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
