"""info.md and settings that the page wrote: undone, redone, and never at the cost of what another program wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.project.database import FORMAT
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p", "zorvex") as made:
        made.sheet.write_text("# zorvex\n", encoding="utf-8")
        yield made


def test_a_sheet_is_undone_and_redone_across_a_restart(project: Project) -> None:
    project.write_sheet("# zorvex\n\nnew\n", "info.md edited")
    assert project.undo().what == "info.md edited" and project.sheet.read_text(encoding="utf-8") == "# zorvex\n"
    project.close()
    with Project.open(project.folder) as again:
        again.redo()
        assert again.sheet.read_text(encoding="utf-8").endswith("new\n")


def test_what_another_program_wrote_between_two_steps_is_what_undo_brings_back(project: Project) -> None:
    project.write_sheet("first", "info.md edited")
    project.sheet.write_text("from an editor", encoding="utf-8")
    project.write_sheet("second", "info.md edited")
    project.undo()
    assert project.sheet.read_text(encoding="utf-8") == "from an editor"


def test_what_another_program_wrote_after_a_step_is_kept_beside_by_its_undo(project: Project) -> None:
    project.write_sheet("mine", "info.md edited")
    project.sheet.write_text("from an editor", encoding="utf-8")
    project.undo()
    assert project.sheet.read_text(encoding="utf-8") == "# zorvex\n"
    assert [file.read_text(encoding="utf-8") for file in project.folder.glob("info.*-*.md")] == ["from an editor"]


def test_one_setting_is_undone_and_others_stay(project: Project) -> None:
    project.write_settings({"download": {"min_score": 50}}, "minimum score 50")
    project.write_settings({"download": {"min_score": 90}}, "minimum score 90")
    toml = project.folder / "lorasmith.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("[download]", "[download]\ntop_n = 7"), encoding="utf-8")
    project.undo()
    assert project.settings(DownloadSettings).min_score == 50 and project.settings(DownloadSettings).top_n == 7
    project.undo()
    assert "min_score" not in project.tables["download"] and project.settings(DownloadSettings).top_n == 7
    project.redo()
    assert project.settings(DownloadSettings).min_score == 50


def test_the_same_again_leaves_no_step(project: Project) -> None:
    project.write_settings({"site": {"without": ["comic"]}}, "the search")
    before = len(project.journal.history())
    project.write_settings({"site": {"without": ["comic"]}}, "the search")
    project.write_sheet("# zorvex\n", "info.md edited")
    assert len(project.journal.history()) == before


def test_a_project_of_an_older_format_is_read_and_gets_the_table_when_it_is_written_to(project: Project) -> None:
    connection = project._connection
    connection.execute("DROP TABLE written")
    connection.execute("PRAGMA user_version=2")
    project.close()
    with Project.open(project.folder, writing=False) as reading:
        assert reading.written.rows() == {}
    with Project.open(project.folder) as again:
        again.write_sheet("new", "info.md edited")
        assert again.undo().what == "info.md edited"
        assert again._connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT
