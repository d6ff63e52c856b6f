"""Fits a run to the card: the biggest batch, and for it the least checkpointing, that the memory has room for, by trial.

What is tried, and in which order, is decided here from measured numbers alone; `card_probe.py` measures on a real card. A
run that spills into shared memory all the same (other programs may take the card's memory later) is noticed by its steps.
"""

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import TrainingError
from lorasmith.files import write_atomic
from lorasmith.training.checkpointing import LEVELS

ROOM = 0.92  # share of the card's memory that a run may reserve: the rest is the desktop's, and what fragments leave
SLOW = 3.0  # steps that take so many times the run's median are slow
NEAR = 0.9  # share of the card that is reserved when slow steps mean spilling
SLOW_SPELLS = 2  # slow spells in a row that are no accident
FIRST = 3  # spells before the median means something
SPELLS = 200  # spells that the median is taken of
SPILL_FILE = "spill.json"


@dataclass(frozen=True)
class Choice:
    """A way of making the steps of a run: pictures at once, batches per update, and the level of checkpointing."""

    batch_size: int
    gradient_accumulation: int
    checkpointing: str


@dataclass(frozen=True)
class Measured:
    """What a trial of a choice took: the peak of reserved bytes; None where the memory did not suffice."""

    reserved: int | None


@dataclass(frozen=True)
class Fitted:
    """What was decided, what was tried for it, and the sentence for a person."""

    choice: Choice
    tried: tuple[tuple[Choice, Measured], ...]
    note: str

    def as_table(self) -> dict[str, Any]:
        """Gives it as run.toml has it."""
        return {**asdict(self.choice), "note": self.note}


Probe = Callable[[Choice], Measured]


def choices(wanted: Choice) -> Iterator[Choice]:
    """Lists the ways of keeping `batch_size * gradient_accumulation`, best first, from the level that is wanted on.

    At each batch all levels are tried before a smaller batch is. Batches are divisors of the wanted one: so the pictures of
    an update stay as many as a person wanted.
    """
    levels = LEVELS[LEVELS.index(wanted.checkpointing) :]
    for batch in (size for size in range(wanted.batch_size, 0, -1) if wanted.batch_size % size == 0):
        for level in levels:
            yield Choice(batch, wanted.gradient_accumulation * (wanted.batch_size // batch), level)


def fit(wanted: Choice, total: int, probe: Probe) -> Fitted:
    """Gives the first choice whose trial stays within the card's `total` bytes.

    Raises `TrainingError` with what was needed when nothing does.
    """
    tried: list[tuple[Choice, Measured]] = []
    for choice in choices(wanted):
        measured = probe(choice)
        tried.append((choice, measured))
        if measured.reserved is not None and measured.reserved <= ROOM * total:
            return Fitted(choice, tuple(tried), _note(wanted, choice, measured.reserved, total))
    least = [measured.reserved for _, measured in tried if measured.reserved is not None]
    needed = f"at least {_gb(min(least))} are needed" if least else "the model alone does not fit beside a step"
    raise TrainingError(
        f"The card's {_gb(total)} do not suffice even for one picture at a time with full gradient checkpointing: {needed}. "
        "Lower resolution or rank, set base_precision = 'int8', or leave the text encoder untrained (text_encoder_lr = 0)."
    )


def _note(wanted: Choice, choice: Choice, reserved: int, total: int) -> str:
    """Says what was decided; nothing where all is as wanted."""
    if choice == wanted:
        return ""
    words = []
    if choice.batch_size != wanted.batch_size:
        words.append(
            f"{choice.batch_size} pictures at once instead of {wanted.batch_size}, with the gradients of "
            f"{choice.gradient_accumulation} batches added up"
        )
    if choice.checkpointing != wanted.checkpointing:
        words.append(f"{choice.checkpointing} gradient checkpointing")
    return f"To fit the card ({_gb(reserved)} of {_gb(total)}): {' and '.join(words)}."


def next_level(level: str) -> str | None:
    """Gives the level of checkpointing that saves one step more, None where there is none."""
    place = LEVELS.index(level) + 1
    return LEVELS[place] if place < len(LEVELS) else None


class SpillWatch:
    """Notices that a run spills into shared memory: steps have become slow while the card is nearly full.

    It is told spells of steps at whose end the card was waited for; the median is that of the run's own spells.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._usual: list[float] = []
        self._slow = 0

    def sees(self, seconds: float, reserved: int) -> bool:
        """Takes a spell's seconds a step and the reserved bytes; True once, at the spell that makes it certain."""
        if len(self._usual) < FIRST or seconds < SLOW * statistics.median(self._usual):
            self._usual = [*self._usual[1 - SPELLS :], seconds]
            self._slow = 0
            return False
        self._slow += reserved >= NEAR * self.total
        return self._slow == SLOW_SPELLS


def note_spill(folder: Path, level: str) -> None:
    """Notes in a run's folder that it spilled at a level of checkpointing."""
    write_atomic(folder / SPILL_FILE, json.dumps({"checkpointing": level}) + "\n")


def level_after_spill(folder: Path, level: str) -> str:
    """Gives the level that a run is to have: one more than that at which it spilled, where it did."""
    try:
        spilled = str(json.loads((folder / SPILL_FILE).read_text(encoding="utf-8"))["checkpointing"])
        return max(level, next_level(spilled) or level, key=LEVELS.index)
    except (OSError, ValueError, KeyError, TypeError):
        return level


def spill_note(level: str) -> str:
    """Says that a run spilled, and what becomes of it."""
    more = next_level(level)
    answer = (
        f"the next start goes on with {more} gradient checkpointing; stop and start the run to have that now"
        if more
        else "lower batch_size or resolution, or close other programs that use the card"
    )
    return f"Steps became {SLOW:g} times slower while the card's memory is full, so the driver moves it to main memory: {answer}."


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
