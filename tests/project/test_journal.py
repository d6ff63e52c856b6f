"""The journal against a model: whatever is changed, undone, redone, reopened or killed, the record is what it should be."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lorasmith.errors import ProjectError
from lorasmith.project.caption_sets import Gathered, Placed
from lorasmith.project.database import JOURNALLED
from lorasmith.project.pictures import Caption, Decision, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.project.tag_rows import PersonTag

Record = dict[str, list[tuple[Any, ...]]]
NAMES = st.sampled_from(["own_1", "own_2", "own_2.2", "e621_7"])
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def record_of(project: Project) -> Record:
    """Every row of every journalled table."""
    rows = {}
    for table, (keys, others) in JOURNALLED.items():
        columns, order = ", ".join(keys + others), ", ".join(keys)
        rows[table] = [tuple(r) for r in project._connection.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")]
    return rows


class JournalMachine(RuleBasedStateMachine):
    """Random changes, undo, redo, reopening; the model is a list of whole records and a place in it."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="lorasmith-journal-"))
        self.project = Project.create(self.place / "zorvex", "zorvex")
        self.records: list[Record] = []
        self.now = 0

    def teardown(self) -> None:
        self.project.close()
        shutil.rmtree(self.place)

    @initialize()
    def begin(self) -> None:
        self.records = [record_of(self.project)]

    def done(self) -> None:
        """Follows one entry; where it left no line, the invariant sees to it that nothing changed either."""
        if sum(entry.state == "done" for entry in self.project.journal.history()) > self.now:
            self.records[self.now + 1 :] = [record_of(self.project)]
            self.now += 1

    @rule(name=NAMES, width=st.integers(1, 3), trashed=st.booleans(), note=WORDS, parent=st.none() | NAMES)
    def add(self, name: str, width: int, trashed: bool, note: str, parent: str | None) -> None:
        operation = None if parent is None else {"kind": note}
        with self.project.change("add", note):
            self.project.pictures.add(
                Picture(
                    name, f"images/{name}.png", "folder", width, 2, 3, "s", "m", parent, operation, {"n": note}, trashed
                )
            )
        self.done()

    @rule(name=NAMES, source=st.sampled_from(["booru", "person"]), data=st.data())
    def tag(self, name: str, source: str, data: st.DataObject) -> None:
        tags = data.draw(st.lists(st.builds(Tag, WORDS, WORDS, st.just(source), st.floats(0, 1)), max_size=4))
        with self.project.change("tag", "tag"), self.project.transaction():
            self.project.pictures.set_tags(name, source, tags)
        self.done()

    @rule(name=NAMES, verdict=st.sampled_from(["keep", "drop", None]), maker=st.sampled_from(["prune", "person"]))
    def decide(self, name: str, verdict: Any, maker: str) -> None:
        decision = None if verdict is None else Decision(verdict, maker, "because", {"why": [name]})
        with self.project.change("prune", f"{verdict}"):
            self.project.pictures.decide(name, decision, maker=maker)
        self.done()

    @rule(name=NAMES, tags=st.lists(WORDS, max_size=3), place=st.integers(-2, 2), free=st.booleans())
    def caption_set(self, name: str, tags: list[str], place: int, free: bool) -> None:
        sets = self.project.caption_sets
        with self.project.change("tags", "caption set"), self.project.transaction():
            sets.gather("default", name, [Gathered(name, tag, {"share": place}) for tag in tags])
            sets.set_profile("default", {"keep_tokens": place})
            sets.place("default", [Placed(name, tag, place) for tag in tags], [name] if free else [])
            self.project.tag_rows.say(PersonTag(name, tag, "general", place > 0) for tag in tags)
        self.done()

    @rule(names=st.lists(NAMES, max_size=3), text=WORDS)
    def caption_and_trash(self, names: list[str], text: str) -> None:
        with self.project.change("tag", "captions"):
            for name in names:
                self.project.pictures.set_caption("default", Caption(name, text, f"dataset/{name}.txt", "sha"))
                with self.project.change("tag", "inner"):
                    self.project.pictures.trash(name)
            if len(names) == 2:
                self.project.pictures.drop_caption("default", names[0])
        self.done()

    @rule(name=NAMES)
    def fail_halfway(self, name: str) -> None:
        with pytest.raises(KeyError), self.project.change("add", "fails"):
            self.project.pictures.trash(name)
            raise KeyError(name)
        self.done()

    @rule(name=NAMES)
    def roll_back(self, name: str) -> None:
        with pytest.raises(KeyError), self.project.change("add", "rolled back"), self.project.transaction():
            self.project.pictures.drop_caption("default", name)
            self.project.pictures.decide(name, None, maker="prune")
            raise KeyError(name)

    @precondition(lambda self: self.now > 0)
    @rule()
    def undo(self) -> None:
        assert self.project.undo().changes > 0
        self.now -= 1

    @precondition(lambda self: self.now == 0)
    @rule()
    def undo_with_nothing_left(self) -> None:
        with pytest.raises(ProjectError, match="nothing to undo"):
            self.project.undo()

    @precondition(lambda self: self.now + 1 < len(self.records))
    @rule()
    def redo(self) -> None:
        self.project.redo()
        self.now += 1

    @precondition(lambda self: self.now + 1 == len(self.records))
    @rule()
    def redo_with_nothing_left(self) -> None:
        with pytest.raises(ProjectError, match="nothing to redo"):
            self.project.redo()

    @rule()
    def reopen(self) -> None:
        self.project.close()
        self.project = Project.open(self.place / "zorvex")

    @invariant()
    def the_record_is_the_model_s(self) -> None:
        if self.records:
            assert record_of(self.project) == self.records[self.now]
            states = [entry.state for entry in self.project.journal.history()]
            assert states == ["done"] * self.now + ["undone"] * (len(self.records) - 1 - self.now)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


