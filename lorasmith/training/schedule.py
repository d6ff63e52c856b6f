"""The learning rate over the run, as a pure function of the step. The kinds are those of transformers and kohya."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from lorasmith.settings.tables import TrainSettings
from lorasmith.training.optimizer_table import NO_SCHEDULE

_DECAY = 0.1  # share of the steps over which warmup_stable_decay falls


@dataclass(frozen=True)
class Schedule:
    """What the learning rate does over a run: its kind, the share of the steps over which it rises, and the kind's own."""

    kind: str = "cosine"
    warmup: float = 0.0
    cycles: int = 1  # of cosine_with_restarts
    power: float = 1.0  # of polynomial
    least: float = 0.1  # where cosine_with_min_lr ends, as a share

    @classmethod
    def of(cls, settings: TrainSettings) -> "Schedule":
        """Reads it off the settings; what averages its own steps keeps its rate after the warm-up."""
        kind = "constant" if settings.optimizer in NO_SCHEDULE else settings.lr_scheduler
        return cls(kind, settings.warmup, settings.lr_cycles, settings.lr_power, settings.lr_min)

    def factor(self, step: int, steps: int) -> float:
        """Gives the factor, 0 to 1, of the learning rate at `step` (from 0) of `steps`."""
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        if self.kind == "inverse_sqrt":  # falls from the end of the warm-up on, whatever the length of the run
            start = max(1, rising)
            return math.sqrt(start / (step - rising + start))
        return _KINDS[self.kind]((step - rising) / max(1, steps - rising), self)


def _cosine(gone: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * gone))


def _restarts(gone: float, schedule: Schedule) -> float:
    return 0.0 if gone >= 1 else _cosine(gone * schedule.cycles % 1)


def _stable(gone: float, schedule: Schedule) -> float:
    return min(1.0, max(0.0, (1 - gone) / _DECAY))


# kind -> the factor after `gone` (0 to 1) of the steps that follow the warm-up
_KINDS: dict[str, Callable[[float, Schedule], float]] = {
    "constant": lambda gone, _: 1.0,
    "linear": lambda gone, _: 1 - gone,
    "cosine": lambda gone, _: _cosine(gone),
    "cosine_with_restarts": _restarts,
    "cosine_with_min_lr": lambda gone, its: its.least + (1 - its.least) * _cosine(gone),
    "polynomial": lambda gone, its: max(0.0, 1 - gone) ** its.power,
    "warmup_stable_decay": _stable,
}
