"""The header of a .safetensors file: names, shapes and metadata, read without loading any tensor.

Format: 8 bytes little-endian length n, n bytes of JSON, then the data (github.com/huggingface/safetensors).
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.errors import CheckpointError

LARGEST_HEADER = 100_000_000  # bytes; the format's own ceiling
PICKLE_SUFFIXES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl"})
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class TensorInfo:
    """One tensor's entry: dtype as the format spells it (F16, BF16, F32 ...), shape, and its bytes in the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a model file says about itself before its data.

    `size` is the file's, in bytes. `scalars` are single numbers of its data (raw bytes by tensor) where the file itself is not
    at hand: a browser sends a header and these, and keeps the rest.
    """

    path: Path
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str] = field(default_factory=dict)
    data_start: int = 0
    size: int = 0
    scalars: Mapping[str, bytes] | None = None

    def shape(self, name: str) -> tuple[int, ...]:
        """Gives a tensor's shape; raises `CheckpointError` when the file has no such tensor."""
        if name not in self.tensors:
            raise CheckpointError(
                f"{self.path} has no tensor '{name}'; the file is incomplete or of another kind of model."
            )
        return self.tensors[name].shape


def read_header(path: Path | str) -> Header:
    """Reads and checks the header of a .safetensors file.

    Raises `CheckpointError` for a missing file, a pickle, a truncated file, and anything that is not safetensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no model file at {path}; check the path of the checkpoint.")
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = header_length(path, start, size)
        return header_of(path, stream.read(length), size)


def header_of(path: Path, raw: bytes, size: int, scalars: Mapping[str, bytes] | None = None) -> Header:
    """Reads the JSON of a header, and checks that a file of `size` bytes can hold what it names; raises `CheckpointError`."""
    entries = _parsed(path, raw)
    metadata = entries.pop("__metadata__", None) or {}
    tensors = {name: _tensor_info(path, name, entry) for name, entry in entries.items()}
    words = {str(key): str(value) for key, value in metadata.items()}
    header = Header(path, tensors, words, 8 + len(raw), size, scalars)
    _demand_whole(header, size)
    return header


def _refuse_pickle(path: Path, start: bytes) -> None:
    """Refuses files that run code when they are opened: by their suffix, zip magic (torch >= 1.6) or pickle opcode."""
    is_zip = start.startswith(b"PK\x03\x04")
    is_pickle = len(start) > 1 and start[0] == 0x80 and start[1] in (2, 3, 4, 5) and start[2:] != b"\x00" * 6
    if path.suffix.lower() in PICKLE_SUFFIXES or is_zip or is_pickle:
        raise CheckpointError(
            f"{path} is a pickle, which can run any program when it is opened; lorasmith reads .safetensors only. "
            "Convert it, or take the .safetensors version of the model."
        )


def header_length(path: Path, start: bytes, size: int) -> int:
    """Gives how long a file's header is, from its first 8 bytes; raises `CheckpointError` for what is no .safetensors file."""
    _refuse_pickle(path, start)
    if len(start) < 8:
        raise CheckpointError(f"{path} is not a .safetensors file: it has only {size} bytes. Fetch it again.")
    length: int = struct.unpack("<Q", start)[0]
    if length > LARGEST_HEADER or length < 2:
        raise CheckpointError(f"{path} is not a .safetensors file: its header would be {length} bytes. Fetch it again.")
    if 8 + length > size:
        raise CheckpointError(
            f"{path} is cut off: its header needs {8 + length} bytes and the file has {size}. Fetch it again."
        )
    return length


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a .safetensors file: its header is not JSON. Fetch it again.") from error
    if not isinstance(entries, dict) or not isinstance(entries.get("__metadata__", {}), dict | None):
        raise CheckpointError(f"{path} is not a .safetensors file: its header is not a table. Fetch it again.")
    return entries


def _tensor_info(path: Path, name: str, entry: Any) -> TensorInfo:
    try:
        begin, end = entry["data_offsets"]
        info = TensorInfo(str(entry["dtype"]), tuple(int(side) for side in entry["shape"]), int(begin), int(end))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{path} is damaged: the entry of tensor '{name}' cannot be read. Fetch it again."
        ) from error
    bits = _BITS.get(info.dtype)
    wanted = None if bits is None else math.prod(info.shape) * bits // 8
    if info.begin < 0 or info.end < info.begin or (wanted is not None and info.end - info.begin != wanted):
        raise CheckpointError(f"{path} is damaged: tensor '{name}' has the wrong number of bytes. Fetch it again.")
    return info


def _demand_whole(header: Header, size: int) -> None:
    needed = header.data_start + max((info.end for info in header.tensors.values()), default=0)
    if needed > size:
        raise CheckpointError(
            f"{header.path} is cut off: it should have {needed} bytes and has {size}. Fetch it again."
        )
