"""Killed at any instant and run again, a run ends in the same bytes."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith import files
from lorasmith.training.request import TrainRequest
from lorasmith.training.train import train
from tests.training.conftest import Make


class Killed(BaseException):
    """Stands for the end of the process inside a write."""


@pytest.fixture(autouse=True)
def a_fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def everything(request: TrainRequest) -> dict[str, bytes]:
    """Gives the bytes of all that must be the same: LoRA files and samples."""
    found = [*request.lora_folder.glob("*.safetensors"), *(request.run_folder / "samples").glob("*.png")]
    return {path.name: path.read_bytes() for path in sorted(found)}


def test_killed_inside_any_write_it_ends_in_the_same_bytes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"epochs": 1, "sample_steps": 1}
    whole = make("whole", **quick)
    replaced: list[Path] = []
    real = os.replace

    def counting(source: Path, aim: Path) -> None:
        replaced.append(aim)
        real(source, aim)

    monkeypatch.setattr(files.os, "replace", counting)
    train(whole)
    request, writes = make("killed", **quick), len(replaced)
    places = iter(sorted(random.Random(7).sample(range(6, writes), 4)))
    deaths = 0

    def deadly(at: int) -> Callable[[Path, Path], None]:
        def one(source: Path, aim: Path) -> None:
            replaced.append(aim)
            if len(replaced) > at:
                if at % 2:
                    real(source, aim)
                raise Killed
            real(source, aim)

        return one

    for place in places:
        replaced.clear()
        monkeypatch.setattr(files.os, "replace", deadly(max(0, place - 6 * deaths)))
        try:
            train(request)
            break
        except Killed:
            deaths += 1
    monkeypatch.setattr(files.os, "replace", real)
    train(request)
    assert deaths >= 2
    assert everything(request) == everything(whole)


def run_quietly(request: TrainRequest) -> None:
    """The child process."""
    train(request)


@pytest.mark.slow
def test_killed_with_sigkill_at_random_instants_it_ends_in_the_same_bytes(make: Make) -> None:
    known = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        known.set_forkserver_preload(["lorasmith.training.train"])
    whole, killed = make("whole", sample_every=2), make("killed", sample_every=2)
    warm = known.Process(target=time.sleep, args=(0,))
    warm.start()
    warm.join()
    began = time.monotonic()
    child = known.Process(target=run_quietly, args=(whole,))
    child.start()
    child.join()
    assert child.exitcode == 0
    first = time.monotonic() - began
    chance, deaths = random.Random(time.time_ns()), 0
    for _ in range(3):
        child = known.Process(target=run_quietly, args=(killed,))
        child.start()
        child.join(chance.uniform(0.1, 0.8) * first)
        if child.is_alive():
            child.kill()
            deaths += 1
        child.join()
    child = known.Process(target=run_quietly, args=(killed,))
    child.start()
    child.join()
    assert child.exitcode == 0 and deaths
    assert everything(killed) == everything(whole)
