"""The editor against a model: random edits, undo, redo, sidecars changed by others, kills; nothing is lost, no caption empty.

LORASMITH_LONG=1 lets it go on for long.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from PIL import Image

from lorasmith.errors import LorasmithError
from lorasmith.project.database import JOURNALLED
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.consolidate import Wanted, consolidate, set_outfit
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.stage import tag
from tests.stages.random_edits import FILTERS, WORDS, random_edit

LONG = bool(os.environ.get("LORASMITH_LONG"))
EXAMPLES, STEPS, KILLS = (200, 40, 30) if LONG else (12, 14, 3)
TAGS = {
    "own_1": "fox red_fur smile open_mouth hat", "own_2": "fox red_fur Smile closed_mouth night",
    "own_3": "fox red_fur closed_mouth forest", "own_4": "fox red_fur forest sitting",
}  # fmt: skip
ENCODINGS = ["utf-8", "utf-16", "utf-16-le", "cp1252"]
Record = dict[str, list[tuple[Any, ...]]]


def fill(folder: Path) -> Project:
    """Makes a project of a few small pictures with the tags of sidecars."""
    project = Project.create(folder, "zorvex", chosen={"tag": {"tagger": "none"}})
    with project.change("add", "add"), project.transaction():
        for place, (name, tags) in enumerate(TAGS.items()):
            file = project.images / f"{name}.png"
            Image.new("RGB", (64, 64), (place * 40, 90, 10)).save(file)
            project.pictures.add(Picture(name, origin="folder", **facts_of(project.folder, file, (64, 64))))
            project.pictures.set_tags(name, "sidecar", [Tag(word, "general", "sidecar") for word in tags.split()])
    return project


def record_of(project: Project) -> Record:
    """Every row of every journalled table."""
    rows = {table: project._connection.execute(f"SELECT * FROM {table}").fetchall() for table in JOURNALLED}
    return {table: sorted(tuple(row) for row in found) for table, found in rows.items()}


def demand_whole(project: Project) -> None:
    """Nothing is lost: pictures, and what their own sidecars said; and no caption of the record is empty."""
    names = [picture.name for picture in project.pictures.all()]
    assert names == sorted(TAGS)
    for name, tags in TAGS.items():
        said = {row.tag for row in project.pictures.tags(name) if row.source == "sidecar"}
        assert said == set(tags.split()), "an edit is a person's word beside what was there, and never wipes it"
    for caption in project.pictures.captions("default").values():
        assert caption.text.split(", ")[0] == "zorvex"


class EditMachine(RuleBasedStateMachine):
    """Edits, undo and redo; the model is a list of whole records and a place in it."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="lorasmith-edits-"))
        self.project = fill(self.place / "p")
        self.records: list[Record] = []
        self.now = 0
        self.added: dict[str, str] = {}  # what another tool has added to a sidecar since it was written

    def teardown(self) -> None:
        self.project.close()
        shutil.rmtree(self.place)

    @initialize()
    def begin(self) -> None:
        self.records = [record_of(self.project)]
        self.entries = len(self.project.journal.history())

    def done(self, most: int = 1) -> None:
        """Follows one entry, or as many as `most`; one without changes leaves no line."""
        entries = sum(entry.state == "done" for entry in self.project.journal.history()) - self.entries
        new = entries - self.now
        assert 0 <= new <= most, "each apply is one step of the history, or none where nothing changed"
        if new:
            records = [record_of(self.project)]
            for _ in range(new - 1):
                self.project.undo()
                records.insert(0, record_of(self.project))
            for _ in range(new - 1):
                self.project.redo()
            self.records[self.now + 1 :] = records
            self.now = entries

    @rule(seed=st.integers(0, 10**6))
    def edit(self, seed: int) -> None:
        wanted = random_edit(random.Random(seed))
        before = record_of(self.project)
        told = edit_tags(self.project, wanted, preview=True, shown=0)
        assert record_of(self.project) == before, "a preview changes nothing"
        made = edit_tags(self.project, wanted, shown=0)
        assert (made.difference, made.added, made.removed, made.moved) == (told.difference, told.added, told.removed, told.moved)
        self.done()

    @rule(leave=st.sampled_from(WORDS), none=st.booleans())
    def consolidate(self, leave: str, none: bool) -> None:
        with suppress(LorasmithError):  # no picture has the tag just now
            consolidate(self.project, Wanted(leave=(leave,), none=none))
        self.done()

    @rule(tags=st.lists(st.sampled_from(WORDS), max_size=2))
    def outfit(self, tags: list[str]) -> None:
        with suppress(LorasmithError):  # no picture has the tag just now
            set_outfit(self.project, "nameshirt", tags)
        self.done()

    @rule()
    def write(self) -> None:
        said = {name: word for name, word in self.added.items() if name in self.sidecars()}
        self.added = {}
        tag(self.project, self.project.settings(TagSettings))
        self.done(most=2)  # what other tools wrote is an entry of its own
        for name, file in self.sidecars().items():
            text = file.read_text(encoding="utf-8")
            assert text == self.project.pictures.captions("default")[name].text and text.split(", ")[0] == "zorvex"
            if name in said:
                assert said[name] in text.split(", "), "what another tool added is in the caption that is written next"

    def sidecars(self) -> dict[str, Path]:
        return {file.stem: file for file in self.project.dataset("default").rglob("*.txt")}

    @rule(name=st.sampled_from(sorted(TAGS)), word=st.sampled_from(["rain", "snow", "café"]), encoding=st.sampled_from(ENCODINGS))
    def another_tool_adds(self, name: str, word: str, encoding: str) -> None:
        file = self.sidecars().get(name)
        text = self.project.fact("sidecars:default")[name][1] if file else ""
        if file and word not in text:
            file.write_bytes(f"{text}, {word}\r\n".encode(encoding))
            self.added[name] = word

    @rule(name=st.sampled_from(sorted(TAGS)), left=st.sampled_from([b"", b"\0\0\0\0", None]))
    def another_tool_dies(self, name: str, left: bytes | None) -> None:
        self.added.pop(name, None)
        if file := self.sidecars().get(name):
            if left is None:
                file.unlink()
            else:
                file.write_bytes(left)

    @precondition(lambda self: self.now > 0)
    @rule()
    def undo(self) -> None:
        self.project.undo()
        self.now -= 1

    @precondition(lambda self: self.now < len(self.records) - 1)
    @rule()
    def redo(self) -> None:
        self.project.redo()
        self.now += 1

    @rule()
    def reopen(self) -> None:
        self.project.close()
        self.project = Project.open(self.place / "p")

    @rule(where=st.sampled_from(FILTERS))
    def a_filter_never_changes_anything(self, where: str) -> None:
        edit_tags(self.project, TagEdit("remove", ("no_such_tag",), where))
        self.done()

    @invariant()
    def the_record_is_what_it_should_be(self) -> None:
        if self.records:
            assert record_of(self.project) == self.records[self.now]
            demand_whole(self.project)


