"""The one event of long work: readers are the terminal bar, the UI, `events.jsonl` and tests."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `done` of `total` (None while unknown), and a short note for a person."""

    stage: str
    done: int
    total: int | None = None
    note: str = ""


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Reports to nobody."""
