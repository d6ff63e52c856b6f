"""The tagger's drawn pictures, kept on disk: shards of plain drawings, and shards of drawings seen through a VAE."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lorasmith.demo import creature, drawing, scenery, tagger_pictures, world
from lorasmith.demo.drawing import Pixels
from lorasmith.demo.roundtrip import Roundtrip
from lorasmith.demo.tagger_pictures import STORED_SIDE, label_row, scene_of, squared, training_picture
from lorasmith.files import sha256_of

DRAWN_SHARD = 1000
RENDERED_SHARD = 100
_SIZES = ((128, 128), (96, 160), (128, 128), (160, 96))
_PASS = 20
Shard = tuple[Pixels, NDArray[np.uint8]]


def _digest(more: str = "") -> str:
    """Names the code that draws (and the VAE), so that a change never trains on old pictures."""
    digest = hashlib.sha256(more.encode())
    for module in (world, creature, drawing, scenery, tagger_pictures):
        digest.update(Path(module.__file__ or "").read_bytes())
    return digest.hexdigest()[:10]


def drawn_shard(work: Path, index: int) -> Shard:
    """Gives 1000 stored squares and their label rows, out of the work folder or newly drawn."""
    path = work / f"drawn-{_digest()}" / f"{index:03d}.npz"
    if not path.exists():
        first = index * DRAWN_SHARD
        pairs = [training_picture(number) for number in range(first, first + DRAWN_SHARD)]
        _write(path, np.stack([pixels for pixels, _ in pairs]), np.stack([row for _, row in pairs]))
    return _read(path)


def rendered_shard(work: Path, index: int, checkpoint: Path) -> Shard:
    """Gives 100 scenes at the base model's own sizes, passed through the checkpoint's VAE."""
    path = work / f"rendered-{_digest(sha256_of(checkpoint))}" / f"{index:03d}.npz"
    if not path.exists():
        first = index * RENDERED_SHARD
        _write(path, *rendered_alike("rendered", range(first, first + RENDERED_SHARD), Roundtrip(checkpoint)))
    return _read(path)


def rendered_alike(split: str, numbers: range, roundtrip: Roundtrip) -> Shard:
    """Draws scenes of a split at the base model's sizes and passes them through its VAE; gives squares and labels."""
    scenes = [scene_of(split, number) for number in numbers]
    pictures: list[Pixels] = []
    for start in range(0, len(scenes), _PASS):
        width, height = _SIZES[start // _PASS % len(_SIZES)]
        arrays = np.stack([scene.draw_array(width, height) for scene in scenes[start : start + _PASS]])
        seen = roundtrip.through(arrays, numbers.start + start)
        pictures += [squared(pixels, STORED_SIDE) for pixels in seen]
    return np.stack(pictures), np.stack([label_row(scene.tags()) for scene in scenes])


def _write(path: Path, pictures: Pixels, labels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, pictures=pictures, labels=labels)
    temporary.replace(path)


def _read(path: Path) -> Shard:
    with np.load(path) as saved:
        return saved["pictures"], saved["labels"]
