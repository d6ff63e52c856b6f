"""The learning rate over a run, held against transformers' schedules."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import optimization as reference

from lorasmith.training.schedule import Schedule

STEPS = 60
ALIKE: dict[str, tuple[Schedule, Callable[..., Any]]] = {
    "linear": (Schedule("linear"), lambda o: reference.get_linear_schedule_with_warmup(o, 0, STEPS)),
    "cosine": (Schedule("cosine"), lambda o: reference.get_cosine_schedule_with_warmup(o, 0, STEPS)),
    "cosine_with_restarts": (
        Schedule("cosine_with_restarts", cycles=3),
        lambda o: reference.get_cosine_with_hard_restarts_schedule_with_warmup(o, 0, STEPS, 3),
    ),
    "polynomial": (
        Schedule("polynomial", power=2.0),
        lambda o: reference.get_polynomial_decay_schedule_with_warmup(o, 0, STEPS, lr_end=0.0, power=2.0),
    ),
    "cosine_with_min_lr": (
        Schedule("cosine_with_min_lr", least=0.2),
        lambda o: reference.get_cosine_with_min_lr_schedule_with_warmup(o, 0, STEPS, min_lr_rate=0.2),
    ),
}
KINDS = [*ALIKE, "constant", "inverse_sqrt", "warmup_stable_decay"]


@pytest.mark.parametrize("kind", ALIKE)
def test_a_curve_is_that_of_the_reference(kind: str) -> None:
    ours, make = ALIKE[kind]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = make(optimizer)
    for step in range(STEPS):
        assert ours.factor(step, STEPS) == pytest.approx(theirs.get_last_lr()[0], abs=1e-6)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("kind", KINDS)
def test_the_rate_rises_to_its_whole_and_never_leaves_its_bounds(kind: str) -> None:
    schedule = Schedule(kind, warmup=0.1, cycles=2)
    factors = [schedule.factor(step, 100) for step in range(100)]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[:10] == sorted(factors[:10]) and factors[10] == pytest.approx(1.0)
    assert factors[99] <= factors[10]


def test_a_stable_rate_falls_only_at_the_end() -> None:
    schedule = Schedule("warmup_stable_decay")
    assert [schedule.factor(step, 100) for step in (0, 50, 90)] == [1, 1, pytest.approx(1)]
    assert schedule.factor(95, 100) == pytest.approx(0.5)


def test_a_run_of_one_step_learns() -> None:
    assert all(Schedule(kind).factor(0, 1) > 0 for kind in KINDS)
