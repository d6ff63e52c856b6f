"""A tagger: pictures in, one score per label out, through onnxruntime."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lorasmith.errors import TaggerError
from lorasmith.files import sha256_of
from lorasmith.model_files import remembered_sha256
from lorasmith.taggers.contract import as_input, fitted, read_contract
from lorasmith.taggers.labels import Label, find_label_file, read_labels, vocabulary_of
from lorasmith.taggers.models import LABEL_FILES, MODEL_FILE, TaggerRow, row_of_folder
from lorasmith.taggers.providers import CPU, why_not_used
from lorasmith.taggers.sessions import (
    RUNTIME_ERRORS,
    first_line,
    is_out_of_memory,
    open_session,
    share_cores,
    usable_cores,
)

# Part of a tagger's id: raised when pictures are prepared in another way, so that stored scores are made again.
PREPARATION = 2
UNKNOWN_THRESHOLD = 0.35  # for a local model of which nothing is known: what most tools use for everything
_POINTER = b"version https://git-lfs"
_SAME = 1e-3
_CHUNK = 2  # pictures of one run on a CPU: more wins nothing there


class Tagger:
    """An open tagger model: `labels` in the order of the scores, `id` the name that stored scores are kept under.

    `threads` limits the threads it computes with (0: all cores); `providers` are tried first. `row` is what is known of the
    model; a local folder's is found by its name. `score` and `score_fitted` may be called by several threads at once.
    """

    def __init__(
        self,
        folder: Path,
        providers: Sequence[str] = (),
        threads: int = 0,
        name: str = "",
        row: TaggerRow | None = None,
    ) -> None:
        model, label_file = demand_files(folder)
        row = row or row_of_folder(folder)
        self.name = name or folder.name
        self.folder = folder
        self.labels: tuple[Label, ...] = read_labels(label_file, *((row.labels_before, row.labels_after) if row else ()))
        self.thresholds: Mapping[str, float] = row.thresholds if row else {"*": UNKNOWN_THRESHOLD}
        self.id = f"{remembered_sha256(model) or sha256_of(model)}-{PREPARATION}"
        work = share_cores(threads or usable_cores())
        self._session = open_session(model, providers, work)
        self.lanes = work.lanes if self.provider == CPU else 1
        self.fallback = why_not_used(providers, self.providers)
        self._contract = read_contract(self._session, len(self.labels), folder, row.pixels if row else None)
        self._batch = self._contract.fixed_batch
        self._is_logits = False
        self._probe()

    @property
    def providers(self) -> list[str]:
        """Names where the model really runs, first choice first."""
        return list(self._session.get_providers())

    @property
    def provider(self) -> str:
        """Names where the model mainly runs."""
        return self.providers[0]

    @property
    def batch_limit(self) -> int | None:
        """Gives the number of pictures the graph takes at once, or None where any number goes."""
        return self._batch

    @cached_property
    def index(self) -> dict[str, int]:
        """Maps each label's name to its place in the scores."""
        return {label.name: place for place, label in enumerate(self.labels)}

    @cached_property
    def vocabulary(self) -> str:
        """Says whose tags it knows: "danbooru", "e621" or ""."""
        return vocabulary_of(self.labels)

    def best_batch(self, wanted: int) -> int:
        """Gives the number of pictures that one run takes best: the graph's, few on a CPU, else `wanted`."""
        return self._batch or (min(wanted, _CHUNK) if self.provider == CPU else wanted)

    def score(self, images: Sequence[Image.Image], batch_size: int = 8) -> np.ndarray:
        """Scores pictures: float32 of shape [pictures, labels], 0 to 1. Halves the batch when memory runs out."""
        if not images:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        size = max(1, self.best_batch(batch_size))
        pieces = [images[start : start + size] for start in range(0, len(images), size)]
        if self.lanes == 1 or len(pieces) == 1:
            return np.concatenate([self._score_piece(piece) for piece in pieces])
        with ThreadPoolExecutor(self.lanes, "tagger") as pool:
            return np.concatenate(list(pool.map(self._score_piece, pieces)))

    def fit(self, image: Image.Image) -> np.ndarray:
        """Gives a picture at the graph's sides: uint8 RGB, [height, width, 3]."""
        return fitted(image, self._contract)

    def score_fitted(self, rgb: np.ndarray) -> np.ndarray:
        """Scores fitted pictures, [pictures, height, width, 3]: float32 of shape [pictures, labels], 0 to 1."""
        raw = self._run_halving(rgb)
        return sigmoid(raw) if self._is_logits else np.clip(raw, 0.0, 1.0)

    def _score_piece(self, images: Sequence[Image.Image]) -> np.ndarray:
        return self.score_fitted(np.stack([self.fit(image) for image in images]))

    def _run_halving(self, rgb: np.ndarray) -> np.ndarray:
        """Runs rows in pieces as large as the graph and the memory allow; what was done before a failure stays done."""
        rows: list[np.ndarray] = []
        done, size = 0, min(len(rgb), self._batch or len(rgb))
        while done < len(rgb):
            answer = self._try(rgb[done : done + size])
            if answer is None:  # out of the exception's block: its traceback holds on to the memory that is short
                size = self._batch = size // 2
            else:
                rows.append(answer)
                done += size
        return np.concatenate(rows)

    def _try(self, rgb: np.ndarray) -> np.ndarray | None:
        """Runs some rows; None where memory was short for so many and fewer may go."""
        try:
            return self._run(as_input(rgb, self._contract))
        except RUNTIME_ERRORS as error:
            if not is_out_of_memory(error):
                raise TaggerError(f"The tagger {self.name} failed on a picture: {first_line(error)}") from error
            if len(rgb) > 1 and not self._contract.fixed_batch:
                return None
            raise TaggerError(
                f"There is not enough memory for the tagger {self.name} even with one picture at a time. "
                "Close other programs, or choose a smaller tagger."
            ) from error

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        """Runs the graph once; a graph of fixed batch gets its missing rows filled up."""
        count, fixed = len(pixels), self._contract.fixed_batch
        if fixed and count < fixed:
            pixels = np.concatenate([pixels, np.repeat(pixels[-1:], fixed - count, axis=0)])
        output: Any = self._session.run([self._contract.output_name], {self._contract.input_name: pixels})[0]
        rows = np.asarray(output, dtype=np.float32).reshape(len(pixels), -1)[:count]
        if rows.shape[1] != len(self.labels):
            raise TaggerError(
                f"The tag list in {self.folder} has {len(self.labels)} tags, but the model gives {rows.shape[1]}: "
                "the two files do not belong together. Fetch both from the same place."
            )
        return rows

    def _probe(self) -> None:
        """Finds out whether the sigmoid is still to be done, and whether a dynamic batch really is one."""
        side = (self._contract.width, self._contract.height)
        noise = np.random.default_rng(1).integers(0, 256, (side[1], side[0], 3), dtype=np.uint8)
        pictures = [Image.new("RGB", side, "white"), Image.new("RGB", side, "black"), Image.fromarray(noise)]
        pixels = [as_input(self.fit(picture)[None], self._contract) for picture in pictures]
        answers = np.concatenate([self._run(row) for row in pixels])
        if not np.isfinite(answers).all():
            raise TaggerError(f"The tagger in {self.folder} gives scores that are no numbers; fetch it again.")
        self._is_logits = bool((answers < 0.0).any() or (answers > 1.0).any())
        if self._batch is None and not self._batches_truly(pixels, answers):
            self._batch = 1

    def _batches_truly(self, pixels: list[np.ndarray], answers: np.ndarray) -> bool:
        """Says whether two pictures at once score as they do alone; some exports carry a baked batch of one."""
        try:
            together = self._run(np.concatenate(pixels[1:]))
        except TaggerError:
            return False
        except RUNTIME_ERRORS:
            return False
        return bool(np.abs(together - answers[1:]).max() <= _SAME * max(1.0, float(np.abs(answers).max())))


def demand_files(folder: Path) -> tuple[Path, Path]:
    """Gives the model and the tag list of a folder; raises `TaggerError` when one is missing or only a pointer."""
    model, label_file = folder / MODEL_FILE, find_label_file(folder)
    if not model.is_file() or label_file is None:
        missing = MODEL_FILE if not model.is_file() else LABEL_FILES[0]
        raise TaggerError(f"The tagger folder {folder} has no {missing}; put {MODEL_FILE} and {LABEL_FILES[0]} there.")
    with model.open("rb") as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            raise TaggerError(f"{model} is a Git LFS pointer and not the model itself; download the real file.")
    return model, label_file


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Turns logits into 0..1 without overflow."""
    return (0.5 * (1.0 + np.tanh(0.5 * values.astype(np.float32)))).astype(np.float32)


def colour_order_is_right(tagger: Tagger) -> bool | None:
    """Says whether plain red is seen as red and plain blue as blue; None where the tagger has no such tags."""
    places = tagger.index
    if not {"red_background", "blue_background"} <= places.keys():
        return None
    red, blue = places["red_background"], places["blue_background"]
    scores = tagger.score([Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")])
    return bool(scores[0, red] > scores[0, blue] and scores[1, blue] > scores[1, red])
