"""A tagger: pictures in, one score per label out, through onnxruntime."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state
from PIL import Image

from lorasmith.errors import TaggerError
from lorasmith.files import sha256_of
from lorasmith.taggers.contract import prepare, read_contract
from lorasmith.taggers.labels import Label, find_label_file, read_labels
from lorasmith.taggers.models import LABEL_FILES, MODEL_FILE
from lorasmith.taggers.providers import choose_providers

# Part of a tagger's id: raised when pictures are prepared in another way, so that stored scores are made again.
PREPARATION = 1
# onnxruntime's exceptions share no base class of their own.
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    OSError,
    *(
        value
        for value in vars(onnxruntime_pybind11_state).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ),
)
_POINTER = b"version https://git-lfs"
_SAME = 1e-3


class Tagger:
    """An open tagger model: `labels` in the order of the scores, `id` the name that stored scores are kept under.

    `threads` limits onnxruntime's own threads (0 lets it choose); `providers` are tried first.
    """

    def __init__(self, folder: Path, providers: Sequence[str] = (), threads: int = 0, name: str = "") -> None:
        model, label_file = demand_files(folder)
        self.name = name or folder.name
        self.folder = folder
        self.labels: tuple[Label, ...] = read_labels(label_file)
        self.id = f"{sha256_of(model)}-{PREPARATION}"
        self._session = open_session(model, providers, threads)
        self._contract = read_contract(self._session, len(self.labels), folder)
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

    def score(self, images: Sequence[Image.Image], batch_size: int = 8) -> np.ndarray:
        """Scores pictures: float32 of shape [pictures, labels], 0 to 1. Halves the batch when memory runs out."""
        if not images:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        starts = range(0, len(images), max(1, batch_size))
        return np.concatenate([self._score_batch(images[start : start + batch_size]) for start in starts])

    def _score_batch(self, images: Sequence[Image.Image]) -> np.ndarray:
        pixels = np.stack([prepare(image, self._contract) for image in images])
        raw = self._run_halving(pixels)
        return sigmoid(raw) if self._is_logits else np.clip(raw, 0.0, 1.0)

    def _run_halving(self, pixels: np.ndarray) -> np.ndarray:
        """Runs rows in pieces as large as the graph and the memory allow."""
        size = min(len(pixels), self._batch or len(pixels))
        try:
            return np.concatenate([self._run(pixels[start : start + size]) for start in range(0, len(pixels), size)])
        except RUNTIME_ERRORS as error:
            if not is_out_of_memory(error):
                raise TaggerError(f"The tagger {self.name} failed on a picture: {first_line(error)}") from error
            if size == 1 or self._contract.fixed_batch:
                raise TaggerError(
                    f"There is not enough memory for the tagger {self.name} even with one picture at a time. "
                    "Close other programs, or choose a smaller tagger."
                ) from error
            self._batch = size // 2
            return self._run_halving(pixels)

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
        pixels = [prepare(picture, self._contract)[None] for picture in pictures]
        single = [self._run(row) for row in pixels]
        answers = np.concatenate(single)
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


def open_session(model: Path, providers: Sequence[str], threads: int) -> onnxruntime.InferenceSession:
    """Opens a model file; raises `TaggerError` when onnxruntime cannot read it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=choose_providers(providers))
    except RUNTIME_ERRORS as error:
        raise TaggerError(
            f"{model} cannot be read as a tagger model ({first_line(error)}). It may be half downloaded: "
            "delete it and fetch it again."
        ) from error


def first_line(error: Exception) -> str:
    """Gives the first line of an error's words: onnxruntime writes pages."""
    return (str(error).splitlines() or ["no reason given"])[0]


def is_out_of_memory(error: Exception) -> bool:
    """Says whether an error of onnxruntime is about memory, by its words: there is no class for it."""
    words = str(error).lower()
    return any(mark in words for mark in ("out of memory", "failed to allocate", "bad_alloc", "bad allocation"))


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
