"""Tries what of a run fits a CUDA card: two steps of each choice on the largest bucket, and what they reserved."""

import gc
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from lorasmith.progress import Progress, Report
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import Size
from lorasmith.training.caches import Latent
from lorasmith.training.checkpointing import checkpoint_gradients
from lorasmith.training.fit_card import Choice, Fitted, Measured, SpillWatch, fit, level_after_spill
from lorasmith.training.learner import Learner, Lessons

TRIAL_STEPS = 2  # the second has what the optimizer holds
CELL = 8  # pixels of a cell of the latents


class Meter(Protocol):
    """Measures a card's memory."""

    def start(self) -> None:
        """Frees what nobody uses and begins to measure."""
        ...

    def peak(self) -> int:
        """Gives the most bytes that were reserved since the start."""
        ...


@dataclass(frozen=True)
class CudaMeter:
    """The memory of a CUDA card, as PyTorch reserves it."""

    device: torch.device

    def start(self) -> None:
        """Frees what nobody uses and begins to measure."""
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int:
        """Gives the most bytes that were reserved since the start."""
        torch.cuda.synchronize(self.device)
        return torch.cuda.max_memory_reserved(self.device)

    def room(self) -> int:
        """Gives the bytes of the card that are free or this process's own."""
        free, _ = torch.cuda.mem_get_info(self.device)
        return free + torch.cuda.memory_reserved(self.device)


@dataclass(frozen=True)
class CardProbe:
    """Makes trial steps with a learner whose lessons are made up."""

    learner: Learner
    names: tuple[str, ...]
    meter: Meter

    def __call__(self, choice: Choice) -> Measured:
        """Gives what steps of a choice take; a card that is too small for them is no error."""
        learner = self.learner
        checkpoint_gradients(learner.model, tuple(learner.parts), choice.checkpointing)
        self.meter.start()
        try:
            for step in range(TRIAL_STEPS):
                learner.gradients(step, [self.names[: choice.batch_size]])
                learner.update(step)
            return Measured(self.meter.peak())
        except torch.OutOfMemoryError:
            pass  # what the steps held is let go of only when the error is
        self.meter.start()
        return Measured(None)


def trial_lessons(bucket: Size, caption: str, count: int, device: torch.device) -> Lessons:
    """Makes up `count` pictures of one size and caption: the largest and the longest of a run take the most memory."""
    width, height = bucket
    zeros = torch.zeros(4, height // CELL, width // CELL, device=device)
    names = [f"trial {number}" for number in range(count)]
    latents = {(name, mirrored): Latent(zeros, zeros + 1) for name in names for mirrored in (False, True)}
    return Lessons(dict.fromkeys(names, caption), latents)


def wanted_of(settings: TrainSettings) -> Choice:
    """Gives what the settings ask for."""
    return Choice(settings.batch_size, settings.gradient_accumulation, settings.gradient_checkpointing)


def fit_to_card(
    settings: TrainSettings, learner: Callable[[], Learner], names: tuple[str, ...], report: Report, meter: CudaMeter
) -> Fitted:
    """Loads, tries and decides."""
    room = meter.room()
    probe = CardProbe(learner(), names, meter)

    def told(choice: Choice) -> Measured:
        words = f"trying batch_size {choice.batch_size}, gradient checkpointing {choice.checkpointing}"
        report(Progress("train", 0, 0, words))
        return probe(choice)

    fitted = fit(wanted_of(settings), room, told)
    if fitted.note:
        report(Progress("train", 0, 0, fitted.note))
    return fitted


def demands_trial(settings: TrainSettings, device: torch.device) -> bool:
    """Says whether a trial is to be made: only a CUDA card can be measured."""
    return device.type == "cuda" and settings.fit != "off"


def decided_before(folder: Path) -> dict[str, Any] | None:
    """Gives what a run's file says was decided; None where there is no such run, {} where nothing was decided."""
    try:
        document = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = document.get("fit", {})
    return found if isinstance(found, dict) else {}


def with_choice(settings: TrainSettings, decided: dict[str, Any], folder: Path) -> TrainSettings:
    """Gives the settings as they were decided for a run, and one more level of checkpointing where it spilled."""
    changed = {
        "batch_size": decided.get("batch_size", settings.batch_size),
        "gradient_accumulation": decided.get("gradient_accumulation", settings.gradient_accumulation),
        "gradient_checkpointing": decided.get("checkpointing", settings.gradient_checkpointing),
    }
    changed["gradient_checkpointing"] = level_after_spill(folder, changed["gradient_checkpointing"])
    return settings.model_copy(update=changed)


class Speed:
    """Times spells of steps, at whose end a card is waited for, and says when they mean that its memory spills."""

    def __init__(self, device: torch.device) -> None:
        self.meter = CudaMeter(device) if device.type == "cuda" else None
        self.watch = SpillWatch(torch.cuda.get_device_properties(device).total_memory) if self.meter else None
        self._since = time.monotonic()

    def start(self) -> None:
        """Begins a spell."""
        self._since = time.monotonic()

    def spilled(self, steps: int) -> bool:
        """Ends a spell of so many steps; True once, when it is certain."""
        if self.watch is None or self.meter is None:
            return False
        seconds = (time.monotonic() - self._since) / steps
        return self.watch.sees(seconds, torch.cuda.memory_reserved(self.meter.device))
