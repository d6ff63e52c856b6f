"""What a tagger's graph wants: asked from the session, never assumed. Pictures are prepared accordingly.

The WD contract: float32 N x 448 x 448 x 3, BGR, 0 to 255; alpha on white, white square padding, then bicubic resize.
A graph that takes N x 3 x H x W is of the other families: normalised RGB, mean and deviation from the files beside it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from lorasmith.errors import TaggerError

DEFAULT_SIDE = 448
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_Triple = tuple[float, float, float]
_HALF: _Triple = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Contract:
    """One graph's wishes: names, layout, pixels, fixed batch (None where any goes), and the normalisation of NCHW."""

    input_name: str
    output_name: str
    channels_first: bool
    height: int
    width: int
    fixed_batch: int | None
    dtype: type[np.generic]
    mean: _Triple = _HALF
    deviation: _Triple = _HALF


def read_contract(session: onnxruntime.InferenceSession, labels: int, folder: Path) -> Contract:
    """Reads the contract off a session; raises `TaggerError` when the graph does not fit the `labels` of its list."""
    entry = session.get_inputs()[0]
    shape = list(entry.shape)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise TaggerError(f"The tagger in {folder} takes an input of shape {shape}, not pictures with three colours.")
    if entry.type not in _TYPES:
        raise TaggerError(f"The tagger in {folder} takes {entry.type}; float, float16 and uint8 are supported.")
    channels_first = shape[3] != 3
    height, width = (_side(size) for size in (shape[2:4] if channels_first else shape[1:3]))
    mean, deviation = _normalisation(folder)
    return Contract(
        input_name=entry.name,
        output_name=_output_name(session, labels, folder),
        channels_first=channels_first,
        height=height,
        width=width,
        fixed_batch=shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None,
        dtype=_TYPES[entry.type],
        mean=mean,
        deviation=deviation,
    )


def _side(size: object) -> int:
    return size if isinstance(size, int) and size > 0 else DEFAULT_SIDE


def _output_name(session: onnxruntime.InferenceSession, labels: int, folder: Path) -> str:
    """Picks the output as wide as the tag list: `prediction*` before `*sigmoid*` before the first."""
    outputs = session.get_outputs()
    widths = {output.name: output.shape[-1] if output.shape else None for output in outputs}
    fitting = [name for name, width in widths.items() if width == labels]
    fitting = fitting or [name for name, width in widths.items() if not isinstance(width, int)]
    if not fitting:
        wide = ", ".join(str(width) for width in widths.values())
        raise TaggerError(
            f"The tag list in {folder} has {labels} tags, but the model gives {wide}: the two files do not belong "
            "together. Fetch both from the same place."
        )
    return min(fitting, key=lambda name: (not name.startswith("prediction"), "sigmoid" not in name.lower()))


def _normalisation(folder: Path) -> tuple[_Triple, _Triple]:
    """Finds mean and deviation in `preprocess.json` or timm's `config.json` beside the model, else a half."""
    for name in ("preprocess.json", "config.json"):
        path = folder / name
        if path.is_file():
            found = _find_normalisation(json.loads(path.read_text(encoding="utf-8")))
            if found is not None:
                return found
    return _HALF, _HALF


def _find_normalisation(content: Any) -> tuple[_Triple, _Triple] | None:
    if isinstance(content, dict):
        mean, deviation = content.get("mean"), content.get("std")
        if isinstance(mean, list) and isinstance(deviation, list) and len(mean) == len(deviation) == 3:
            return (mean[0], mean[1], mean[2]), (deviation[0], deviation[1], deviation[2])
        content = list(content.values())
    if isinstance(content, list):
        return next((found for value in content if (found := _find_normalisation(value)) is not None), None)
    return None


def prepare(picture: Image.Image, contract: Contract) -> np.ndarray:
    """Turns a picture into one row of the graph's input: square on white, resized, in its layout and range."""
    square = squared(picture)
    if square.size != (contract.width, contract.height):
        square = square.resize((contract.width, contract.height), Image.Resampling.BICUBIC)
    pixels = np.asarray(square, dtype=np.float32)
    if contract.channels_first:
        mean, deviation = (np.asarray(values, dtype=np.float32) for values in (contract.mean, contract.deviation))
        pixels = (pixels / np.float32(255.0) - mean) / deviation
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(contract.dtype)
    return np.ascontiguousarray(pixels[:, :, ::-1]).astype(contract.dtype)


def squared(picture: Image.Image) -> Image.Image:
    """Centres a picture on a white square, transparent parts on white too; `left = (side - width) // 2`."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        rgb = Image.new("RGB", picture.size, "white")
        rgb.paste(seen, mask=seen.getchannel("A"))
    else:
        rgb = picture.convert("RGB")
    side = max(rgb.size)
    if rgb.size == (side, side):
        return rgb
    square = Image.new("RGB", (side, side), "white")
    square.paste(rgb, ((side - rgb.width) // 2, (side - rgb.height) // 2))
    return square
