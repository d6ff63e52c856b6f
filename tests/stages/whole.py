"""What must hold of a project at any time: the record, its files and its journal fit together."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from lorasmith.files import sha256_of
from lorasmith.project.database import JOURNALLED
from lorasmith.project.project import Project

Record = dict[str, list[tuple[Any, ...]]]


def record_of(project: Project) -> Record:
    """Gives every row of the tables that the journal covers."""
    rows = {table: project._connection.execute(f"SELECT * FROM {table}").fetchall() for table in JOURNALLED}
    return {table: sorted((tuple(row) for row in found), key=repr) for table, found in rows.items()}


def bytes_of(folder: Path) -> dict[str, str]:
    """Gives the hash of every original and every edit that lies in a project, by its path."""
    files = (path for part in ("images", "edits") for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files if path.suffix != ".tmp"}


def demand_whole(project: Project) -> None:
    """Every file of the record is there with its bytes, every parent has a row, and the journal fits the rows."""
    pictures = [project.pictures.get(name) for name in project.pictures.every_name()]
    names = {picture.name for picture in pictures}
    for picture in pictures:
        assert sha256_of(project.file_of(picture)) == picture.sha256, picture.name
        assert picture.parent is None or picture.parent in names
        with Image.open(project.file_of(picture)) as image:
            assert image.size == (picture.width, picture.height)
    trained = [picture.name for picture in project.pictures.trained()]
    assert len(trained) == len(set(trained)), "no picture is trained on twice"
    _demand_journal(project)


def _demand_journal(project: Project) -> None:
    history = project.journal.history()
    states = [entry.state for entry in history if entry.state != "open"]
    assert states == sorted(states), "all that is undone comes after all that is done"
    still = [entry.number for entry in history if entry.state == "open"]
    current = project._connection.execute("SELECT entry FROM journal_current").fetchone()[0]
    assert len(still) <= 1 and (current is None or [current] == still)
    counted = project._connection.execute("SELECT count(*) FROM journal_changes").fetchone()[0]
    assert counted == sum(entry.changes for entry in history), "no change without its entry"
    for (table, key), after in _last_changes(project).items():
        assert _row(project, table, key) == after, "what the journal says last of a row is what it is"


def _last_changes(project: Project) -> dict[tuple[str, tuple[Any, ...]], Any]:
    """Gives for each row that the journal changed what it was made to be last, by changes that hold."""
    found: dict[tuple[str, tuple[Any, ...]], Any] = {}
    for row in project._connection.execute(
        "SELECT tbl, before, after FROM journal_changes JOIN journal USING (entry) WHERE state != 'undone' ORDER BY change"
    ):
        before, after = (None if text is None else json.loads(text) for text in (row["before"], row["after"]))
        keys = JOURNALLED[row["tbl"]][0]
        found[row["tbl"], tuple((after or before)[key] for key in keys)] = after
    return found


def _row(project: Project, table: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
    where = " AND ".join(f"{name} = ?" for name in JOURNALLED[table][0])
    row = project._connection.execute(f"SELECT * FROM {table} WHERE {where}", key).fetchone()
    return None if row is None else dict(row)


def demand_dataset(project: Project, caption_set: str = "default") -> None:
    """What was written for training is what the record has: the pictures that are trained on, and their captions."""
    files = {file.name: file for file in project.dataset(caption_set).rglob("*.*") if file.is_file()}
    captions = project.pictures.captions(caption_set)
    trained = {picture.name: picture for picture in project.pictures.trained()}
    assert captions.keys() == trained.keys()
    assert len(files) == 2 * len(trained), sorted(files)
    for name, picture in trained.items():
        assert files[f"{name}.txt"].read_text(encoding="utf-8") == captions[name].text
        assert sha256_of(files[f"{name}{project.file_of(picture).suffix}"]) == picture.sha256
