"""How a run goes, read from its folder; what a training would come to; what check says, with what to do; presets taken."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import read_tables
from lorasmith.stages.train.at_work import told_at_work, worker_of
from lorasmith.stages.train.outlook import outlook, tried
from lorasmith.stages.train.preflight import advice_for, preflight
from lorasmith.stages.train.presets import preset_change, put_back, take_preset
from lorasmith.stages.train.watch import runs_of, seconds_left, shown_first, watch
from lorasmith.training.curves import smoothed, thinned
from tests.ui.trainable import at_work, make_trainable, story, write_run


@pytest.fixture
def folder(tmp_path: Path, tiny_base: Path) -> Path:
    return make_trainable(tmp_path / "p", tiny_base)


def look(folder: Path) -> Project:
    return Project.open(folder, writing=False)


def test_a_run_is_told_with_pace_time_left_epochs_samples_and_files(folder: Path) -> None:
    run = write_run(folder, story(40, validation=True))
    at_work(run)
    with look(folder) as project:
        seen = watch(project, "001")
        assert seconds_left(project) == pytest.approx(10)
    assert (seen.state, seen.step, seen.steps, seen.epoch, seen.epochs) == ("at work", 40, 60, 3, 3)
    assert seen.pace == pytest.approx(0.5) and seen.left == pytest.approx(10) and seen.worked == pytest.approx(20)
    assert [row.validation_loss for row in seen.ended_epochs] == [pytest.approx(0.27), pytest.approx(0.23)]
    assert [(row.prompt, [epoch for epoch, _ in row.files]) for row in seen.samples] == [("nick, solo", [1, 2]), ("nick", [1, 2])]
    assert [row.file for row in seen.files] == ["loras/nick-e1.safetensors", "loras/nick-e2.safetensors"]
    assert seen.memory and seen.memory_of == "machine" and seen.rates[-1] == (40, pytest.approx(6e-4))


def test_a_pause_between_two_sittings_is_no_work_and_a_card_tells_its_memory(folder: Path) -> None:
    later = [{"event": "resumed", "time": 9000.0, "step": 40},
             {"event": "step", "time": 9005.0, "step": 50, "loss": 0.1, "memory": 5e9}]
    write_run(folder, [*story(40), *later])
    with look(folder) as project:
        seen = watch(project, "001")
        assert seconds_left(project) is None
    assert seen.sittings == 2 and seen.worked == pytest.approx(25) and seen.state == "stopped"
    assert seen.memory == 5e9 and seen.memory_of == "card"


def test_what_is_damaged_or_gone_is_left_out(folder: Path) -> None:
    run = write_run(folder, story(40), ended=True)
    (run / "samples" / "e01-0.png").unlink()
    (folder / "loras" / "nick-e2.safetensors").unlink()
    (run / "run.toml").write_text("run = [", encoding="utf-8")
    with (run / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write('{"event": "step", "loss": "x"}\n{"event": "epoch"}\n[1]\n')
        events.write('{"event": "sample", "file": "../../../x.png"}\nhalf a li')
    with look(folder) as project:
        seen = watch(project, "001")
    assert seen.state == "ended" and seen.steps == 0 and len(seen.files) == 1 and seen.left is None
    assert dict(seen.samples[0].files).keys() == {2}


def test_the_run_at_work_is_shown_before_newer_ones(folder: Path) -> None:
    first = write_run(folder, story(20))
    write_run(folder, story(60), number="002", ended=True)
    with look(folder) as project:
        assert shown_first(runs_of(project)) == "002"
        at_work(first)
        assert shown_first(runs_of(project)) == "001"
        assert shown_first([]) == ""


def test_a_note_of_a_process_that_is_gone_names_nobody(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with told_at_work(run):
        worker = worker_of(run)
        assert worker is not None and worker.memory and worker.memory > 1e6
    assert worker_of(run) is None and not run.exists()
    run.mkdir()
    (run / "at_work.json").write_text(json.dumps({"pid": worker.pid, "born": 1.0}), encoding="utf-8")
    assert worker_of(run) is None
    (run / "at_work.json").write_text("[", encoding="utf-8")
    assert worker_of(run) is None


@given(st.lists(st.floats(0, 10), min_size=1, max_size=400), st.integers(2, 50))
def test_smoothing_stays_within_and_thinning_keeps_the_last_step(values: list[float], most: int) -> None:
    smooth = smoothed(values, [1.0] * len(values))
    assert len(smooth) == len(values) and all(min(values) - 1e-9 <= one <= max(values) + 1e-9 for one in smooth)
    points = [(step, value, value) for step, value in enumerate(values)]
    thin = thinned(points, most)
    assert len(thin) <= max(most, 1) and thin[-1][0] == len(values) - 1
    assert [one[0] for one in thin] == sorted({one[0] for one in thin})


def test_rates_follow_what_is_tried_and_nothing_is_written(folder: Path) -> None:
    before = (folder / "lorasmith.toml").read_bytes()
    with look(folder) as project:
        now = outlook(project, project.settings(TrainSettings))
        assert now.unet_lr == pytest.approx(1.1 / (2 * 2 * 6)) and now.text_encoder_lr == pytest.approx(now.unet_lr / 2)
        more = outlook(project, tried(project, {"epochs": "4", "strength": "2,2"}))
        assert more.unet_lr == pytest.approx(now.unet_lr) and more.steps == 2 * now.steps and more.images_seen == 48
        fixed = outlook(project, tried(project, {"unet_lr": "1e-3", "text_encoder_lr": "0"}))
        assert fixed.strength_meant == pytest.approx(0.024) and fixed.text_encoder_lr == 0
        assert sum(row.pictures for row in now.buckets) == now.pictures == 6 and now.minutes is None
        wrong = {"epochs": ("2.5", "whole"), "repeats": ("", "empty"), "unet_lr": ("fast", "1e-4"), "batch_size": ("0", "train.batch")}
        for name, (given, words) in wrong.items():
            with pytest.raises(UsageError, match=words):
                tried(project, {name: given})
    assert (folder / "lorasmith.toml").read_bytes() == before


def test_each_fault_leads_to_where_it_is_mended(tmp_path: Path, tiny_base: Path, folder: Path) -> None:
    def pages(project_folder: Path) -> dict[str, str]:
        with look(project_folder) as project:
            return {found.words: found.advice.page for found in preflight(project).findings if found.kind == "error"}

    def page_of(project_folder: Path, start: str) -> str:
        return next(page for words, page in pages(project_folder).items() if start in words)

    with Project.create(tmp_path / "empty", "nick"):
        pass
    assert page_of(tmp_path / "empty", "no pictures") == "download" and page_of(tmp_path / "empty", "No base model") == "train"
    assert page_of(make_trainable(tmp_path / "untagged", tiny_base, captions=False), "No picture has a caption") == "tag"
    assert pages(folder) == {}
    (folder / "images" / "own_00.png").unlink()
    assert page_of(folder, "own_00") == "prepare"
    with look(make_trainable(tmp_path / "broken", tiny_base, subsets=["a weight=x"])) as project:
        found = preflight(project)
        assert not found.ready and found.checked is None and found.findings[0].advice.setting == "subsets"


def test_all_that_a_plan_notes_has_something_to_do() -> None:
    sentences = (
        "There are only 3 pictures; from about 15 on a character is learnt more surely.", "Without a caption: a.",
        "Smaller than their bucket, so enlarged up to 2.0 times: a.", "max_steps ends the run after 5 of 9 steps.",
        "No bucket has their shape, so up to 30% of their area is cut off: a.", "Less than 500 MB are free on the disk of x.",
        "The U-Net learns at 0.01, which is very high: use more repeats or epochs, or set unet_lr.",
        "alpha 64 is more than twice the rank 16: steps are large.",
        "SDXL was made for 1024 pixels; at 512 it learns a character badly.",
        "text_encoder_2_lr has no effect: an SD1.x base model has one text encoder.", "Subset faces: no picture fits 'where x'.",
    )  # fmt: skip
    assert all(advice_for(words).words for words in sentences)
    assert advice_for("A sentence that nobody foresaw.").words == ""


def test_a_preset_is_told_taken_and_put_back(folder: Path) -> None:
    text = (folder / "lorasmith.toml").read_text(encoding="utf-8")
    found = preset_change(folder, "character_illustrious", all_else=False)
    told = {change.name: (change.now, change.then) for change in found.changes if change.stage == "train"}
    assert told["rank"] == (2, 32) and told["text_encoder_lr"] == (None, 0.0) and told["min_bucket"] == (32, None)
    assert any(change.stage == "evaluate" for change in found.changes) and "checkpoint" in found.kept
    before = take_preset(folder, "character_illustrious", all_else=True)
    tables = read_tables(folder / "lorasmith.toml")
    assert tables["project"]["preset"] == "character_illustrious" and set(tables["train"]) == {"checkpoint", "sample_prompts"}
    put_back(folder, json.loads(json.dumps(before)))
    assert read_tables(folder / "lorasmith.toml") == read_tables_of(text, folder)
    with pytest.raises(UsageError, match="There is no preset"):
        preset_change(folder, "nothing", all_else=False)
    for wrong in (None, {"tag": {"tagger": "x"}}, {"train": {"ranks": 4}}, {"project": {"trigger": "x"}}):
        with pytest.raises(UsageError, match="not known any more"):
            put_back(folder, wrong)


def read_tables_of(text: str, folder: Path) -> dict[str, dict[str, object]]:
    file = folder / "before.toml"
    file.write_text(text, encoding="utf-8")
    return read_tables(file)


def test_where_a_value_cannot_be_taking_a_preset_writes_nothing(folder: Path) -> None:
    file = folder / "lorasmith.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("rank = 2\n", "rank = 2\nseed = -1\n", 1), encoding="utf-8")
    before = file.read_bytes()
    with pytest.raises(UsageError, match="train.seed"):
        take_preset(folder, "character_illustrious", all_else=True)
    assert file.read_bytes() == before
