"""From stored scores to tags: thresholds per model, category and tag are a question to what is stored, never a new run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from lorasmith.taggers.labels import Label

ALL = "*"
_ROWS = 256  # pictures compared at once: the table of answers stays small enough for the cache
_NEVER = np.int16(0x7C00)  # the bits of infinity in fp16


@dataclass(frozen=True)
class ThresholdRule:
    """One wish of a person: for taggers that fit `model` (a name with * in it, or a vocabulary), and a category or tag."""

    model: str
    what: str
    value: float


def thresholds_of(
    labels: Sequence[Label],
    own: Mapping[str, float],
    rules: Iterable[ThresholdRule] = (),
    model_names: Sequence[str] = (),
    general: float = 0.0,
) -> np.ndarray:
    """Gives each label's threshold, float64 of shape [labels].

    The first of these counts: a rule for the tag; one for its category; `general`, where it is not 0; a rule for all; the
    tag list's own; the model's `own` by category. Of two rules alike the one that names a model, then the later.
    """
    fitting = [rule for rule in rules if rule.model == ALL or any(fnmatchcase(name, rule.model) for name in model_names)]
    fitting.sort(key=lambda rule: rule.model != ALL)  # stable: later ones stay behind earlier ones, and win below
    by_what = {rule.what: rule.value for rule in fitting}

    def of(label: Label) -> float:
        wished = (by_what.get(label.name), by_what.get(label.category), general or None, by_what.get(ALL))
        models = (label.threshold, own.get(label.category), own.get(ALL))
        return next((value for value in (*wished, *models) if value is not None), 1.0)

    return np.array([of(label) for label in labels], dtype=np.float64)


def over(vectors: np.ndarray, thresholds: np.ndarray) -> Iterator[np.ndarray]:
    """Yields for each stored vector, fp16 of [pictures, labels], the places of the labels at or over their thresholds.

    Scores are not negative, so that fp16 numbers are in the order of their bits: comparing those as integers is one pass at
    the speed of memory, where converting to float32 first would cost ten times that.
    """
    bits = vectors.astype("<f2", copy=False).view("<i2")
    least = _bits_of(thresholds)
    for start in range(0, len(bits), _ROWS):
        found = bits[start : start + _ROWS] >= least
        rows, places = np.nonzero(found)
        yield from np.split(places, np.searchsorted(rows, np.arange(1, len(found))))


def _bits_of(thresholds: np.ndarray) -> np.ndarray:
    """Gives the bits of the smallest fp16 number that is not under each threshold; 0 becomes the smallest positive one."""
    near = thresholds.astype(np.float16)
    bits = near.view(np.int16) + (near.astype(np.float64) < thresholds).astype(np.int16)
    return np.clip(bits, 1, _NEVER).astype("<i2")
