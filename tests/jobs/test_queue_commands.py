"""`lorasmith queue` as a person meets it, with real children for a line of real projects."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.cli import main
from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.sweep import grid, name_of_differences, typed
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import read_tables


@pytest.fixture(autouse=True)
def own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    monkeypatch.delenv("LORASMITH_WEBUI_URL", raising=False)


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words), "--json"])
    return int(ended.value.code or 0), json.loads(capsys.readouterr().out)


@pytest.fixture
def projects(tmp_path: Path, tiny_base: Path) -> list[Path]:
    made = []
    for name in ("one", "two", "three"):
        with Project.create(tmp_path / name, "hero", chosen={"train": {"checkpoint": str(tiny_base), "rank": 16}}) as project:
            Image.effect_noise((300, 300), 50).convert("RGB").save(project.images / "own_1.png")
        made.append(tmp_path / name)
    return made


def numbers(told: dict[str, Any]) -> list[int]:
    return [row["number"] for row in told["jobs"]]


def test_jobs_are_added_moved_held_paused_and_cancelled(capsys: pytest.CaptureFixture[str], projects: list[Path]) -> None:
    code, told = call(capsys, "queue", "add", *projects)
    assert code == 0 and [row["project"] for row in told["added"]] == ["one", "two", "three"]
    assert call(capsys, "queue", "add", projects[0])[1]["added"][0]["note"] == "was there: waiting"
    assert numbers(call(capsys, "queue", "move", 3, "first")[1]) == [3, 1, 2]
    assert numbers(call(capsys, "queue", "move", 3, 2)[1]) == [1, 3, 2]
    assert numbers(call(capsys, "queue", "move", 1, "last")[1]) == [3, 2, 1]
    states = {row["number"]: row["state"] for row in call(capsys, "queue", "pause", 2)[1]["jobs"]}
    assert states == {3: "waiting", 2: "held", 1: "waiting"}
    assert call(capsys, "queue", "pause")[1]["paused"] is True
    assert "paused" in call(capsys, "queue", "add", projects[0])[1]["next"]
    call(capsys, "queue", "resume")
    call(capsys, "queue", "resume", 2)
    told = call(capsys, "queue", "cancel", 1, 2)[1]
    assert numbers(told) == [3] and [row["state"] for row in told["ended"]] == ["stopped", "stopped"]
    assert call(capsys, "queue", "list")[1]["paused"] is False


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cancel", "9"], "There is no job 9"), (["cancel"], "Name the jobs"), (["add"], "Name the projects"),
        (["add", "{here}/none"], "There is no project"), (["add", "{one}", "--do", "trian"], "did you mean 'train'"),
        (["add", "{one}", "--sweep", "rnk=1,2"], "did you mean 'rank'"), (["add", "{one}", "--sweep", "rank"], "name=value,value"),
        (["add", "{one}", "--sweep", "rank=0,8"], "cannot be 0"), (["add", "{one}", "--sweep", "rank=8,8"], "a value twice"),
        (["add", "{one}", "--sweep", "sample_prompts=a,b"], "is a list itself"), (["move", "9", "first"], "There is no job 9"),
        (["add", "{one}", "--sweep", "checkpoint=/none.safetensors"], "/none.safetensors"),
        (["add", "{one}", "--sweep", "min_bucket=900", "--do", "tag"], "A sweep is over trainings"),
        (["add", "{one}", "--sweep", "min_bucket=900"], "between min_bucket and max_bucket"),
    ],
)  # fmt: skip
def test_wrong_words_get_a_sentence_and_nothing_is_added(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, projects: list[Path], words: list[str], sentence: str
) -> None:
    code, told = call(capsys, "queue", *(word.format(here=tmp_path, one=projects[0]) for word in words))
    assert code in (1, 2) and sentence in told["error"]
    assert call(capsys, "queue", "list")[1]["jobs"] == []


def test_a_sweep_is_a_grid_named_by_what_differs(capsys: pytest.CaptureFixture[str], projects: list[Path]) -> None:
    told = call(capsys, "queue", "add", projects[0], "--sweep", "rank=8,16", "--sweep", "strength=1.0,1.2")[1]
    assert [row["job"] for row in told["added"]] == [
        "train: rank 8, strength 1", "train: rank 8, strength 1.2", "train: rank 16, strength 1", "train: rank 16, strength 1.2",
    ]  # fmt: skip
    toml = projects[1] / "lorasmith.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + "\n[sweep]\nflip = [true, false]\nseed = [1, 2, 3]\n", encoding="utf-8")
    assert len(call(capsys, "queue", "add", projects[1])[1]["added"]) == 6
    toml.write_text(toml.read_text(encoding="utf-8").replace("flip = [", "flp = ["), encoding="utf-8")
    assert "did you mean 'flip'" in call(capsys, "queue", "add", projects[1])[1]["error"]


def test_a_line_is_worked_through_and_a_failed_job_stops_no_other(capsys: pytest.CaptureFixture[str], projects: list[Path]) -> None:
    call(capsys, "queue", "add", *projects, "--do", "prune")
    shutil.rmtree(projects[0])  # the first of them cannot work any more
    code, told = call(capsys, "queue", "run")
    assert code == 1 and (told["done"], told["failed"], told["left"]) == (2, 1, 0)
    assert "no project" in told["jobs"][0]["progress"]
    assert call(capsys, "queue", "run") == (0, {"jobs": [], "done": 0, "failed": 0, "left": 0})


def test_the_flags_of_one_call_can_leave_the_file_alone(capsys: pytest.CaptureFixture[str], projects: list[Path]) -> None:
    before = (projects[0] / "lorasmith.toml").read_bytes()
    assert call(capsys, "prune", projects[0], "--min-side", "100", "--once")[0] == 0
    assert (projects[0] / "lorasmith.toml").read_bytes() == before
    assert call(capsys, "prune", projects[0], "--min-side", "100")[0] == 0
    assert read_tables(projects[0] / "lorasmith.toml")["prune"]["min_side"] == 100


def test_the_flags_of_a_grid_are_what_the_command_line_takes(capsys: pytest.CaptureFixture[str], projects: list[Path]) -> None:
    for point in grid({"flip": [True, False], "alpha": [0.5], "lr_scheduler": "linear", "unet_lr": [1e-4, 0.001]}):
        code, told = call(capsys, "train", projects[0], "--once", *point.flags)
        assert code == 1 and "no pictures" in told["error"].lower() or "caption" in told["error"]


def test_what_differs_names_the_file() -> None:
    usual = TrainSettings()
    assert name_of_differences(usual, usual) == ""
    assert name_of_differences(TrainSettings(rank=8, strength=1.25, flip=True), usual) == "rank_8-strength_1.25-flip_true"
    assert name_of_differences(TrainSettings(checkpoint="C:\\m\\noob vpred.safetensors"), usual) == "checkpoint_noob_vpred"


def test_too_many_trainings_are_refused() -> None:
    with pytest.raises(UsageError, match="110 trainings"):
        grid(typed(["rank=" + ",".join(map(str, range(1, 12))), "seed=" + ",".join(map(str, range(10)))]))
