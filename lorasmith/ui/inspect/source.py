"""Which file the Inspect page means: one of the project's LoRAs, a path of this machine, or a header that the browser sent."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.ui.context import Context
from lorasmith.ui.typed import typed_path

if TYPE_CHECKING:
    from lorasmith.checkpoints.header import Header

LARGEST_SENT = 30_000_000  # bytes of a header that a browser sends
_MOST_SCALARS = 5000
_START = 8  # bytes that hold the header's length


def header_meant(context: Context, folder: Path | None, wish: Any) -> "Header":
    """Reads the header of the file that a wish means: `{lora}` of the project, `{path}`, or `{name, size, start, header}`."""
    from lorasmith.checkpoints.inspection import open_header

    if not isinstance(wish, Mapping):
        raise UsageError("Choose a file first.")
    if "start" in wish:
        return _sent(wish)
    if isinstance(wish.get("lora"), str):
        return open_header(_of_project(folder, wish["lora"]))
    return open_header(_on_this_machine(wish.get("path")))


def _of_project(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise UsageError("Open a project first.")
    file = folder / "loras" / name
    if Path(name).name != name or "\\" in name or not file.is_file():
        raise UsageError(f"There is no LoRA {name} in the project any more; choose another.")
    return file


def _on_this_machine(typed: Any) -> Path:
    if not isinstance(typed, str) or not typed.strip():
        raise UsageError("Name a file, or drop one here.")
    path = typed_path(typed)
    if path.suffix.lower() != ".safetensors" and not path.is_dir():
        raise UsageError(f"{path.name or typed} is no .safetensors file; only those are looked into.")
    return path


def _sent(wish: Mapping[str, Any]) -> "Header":
    """Reads what a browser sent of a file: the first 8 bytes, the header, and the single numbers it names."""
    from lorasmith.checkpoints.header import header_length, header_of

    size = wish.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise UsageError("Send the file's size in bytes.")
    path = Path(_bare(str(wish.get("name", ""))) or "the file")
    start = _bytes(wish.get("start"))
    length = header_length(path, start[:_START], size)
    if length > LARGEST_SENT:
        raise UsageError(
            f"{path} has a header of {length / 1e6:.0f} MB, more than is sent ({LARGEST_SENT / 1e6:.0f} MB); "
            "if it lies on this machine, name its path instead."
        )
    header = _bytes(wish.get("header"))
    if len(header) != length:
        raise UsageError(f"{path} did not come whole: {len(header)} of {length} bytes of its header; choose it again.")
    scalars = wish.get("scalars") or {}
    if not isinstance(scalars, Mapping) or len(scalars) > _MOST_SCALARS:
        raise UsageError("Send scalars as a table.")
    return header_of(path, header, size, {str(name): _bytes(value)[:_START] for name, value in scalars.items()})


def _bare(name: str) -> str:
    """Gives a file's name without any folder, whichever system wrote it."""
    return PurePosixPath(PureWindowsPath(name).name).name.replace("\0", "")


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("What was sent of the file cannot be read; choose it again.") from error
