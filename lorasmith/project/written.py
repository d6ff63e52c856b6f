"""What a person writes through the program into the project's text files, kept so that it can be undone.

`info.md` is kept whole, settings one by one (`download.min_score`): so undo of a setting leaves all others as they are.
The files stay the truth: a row says only what was written last, and what another program wrote since is kept beside.
"""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from lorasmith.files import write_atomic
from lorasmith.settings.toml import FILE_NAME, keep_choice, read_tables

SHEET = "info.md"
_TABLE = "written"


class Written:
    """The rows of one project's database, and the files that they speak of."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._db = connection
        self._folder = folder

    def sheet(self) -> str:
        """Gives info.md as it is on the disk now, empty where there is none."""
        path = self._folder / SHEET
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def remember(self, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Notes how things are before a change; called before the journal's entry is opened, so that it is no change itself."""
        if settings is None:
            self._put(SHEET, self.sheet())
            return
        now = read_tables(self._folder / FILE_NAME)
        for table, values in settings.items():
            for name in values:
                self._put(f"{table}.{name}", json.dumps(now.get(table, {}).get(name)))

    def write_sheet(self, text: str) -> None:
        """Writes info.md; within a journal entry, after `remember`."""
        self._put(SHEET, text)
        write_atomic(self._folder / SHEET, text)

    def write_settings(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Writes settings by table, None for unset; within a journal entry, after `remember`. They must have been checked."""
        for table, values in settings.items():
            for name, value in values.items():
                self._put(f"{table}.{name}", json.dumps(value))
            keep_choice(self._folder / FILE_NAME, table, values)

    def rows(self) -> dict[str, str]:
        """Gives what was written last, by name."""
        return {row["name"]: row["content"] for row in self._db.execute(f"SELECT name, content FROM {_TABLE}")}

    def follow(self, before: Mapping[str, str]) -> None:
        """Brings the files to what the rows say after an undo or redo; `before` are the rows before it.

        An info.md that was written by another program meanwhile is kept beside it, with the time in its name.
        """
        for name, content in self.rows().items():
            if before.get(name) == content:
                continue
            if name == SHEET:
                self._bring_back(before.get(name, ""), content)
            else:
                table, _, setting = name.partition(".")
                keep_choice(self._folder / FILE_NAME, table, {setting: json.loads(content)})

    def _bring_back(self, expected: str, content: str) -> None:
        there = self.sheet()
        if there not in (expected, content):
            write_atomic(self._folder / f"info.{datetime.now():%Y%m%d-%H%M%S}.md", there)
        write_atomic(self._folder / SHEET, content)

    def _put(self, name: str, content: str) -> None:
        same = "ON CONFLICT (name) DO UPDATE SET content = excluded.content WHERE content IS NOT excluded.content"
        self._db.execute(f"INSERT INTO {_TABLE} VALUES (?, ?) {same}", (name, content))
