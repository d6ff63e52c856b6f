"""What a model file says of itself in its header: read with the standard library, without loading a tensor.

Format: 8 bytes little-endian length n, n bytes of JSON, then the data (github.com/huggingface/safetensors).
A pickle (.ckpt, .pt) is never opened: its family is unknown.
"""

import json
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

SD1, SD2, SDXL, UNKNOWN = "sd1", "sd2", "sdxl", "unknown"
_LARGEST_HEADER = 100_000_000  # bytes; the format's own ceiling
_UNET = "model.diffusion_model."
_CONTEXT = {768: SD1, 1024: SD2, 2048: SDXL}  # width of the text states that the cross-attention reads
_ARCHITECTURES = {"stable-diffusion-v1": SD1, "stable-diffusion-v2": SD2, "stable-diffusion-xl": SDXL}


class Facts(NamedTuple):
    """The kind of base model a checkpoint holds."""

    family: str
    v_prediction: bool
    inpainting: bool


class Header(NamedTuple):
    """The shapes of a file's tensors by name, and its metadata."""

    shapes: "dict[str, list[int]]"
    metadata: "dict[str, Any]"


def checkpoint_facts(path: str) -> Facts:
    """Tells family, prediction type and inpainting of a checkpoint from its tensors' names and shapes."""
    shapes, metadata = _header(path)
    first = shapes.get(_UNET + "input_blocks.0.0.weight", [])
    said = str(metadata.get("modelspec.prediction_type", "")).lower()
    return Facts(
        _checkpoint_family(shapes),
        v_prediction="v_pred" in shapes or said in ("v", "v_prediction", "v-prediction", "v_pred"),
        inpainting=len(first) == 4 and first[1] == 9,
    )


def _checkpoint_family(shapes: "dict[str, list[int]]") -> str:
    if any(name.startswith(("conditioner.embedders.", _UNET + "label_emb.")) for name in shapes):
        return SDXL
    if any(name.startswith("cond_stage_model.model.") for name in shapes):
        return SD2
    if any(name.startswith("cond_stage_model.transformer.") for name in shapes):
        return SD1
    return UNKNOWN


def lora_family(path: str) -> str:
    """Tells which family a LoRA was made for: by the width its cross-attention reads, by metadata, by key names."""
    shapes, metadata = _header(path)
    for name, shape in shapes.items():
        if "attn2_to_k.lora_down" in name and len(shape) >= 2 and shape[1] in _CONTEXT:
            return _CONTEXT[shape[1]]
    architecture = str(metadata.get("modelspec.architecture", ""))
    for start, family in _ARCHITECTURES.items():
        if architecture.startswith(start):
            return family
    version = str(metadata.get("ss_base_model_version", ""))
    if version.startswith("sdxl"):
        return SDXL
    if version.startswith("sd_v2") or str(metadata.get("ss_v2", "")) == "True":
        return SD2
    if version.startswith("sd_v1"):
        return SD1
    return SDXL if any(name.startswith(("lora_te1_", "lora_te2_")) for name in shapes) else UNKNOWN


def _header(path: str) -> Header:
    try:
        state = Path(path).stat()
        return _read(path, state.st_size, state.st_mtime_ns)
    except (OSError, ValueError, struct.error, AttributeError, TypeError):
        return Header({}, {})


@lru_cache(maxsize=64)
def _read(path: str, size: int, modified: int) -> Header:
    """Reads a header once per state of the file."""
    if not path.lower().endswith(".safetensors"):
        return Header({}, {})
    with Path(path).open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if not 2 <= length <= min(_LARGEST_HEADER, size):
            return Header({}, {})
        entries = json.loads(stream.read(length).decode("utf-8"))
    metadata = entries.pop("__metadata__", None) or {}
    return Header({name: list(entry["shape"]) for name, entry in entries.items()}, metadata)
