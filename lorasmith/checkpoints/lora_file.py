"""LoRA files in kohya's format: written byte for byte the same from the same weights, and read back.

Format: per module `<name>.lora_down.weight` [rank, in (, k, k)], `<name>.lora_up.weight` [out, rank (, 1, 1)] and the
scalar `<name>.alpha`; the effect on the module's weight is alpha / rank * up @ down.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open

from lorasmith.checkpoints.header import read_header
from lorasmith.errors import CheckpointError
from lorasmith.files import write_atomic

_NAMES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}
_PARTS = {"lora_down.weight": "down", "lora_up.weight": "up", "alpha": "alpha"}
_LEGACY_START, _LEGACY_BYTES = 0x100000, 0x10000


class LoraWeights(NamedTuple):
    """One module of a LoRA: down [rank, in ...], up [out, rank ...] and alpha; alpha / rank is its strength."""

    down: torch.Tensor
    up: torch.Tensor
    alpha: float

    @property
    def rank(self) -> int:
        """The inner dimension."""
        return int(self.down.shape[0])

    def delta(self, weight: float = 1.0) -> torch.Tensor:
        """What the module adds to the base weight, in fp32, with the base weight's shape [out, in (, k, k)]."""
        product = self.up.float().flatten(1) @ self.down.float().flatten(1)
        shape = (self.up.shape[0], *self.down.shape[1:])
        return (product * (weight * self.alpha / self.rank)).reshape(shape)


@dataclass(frozen=True)
class LoraFile:
    """A LoRA in memory: its modules by kohya name, and its metadata."""

    path: Path
    weights: Mapping[str, LoraWeights]
    metadata: Mapping[str, str]


def write_lora(
    path: Path,
    weights: Mapping[str, LoraWeights | tuple[torch.Tensor, torch.Tensor, float]],
    metadata: Mapping[str, str],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Writes a LoRA file, complete or not at all, with the hashes that WebUIs and Civitai look for.

    Raises `CheckpointError` for weights that are not finite in `dtype` or an alpha that is not above 0.
    """
    entries: dict[str, torch.Tensor] = {}
    for module, (down, up, alpha) in weights.items():
        if not alpha > 0:
            raise CheckpointError(f"The LoRA was not written: alpha of '{module}' is {alpha} and must be above 0.")
        entries[f"{module}.alpha"] = torch.tensor(float(alpha))
        entries[f"{module}.lora_down.weight"] = down
        entries[f"{module}.lora_up.weight"] = up
    table, data = _packed(entries, dtype)
    run = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    legacy = _file_bytes(table, data, run)[_LEGACY_START : _LEGACY_START + _LEGACY_BYTES]
    digest = hashlib.sha256(data).hexdigest()
    hashes = {
        "sshs_model_hash": digest,
        "sshs_legacy_hash": hashlib.sha256(legacy).hexdigest()[:8],
        "modelspec.hash_sha256": f"0x{digest}",
    }
    write_atomic(path, _file_bytes(table, data, {**metadata, **hashes}))


def _packed(entries: Mapping[str, torch.Tensor], dtype: torch.dtype) -> tuple[dict[str, object], bytes]:
    """Lays the tensors out by name, as the format's own library does for tensors of one dtype."""
    table: dict[str, object] = {}
    blocks: list[bytes] = []
    offset = 0
    for name in sorted(entries):
        tensor = entries[name].detach().to("cpu", dtype)
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"The LoRA was not written: '{name}' has values that are not finite in {dtype}.")
        block = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        table[name] = {
            "dtype": _NAMES[dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(block)],
        }
        blocks.append(block)
        offset += len(block)
    return table, b"".join(blocks)


def _file_bytes(table: Mapping[str, object], data: bytes, metadata: Mapping[str, str]) -> bytes:
    ordered = {key: str(metadata[key]) for key in sorted(metadata)}
    head = json.dumps({"__metadata__": ordered, **table}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    head += b" " * (-len(head) % 8)  # the data starts at a multiple of eight
    return struct.pack("<Q", len(head)) + head + data


def read_lora(path: Path | str) -> LoraFile:
    """Reads a kohya LoRA file, names as they are in it; a missing alpha means the rank, as every loader takes it.

    Raises `CheckpointError` for files that are no plain LoRA (LoHa, LoKr, DoRA, diffusers or PEFT names).
    """
    header = read_header(path)
    found: dict[str, dict[str, torch.Tensor]] = {}
    with safe_open(header.path, framework="pt", device="cpu") as file:
        for name in header.tensors:
            module, _, part = name.partition(".")
            if part not in _PARTS:
                raise CheckpointError(
                    f"{header.path} is not a plain kohya LoRA: it has the tensor '{name}'. "
                    "LoHa, LoKr, DoRA and files with diffusers or PEFT names cannot be used here."
                )
            found.setdefault(module, {})[_PARTS[part]] = file.get_tensor(name).clone()
    if not found:
        raise CheckpointError(f"{header.path} has no LoRA weights.")
    return LoraFile(
        header.path, {module: _weights(header.path, module, parts) for module, parts in found.items()}, header.metadata
    )


def _weights(path: Path, module: str, parts: Mapping[str, torch.Tensor]) -> LoraWeights:
    if "down" not in parts or "up" not in parts:
        raise CheckpointError(f"{path} is damaged: module '{module}' lacks its down or its up weights.")
    down, up = parts["down"], parts["up"]
    if down.ndim < 2 or up.ndim < 2 or down.shape[0] != up.shape[1]:
        raise CheckpointError(f"{path} is damaged: the ranks of module '{module}' differ ({down.shape}, {up.shape}).")
    return LoraWeights(down, up, float(parts["alpha"]) if "alpha" in parts else float(down.shape[0]))
