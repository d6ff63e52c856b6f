"""The journal: every change of the master record as an entry that can be undone and redone, across restarts."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lorasmith.errors import ProjectError
from lorasmith.project.database import JOURNALLED, transaction


@dataclass(frozen=True)
class Entry:
    """One line of the history: what was done, when, and whether it is undone or still open."""

    number: int
    stage: str
    what: str
    at: str
    state: str
    changes: int


class Journal:
    """The history of one project's database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        # A process that was killed leaves an entry open and named as current: it is picked up by the same stage's next
        # run, or closed by the next entry.
        self._depth = 0

    @contextmanager
    def entry(self, stage: str, what: str) -> Iterator[None]:
        """Records all changes made inside the block as one entry, also over several transactions.

        An entry of the same stage and words that a killed process left open is continued. An entry without changes leaves
        no line. Blocks may nest; the outermost names the entry.
        """
        if self._depth:
            yield
            return
        number = self._open(stage, what)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._close(number)

    def _open(self, stage: str, what: str) -> int:
        with transaction(self._db):
            left = self._db.execute("SELECT entry, stage, what FROM journal WHERE state = 'open'").fetchone()
            if left is not None:
                if (left["stage"], left["what"]) == (stage, what):
                    self._db.execute("UPDATE journal_current SET entry = ?", (left["entry"],))
                    return int(left["entry"])
                self._finish(int(left["entry"]))
            at = datetime.now(UTC).isoformat(timespec="seconds")
            row = self._db.execute(
                "INSERT INTO journal (stage, what, at, state) VALUES (?, ?, ?, 'open')", (stage, what, at)
            )
            number = int(row.lastrowid or 0)
            self._db.execute("UPDATE journal_current SET entry = ?", (number,))
            return number

    def _close(self, number: int) -> None:
        with transaction(self._db):
            self._finish(number)

    def _finish(self, number: int) -> None:
        self._db.execute("UPDATE journal_current SET entry = NULL")
        if self._changes(number):
            # A new change ends the possibility of redoing what was undone before it.
            self._db.execute("DELETE FROM journal WHERE state = 'undone'")
            self._db.execute("UPDATE journal SET state = 'done' WHERE entry = ?", (number,))
        else:
            self._db.execute("DELETE FROM journal WHERE entry = ?", (number,))

    def _changes(self, number: int) -> int:
        return int(self._db.execute("SELECT count(*) FROM journal_changes WHERE entry = ?", (number,)).fetchone()[0])

    def settle(self) -> None:
        """Closes an entry that a killed process left open, so that it can be undone."""
        if self._depth:
            return
        with transaction(self._db):
            for row in self._db.execute("SELECT entry FROM journal WHERE state = 'open'").fetchall():
                self._finish(int(row["entry"]))

    def history(self) -> list[Entry]:
        """Lists the entries, oldest first."""
        rows = self._db.execute(
            "SELECT j.entry, stage, what, at, state, count(c.change) AS changes FROM journal j "
            "LEFT JOIN journal_changes c ON c.entry = j.entry GROUP BY j.entry ORDER BY j.entry"
        )
        return [Entry(r["entry"], r["stage"], r["what"], r["at"], r["state"], r["changes"]) for r in rows]

    def states(self) -> list[tuple[int, str, str]]:
        """Lists (number, stage, state) of the entries, oldest first, without looking at what they changed."""
        rows = self._db.execute("SELECT entry, stage, state FROM journal ORDER BY entry")
        return [(row["entry"], row["stage"], row["state"]) for row in rows]

    def undo(self) -> Entry:
        """Takes the last done entry back; raises `ProjectError` when there is none."""
        self.settle()
        entry = self._pick("state = 'done' ORDER BY entry DESC", "There is nothing to undo.")
        self._replay(entry, backwards=True)
        return replace(entry, state="undone")

    def redo(self) -> Entry:
        """Does the first undone entry again; raises `ProjectError` when there is none."""
        self.settle()
        entry = self._pick("state = 'undone' ORDER BY entry ASC", "There is nothing to redo.")
        self._replay(entry, backwards=False)
        return replace(entry, state="done")

    def _pick(self, where: str, otherwise: str) -> Entry:
        row = self._db.execute(f"SELECT entry, stage, what, at, state FROM journal WHERE {where} LIMIT 1").fetchone()
        if row is None:
            raise ProjectError(otherwise)
        return Entry(row["entry"], row["stage"], row["what"], row["at"], row["state"], self._changes(row["entry"]))

    def _replay(self, entry: Entry, *, backwards: bool) -> None:
        order = "DESC" if backwards else "ASC"
        with transaction(self._db):
            rows = self._db.execute(
                f"SELECT tbl, before, after FROM journal_changes WHERE entry = ? ORDER BY change {order}",
                (entry.number,),
            ).fetchall()
            for row in rows:
                if _is_safetys(row):
                    continue  # what was refused stays refused, whatever is taken back
                gone, wanted = (row["after"], row["before"]) if backwards else (row["before"], row["after"])
                self._put(row["tbl"], gone, wanted)
            state = "undone" if backwards else "done"
            self._db.execute("UPDATE journal SET state = ? WHERE entry = ?", (state, entry.number))

    def _put(self, table: str, gone: str | None, wanted: str | None) -> None:
        keys, others = JOURNALLED[table]
        if gone is not None:
            row = json.loads(gone)
            condition = " AND ".join(f"{key} = ?" for key in keys)
            self._db.execute(f"DELETE FROM {table} WHERE {condition}", [row[key] for key in keys])
        if wanted is not None:
            row = json.loads(wanted)
            columns = keys + others
            marks = ", ".join("?" * len(columns))
            self._db.execute(
                f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                [row[column] for column in columns],
            )


def _is_safetys(row: sqlite3.Row) -> bool:
    """Whether a change is a decision of safety, which no undo takes back."""
    return row["tbl"] == "decisions" and json.loads(row["after"] or row["before"])["maker"] == "safety"
