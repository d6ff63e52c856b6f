"""The list of jobs: a SQLite file in the user's data folder, so that what waits or was stopped outlives every process.

Whoever runs the jobs is one process; any other may add, cancel, move, hold and pause, and look how far they are. What such a
process wishes of a job at work is written beside it (`wish`), and the runner reads it there.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lorasmith.progress import Progress

State = Literal["waiting", "running", "done", "failed", "stopped"]
Lane = Literal["gpu", "light"]
Wish = Literal["", "stop", "back"]  # of a job at work: end it, or end it and let it wait for another turn
OPEN: tuple[State, ...] = ("waiting", "running")
# commands that want no GPU of their own
LIGHT = frozenset(["research", "download", "prune", "prepare", "refine", "add", "erase", "touch-up", "masks"])
_COLUMNS = """
    id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL, words TEXT NOT NULL, lane TEXT NOT NULL,
    state TEXT NOT NULL, made TEXT NOT NULL, started TEXT, ended TEXT, pid INTEGER, born REAL, result TEXT, error TEXT
"""
_ADDED = {  # columns of later versions
    "name": "TEXT NOT NULL DEFAULT ''", "place": "REAL", "held": "INTEGER NOT NULL DEFAULT 0", "wish": "TEXT NOT NULL DEFAULT ''",
    "progress": "TEXT", "tries": "INTEGER NOT NULL DEFAULT 0",
}  # fmt: skip
_IN_ORDER = "ORDER BY COALESCE(place, id), id"


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
    name: str = ""  # what it differs in from others of its project
    held: bool = False
    wish: Wish = ""
    progress: Progress | None = None  # as last heard
    tries: int = 0

    @property
    def stage(self) -> str:
        """The command: a stage's name, `run`, `add`, ..."""
        return self.words[0]


def lane_of(command: str) -> Lane:
    """Says which kind of room a command needs."""
    return "light" if command in LIGHT else "gpu"


