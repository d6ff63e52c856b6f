"""Measures of many pictures shared out over the machines of a cluster; a measure rests on its file alone, whoever takes it."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError

if TYPE_CHECKING:
    from lorasmith.imaging.measure import Measures

_PIECE = 200  # pictures: some seconds of one processor


def measure_shared(folder: Path, files: Sequence[Path]) -> "Iterator[Measures | PictureError]":
    """Measures pictures in their order; where this process works for a cluster, its machines take pieces of them."""
    from lorasmith.imaging.measure import Measures
    from lorasmith.jobs.farm.shards import shared_out

    pieces = [
        {"folder": str(folder), "files": [str(file) for file in files[start : start + _PIECE]]}
        for start in range(0, len(files), _PIECE)
    ]
    for made in shared_out(measure_piece, pieces, home=_measured):
        for row in json.loads(made):
            measures = Measures.from_dict(row) if isinstance(row, dict) else None
            yield PictureError(str(row)) if measures is None else measures


def measure_piece(piece: dict[str, Any]) -> bytes:
    """Measures the pictures of a piece on whatever machine this is; raises where it lacks the folder."""
    from lorasmith.jobs.farm.shards import demand_folder

    demand_folder(Path(piece["folder"]))
    return _measured(piece)


def _measured(piece: dict[str, Any]) -> bytes:
    from lorasmith.imaging.measure import measure

    def look(file: str) -> dict[str, Any] | str:
        try:
            return measure(Path(file)).to_dict()
        except PictureError as error:
            return str(error)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return json.dumps(list(pool.map(look, piece["files"]))).encode()
