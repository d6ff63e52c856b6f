"""The table of a character's tags and its sheet: classes are moved, texts are saved, and nobody's words are written over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.errors import ProjectError, UsageError
from lorasmith.project.project import Project
from lorasmith.stages.research.ask_site import offer_tags
from lorasmith.stages.research.profile_table import profile_rows, put_in_class
from lorasmith.stages.research.sheet_text import SheetChangedError, save_sheet, sheet_text

TAGS = """category,tag,posts,share,lift,part
general,purple_fur,96,0.960,30,core
general,hat,30,0.300,2,toggles
general,blue_eyes,60,0.600,,choices
general,standing,50,0.500,1,state
artist,somebody,9,0.090,,
"""
SHEET = "# zorvex\n\n## Core looks\n\n- purple_fur (96 %)\n\n## Toggles\n\n- hat (30 %): red\n- cape\n\n## Mine\n\nwords\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p", "zorvex") as made:
        made.research.mkdir()
        (made.research / "tags.csv").write_text(TAGS, encoding="utf-8")
        made.sheet.write_text(SHEET, encoding="utf-8")
        yield made


def test_rows_have_the_class_of_the_sheet_and_what_research_found(project: Project) -> None:
    rows = {row.tag: row for row in profile_rows(project)}
    classes = {"purple_fur": "core", "hat": "toggle", "blue_eyes": "state", "standing": "state", "cape": "toggle"}
    assert {tag: rows[tag].cls for tag in classes} == classes
    assert rows["blue_eyes"].found == "choice" and rows["cape"].found == "by hand" and rows["purple_fur"].lift == 30


def test_a_moved_tag_is_on_the_sheet_and_undo_takes_it_back(project: Project) -> None:
    put_in_class(project, "blue eyes", "picked")
    assert "- blue_eyes (60 %): pick" in project.sheet.read_text(encoding="utf-8")
    put_in_class(project, "hat", "core")
    text = project.sheet.read_text(encoding="utf-8")
    assert "- hat (30 %): red" in text and "words" in text
    assert project.undo().what == "hat to core looks"
    project.undo()
    assert project.sheet.read_text(encoding="utf-8") == SHEET


@pytest.mark.parametrize(("tag", "cls"), [("hat", "nonsense"), ("", "core"), ("a`b", "core"), ("loli", "core")])
def test_what_cannot_be_moved_is_told_and_nothing_is_written(project: Project, tag: str, cls: str) -> None:
    with pytest.raises(UsageError):
        put_in_class(project, tag, cls)
    assert project.sheet.read_text(encoding="utf-8") == SHEET


def test_a_damaged_table_is_told(project: Project) -> None:
    (project.research / "tags.csv").write_text("category,tag\nx,y\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="start research again"):
        profile_rows(project)


def test_a_text_that_was_changed_meanwhile_is_not_written_over(project: Project) -> None:
    mine = sheet_text(project)
    project.sheet.write_text("another's", encoding="utf-8")
    with pytest.raises(SheetChangedError, match="changed meanwhile") as told:
        save_sheet(project, "mine", mine.version)
    assert project.sheet.read_text(encoding="utf-8") == "another's" and told.value.now.text == "another's"
    saved = save_sheet(project, "mine", told.value.now.version)
    assert saved == sheet_text(project) and project.sheet.read_text(encoding="utf-8") == "mine\n"
    project.undo()
    assert project.sheet.read_text(encoding="utf-8") == "another's"


def test_a_sheet_of_a_minor_is_refused_and_too_long_a_text_too(project: Project) -> None:
    version = sheet_text(project).version
    for text in ("# zorvex\n\n## Core looks\n\n- loli\n", "x" * 300_000):
        with pytest.raises(UsageError):
            save_sheet(project, text, version)
    assert project.sheet.read_text(encoding="utf-8") == SHEET


def test_offers_are_the_characters_own_tags_first_and_never_refused_ones() -> None:
    counts = {"blue_eyes": 60, "blue_hat": 90, "big_blue": 5, "young_fox": 99}
    found = offer_tags("blue", counts, None)
    assert [one.tag for one in found[:2]] == ["blue_hat", "blue_eyes"] and found[0].posts == 90
    assert "young_fox" not in {one.tag for one in offer_tags("young", counts, None)}
    assert offer_tags("  ", counts, None) == [] and [one.tag for one in offer_tags("-BLUE H", counts, None)][:1] == ["blue_hat"]
