"""batch: many characters of one file, through the queue; one that fails stops no other, and nothing is done twice."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo.demo import model_files
from lorasmith.demo.server import DemoBooru
from lorasmith.errors import LorasmithError, ProjectError
from lorasmith.jobs.store import Job, Store
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings, TrainSettings
from lorasmith.settings.toml import SITE
from lorasmith.stages.batch.characters import read_characters
from lorasmith.stages.batch.stage import Batch, is_over, make_projects, parts_to

TWO = """
preset = "quick"
[train]
epochs = 3
[[character]]
trigger = "zorvex"
query = "zorvex -comic"
[[character]]
trigger = "marlow fox"
preset = "demo"
train.epochs = 5
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "characters.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_what_all_have_in_common_holds_for_each_and_a_row_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "base.safetensors").write_bytes(b"x")
    found = read_characters(written(tmp_path, TWO.replace("epochs = 3", "epochs = 3\ncheckpoint = 'base.safetensors'")))
    first, second = found.rows
    assert (first.preset, second.preset) == ("quick", "demo") and found.to == "evaluate"
    assert first.folder == tmp_path / "zorvex" and second.folder == tmp_path / "marlow_fox"
    assert first.tables[SITE] == {"query": "zorvex -comic"} and SITE not in second.tables
    assert [row.tables["train"]["epochs"] for row in found.rows] == [3, 5]
    assert second.tables["train"]["checkpoint"] == str(tmp_path / "base.safetensors")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no characters"),
        ("character = 3", "has no characters"),
        ("[[character]]\nname = 'a'", "character 1 has an unknown name 'name'"),
        ("[[character]]", "character 1: it has no trigger"),
        ("[[character]]\ntrigger = 3", "it has no trigger"),
        ("[[character]]\ntrigger = 'a,b'", r"character 1 \(a,b\): The trigger 'a,b' has a mark"),
        ("[[character]]\ntrigger = 'loli'", "carries a tag that marks minors"),
        ("[[character]]\ntrigger = 'a'\nquery = 'a loli'", "minors"),
        ("[[character]]\ntrigger = 'a'\ntrain.epoch = 1", "has no setting 'epoch'; did you mean 'epochs'"),
        ("[[character]]\ntrigger = 'a'\ntrain.epochs = 0", "train.epochs: input should be"),
        ("[[character]]\ntrigger = 'a'\ntrain = 3", "'train' must be a table"),
        ("[[character]]\ntrigger = 'a'\npreset = 'nope'", "nope"),
        ("[[character]]\ntrigger = 'a'\n[[character]]\ntrigger = 'A'", "would share the folder A"),
        ("to = 'trian'\n[[character]]\ntrigger = 'a'", "did you mean 'train'"),
        ("[[character]\n", "is not valid TOML"),
    ],
)
def test_what_could_not_work_is_told_with_its_row_and_nothing_is_made(tmp_path: Path, text: str, sentence: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(LorasmithError, match=sentence):
        read_characters(file)
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_projects_are_made_once_and_follow_the_file_and_a_foreign_one_is_left_alone(tmp_path: Path) -> None:
    assert make_projects(read_characters(written(tmp_path, TWO))) == 2
    with Project.open(tmp_path / "zorvex") as project:
        assert project.settings(TrainSettings).epochs == 3
    changed = read_characters(written(tmp_path, TWO.replace("epochs = 3", "epochs = 4\n[tag]\nunderscores = true")))
    assert make_projects(changed) == 0
    with Project.open(tmp_path / "zorvex") as project:
        assert project.settings(TrainSettings).epochs == 4 and project.settings(TagSettings).underscores
    other = read_characters(written(tmp_path, "[[character]]\ntrigger = 'robin'\nfolder = 'zorvex'\n[[character]]\ntrigger = 'new'"))
    with pytest.raises(ProjectError, match="with the trigger 'zorvex', not 'robin'"):
        make_projects(other)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("end", "parts"),
    [
        ("research", [("research", "research", "light")]),
        ("prepare", [("research", "prepare", "light")]),
        ("tag", [("research", "prepare", "light"), ("tag", "tag", "gpu")]),
        ("refine", [("research", "prepare", "light"), ("tag", "refine", "gpu")]),
    ],
)
def test_the_road_is_parted_where_the_gpu_is_wanted(end: str, parts: list[tuple[str, str, str]]) -> None:
    assert [(part.start, part.end, part.lane) for part in parts_to(end)] == parts


