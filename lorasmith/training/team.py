"""Several processes that train as one: each takes its rows of every batch, and the gradients are added up."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from lorasmith.errors import TrainingError

Row = TypeVar("Row")


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together (torchrun's RANK and WORLD_SIZE)."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes what there is to write."""
        return self.rank == 0

    def own(self, rows: Sequence[Row]) -> list[Row]:
        """Gives this process's rows of a batch; none where there are fewer rows than processes."""
        return list(rows[self.rank :: self.size])

    def add_up(self, *tensors: torch.Tensor) -> None:
        """Replaces each tensor by the sum over all processes."""
        if self.size > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Lets the first process through a block before the others: what it writes there, they find."""
        if not self.first:
            self._wait()
        try:
            yield
        finally:
            if self.first:
                self._wait()

    def _wait(self) -> None:
        if self.size > 1:
            distributed.barrier()


ALONE = Team()


def own_device(device: torch.device) -> torch.device:
    """Gives the card of this process where several share a machine."""
    place = os.environ.get("LOCAL_RANK")
    return torch.device("cuda", int(place)) if device == torch.device("cuda") and place else device


@contextmanager
def team_of(device: torch.device) -> Iterator[Team]:
    """Meets the other processes that torchrun started, if any, and parts from them at the end.

    Raises `TrainingError` when they do not find each other.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size < 2:
        yield ALONE
        return
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError, OSError) as error:
        raise TrainingError(f"The {size} training processes did not find each other ({error}); start them again.") from error
    try:
        yield Team(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
