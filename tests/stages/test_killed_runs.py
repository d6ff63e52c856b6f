"""`lorasmith run`, killed at any instant and started again, ends as if nothing had happened."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from tests.road import make_project
from tests.stages.record import record_of

KILLS = int(os.environ.get("LORASMITH_KILLS", "1"))
_ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Starts the command as a person does."""
    command = [sys.executable, "-m", "lorasmith", "run", str(folder)]
    return subprocess.Popen(command, env=_ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(folder: Path) -> float:
    """Runs the command to its end and gives its seconds."""
    began = time.monotonic()
    process = start(folder)
    output, _ = process.communicate(timeout=570)
    assert process.returncode == 0, output.decode("utf-8", "replace")[-3000:]
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_project_and_the_same_lora(
    tmp_path: Path, booru: DemoBooru, tiny_base: Path
) -> None:
    booru.faults.clear()
    make_project(tmp_path / "whole", booru.url, tiny_base).close()
    make_project(tmp_path / "killed", booru.url, tiny_base).close()
    seconds = finish(tmp_path / "whole")
    rng = random.Random(os.environ.get("LORASMITH_KILL_SEED", "kills"))
    for _ in range(KILLS):
        process = start(tmp_path / "killed")
        time.sleep(rng.uniform(0.5, seconds * 0.9))
        process.kill()
        process.communicate()
    finish(tmp_path / "killed")
    whole, killed = record_of(tmp_path / "whole"), record_of(tmp_path / "killed")
    assert killed["tables"] == whole["tables"]
    assert killed["files"] == whole["files"]
    assert killed["scores"] == whole["scores"]


@pytest.mark.slow
def test_a_second_run_of_a_finished_project_makes_nothing_new(walked: Project) -> None:
    from lorasmith.stages.run import run_all

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
