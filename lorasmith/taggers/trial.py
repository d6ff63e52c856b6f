"""Other thresholds tried on stored scores: the scores worth asking are kept in memory, so that an answer takes milliseconds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

LEAST = 0.02  # scores under this are not kept: no threshold is so low


@dataclass(frozen=True)
class Sparse:
    """The scores from `LEAST` on of a set under one tagger, as three columns: picture's place, label's place, score."""

    pictures: np.ndarray  # int32
    labels: np.ndarray  # int32
    scores: np.ndarray  # float16

    def crossing(self, before: np.ndarray, after: np.ndarray) -> "Crossing":
        """Gives what changes when each label's threshold (float64 of [labels]) goes from `before` to `after`."""
        scores = self.scores.astype(np.float64)
        was, will = scores >= before[self.labels], scores >= after[self.labels]
        return Crossing(*(self._pairs(changed) for changed in (will & ~was, was & ~will)))

    def _pairs(self, chosen: np.ndarray) -> dict[int, list[int]]:
        """Gives label -> pictures of the chosen rows."""
        labels, pictures = self.labels[chosen], self.pictures[chosen]
        order = np.argsort(labels, kind="stable")
        labels, pictures = labels[order], pictures[order]
        kinds, starts = np.unique(labels, return_index=True)
        parts = np.split(pictures, starts[1:]) if len(kinds) else []
        return {int(kind): part.tolist() for kind, part in zip(kinds, parts, strict=True)}


@dataclass(frozen=True)
class Crossing:
    """Labels that would join and leave: label's place -> places of pictures."""

    joining: dict[int, list[int]]
    leaving: dict[int, list[int]]


def sparse_of(vectors: Iterable[bytes | None], labels: int) -> Sparse:
    """Keeps the scores that count out of stored vectors (little-endian fp16), one for each picture, None where it has none."""
    rows = list(_rows(vectors, labels))
    if not rows:
        return Sparse(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float16))
    places, found, scores = zip(*rows, strict=True)
    pictures = np.repeat(np.array(places, np.int32), [len(part) for part in found])
    return Sparse(pictures, np.concatenate(found), np.concatenate(scores))


def _rows(vectors: Iterable[bytes | None], labels: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for place, stored in enumerate(vectors):
        vector = np.frombuffer(stored or b"", dtype="<f2")
        if len(vector) == labels:
            found = np.flatnonzero(vector >= np.float16(LEAST)).astype(np.int32)
            yield place, found, vector[found].astype(np.float16)