TestEdits = EditMachine.TestCase
TestEdits.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2] if LONG else [1])
def test_edits_killed_in_between_and_undone_to_the_start_leave_the_record_as_it_was(tmp_path: Path, seed: int) -> None:
    folder, log = tmp_path / "p", tmp_path / "log.txt"
    with fill(folder) as project:
        start, entries = record_of(project), len(project.journal.history())
    luck = random.Random(seed)
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.stages.random_edits", str(folder), str(luck.randrange(10**6)), str(log)]
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        lines = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
        while time.monotonic() < until and (not log.exists() or len(log.read_text(encoding="utf-8").splitlines()) < lines + 5):
            assert child.poll() is None, child.communicate()[1].decode()
            time.sleep(0.02)
        time.sleep(luck.random() * 0.5)
        child.kill()
        child.communicate()
        with Project.open(folder) as project:
            demand_whole(project)
            tag(project, project.settings(TagSettings))
            for file in project.dataset("default").rglob("*.txt"):
                assert file.read_text(encoding="utf-8").startswith("zorvex"), "no caption is empty"
    assert len({line.split(":")[0] for line in log.read_text(encoding="utf-8").splitlines()}) >= 4
    with Project.open(folder) as project:
        project.journal.settle()
        while len([one for one in project.journal.history() if one.state == "done"]) > entries:
            project.undo()
        assert json.dumps(record_of(project), default=str) == json.dumps(start, default=str)
