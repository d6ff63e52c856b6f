"""Several processes that train as one, really started, over gloo on the loopback address."""

from collections.abc import Callable

import pytest
import torch

from lorasmith.checkpoints.lora_file import read_lora
from lorasmith.errors import TrainingError, UsageError
from lorasmith.progress import Progress
from lorasmith.stages.train.together import read_request, take_part, train_together, write_request
from lorasmith.training.events import read_events
from lorasmith.training.request import TrainRequest
from lorasmith.training.team import Team
from lorasmith.training.train import train


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_row_of_a_batch_is_taken_by_one_process(size: int) -> None:
    for count in range(6):
        rows = [row for rank in range(size) for row in Team(rank, size).own(range(count))]
        assert sorted(rows) == list(range(count))


def test_two_processes_learn_what_one_learns(make: Callable[..., TrainRequest]) -> None:
    options = {"batch_size": 3, "epochs": 2, "sample_every": 0, "gradient_accumulation": 2, "validation_share": 0.2}
    alone = train(make("alone", **options))
    heard: list[Progress] = []
    request = make("together", **options)
    together = train_together(request, 2, heard.append)
    assert together.steps == alone.steps and heard
    assert together.loss == pytest.approx(alone.loss, rel=1e-4)
    ours, theirs = (read_lora(result.files[-1].path) for result in (alone, together))
    for name, weights in ours.weights.items():
        torch.testing.assert_close(weights.up, theirs.weights[name].up, atol=2e-4, rtol=0.02)
    log = read_events(request.run_folder / "events.jsonl")
    assert [event["event"] for event in log].count("start") == 1
    assert all(event["validation_loss"] > 0 for event in log if event["event"] == "epoch")


def test_a_request_comes_back_from_its_file(make: Callable[..., TrainRequest]) -> None:
    request = make()
    file = request.run_folder / "request.json"
    file.parent.mkdir(parents=True)
    write_request(request, file)
    assert read_request(file) == request


def test_what_one_of_them_cannot_do_is_told_in_its_words(make: Callable[..., TrainRequest]) -> None:
    request = make()
    request.pictures[0].path.with_suffix(".bad").write_bytes(b"no picture")
    broken = [request.pictures[0].__class__("a", request.pictures[0].path.with_suffix(".bad"), "mia", 1, "1_mia")]
    with pytest.raises(TrainingError, match="cannot be read as a picture"):
        train_together(make("b", own=broken), 2, lambda _: None)


def test_taking_part_by_hand_says_how_it_is_started(
    make: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UsageError, match="torchrun"):
        take_part(make().run_folder / "request.json", lambda _: None)
