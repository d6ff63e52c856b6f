"""The list of jobs: a SQLite file in the user's data folder, so that what waits or was stopped outlives every process."""

import json
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

State = Literal["waiting", "running", "done", "failed", "stopped"]
Lane = Literal["gpu", "light"]
OPEN: tuple[State, ...] = ("waiting", "running")
_COLUMNS = """
    id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL, words TEXT NOT NULL, lane TEXT NOT NULL,
    state TEXT NOT NULL, made TEXT NOT NULL, started TEXT, ended TEXT, pid INTEGER, born REAL, result TEXT, error TEXT
"""


@dataclass(frozen=True)
class Job:
    """One call of the command line for one project: `words` is what a person would have typed."""

    id: int
    folder: Path
    words: tuple[str, ...]
    lane: Lane
    state: State
    made: str  # UTC, ISO 8601; so are the next two
    started: str | None = None
    ended: str | None = None
    pid: int | None = None
    born: float | None = None  # when the process was created, since a pid is used again
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def stage(self) -> str:
        """The command: a stage's name, `run`, `add`, ..."""
        return self.words[0]


class Store:
    """Reads and changes the list; safe to use from several threads and processes."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, timeout=30, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS jobs ({_COLUMNS})")

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def add(self, folder: Path, words: tuple[str, ...], lane: Lane) -> Job:
        """Puts a job at the end of the line."""
        values = (str(folder), json.dumps(words), lane, "waiting", now())
        row = self._run("INSERT INTO jobs (folder, words, lane, state, made) VALUES (?, ?, ?, ?, ?) RETURNING *", values)
        return _job(row[0])

    def change(self, job: int, **values: Any) -> Job:
        """Writes some columns of a job and gives it as it is then."""
        if "result" in values:
            values["result"] = json.dumps(values["result"])
        names = ", ".join(f"{name} = :{name}" for name in values)
        return _job(self._run(f"UPDATE jobs SET {names} WHERE id = :id RETURNING *", values | {"id": job})[0])

    def get(self, job: int) -> Job | None:
        """Gives a job by its number."""
        rows = self._run("SELECT * FROM jobs WHERE id = ?", (job,))
        return _job(rows[0]) if rows else None

    def open(self) -> list[Job]:
        """Lists what waits or runs, oldest first."""
        return [_job(row) for row in self._run("SELECT * FROM jobs WHERE state IN (?, ?) ORDER BY id", OPEN)]

    def latest(self, folder: Path | None = None, count: int = 50) -> list[Job]:
        """Lists the newest jobs, newest first; of one project where a folder is given."""
        where, values = ("", ()) if folder is None else ("WHERE folder = ? ", (str(folder),))
        return [_job(row) for row in self._run(f"SELECT * FROM jobs {where}ORDER BY id DESC LIMIT {count:d}", values)]

    def _run(self, sql: str, values: Any = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()


def now() -> str:
    """Gives the time as the list writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    values["folder"] = Path(values["folder"])
    values["words"] = tuple(json.loads(values["words"]))
    values["result"] = json.loads(values["result"] or "{}")
    values["error"] = values["error"] or ""
    return Job(**values)
