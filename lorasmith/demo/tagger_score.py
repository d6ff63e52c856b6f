"""How well an ONNX tagger of the WD contract reads drawn pictures: F1 by tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from lorasmith.demo.drawing import Pixels
from lorasmith.demo.tagger_pictures import LABELS, RATINGS

_SIDE = 448
_BATCH = 16
Floats = NDArray[np.float32]
Read = Callable[[Sequence[Pixels]], Floats]


def contract_input(pixels: Pixels) -> Floats:
    """Turns an RGB picture into the contract's 448 x 448 x 3 BGR floats: white pad to a square, then bicubic."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    square = Image.new("RGB", (longer, longer), "white")
    square.paste(Image.fromarray(pixels), ((longer - width) // 2, (longer - height) // 2))
    square = square.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return np.asarray(square, dtype=np.float32)[:, :, ::-1]


def reader_of(session: onnxruntime.InferenceSession) -> Read:
    """Gives a function from RGB pictures to their N x labels scores."""
    name = session.get_inputs()[0].name

    def read(pictures: Sequence[Pixels]) -> Floats:
        parts = []
        for start in range(0, len(pictures), _BATCH):
            batch = np.stack([contract_input(pixels) for pixels in pictures[start: start + _BATCH]])
            parts.append(session.run(None, {name: batch})[0])
        return np.concatenate(parts)

    return read


def f1_by_tag(expected: NDArray[np.uint8], scores: Floats, threshold: float = 0.5) -> dict[str, float]:
    """Gives the F1 of every tag but the ratings; a tag that is never expected nor said is left out."""
    said, truth = scores >= threshold, expected.astype(bool)
    result = {}
    for column, label in enumerate(LABELS):
        if label in RATINGS:
            continue
        hits = int((said[:, column] & truth[:, column]).sum())
        asked = int(said[:, column].sum() + truth[:, column].sum())
        if asked:
            result[label] = 2 * hits / asked
    return result


def macro_f1(expected: NDArray[np.uint8], scores: Floats, threshold: float = 0.5) -> float:
    """Gives the mean F1 over the tags."""
    return float(np.mean(list(f1_by_tag(expected, scores, threshold).values())))
