"""What a run is asked to do, and what it gives back."""

import re
from dataclasses import dataclass
from pathlib import Path

from lorasmith.settings.tables import TrainSettings
from lorasmith.training.dataset import TrainingPicture

_STRANGE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class TrainRequest:
    """One run: where it writes, what it trains on, and how. The run's number is the name of its folder (`003`)."""

    run_folder: Path
    lora_folder: Path
    cache_folder: Path
    checkpoint: Path
    pictures: list[TrainingPicture]
    settings: TrainSettings
    name: str
    trigger: str
    triggers: tuple[str, ...] = ()  # of several characters in one LoRA, the one above first

    @property
    def sample_prompts(self) -> list[str]:
        """The prompts of the samples: a person's own, and always each trigger alone, which no outfit's tag helps."""
        return list(dict.fromkeys([*self.settings.sample_prompts, self.trigger, *self.triggers]))

    def stem(self, epoch: int, fingerprint: str) -> str:
        """Gives the file name of an epoch's LoRA, without suffix: never the same for another run, epoch or content."""
        name = _STRANGE.sub("_", self.name).strip("_") or "lora"
        run = _STRANGE.sub("_", self.run_folder.name)
        return f"{name}-r{run}-e{epoch:02d}-{fingerprint[:8]}"


@dataclass(frozen=True)
class SavedLora:
    """One LoRA file of a run; `loss` is the mean of its epoch."""

    epoch: int
    step: int
    path: Path
    loss: float


@dataclass(frozen=True)
class Trained:
    """What a run gave: its LoRA files in order, its steps, the last epoch's mean loss, the step it went on from."""

    files: tuple[SavedLora, ...]
    steps: int
    loss: float
    resumed_from: int | None = None
