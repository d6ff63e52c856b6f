"""Caption sets and tag rows in the record: kept, undone, and brought to projects of the first format."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith.errors import ProjectError
from lorasmith.project.caption_sets import TRIGGER, Gathered, Placed
from lorasmith.project.pictures import Picture, Tag
from lorasmith.project.project import Project
from lorasmith.project.tag_rows import PersonTag

Make = Callable[..., Picture]
LATER = ("caption_sets", "gathered", "placed_tags", "written")


@pytest.fixture
def filled(project: Project, picture: Make) -> Project:
    """A project with two pictures and a few tags of three sources."""
    project.pictures.add(picture("own_1"))
    project.pictures.add(picture("own_2"))
    project.pictures.set_tags("own_1", "booru", [Tag("fox", "species", "booru"), Tag("sitting", "general", "booru")])
    project.pictures.set_tags("own_1", "person", [Tag("sitting", "general", "person", 0.0), Tag("smile", "general", "person")])
    project.pictures.set_tags("own_2", "tagger:t", [Tag("fox", "general", "tagger:t", 0.5)])
    return project


def made_old(folder: Path) -> None:
    """Takes away what later formats brought."""
    database = sqlite3.connect(folder / "project.db")
    for table in LATER:
        database.execute(f"DROP TABLE {table}")
    database.execute("PRAGMA user_version=1")
    database.commit()
    database.close()


def test_rows_are_what_is_said_less_what_a_person_took_out(filled: Project) -> None:
    assert sorted(filled.tag_rows.rows()) == [
        ("own_1", "fox", "species"), ("own_1", "smile", "general"), ("own_2", "fox", "general"),
    ]  # fmt: skip
    assert filled.tag_rows.sources() == {"own_1": {"booru", "person"}, "own_2": {"tagger:t"}}


def test_a_person_s_word_on_many_tags_is_one_entry_and_undone_at_once(filled: Project) -> None:
    before = sorted(filled.tag_rows.rows())
    with filled.change("tags", "edit"):
        filled.tag_rows.say(
            [PersonTag("own_1", "fox", "species", False), PersonTag("own_2", "night", "general", True),
             PersonTag("own_2", "some_cub", "general", True)]
        )  # fmt: skip
    assert [(picture, tag) for picture, tag, _ in sorted(filled.tag_rows.rows())] == [
        ("own_1", "smile"), ("own_2", "fox"), ("own_2", "night"),
    ]  # fmt: skip
    filled.undo()
    assert sorted(filled.tag_rows.rows()) == before


def test_what_is_gathered_and_placed_belongs_to_its_set_and_is_undone(filled: Project) -> None:
    sets = filled.caption_sets
    with filled.change("tags", "gather"):
        sets.gather("default", TRIGGER, [Gathered(TRIGGER, "fox", {"share": 1.0})])
        sets.gather("default", "nameshirt", [Gathered("nameshirt", "shirt")])
        sets.place("default", [Placed("own_1", "smile", -1)])
        sets.set_profile("default", {"keep_tokens": 2})
    assert sets.gathered("default") == [Gathered(TRIGGER, "fox", {"share": 1.0}), Gathered("nameshirt", "shirt")]
    assert sets.gathered("other") == []
    assert sets.placed("default") == {"own_1": {"smile": -1}}
    assert sets.profiles() == {"default": {"keep_tokens": 2}}
    with filled.change("tags", "gather"):
        sets.gather("default", TRIGGER, [])
        sets.place("default", [], ["own_1"])
    assert sets.gathered("default") == [Gathered("nameshirt", "shirt")] and sets.placed("default") == {}
    filled.undo()
    assert sets.placed("default") == {"own_1": {"smile": -1}}
    filled.undo()
    assert sets.gathered("default") == [] and sets.profiles() == {}


def test_a_project_of_the_first_format_gets_the_new_tables_and_keeps_all_it_has(filled: Project) -> None:
    folder, before = filled.folder, sorted(filled.tag_rows.rows())
    filled.close()
    made_old(folder)
    with Project.open(folder) as project:
        assert sorted(project.tag_rows.rows()) == before
        with project.change("tags", "gather"):
            project.caption_sets.gather("default", TRIGGER, [Gathered(TRIGGER, "fox")])
        project.undo()
        assert project.caption_sets.gathered("default") == []
        project.redo()
    with Project.open(folder) as project:
        assert project.caption_sets.gathered("default") == [Gathered(TRIGGER, "fox")]


def test_a_project_of_the_first_format_is_read_without_being_changed(filled: Project) -> None:
    folder = filled.folder
    filled.close()
    made_old(folder)
    with Project.open(folder, writing=False) as project:
        assert project.caption_sets.gathered("default") == [] and project.caption_sets.profiles() == {}
        with pytest.raises(ProjectError, match="readonly"):
            project.pictures.trash("own_1")
    database = sqlite3.connect(folder / "project.db")
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    database.close()
