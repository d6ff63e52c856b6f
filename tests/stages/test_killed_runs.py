"""A run, killed at any instant and started again, ends as if nothing had happened."""

import os
import random
from pathlib import Path

import pytest

from lorasmith.demo.server import DemoBooru
from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.stages.run import run_all, run_stage
from lorasmith.stages.table import STAGES
from tests.road import make_project
from tests.stages.conftest import A_DATE
from tests.stages.dying import dies_in_stages
from tests.stages.record import record_of

KILLS = int(os.environ.get("LORASMITH_KILLS", "1"))
MOMENTS = 2200  # at which a run of the small road puts something on the disk


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_project_and_the_same_lora(
    tmp_path: Path, booru: DemoBooru, tiny_base: Path, walked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", A_DATE)
    booru.faults.clear()
    make_project(tmp_path / "killed", booru.url, tiny_base).close()
    rng = random.Random(os.environ.get("LORASMITH_KILL_SEED", "kills"))
    for _ in range(KILLS):
        dies_in_stages(tmp_path / "killed", rng.randint(1, MOMENTS), STAGES[0].name, STAGES[-1].name)
    with Project.open(tmp_path / "killed") as again:
        run_all(again)
    whole, killed = record_of(walked.folder), record_of(tmp_path / "killed")
    assert killed["tables"] == whole["tables"]
    assert killed["files"] == whole["files"]
    assert killed["scores"] == whole["scores"]


def test_what_a_kill_left_of_a_file_is_gone_after_the_next_stage(robin: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise SystemExit

    wanted = [robin.loras / "mia.safetensors", robin.evaluations / "001" / "renders" / "base-p00-s1.png", robin.images / "a.png"]
    (robin.images / "notes.tmp").touch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        for path in wanted:
            with pytest.raises(SystemExit):
                write_atomic(path, b"half")
    run_stage(robin, "prune")
    left = [path for place in ("images", "loras", "evaluations") for path in (robin.folder / place).rglob("*") if path.is_file()]
    assert left == [robin.images / "notes.tmp"]


@pytest.mark.slow
def test_a_second_run_of_a_finished_project_makes_nothing_new(walked: Project) -> None:
    run_all(walked)  # the booru's address may be another one now than when it was walked
    before = record_of(walked.folder)
    results = run_all(walked)
    assert results["download"].startswith("skipped")
    assert results["prepare"].made_now == 0
    assert results["tag"].scored_now == 0
    assert results["evaluate"].rendered_now == 0
    assert results["refine"].brought_back == ()
    assert record_of(walked.folder)["tables"] == before["tables"]
    assert record_of(walked.folder)["files"] == before["files"]
