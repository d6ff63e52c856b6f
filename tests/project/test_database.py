"""project.db: opened, refused with a sentence, read while written, and safe from a full disk."""

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith.errors import DiskFull, ProjectError
from lorasmith.project.database import FORMAT, connect, transaction
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project


def test_a_new_database_is_of_this_format_and_opens_again(tmp_path: Path) -> None:
    for _ in range(2):
        connection = connect(tmp_path / "project.db")
        assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        connection.close()


@pytest.mark.parametrize("writing", [True, False])
def test_a_database_from_the_future_is_refused_and_left_alone(tmp_path: Path, writing: bool) -> None:
    file = tmp_path / "project.db"
    connect(file).close()
    with sqlite3.connect(file) as raw:
        raw.execute(f"PRAGMA user_version={FORMAT + 1}")
    raw.close()
    before = file.read_bytes()
    with pytest.raises(ProjectError, match=f"newer lorasmith .format {FORMAT + 1}, this one knows {FORMAT}.*Update"):
        connect(file, writing=writing)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all, " * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_what_is_no_database_is_a_sentence_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "project.db"
    file.write_bytes(content)
    with pytest.raises(ProjectError, match="is not a project database .*Restore it"):
        connect(file)
    assert file.read_bytes() == content


@pytest.mark.parametrize("damage", ["cut", "scribbled"])
def test_a_damaged_database_is_told_when_it_is_opened(
    folder: Path, picture: Callable[..., Picture], damage: str
) -> None:
    with Project.create(folder, "zorvex") as project, project.transaction():
        for number in range(300):
            project.pictures.add(picture(f"own_{number}"))
    file = folder / "project.db"
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] if damage == "cut" else content[:8192] + b"\xaa" * half + content[8192 + half :])
    for writing in (True, False):
        with pytest.raises(ProjectError, match="Restore it from a copy"):
            Project.open(folder, writing=writing)


def test_another_program_s_database_is_not_written_into(tmp_path: Path) -> None:
    file = tmp_path / "project.db"
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE recipes (cake)")
    raw.close()
    before = file.read_bytes()
    with pytest.raises(ProjectError, match="another program's database"):
        connect(file)
    assert file.read_bytes() == before


def test_a_transaction_that_fails_leaves_nothing(project: Project, picture: Callable[..., Picture]) -> None:
    with pytest.raises(RuntimeError), project.transaction():
        project.pictures.add(picture("own_1"))
        with project.transaction():
            project.pictures.add(picture("own_2"))
        raise RuntimeError
    assert project.pictures.all() == []


def test_a_mistake_in_the_program_keeps_its_own_error(project: Project) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), project.transaction():
        project._connection.execute("SELECT * FROM nowhere")


def test_a_reader_sees_what_was_committed_while_another_writes(
    project: Project, folder: Path, picture: Callable[..., Picture]
) -> None:
    project.pictures.add(picture("own_1"))
    with project.transaction():
        project.pictures.add(picture("own_2"))
        with Project.open(folder, writing=False) as reader:
            assert reader.pictures.every_name() == {"own_1"}
    with Project.open(folder, writing=False) as reader:
        assert reader.pictures.every_name() == {"own_1", "own_2"}


def test_a_reader_cannot_write(project: Project, folder: Path, picture: Callable[..., Picture]) -> None:
    with Project.open(folder, writing=False) as reader, pytest.raises(ProjectError, match="cannot be read or written"):
        reader.pictures.add(picture("own_1"))


def test_a_reader_makes_no_database(folder: Path) -> None:
    Project.create(folder, "zorvex").close()
    (folder / "project.db").unlink()
    with pytest.raises(ProjectError, match="project.db is missing"):
        Project.open(folder, writing=False)
    assert not (folder / "project.db").exists()
    (folder / "project.db").touch()
    with pytest.raises(ProjectError, match="holds nothing yet"):
        Project.open(folder, writing=False)


def _remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_a_project_on_a_read_only_disk_can_be_read(small_disk: Path, picture: Callable[..., Picture]) -> None:
    folder = small_disk / "zorvex"
    with Project.create(folder, "zorvex") as project, project.change("add", "one"):
        project.pictures.add(picture("own_1"))
    _remount(small_disk, "ro")
    with Project.open(folder, writing=False) as reader:
        assert reader.pictures.every_name() == {"own_1"}
        assert [entry.what for entry in reader.journal.history()] == ["one"]
    with pytest.raises(ProjectError, match="cannot be written to .Read-only file system"):
        Project.open(folder)
    with pytest.raises(ProjectError, match="cannot be made or written to .Read-only file system"):
        Project.create(small_disk / "other", "zorvex")


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_is_a_sentence_and_nothing_finished_is_lost(
    small_disk: Path, picture: Callable[..., Picture]
) -> None:
    folder = small_disk / "zorvex"
    done = 0
    with (
        Project.create(folder, "zorvex") as project,
        pytest.raises(DiskFull, match="nothing finished was lost"),
        project.change("download", "many"),
    ):
        for number in range(1000):
            with project.transaction():
                project.pictures.add(picture(f"own_{number:04}", post={"sources": ["x" * 9000]}))
            done += 1
    assert 10 < done < 1000
    filler = _fill(small_disk)
    with pytest.raises(DiskFull), Project.open(folder) as project:
        project.caches.keep_scores("0" * 64, "tagger", bytes(40_000))
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    with Project.open(folder) as project:
        assert len(project.pictures.all()) == done
        assert project.undo().what == "many"
        assert project.pictures.all() == []
        project.redo()
        assert len(project.pictures.all()) == done


def test_a_new_project_on_a_full_disk_is_a_sentence(small_disk: Path) -> None:
    filler = _fill(small_disk)
    with pytest.raises(DiskFull):
        Project.create(small_disk / "zorvex", "zorvex")
    filler.unlink()
    Project.create(small_disk / "zorvex", "zorvex").close()


def test_a_small_fact_on_a_full_disk_is_a_sentence_too(small_disk: Path) -> None:
    with Project.create(small_disk / "zorvex", "zorvex") as project:
        _fill(small_disk)
        with pytest.raises(DiskFull):
            for number in range(100):
                project.remember(f"fact {number}", "x" * 10_000)


def test_a_lock_held_by_another_program_is_a_sentence(project: Project, folder: Path) -> None:
    other = sqlite3.connect(folder / "project.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    project._connection.execute("PRAGMA busy_timeout=10")
    with pytest.raises(ProjectError, match="Another program holds"), transaction(project._connection):
        pass
    other.close()