def test_the_history_names_stage_words_and_changes(project: Project, picture: Callable[..., Picture]) -> None:
    with project.change("add", "add 2 files"):
        project.pictures.add(picture("own_1"))
        project.pictures.add(picture("own_2"))
    with project.change("prune", "prune"):
        pass
    (entry,) = project.journal.history()
    assert (entry.stage, entry.what, entry.state, entry.changes) == ("add", "add 2 files", "done", 2)


def test_doing_the_same_again_leaves_no_line(project: Project, picture: Callable[..., Picture]) -> None:
    for _ in range(2):
        with project.change("tag", "the same"), project.transaction():
            project.pictures.add(picture("own_1", parent="own_0", operation={"kind": "crop"}))
            project.pictures.set_tags("own_1", "booru", [Tag("fox", "species", "elsewhere", 1 / 3)])
            project.pictures.decide("own_1", Decision("drop", "prune", "blurred"), maker="prune")
            project.pictures.set_caption("default", Caption("own_1", "zorvex"))
    assert len(project.journal.history()) == 1


def test_a_new_change_ends_what_could_be_redone(project: Project, picture: Callable[..., Picture]) -> None:
    for name in ("own_1", "own_2"):
        with project.change("add", name):
            project.pictures.add(picture(name))
    project.undo()
    with project.change("add", "own_3"):
        project.pictures.add(picture("own_3"))
    with pytest.raises(ProjectError, match="nothing to redo"):
        project.redo()
    assert project.pictures.every_name() == {"own_1", "own_3"}


def test_undo_and_redo_make_the_stages_look_again(project: Project, picture: Callable[..., Picture]) -> None:
    def remember() -> None:
        for name in ("done:download", "prepared:own_1", "research"):
            project.remember(name, {"a": 1})

    with project.change("add", "add"):
        project.pictures.add(picture("own_1"))
    for step in (project.undo, project.redo):
        remember()
        step()
        assert [project.fact(name) for name in ("done:download", "prepared:own_1", "research")] == [
            None,
            None,
            {"a": 1},
        ]


def test_an_undo_that_cannot_be_done_forgets_nothing(project: Project) -> None:
    project.remember("done:download", True)
    with pytest.raises(ProjectError):
        project.undo()
    assert project.fact("done:download") is True


_KILLED = """
import os, signal, sys
from pathlib import Path
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project

def add(project, name):
    project.pictures.add(Picture(name, f"images/{name}.png", "folder", 1, 1, 1, "s", "m"))

with Project.open(Path(sys.argv[1])) as project:
    with project.change("download", "download 'zorvex'"):
        for number in range(3):
            with project.transaction():
                add(project, f"own_{number}")
        with project.transaction():
            add(project, "never_committed")
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(folder: Path, picture: Callable[..., Picture]) -> Path:
    """A project whose process was killed in the middle of a journal entry, after three pictures of it."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("no SIGKILL")
    with Project.create(folder, "zorvex") as project, project.change("add", "before"):
        project.pictures.add(picture("first"))
    done = subprocess.run([sys.executable, "-c", _KILLED, str(folder)], env=os.environ, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return folder


THREE = {"own_0", "own_1", "own_2"}


def test_after_a_kill_the_same_stage_goes_on_in_its_entry(killed: Path, picture: Callable[..., Picture]) -> None:
    with Project.open(killed) as project:
        assert project.pictures.every_name() == {"first"} | THREE
        assert [entry.state for entry in project.journal.history()] == ["done", "open"]
        with project.change("download", "download 'zorvex'"):
            project.pictures.add(picture("own_3"))
        assert [(entry.state, entry.changes) for entry in project.journal.history()] == [("done", 1), ("done", 4)]
        project.undo()
        assert project.pictures.every_name() == {"first"}
        project.redo()
        assert project.pictures.every_name() == {"first", "own_3"} | THREE


def test_after_a_kill_another_stage_closes_the_entry(killed: Path) -> None:
    with Project.open(killed) as project:
        with project.change("prune", "prune"):
            project.pictures.decide("own_1", Decision("drop", "prune", "blurred"), maker="prune")
        assert [entry.stage for entry in project.journal.history()] == ["add", "download", "prune"]
        assert project.undo().stage == "prune"
        assert project.pictures.every_name() == {"first"} | THREE
        assert project.undo().stage == "download"
        assert project.pictures.every_name() == {"first"}


def test_after_a_kill_undo_takes_back_all_of_the_open_entry(killed: Path) -> None:
    with Project.open(killed) as project:
        assert project.undo().changes == 3
        assert project.pictures.every_name() == {"first"}
    with Project.open(killed) as project:
        project.redo()
        assert project.pictures.every_name() == {"first"} | THREE


def test_after_a_kill_readers_see_what_was_finished(killed: Path) -> None:
    with Project.open(killed, writing=False) as project:
        assert project.pictures.every_name() == {"first"} | THREE
        assert project.journal.history()[-1].state == "open"
