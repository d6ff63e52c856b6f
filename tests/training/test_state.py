"""States, run files and the event log: whole or passed over."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as some

from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.events import EventLog, read_events
from lorasmith.training.fingerprint import differences, fingerprint_of
from lorasmith.training.plan import plan
from lorasmith.training.request import SavedLora, Trained
from lorasmith.training.run_file import begin, read_end, write_end
from lorasmith.training.state import Bookkeeping, drop_states, latest_state, save_state
from lorasmith.training.times import now
from tests.training.conftest import Make


def put(folder: Path, step: int) -> None:
    book = Bookkeeping(step=step, loss_sum=0.1 * step, saved=({"epoch": 1, "file": "a", "step": 1, "loss": 0.5},))
    save_state(folder, "run", book, {"unet.values": torch.arange(50.0) * step})


def test_a_state_comes_back_exactly_and_only_two_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        put(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "state-00000004.safetensors",
        "state-00000006.safetensors",
    ]
    found = latest_state(tmp_path, "run")
    assert found is not None
    assert found[0].step == 6 and found[0].loss_sum == 0.1 * 6 and found[0].saved[0]["file"] == "a"
    assert torch.equal(found[1]["unet.values"], torch.arange(50.0) * 6)
    drop_states(tmp_path)
    assert latest_state(tmp_path, "run") is None


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(some.floats(0, 0.999), some.booleans())
def test_a_damaged_state_falls_back_to_the_one_before(tmp_path: Path, place: float, cut: bool) -> None:
    for step in (2, 4):
        put(tmp_path, step)
    newest = tmp_path / "state-00000004.safetensors"
    content = bytearray(newest.read_bytes())
    at = int(place * len(content))
    if cut:
        newest.write_bytes(content[:at])
    else:
        start = len(content) - 200  # inside the tensors, where the format itself notices nothing
        content[start + at % 200] ^= 0x55
        newest.write_bytes(content)
    found = latest_state(tmp_path, "run")
    assert found is not None and found[0].step == 2


def test_a_state_of_another_run_is_not_taken(tmp_path: Path) -> None:
    put(tmp_path, 2)
    assert latest_state(tmp_path, "another") is None


def test_the_log_is_cut_back_to_the_restored_step(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("start", steps=9)
    kept = log.settle()
    log.write("step", step=5)
    log.close()
    with path.open("ab") as stream:
        stream.write(b'{"event": "st')
    assert [row["event"] for row in read_events(path)] == ["start", "step"]
    log = EventLog(path, kept)
    log.write("resumed", step=0)
    log.close()
    assert [row["event"] for row in read_events(path)] == ["start", "resumed"]


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_events(path) == []
    path.write_text('{"event": "start"}\n\n{"event": "st\n[1]\n{"event": "step"}\n', encoding="utf-8")
    assert [row["event"] for row in read_events(path)] == ["start", "step"]


def test_a_fixed_time_is_used_for_reproducible_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert now() == 1_700_000_000.0
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert now() > 1_700_000_000.0


def test_what_changed_in_a_run_is_named() -> None:
    def of(rank: int, caption: str, base: str, names: str) -> object:
        rows = [TrainingPicture(name, Path(name), caption, 1, "1_mia") for name in names]
        return fingerprint_of(TrainSettings(rank=rank), rows, dict.fromkeys(names, "00"), base)

    before = of(8, "mia", "x", "ab")
    assert differences(before, of(8, "mia", "x", "ab")) == []
    assert differences(before, of(4, "mia", "x", "ab")) == ["rank was 8 and is now 4"]
    assert differences(before, of(8, "mia", "y", "ab")) == ["the base model is another file"]
    assert differences(before, of(8, "mia", "x", "ac")) == ["the picture b is gone", "the picture c is new"]
    assert differences(before, of(8, "mia, red", "x", "ab"))[0] == "the caption of a changed"


def test_settings_that_change_nothing_learnt_may_differ(make: Make) -> None:
    one, two = (make(save_every=each, sample_every=each, sample_prompts=["mia"] * each) for each in (1, 2))
    shas = {picture.name: "00" for picture in one.pictures}
    prints = [fingerprint_of(each.settings, each.pictures, shas, "x") for each in (one, two)]
    assert prints[0].digest == prints[1].digest


def test_run_toml_is_taken_up_and_refused_when_the_run_differs(make: Make) -> None:
    request = make()
    shas = {picture.name: "00" for picture in request.pictures}
    outline = plan(request.settings, request.pictures, {picture.name: (64, 64) for picture in request.pictures})
    fingerprint = fingerprint_of(request.settings, request.pictures, shas, "x")
    first = begin(request, fingerprint, outline)
    assert begin(request, fingerprint, outline) == first
    with pytest.raises(TrainingError, match="base model is another file.*start a new run"):
        begin(request, replace(fingerprint, base="y"), outline)
    (request.run_folder / "run.toml").write_text("not toml", encoding="utf-8")
    with pytest.raises(TrainingError, match="cannot be read"):
        begin(request, fingerprint, outline)


def test_a_complete_run_is_known_by_its_files(make: Make, tmp_path: Path) -> None:
    request = make()
    shas = {picture.name: "00" for picture in request.pictures}
    outline = plan(request.settings, request.pictures, {picture.name: (64, 64) for picture in request.pictures})
    run = begin(request, fingerprint_of(request.settings, request.pictures, shas, "x"), outline)
    assert read_end(request.run_folder, run, tmp_path) is None
    trained = Trained((SavedLora(1, 3, tmp_path / "a.safetensors", 0.5),), 3, 0.5)
    write_end(request.run_folder, run, trained)
    assert read_end(request.run_folder, run, tmp_path) is None  # its file is gone
    (tmp_path / "a.safetensors").touch()
    assert read_end(request.run_folder, run, tmp_path) == trained