@pytest.fixture
def going(tmp_path: Path) -> Any:
    file = written(tmp_path, TWO)
    characters = read_characters(file)
    make_projects(characters)
    with closing(Store(tmp_path / "jobs.db")) as store:
        yield store, lambda: Batch(file, characters, store)


def ended(store: Store, state: str, which: Callable[[Job], bool] = lambda job: True) -> None:
    for job in store.open():
        if which(job):
            store.change(job.id, state=state, ended="2026-01-01T00:00:00+00:00", error="no" if state == "failed" else "")


def states(batch: Batch) -> list[str]:
    return [one.state for one in batch.standing()]


def test_the_second_part_waits_for_the_first_and_one_that_fails_stops_no_other(going: Any) -> None:
    store, again = going
    batch = again()
    assert states(batch) == ["not begun", "not begun"]
    batch.go_on()
    ended(store, "done", lambda job: job.folder.name == "zorvex")
    ended(store, "failed")
    batch = again()  # as after a crash of the one before
    batch.go_on()
    assert states(batch) == ["waiting", "failed"] and [job.lane for job in store.open()] == ["gpu"]
    ended(store, "done")
    assert states(batch) == ["done", "failed"] and is_over(batch.standing())
    batch = again()
    batch.try_again()
    batch.go_on()
    assert states(batch) == ["done", "waiting"] and len(store.open()) == 1


def test_what_was_done_with_other_settings_is_done_again_and_else_never(going: Any, tmp_path: Path) -> None:
    store, again = going
    for _ in range(2):
        again().go_on()
        ended(store, "done")
    batch = again()
    batch.try_again()
    batch.go_on()
    assert not store.open() and states(batch) == ["done", "done"]
    with (tmp_path / "zorvex" / "lorasmith.toml").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    batch.try_again()
    batch.go_on()
    assert states(batch) == ["waiting", "done"]


def test_the_list_of_another_machine_means_nothing_here(going: Any, tmp_path: Path) -> None:
    store, again = going
    store.add(tmp_path / "elsewhere", ("train", "elsewhere"), "gpu")
    state = {"jobs": {str(tmp_path / "zorvex"): {"research to prepare": {"job": 1, "settings": ""}}}}
    (tmp_path / "characters.toml.state.json").write_text(json.dumps(state), encoding="utf-8")
    assert states(again()) == ["not begun", "not begun"]
    (tmp_path / "characters.toml.state.json").write_text('{"jobs": [1]}', encoding="utf-8")
    assert states(again()) == ["not begun", "not begun"]


@pytest.mark.slow
def test_a_batch_whose_driver_is_killed_goes_on_and_ends_with_everything_once(tmp_path: Path, booru: DemoBooru) -> None:
    file = written(
        tmp_path,
        f"preset = 'demo'\nto = 'tag'\n[site]\nsite_url = '{booru.url}'\n[tag]\ntagger = '{model_files()[1].as_posix()}'\n"
        "[[character]]\ntrigger = 'zorvex'\ndownload.top_n = 4\n[[character]]\ntrigger = 'nobody'\n",
    )
    surroundings = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    command = [sys.executable, "-m", "lorasmith", "batch", str(file), "--json"]
    booru.faults.clear()
    first = subprocess.Popen(command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list((tmp_path / "zorvex" / "images").glob("*")) and time.monotonic() < until:
        time.sleep(0.05)
    first.kill()
    first.wait()
    told = subprocess.run(command, env=surroundings, capture_output=True, text=True, encoding="utf-8", timeout=200)
    rows = {row["trigger"]: row for row in json.loads(told.stdout)["characters"]}
    assert told.returncode == 1 and rows["zorvex"]["state"] == "done", told.stderr
    assert rows["nobody"]["state"] == "failed" and "no posts for 'nobody solo'" in rows["nobody"]["note"]
    with Project.open(tmp_path / "zorvex") as project:
        assert len(project.pictures.originals()) == 4 and project.pictures.captions("default")
    page = (tmp_path / "characters.toml.html").read_text(encoding="utf-8")
    assert "2 characters: 1 done, 1 failed." in page and "no posts for" in page
