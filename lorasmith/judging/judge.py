"""What judging works with: a render with the tagger's scores, what it is judged by, and means with their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lorasmith.judging.plan import PlannedPrompt


@dataclass(frozen=True)
class Spread:
    """A mean over renders with its spread: lowest and highest, standard deviation, and how many there were.

    `over_seeds` is the standard deviation of the seeds' own means: how much of the figure is luck. None with one seed.
    """

    mean: float
    low: float
    high: float
    deviation: float
    count: int
    over_seeds: float | None = None


@dataclass(frozen=True)
class Judge:
    """What renders are judged by: each tag's place in the scores, the own tags, and the score that counts as drawn.

    `toggles` maps a toggle's word to the tags by which it is seen; `places` are the backgrounds and `artefacts` the marks
    and faults that are looked for where nobody asked for them. `cast` maps each of several characters' triggers to its looks;
    `core` then holds those of all.
    """

    index: Mapping[str, int]
    core: tuple[str, ...]
    threshold: float = 0.5
    toggles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    cast: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def looks_of(self, who: Sequence[str]) -> tuple[str, ...]:
        """Gives the own tags of some characters, each once; of everybody where nobody is named."""
        if not who:
            return self.core
        return tuple(dict.fromkeys(tag for trigger in who for tag in self.cast.get(trigger, ())))

    def unknown(self) -> tuple[str, ...]:
        """Names the own tags that the tagger cannot see, which count for nothing."""
        return tuple(tag for tag in self.core if tag not in self.index)


@dataclass(frozen=True)
class Judged:
    """One render under judgement: its prompt, its seed, and the tagger's scores (one per label).

    `similarity` is that to the `nearest` training picture, and `copies` names the one that the render nearly repeats.
    """

    prompt: PlannedPrompt
    seed: int
    scores: np.ndarray
    similarity: float | None = None
    nearest: str = ""
    copies: str = ""


@dataclass(frozen=True)
class Control:
    """One toggle in renders: the score where it was asked for, where it was not, and how well the two are kept apart."""

    asked: Spread | None
    unasked: Spread | None

    @property
    def control(self) -> float | None:
        """Gives asked less unasked, at least 0: 1 is worn at a word and never otherwise."""
        if self.asked is None or self.unasked is None:
            return None
        return max(0.0, self.asked.mean - self.unasked.mean)


def spread(values: Sequence[float | None], seeds: Sequence[int] = ()) -> Spread | None:
    """Sums up values over renders, those that are None left out; None where none is left. `seeds` are the renders' own."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not known.size:
        return None
    by_seed: dict[int, list[float]] = {}
    for value, seed in zip(values, seeds, strict=False):
        if value is not None:
            by_seed.setdefault(seed, []).append(value)
    luck = float(np.std([np.mean(group) for group in by_seed.values()])) if len(by_seed) > 1 else None
    return Spread(float(known.mean()), float(known.min()), float(known.max()), float(known.std()), int(known.size), luck)
