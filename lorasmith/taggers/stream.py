"""Many pictures through one or several taggers: decoded once, ahead of the sessions, in order, in bounded memory.

A full-size picture lives only inside the thread that decodes it: it leaves as squares of the graphs' sides. On a CPU each
thread takes its pictures all the way through the graph; before a graphics card the threads only decode, and the caller's
thread runs batches.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from PIL import Image

from lorasmith.errors import PictureError
from lorasmith.taggers.onnx import Tagger
from lorasmith.taggers.sessions import usable_cores

Source = Callable[[], Image.Image]  # opens a picture; raises `PictureError` for one that cannot be opened
_MOST_DECODERS = 8
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Scored:
    """One picture's scores, float32 per label, in the order of the taggers; none and a sentence where it cannot be opened."""

    scores: tuple[np.ndarray, ...]
    fault: str = ""


@dataclass(frozen=True)
class _Fitted:
    """One picture at the sides of each tagger's graph, uint8 RGB."""

    pixels: tuple[np.ndarray, ...]
    fault: str = ""


def score_stream(taggers: Sequence[Tagger], sources: Sequence[Source], batch_size: int = 8) -> Generator[Scored, None, None]:
    """Scores pictures one after another, in their order; closing the iterator ends the work after what is in hand."""
    lanes = min(tagger.lanes for tagger in taggers)
    size = max(tagger.best_batch(batch_size) for tagger in taggers)
    if lanes > 1:
        chunks = [sources[start : start + size] for start in range(0, len(sources), size)]
        for scored in _ahead(lambda chunk: _score(taggers, [_fit(taggers, source) for source in chunk]), chunks, lanes):
            yield from scored
        return
    decoders = min(usable_cores(), _MOST_DECODERS)
    fitted = _ahead(lambda source: _fit(taggers, source), sources, decoders, waiting=2 * size)
    try:
        while batch := list(islice(fitted, size)):
            yield from _score(taggers, batch)
    finally:
        fitted.close()


def _fit(taggers: Sequence[Tagger], source: Source) -> _Fitted:
    try:
        picture = source()
    except PictureError as error:
        return _Fitted((), str(error))
    return _Fitted(tuple(tagger.fit(picture) for tagger in taggers))


def _score(taggers: Sequence[Tagger], batch: Sequence[_Fitted]) -> list[Scored]:
    """Runs every tagger over the pictures of a batch that could be opened."""
    whole = [fitted for fitted in batch if not fitted.fault]
    if not whole:
        return [Scored((), fitted.fault) for fitted in batch]
    by_tagger = [
        tagger.score_fitted(np.stack([fitted.pixels[place] for fitted in whole])) for place, tagger in enumerate(taggers)
    ]
    rows = iter(zip(*by_tagger, strict=True))
    return [Scored((), fitted.fault) if fitted.fault else Scored(next(rows)) for fitted in batch]


def _ahead(
    work: Callable[[_Given], _Made], given: Sequence[_Given], threads: int, waiting: int = 0
) -> Generator[_Made, None, None]:
    """Does work in threads, ahead of who takes it, and gives it in order; at most `threads + waiting` results exist."""
    pool = ThreadPoolExecutor(threads, "tagger")
    under_way: deque[Future[_Made]] = deque()
    try:
        for piece in given:
            if len(under_way) >= threads + max(1, waiting):
                yield under_way.popleft().result()
            under_way.append(pool.submit(work, piece))
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
