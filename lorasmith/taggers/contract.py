"""What a tagger's graph wants: asked from the session, never assumed. Pictures are prepared accordingly.

The WD contract: float32 N x 448 x 448 x 3, BGR, 0 to 255; alpha on white, white square padding, then bicubic resize.
A graph that takes N x 3 x H x W is of the other families: normalised, with what stands in the files beside it.
"""

import json
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

from lorasmith.errors import TaggerError
from lorasmith.taggers.models import CLIP_DEVIATION, CLIP_MEAN, WD, Pixels, Triple

DEFAULT_SIDE = 448
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_KERNELS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_ORIENTATION = 0x0112
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True)
class Contract:
    """One graph's wishes: names, layout, sides, fixed batch (None where any goes), number type, and its pixels."""

    input_name: str
    output_name: str
    channels_first: bool
    height: int
    width: int
    fixed_batch: int | None
    dtype: type[np.generic]
    pixels: Pixels = WD


def read_contract(
    session: onnxruntime.InferenceSession, labels: int, folder: Path, pixels: Pixels | None = None
) -> Contract:
    """Reads the contract off a session; raises `TaggerError` when the graph does not fit the `labels` of its list.

    `pixels` is what is known of the model; without it the files beside it are asked.
    """
    entry = session.get_inputs()[0]
    shape = list(entry.shape)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise TaggerError(f"The tagger in {folder} takes an input of shape {shape}, not pictures with three colours.")
    if entry.type not in _TYPES:
        raise TaggerError(f"The tagger in {folder} takes {entry.type}; float, float16 and uint8 are supported.")
    channels_first = shape[3] != 3
    height, width = (_side(size) for size in (shape[2:4] if channels_first else shape[1:3]))
    return Contract(
        input_name=entry.name,
        output_name=_output_name(session, labels, folder),
        channels_first=channels_first,
        height=height,
        width=width,
        fixed_batch=shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None,
        dtype=_TYPES[entry.type],
        pixels=pixels or _pixels_of(folder, channels_first),
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


def _pixels_of(folder: Path, channels_first: bool) -> Pixels:
    """Says what a local model's pixels are by its layout and the files beside it: the graph does not tell."""
    if not channels_first:
        return WD
    if (folder / "top_tags.txt").is_file():  # JoyTag
        return Pixels("RGB", normalised=True, mean=CLIP_MEAN, deviation=CLIP_DEVIATION)
    # of the families that take N x 3 x H x W, CL Tagger alone takes blue first; its list is a tag_mapping.json
    order: Literal["BGR", "RGB"] = "BGR" if (folder / "tag_mapping.json").is_file() else "RGB"
    found = Pixels(order, normalised=True)
    for name in ("preprocess.json", "config.json"):
        path = folder / name
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            mean, deviation = _find_normalisation(content) or (found.mean, found.deviation)
            found = replace(_with_steps(found, content), mean=mean, deviation=deviation)
            break
    return found


def _with_steps(pixels: Pixels, content: Any) -> Pixels:
    """Reads off a `preprocess.json` whether pictures are padded or squashed, and by which kernel."""
    steps = content.get("test") or content.get("val") or content.get("stages") if isinstance(content, dict) else content
    if not isinstance(steps, list):
        return pixels
    kinds = {str(step.get("type")): step for step in steps if isinstance(step, dict)}
    resize = kinds.get("resize", {})
    # a resize to two sides ignores the aspect; one to a single side keeps it, after a padding step
    squashed = isinstance(resize.get("size"), list) and not any(kind.startswith("pad") for kind in kinds)
    kernel: Literal["bicubic", "bilinear"] = "bilinear" if resize.get("interpolation") == "bilinear" else "bicubic"
    return replace(pixels, fit="squash" if squashed else "pad", kernel=kernel)


def _find_normalisation(content: Any) -> tuple[Triple, Triple] | None:
    if isinstance(content, dict):
        mean, deviation = content.get("mean"), content.get("std")
        if isinstance(mean, list) and isinstance(deviation, list) and len(mean) == len(deviation) == 3:
            return (mean[0], mean[1], mean[2]), (deviation[0], deviation[1], deviation[2])
        content = list(content.values())
    if isinstance(content, list):
        return next((found for value in content if (found := _find_normalisation(value)) is not None), None)
    return None


def prepare(picture: Image.Image, contract: Contract) -> np.ndarray:
    """Turns a picture into one row of the graph's input: upright, square on white, resized, in its layout and range."""
    return as_input(fitted(picture, contract), contract)


def fitted(picture: Image.Image, contract: Contract) -> np.ndarray:
    """Gives a picture at the graph's sides as RGB, uint8 of shape [height, width, 3]: far smaller than a picture."""
    rgb, sides, kernel = on_white(picture), (contract.width, contract.height), _KERNELS[contract.pixels.kernel]
    if contract.pixels.fit == "squash" or rgb.width == rgb.height:
        return np.asarray(rgb if rgb.size == sides else rgb.resize(sides, kernel))
    if max(rgb.size) == contract.width == contract.height:
        return np.asarray(squared(rgb))
    return _padded_and_resized(rgb, sides, kernel)


def _padded_and_resized(rgb: Image.Image, sides: tuple[int, int], kernel: Image.Resampling) -> np.ndarray:
    """Resizes a picture's white square without working out what stays white: the same numbers for less."""
    side = max(rgb.size)
    along = 0 if rgb.width < rgb.height else 1  # the axis that is padded
    scale = side / sides[along]
    reach = math.ceil(2 * max(1.0, scale)) + 1  # how far a target pixel of the bicubic kernel looks, and one to be sure
    start = (side - rgb.size[along]) // 2
    first = max(0, math.floor((start - reach) / scale))
    last = min(sides[along], math.ceil((start + rgb.size[along] + reach) / scale))
    low, high = max(0, math.floor(first * scale) - reach), min(side, math.ceil(last * scale) + reach)
    canvas = Image.new("RGB", _with(rgb.size, along, high - low), "white")
    canvas.paste(rgb, (start - low, 0) if along == 0 else (0, start - low))
    ends = max(0.0, first * scale - low), min(float(high - low), last * scale - low)
    box = (ends[0], 0.0, ends[1], float(side)) if along == 0 else (0.0, ends[0], float(side), ends[1])
    part = np.asarray(canvas.resize(_with(sides, along, last - first), kernel, box))
    whole = np.full((sides[1], sides[0], 3), 255, dtype=np.uint8)
    whole[(slice(None), slice(first, last)) if along == 0 else slice(first, last)] = part
    return whole


def _with(size: tuple[int, int], axis: int, length: int) -> tuple[int, int]:
    return (length, size[1]) if axis == 0 else (size[0], length)


def as_input(rgb: np.ndarray, contract: Contract) -> np.ndarray:
    """Turns fitted pixels, [..., height, width, 3], into the graph's order, range, layout and number type."""
    wants = contract.pixels
    ordered = rgb[..., ::-1] if wants.order == "BGR" else rgb
    if wants.normalised:
        mean, deviation = (np.asarray(values, dtype=np.float32) for values in (wants.mean, wants.deviation))
        ordered = (ordered.astype(np.float32) / np.float32(255.0) - mean) / deviation
    if contract.channels_first:
        ordered = np.moveaxis(ordered, -1, -3)
    return np.ascontiguousarray(ordered, dtype=contract.dtype)


def on_white(picture: Image.Image) -> Image.Image:
    """Gives a picture upright (EXIF) as RGB, transparent parts on white; 16 bits a channel become 8."""
    picture = _upright(picture)
    if picture.mode in _SIXTEEN_BITS:
        picture = Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    seen = picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(seen, mask=seen.getchannel("A"))
    return white


def _upright(picture: Image.Image) -> Image.Image:
    try:
        turned = picture.getexif().get(_ORIENTATION, 1) != 1
        return ImageOps.exif_transpose(picture) if turned else picture
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return picture  # unreadable EXIF data says nothing about the pixels


def squared(picture: Image.Image) -> Image.Image:
    """Centres a picture on a white square; `left = (side - width) // 2`, `top = (side - height) // 2`."""
    rgb = on_white(picture)
    side = max(rgb.size)
    if rgb.size == (side, side):
        return rgb
    square = Image.new("RGB", (side, side), "white")
    square.paste(rgb, ((side - rgb.width) // 2, (side - rgb.height) // 2))
    return square
