"""Any sequence of work on a project, killed again and again: each undo gives back what was there before, to the very start.

Quick by default; `LORASMITH_STEPS=200` makes the sequences long, `LORASMITH_EXAMPLES` says how many there are, and
`pytest --hypothesis-seed=N` which. What fails is made short and told as a program of steps.
"""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from PIL import Image

from lorasmith.project.journal import Entry
from lorasmith.project.project import Project
from lorasmith.stages.add.stage import add_folder
from tests.imaging.drawing import creature
from tests.stages.random_work import ANY_STEP, Step, do
from tests.stages.whole import Record, bytes_of, demand_dataset, demand_whole, record_of

LONG = bool(os.environ.get("LORASMITH_LONG"))
LENGTH = int(os.environ.get("LORASMITH_STEPS", "25" if LONG else "15"))
EXAMPLES = int(os.environ.get("LORASMITH_EXAMPLES", "20" if LONG else "4"))
REPEATABLE = ("prune", "prepare", "captions", "add", "touch up")  # steps that find nothing to do when they were done


@functools.cache
def begun() -> Path:
    """Makes what every example starts from, once: a project, and two folders of pictures that may be added."""
    place = Path(tempfile.mkdtemp(prefix="lorasmith-work-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    pictures = [creature("sitting", "meadow", (220, 260), seed=number % 4, fill=0.6).picture.convert("RGB") for number in range(5)]
    framed = Image.new("RGB", (260, 300), "black")
    framed.paste(pictures[0], (20, 20))
    page = Image.new("RGB", (460, 300), "white")
    for at, one in ((5, 1), (235, 2)):
        page.paste(pictures[one], (at, 20))
    own = {"own": [*pictures, framed], "more 0": [page], "more 1": [creature("standing", "plain", (200, 240), seed=9).picture]}
    for folder, some in own.items():
        (place / folder).mkdir()
        for number, picture in enumerate(some):
            picture.save(place / folder / f"{number}.png")
            (place / folder / f"{number}.txt").write_text(f"solo, red fur, pose{number}, outside, text", encoding="utf-8")
    with Project.create(place / "p", "nick", chosen={"tag": {"tagger": "none"}}) as project:
        add_folder(project, place / "own")
    return place


def done_in_a_child(folder: Path, step: Step, moments: int) -> bool:
    """Lets a child process do a step and die in it; says whether it died."""
    command = [sys.executable, "-m", "tests.stages.random_work", str(folder), str(moments), json.dumps(step)]
    child = subprocess.run(command, capture_output=True, timeout=300)
    assert child.returncode in (0, -9, 15), child.stderr.decode(errors="replace")
    return child.returncode != 0


class WorkMachine(RuleBasedStateMachine):
    """Work, undo, redo and kills; the model is the whole record as it was after each entry of the history."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="lorasmith-work-"))
        shutil.copytree(begun(), self.place, dirs_exist_ok=True)
        self.project = Project.open(self.place / "p")
        self.files = bytes_of(self.project.folder)
        begun_with = record_of(self.project)
        self.after: dict[int, Record] = {0: {table: [] for table in begun_with}, self.now()[0]: begun_with}
        self.between: set[int] = set()  # entries that another followed in the same step: their record shows at the first undo
        self.before_step = (*self.now(), begun_with)

    # the model

    def held(self) -> list[Entry]:
        """Gives the entries that hold and changed anything."""
        return [entry for entry in self.project.journal.history() if entry.state != "undone" and entry.changes]

    def now(self) -> tuple[int, int]:
        """Gives the last entry that holds and changed anything, and the number of its changes."""
        held = self.held()
        return (held[-1].number, held[-1].changes) if held else (0, 0)

    def known(self, entry: int) -> Record:
        """Gives the record after an entry; of one that another followed in the same step, it is learnt the first time."""
        if entry in self.between:
            self.between.discard(entry)
            self.after[entry] = record_of(self.project)
        return self.after[entry]

    def follow(self, step: Step) -> None:
        """Compares with the model, or lets the model learn what a new entry made of the record."""
        entry, changes = self.now()
        record, (entry_before, changes_before, record_before) = record_of(self.project), self.before_step
        if (entry, changes) == (entry_before, changes_before):
            assert record == record_before, f"{step['do']} changed the record beside the journal"
        elif entry < entry_before or (step["do"] == "redo" and entry in self.after):
            assert step["do"] in ("undo", "redo")
            assert record == self.known(entry)
        else:
            assert step["do"] != "undo"
            # What was written into the sidecars meanwhile is an entry of its own, before that of the step.
            self.between |= {each.number for each in self.held() if entry_before < each.number < entry} - self.after.keys()
        self.after[entry] = record
        self.between.discard(entry)
        self.before_step = entry, changes, record

    def whole_step(self, step: Step) -> None:
        told = do(self.project, step)
        self.follow(step)
        if told.startswith("told") or step["do"] not in REPEATABLE or step.get("what", "write") != "write":
            return
        if step["do"] == "captions" and step["sidecar"] is None:
            demand_dataset(self.project)
        if step.get("sidecar") is None:
            again = self.now()
            do(self.project, step)
            assert self.now() == again, f"{step['do']} found something to do a second time"
            self.follow(step)

    def kill(self, step: Step, moments: int) -> None:
        self.project.close()
        try:
            done_in_a_child(self.place / "p", step, moments)
        finally:
            self.project = Project.open(self.place / "p")

    # Hypothesis leaves out some rules of each example, which few long ones cannot afford: so there is but one.

    @rule(step=ANY_STEP, killed_at=st.none() | st.none() | st.integers(1, 12) | st.integers(1, 80))
    def work(self, step: Step, killed_at: int | None) -> None:
        """Does a step, or has it done by a process that dies in it, and sometimes does it once more."""
        if killed_at is None:
            self.whole_step(step)
        elif killed_at % 2 and step["do"] in REPEATABLE and step.get("sidecar") is None:
            self.killed_and_done_again(step, killed_at)
        else:
            self.kill(step, killed_at)
            self.follow(step)

    def killed_and_done_again(self, step: Step, moments: int) -> None:
        """A step that is killed and run again ends as one that was not."""
        self.project.close()
        for folder in ("p", "more 0", "more 1"):
            shutil.copytree(self.place / folder, self.place / "whole" / folder)
        self.project = Project.open(self.place / "p")
        with Project.open(self.place / "whole" / "p") as whole:
            do(whole, step)
            wanted = record_of(whole)
        shutil.rmtree(self.place / "whole")
        self.kill(step, moments)
        do(self.project, step)
        assert record_of(self.project) == wanted
        self.follow(step)

    @invariant()
    def all_is_whole(self) -> None:
        demand_whole(self.project)
        images = bytes_of(self.project.folder)
        assert self.files.items() <= images.items(), "what was there is there with its bytes"
        self.files = images

    def teardown(self) -> None:
        try:
            self.undo_and_redo_all()
        finally:
            self.project.close()
            shutil.rmtree(self.place)

    def undo_and_redo_all(self) -> None:
        """Walks to the start and back to the end, through every state there was."""
        self.project.journal.settle()
        end = record_of(self.project)
        assert end == self.before_step[2]
        entries = []
        while self.now()[0]:
            entries.append(self.now()[0])
            assert record_of(self.project) == self.known(entries[-1])
            assert self.project.undo().number == entries[-1]
        assert record_of(self.project) == self.after[0]
        demand_whole(self.project)
        for entry in entries[::-1]:
            assert self.project.redo().number == entry
            assert record_of(self.project) == self.after[entry]
        assert record_of(self.project) == end
        self.all_is_whole()


TestWork = WorkMachine.TestCase
TestWork.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=LENGTH, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
