"""The project folder: made, opened, locked, and refused with sentences."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorasmith.errors import LorasmithError, ProjectError, RefusedError, UsageError
from lorasmith.project.project import Project, check_trigger
from lorasmith.settings.tables import TABLES, DownloadSettings, TrainSettings
from lorasmith.settings.toml import FILE_NAME, read_preset


def test_a_new_project_has_its_folders_settings_and_record(folder: Path) -> None:
    with Project.create(folder, "zorvex", preset="quick", chosen={"train": {"checkpoint": "base.safetensors"}}) as made:
        assert made.trigger == "zorvex"
        assert made.settings(TrainSettings).checkpoint == "base.safetensors"
        assert made.settings(TrainSettings, {"rank": 4}).rank == 4
        assert made.settings(DownloadSettings).top_n == read_preset("quick")["download"]["top_n"]
    for name in ("images", "edits", "dataset", "runs", "loras", "evaluations"):
        assert (folder / name).is_dir()
    assert (folder / FILE_NAME).is_file() and (folder / "project.db").is_file()


def test_a_second_project_in_the_same_folder_is_refused(project: Project, folder: Path) -> None:
    before = (folder / FILE_NAME).read_bytes()
    with pytest.raises(ProjectError, match="is already a project"):
        Project.create(folder, "other")
    assert (folder / FILE_NAME).read_bytes() == before


def test_a_file_is_no_place_for_a_project(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="is a file, not a folder"):
        Project.create(tmp_path / "file", "zorvex")
    with pytest.raises(ProjectError, match="cannot be made"):
        Project.create(tmp_path / "file" / "below", "zorvex")


def test_what_cannot_be_made_leaves_nothing(folder: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        Project.create(folder, "zorvex", preset="quik")
    with pytest.raises(RefusedError):
        Project.create(folder, "young_fox")
    assert not folder.exists()


def test_a_record_that_is_gone_is_not_made_anew_over_what_it_told_of(folder: Path) -> None:
    Project.create(folder, "zorvex").close()
    (folder / "project.db").unlink()
    Project.open(folder).close()  # nothing was there to tell of
    (folder / "images" / "a.png").write_bytes(b"x")
    (folder / "project.db").unlink()
    with pytest.raises(ProjectError, match="has no project.db any more, the record of what lies in images"):
        Project.open(folder)
    assert not (folder / "project.db").exists()


def test_no_project_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="There is no project in .*`lorasmith new` makes one"):
        Project.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


_HOLDER = """
import sys, time
from pathlib import Path
from lorasmith.project.project import Project
with Project.open(Path(sys.argv[1])):
    sys.stdout.write("open\\n"); sys.stdout.flush()
    time.sleep(60)
"""


def test_a_second_process_gets_a_sentence_and_readers_do_not_wait(folder: Path) -> None:
    Project.create(folder, "zorvex").close()
    words = [sys.executable, "-c", _HOLDER, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline().strip() == b"open"
            begun = time.monotonic()
            with pytest.raises(ProjectError, match="Another lorasmith is working on .*; wait for it or stop it"):
                Project.open(folder)
            with Project.open(folder, writing=False) as reader:
                assert reader.trigger == "zorvex"
            assert time.monotonic() - begun < 5
        finally:
            holder.kill()
    Project.open(folder).close()  # the lock went with its process


def test_the_lock_is_given_back_when_opening_fails(folder: Path) -> None:
    Project.create(folder, "zorvex").close()
    whole = (folder / "project.db").read_bytes()
    for _ in range(2):
        (folder / "project.db").write_bytes(b"broken" * 100)
        with pytest.raises(ProjectError, match="is not a project database"):
            Project.open(folder)
    (folder / "project.db").write_bytes(whole)
    Project.open(folder).close()


def test_facts_are_remembered_over_restarts(project: Project, folder: Path) -> None:
    project.remember("core_tags", ["blue_fur", "ü"])
    project.close()
    with Project.open(folder) as again:
        assert again.fact("core_tags") == ["blue_fur", "ü"]
        assert again.fact("nothing") is None


def test_numbered_folders_go_on_after_the_highest(project: Project) -> None:
    assert project.numbered(project.cache) == []
    assert project.next_numbered(project.runs).name == "001"
    for name in ("002", "010", "notes"):
        (project.runs / name).mkdir()
    (project.runs / "099").touch()
    assert [entry.name for entry in project.numbered(project.runs)] == ["002", "010"]
    assert project.next_numbered(project.runs).name == "011"


def test_the_settings_are_read_from_the_file_as_it_is_now(project: Project, folder: Path) -> None:
    assert {type(project.settings(model)) for model in TABLES.values()} == set(TABLES.values())
    text = (folder / FILE_NAME).read_text(encoding="utf-8")
    (folder / FILE_NAME).write_text(text.replace('trigger = "zorvex"', 'trigger = "cub"'), encoding="utf-8")
    with pytest.raises(RefusedError):
        _ = project.trigger


@pytest.mark.parametrize(
    "trigger", ["zorvex", "zor vex", "miku_(vocaloid)", "初音ミク", "Ünï-1", "x" * 100, "CON", "re:zero"]
)
def test_a_trigger_may_be_any_short_word(trigger: str, folder: Path) -> None:
    with Project.create(folder, trigger) as project:
        assert project.trigger == trigger
    with Project.open(folder, writing=False) as project:
        assert project.trigger == trigger


@pytest.mark.parametrize(
    "trigger",
    [
        "",
        " ",
        " zorvex",
        "a,b",
        "a|b",
        "a/b",
        "a\\b",
        "a\nb",
        "a\tb",
        "a\0b",
        "a\x1bb",
        "a\u200bb",
        "x" * 101,
        "cub",
        "young fox",
    ],
)
def test_a_trigger_that_captions_or_files_cannot_have_is_a_sentence(trigger: str) -> None:
    with pytest.raises(LorasmithError, match="^The trigger .*[.]$"):
        check_trigger(trigger)
