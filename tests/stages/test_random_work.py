"""Any sequence of prune and prepare work, killed again and again, undone to the start, leaves everything as it was."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.errors import LorasmithError
from lorasmith.files import sha256_of
from lorasmith.project.database import JOURNALLED
from lorasmith.project.project import Project
from lorasmith.stages.add import add_folder
from tests.imaging.drawing import creature

STEPS = int(os.environ.get("LORASMITH_STEPS", "20"))
pytestmark = pytest.mark.slow


def record(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """Gives every row of the tables that the journal covers."""
    rows = {table: project._connection.execute(f"SELECT * FROM {table}").fetchall() for table in JOURNALLED}
    return {table: sorted(tuple(row) for row in found) for table, found in rows.items()}


def contents(folder: Path) -> dict[str, str]:
    """Gives the hash of every file that is neither the database nor can be made anew."""
    files = (path for part in ("images", "edits") for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


@pytest.mark.parametrize("seed", [1, 2])
def test_random_work_killed_in_between_and_undone_to_the_start_leaves_no_trace(tmp_path: Path, seed: int) -> None:
    source, folder, log = tmp_path / "own", tmp_path / "p", tmp_path / "log.txt"
    source.mkdir()
    for place in range(6):
        picture = creature("sitting", "meadow", (220, 260), seed=place % 4).picture.convert("RGB")
        if place == 5:
            framed = Image.new("RGB", (260, 300), "black")
            framed.paste(picture, (20, 20))
            picture = framed
        picture.save(source / f"{place}.png")
        (source / f"{place}.txt").write_text(f"solo, red fur, pose{place}, outside, text", encoding="utf-8")
    with Project.create(folder, "nick") as project:
        add_folder(project, source)
        start, files, entries = record(project), contents(folder), len(project.journal.history())
    luck = random.Random(seed)
    kills = 0
    while kills < 3 or not log.exists() or len(log.read_text(encoding="utf-8").splitlines()) < STEPS:
        command = [sys.executable, "-m", "tests.stages.random_work", str(folder), str(luck.randrange(10**6)), str(log)]
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        time.sleep(1.5 + luck.random() * 3)
        assert child.poll() is None, child.communicate()[1].decode()
        child.kill()
        child.wait()
        kills += 1
    done = log.read_text(encoding="utf-8").splitlines()
    assert len({line.split(":")[0] for line in done}) >= 4
    with Project.open(folder) as project:
        project.journal.settle()
        while len([one for one in project.journal.history() if one.state == "done"]) > entries:
            try:
                project.undo()
            except LorasmithError as error:
                pytest.fail(f"undo stopped: {error}")
        assert record(project) == start
    left = contents(folder)
    assert {name: left.get(name) for name in files} == files
