"""Scores of many pictures shared out over the machines of a cluster: the same batches of the same pictures, whoever runs them."""

import base64
import json
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import TaggerError

if TYPE_CHECKING:
    from lorasmith.taggers.onnx import Tagger
    from lorasmith.taggers.stream import Scored

_PIECE = 48  # pictures at least: opening a tagger takes as long as some


def score_shared(folder: Path, taggers: "Sequence[Tagger]", files: Sequence[Path], batch_size: int) -> "Generator[Scored, None, None]":
    """Scores pictures in their order; where this process works for a cluster, its machines take pieces of them."""
    from lorasmith.jobs.farm.shards import shared_out

    batch = max(tagger.best_batch(batch_size) for tagger in taggers)
    size = -(-_PIECE // batch) * batch  # whole batches: what one run of the graph sees is the same as without a cluster
    told = [{"folder": str(one.folder), "name": one.name, "id": one.id, "providers": one.providers} for one in taggers]
    pieces: list[dict[str, Any]] = [
        {"folder": str(folder), "files": [str(file) for file in files[start : start + size]], "taggers": told, "batch": batch_size}
        for start in range(0, len(files), size)
    ]
    for piece, made in zip(pieces, shared_out(score_piece, pieces, home=partial(_scored, taggers)), strict=True):
        yield from _read(made, len(taggers), len(piece["files"]))


def score_piece(piece: dict[str, Any]) -> bytes:
    """Scores the pictures of a piece on whatever machine this is; raises where it lacks the folder or has another model."""
    from lorasmith.jobs.farm.shards import demand_folder

    demand_folder(Path(piece["folder"]))
    taggers = [_opened(json.dumps(one)) for one in piece["taggers"]]
    return _scored(taggers, piece)


def _scored(taggers: "Sequence[Tagger]", piece: dict[str, Any]) -> bytes:
    from lorasmith.imaging.read import open_picture
    from lorasmith.taggers.stream import score_stream

    sources = [partial(open_picture, Path(file)) for file in piece["files"]]
    rows: list[Any] = [
        scored.fault or [base64.b64encode(vector.astype("<f2").tobytes()).decode() for vector in scored.scores]
        for scored in score_stream(taggers, sources, piece["batch"])
    ]
    return json.dumps(rows).encode()


def _read(made: bytes, taggers: int, pictures: int) -> "Iterator[Scored]":
    import numpy as np

    from lorasmith.taggers.stream import Scored

    rows = json.loads(made)
    if len(rows) != pictures:
        raise TaggerError(f"A piece of {pictures} pictures came back as {len(rows)}.")
    for row in rows:
        if isinstance(row, str):
            yield Scored((), row)
        else:
            vectors = tuple(np.frombuffer(base64.b64decode(each), "<f2").astype(np.float32) for each in row)
            if len(vectors) != taggers:
                raise TaggerError(f"A picture came back with the scores of {len(vectors)} taggers, not {taggers}.")
            yield Scored(vectors)


@lru_cache(maxsize=4)
def _opened(told: str) -> "Tagger":
    """Opens a tagger for this process's whole life: the cluster gives the next piece to the same process."""
    from lorasmith.taggers.open import open_tagger

    one = json.loads(told)
    tagger = open_tagger(one["folder"] if Path(one["folder"]).is_dir() else one["name"], providers=tuple(one["providers"]))
    if tagger.id != one["id"]:
        raise TaggerError(f"The tagger {tagger.name} of this machine is another model.")
    return tagger
