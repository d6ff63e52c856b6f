"""Optimizers by name: each learns, and goes on exactly where it was stopped."""

import sys

import pytest
import torch

from lorasmith.errors import TrainingError, UsageError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.optimizer_table import in_words, read_arguments
from lorasmith.training.optimizers import give_back, held_by, make_optimizer, weights_to_use

CPU = torch.device("cpu")
HERE = ["adamw", "adafactor", "prodigy", "lion", "adamw_schedule_free"]
GOAL = torch.linspace(-1, 1, 6)


def start(name: str) -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
    weights = [torch.nn.Parameter(torch.zeros(6)), torch.nn.Parameter(torch.ones(2, 3))]
    rate = 1.0 if name == "prodigy" else 0.05
    groups = [{"params": [weight], "lr": rate} for weight in weights]
    return weights, make_optimizer(groups, TrainSettings(optimizer=name, weight_decay=0.0), CPU)


def learn(weights: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer, steps: int) -> float:
    for _ in range(steps):
        loss = sum((weight.reshape(-1) - GOAL).square().sum() for weight in weights)
        for weight in weights:
            weight.grad = None
        loss.backward()
        optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("name", HERE)
def test_it_learns(name: str) -> None:
    weights, optimizer = start(name)
    first = learn(weights, optimizer, 1)
    assert learn(weights, optimizer, 300) < 0.2 * first


@pytest.mark.parametrize("name", HERE)
def test_stopped_and_taken_up_it_ends_in_the_very_same_weights(name: str) -> None:
    weights, optimizer = start(name)
    learn(weights, optimizer, 20)
    whole = [weight.detach().clone() for weight in weights]
    weights, optimizer = start(name)
    learn(weights, optimizer, 9)
    held, values = {key: each.clone() for key, each in held_by(optimizer).items()}, [w.detach().clone() for w in weights]
    again, fresh = start(name)
    with torch.no_grad():
        for weight, value in zip(again, values, strict=True):
            weight.copy_(value)
    give_back(fresh, held)
    learn(again, fresh, 11)
    assert all(torch.equal(weight, other) for weight, other in zip(again, whole, strict=True))


def test_schedule_free_saves_its_average_and_trains_on_as_if_nothing_had_been_saved() -> None:
    plain, steady = start("adamw_schedule_free")
    weights, optimizer = start("adamw_schedule_free")
    learn(plain, steady, 5)
    learn(weights, optimizer, 5)
    in_training = weights[0].detach().clone()
    with weights_to_use(optimizer):
        assert not torch.equal(weights[0], in_training)
    learn(plain, steady, 5)
    learn(weights, optimizer, 5)
    assert torch.equal(plain[0], weights[0])


def test_a_missing_package_is_a_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    with pytest.raises(TrainingError, match="pip install prodigyopt"):
        start("prodigy")


def test_eight_bits_want_a_card() -> None:
    with pytest.raises(TrainingError, match="NVIDIA cards only"):
        start("adamw8bit")


def test_arguments_are_read_as_python_writes_them() -> None:
    assert read_arguments(["betas=(0.9, 0.99)", "d_coef = 2", "decouple=True"]) == {
        "betas": (0.9, 0.99), "d_coef": 2, "decouple": True,
    }  # fmt: skip
    for wrong in ("d_coef", "d coef=2", "d_coef=two words", "=3"):
        with pytest.raises(UsageError, match="write name=value"):
            read_arguments([wrong])


def test_an_argument_that_it_does_not_take_is_a_sentence() -> None:
    settings = TrainSettings(optimizer="lion", optimizer_args=["warmth=3"])
    with pytest.raises(UsageError, match="lion does not take that.*warmth"):
        make_optimizer([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1}], settings, CPU)


def test_metadata_names_class_and_arguments() -> None:
    assert in_words(TrainSettings()) == "torch.optim.adamw.AdamW(weight_decay=0.01)"
    assert "prodigyopt.Prodigy(betas=(0.9, 0.99)" in in_words(TrainSettings(optimizer="prodigy"))
