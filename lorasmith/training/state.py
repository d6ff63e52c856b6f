"""The states a killed run goes on from: one atomic file each, the last two kept, damaged ones passed over.

Everything random in a run is a function of seed and step, so a state is little: LoRA weights and AdamW moments in fp32,
the step, and the bookkeeping. Format: safetensors; its metadata holds the rest as JSON and a sha256 over the tensors.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lorasmith.files import write_atomic

KEPT = 2
PATTERN = "state-*.safetensors"


@dataclass(frozen=True)
class Bookkeeping:
    """What a run knows besides its weights after `step` steps.

    `loss_sum` and `loss_count` cover the epoch so far; `finished` counts epochs whose files are written; `saved` are
    rows of LoRA files; `events` is the length of events.jsonl in bytes; `scaler` is the fp16 gradient scaler's state.
    """

    step: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    epoch_loss: float = 0.0
    finished: int = 0
    saved: tuple[dict[str, Any], ...] = ()
    events: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)


def save_state(folder: Path, digest: str, book: Bookkeeping, tensors: Mapping[str, torch.Tensor]) -> None:
    """Writes a state and then removes all but the last two."""
    held = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    metadata = {"fingerprint": digest, "book": json.dumps(asdict(book)), "sha256": _tensor_hash(held)}
    write_atomic(folder / f"state-{book.step:08d}.safetensors", save(held, metadata))
    for old in sorted(folder.glob(PATTERN))[:-KEPT]:
        old.unlink(missing_ok=True)


def latest_state(folder: Path, digest: str) -> tuple[Bookkeeping, dict[str, torch.Tensor]] | None:
    """Gives the newest state that is whole and of this run, or None."""
    for path in sorted(folder.glob(PATTERN), reverse=True):
        found = _read(path, digest)
        if found is not None:
            return found
    return None


def drop_states(folder: Path) -> None:
    """Removes all states: a complete run needs none."""
    for path in folder.glob("state-*"):
        path.unlink(missing_ok=True)


def _read(path: Path, digest: str) -> tuple[Bookkeeping, dict[str, torch.Tensor]] | None:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a mapping
        book = json.loads(metadata["book"])
        whole = metadata["sha256"] == _tensor_hash(tensors) and metadata["fingerprint"] == digest
        return (Bookkeeping(**{**book, "saved": tuple(book["saved"])}), tensors) if whole else None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


def _tensor_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