class Store:
    """Reads and changes the list; safe to use from several threads and processes."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, timeout=30, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._together():
            self._db.execute(f"CREATE TABLE IF NOT EXISTS jobs ({_COLUMNS})")
            self._db.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT)")
            there = {row["name"] for row in self._db.execute("PRAGMA table_info(jobs)")}
            for name, kind in _ADDED.items():
                if name not in there:
                    self._db.execute(f"ALTER TABLE jobs ADD COLUMN {name} {kind}")

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def add(self, folder: Path, words: tuple[str, ...], lane: Lane, name: str = "") -> Job:
        """Puts a job at the end of the line."""
        with self._together():
            last = self._run("SELECT MAX(COALESCE(place, id)) AS last FROM jobs")[0]["last"] or 0
            values = (str(folder), json.dumps(words), lane, "waiting", now(), name, float(int(last) + 1))
            sql = "INSERT INTO jobs (folder, words, lane, state, made, name, place) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *"
            return _job(self._run(sql, values)[0])

    def add_once(self, folder: Path, words: tuple[str, ...], lane: Lane, name: str = "") -> tuple[Job, bool]:
        """Puts a job at the end of the line, unless the very same one is in it; gives it, and whether it is new."""
        with self._together():
            for job in self.open():
                if job.folder == folder and job.words == words:
                    return job, False
            return self.add(folder, words, lane, name), True

    def claim(self, job: int) -> Job | None:
        """Takes a job that waits, to run it; None when it no longer waits: two runners never get the same."""
        sql = (
            "UPDATE jobs SET state = 'running', started = ?, pid = NULL, born = NULL, wish = '', progress = NULL, error = '', "
            "tries = tries + 1 WHERE id = ? AND state = 'waiting' AND NOT held RETURNING *"
        )
        rows = self._run(sql, (now(), job))
        return _job(rows[0]) if rows else None

    def cancel(self, job: int) -> Job | None:
        """Stops a job that waits, or writes down that the one at work is to be stopped; gives it as it is then."""
        with self._together():
            self._run("UPDATE jobs SET state = 'stopped', ended = ?, held = 0 WHERE id = ? AND state = 'waiting'", (now(), job))
            self._run("UPDATE jobs SET wish = 'stop' WHERE id = ? AND state = 'running'", (job,))
            return self.get(job)

    def move(self, job: int, to: int) -> list[Job]:
        """Puts a job that waits at the `to`-th place of those that wait (from 1); gives them in their order."""
        with self._together():
            line = [each for each in self.open() if each.state == "waiting"]
            mine = [each for each in line if each.id == job]
            others = [each for each in line if each.id != job]
            at = min(max(to, 1), len(others) + 1) - 1
            line = [*others[:at], *mine, *others[at:]]
            places = sorted(row["place"] for row in self._run("SELECT COALESCE(place, id) AS place FROM jobs WHERE state = 'waiting'"))
            for each, place in zip(line, places, strict=True):
                self._run("UPDATE jobs SET place = ? WHERE id = ?", (place, each.id))
            return [each for each in self.open() if each.state == "waiting"]

    def hold(self, job: int, held: bool) -> Job | None:
        """Holds a job that waits, or lets it go; one at work goes back into the line, and is held there."""
        with self._together():
            self._run("UPDATE jobs SET held = ? WHERE id = ? AND state IN (?, ?)", (held, job, *OPEN))
            if held:
                self._run("UPDATE jobs SET wish = 'back' WHERE id = ? AND state = 'running' AND wish = ''", (job,))
            return self.get(job)

    def pause(self, *, finish: bool) -> None:
        """Lets nothing start from now on; with `finish` what runs may end, else it goes back into the line."""
        with self._together():
            self._run("INSERT OR REPLACE INTO facts VALUES ('paused', '1')")
            if not finish:
                self._run("UPDATE jobs SET wish = 'back' WHERE state = 'running' AND wish = ''")

    def resume(self) -> None:
        """Lets jobs start again."""
        self._run("DELETE FROM facts WHERE name = 'paused'")

    @property
    def paused(self) -> bool:
        """Whether nothing may start."""
        return bool(self._run("SELECT 1 FROM facts WHERE name = 'paused'"))

    def change(self, job: int, **values: Any) -> Job:
        """Writes some columns of a job and gives it as it is then."""
        if "result" in values:
            values["result"] = json.dumps(values["result"])
        if isinstance(values.get("progress"), Progress):
            told = values["progress"]
            values["progress"] = json.dumps([told.stage, told.done, told.total, told.note])
        names = ", ".join(f"{name} = :{name}" for name in values)
        return _job(self._run(f"UPDATE jobs SET {names} WHERE id = :id RETURNING *", values | {"id": job})[0])

    def get(self, job: int) -> Job | None:
        """Gives a job by its number."""
        rows = self._run("SELECT * FROM jobs WHERE id = ?", (job,))
        return _job(rows[0]) if rows else None

    def open(self) -> list[Job]:
        """Lists what waits or runs, in the order of the line."""
        return [_job(row) for row in self._run(f"SELECT * FROM jobs WHERE state IN (?, ?) {_IN_ORDER}", OPEN)]

    def latest(self, folder: Path | None = None, count: int = 50) -> list[Job]:
        """Lists the newest jobs, newest first; of one project where a folder is given."""
        where, values = ("", ()) if folder is None else ("WHERE folder = ? ", (str(folder),))
        return [_job(row) for row in self._run(f"SELECT * FROM jobs {where}ORDER BY id DESC LIMIT {count:d}", values)]

    def _run(self, sql: str, values: Any = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Runs a block as one transaction that no other process can come between."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def now() -> str:
    """Gives the time as the list writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _job(row: sqlite3.Row) -> Job:
    known = {each.name for each in fields(Job)}
    values = {name: value for name, value in dict(row).items() if name in known}
    values["folder"] = Path(values["folder"])
    values["words"] = tuple(json.loads(values["words"]))
    values["result"] = json.loads(values["result"] or "{}")
    values["error"] = values["error"] or ""
    values["held"] = bool(values["held"])
    values["progress"] = Progress(*json.loads(values["progress"])) if values["progress"] else None
    return Job(**values)
