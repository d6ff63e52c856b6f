"""The project: a folder, its settings, its database, and the paths of everything in it. Nobody else builds paths."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from filelock import FileLock, Timeout

from lorasmith.errors import ProjectError, UsageError
from lorasmith.files import disk_full_is_a_sentence, remove_begun, write_atomic
from lorasmith.project.caption_sets import CaptionSets
from lorasmith.project.database import connect, transaction
from lorasmith.project.journal import Entry, Journal
from lorasmith.project.pictures import Caches, Picture, Pictures
from lorasmith.project.tag_rows import TagRows
from lorasmith.project.written import Written
from lorasmith.safety import demand_safe_text
from lorasmith.settings.stage import StageSettings
from lorasmith.settings.tables import TABLES
from lorasmith.settings.toml import FILE_NAME, new_document, read_tables, resolve

S = TypeVar("S", bound=StageSettings)
RESULT = "result:"  # how the facts begin that hold what each stage gave last; the stage's name follows
FOLDERS = ("images", "edits", "dataset", "runs", "loras", "evaluations")
_HOLDERS = ("images", "edits", "loras", "evaluations", "candidates", "research")  # only the lock's holder writes there
_LONGEST_TRIGGER = 100  # a caption's 75 tokens must have room for more than the trigger


class Project:
    """One character's project folder, opened."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: FileLock | None) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock
        self.journal = Journal(connection)
        self.pictures = Pictures(connection)
        self.caches = Caches(connection)
        self.tag_rows = TagRows(connection)
        self.caption_sets = CaptionSets(connection)
        self.written = Written(connection, folder)

    # opening and making

    @classmethod
    def create(
        cls, folder: Path, trigger: str, *, preset: str = "", chosen: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Self:
        """Makes a new project folder and opens it; raises when there is already one, or the trigger cannot be used."""
        check_trigger(trigger)
        if (folder / FILE_NAME).exists():
            raise ProjectError(f"{folder} is already a project; choose another folder, or run the stages on it.")
        if folder.exists() and not folder.is_dir():
            raise ProjectError(f"{folder} is a file, not a folder; choose another name for the project.")
        document = new_document(trigger, preset, chosen)
        try:
            with disk_full_is_a_sentence(folder):
                for name in FOLDERS:
                    (folder / name).mkdir(parents=True, exist_ok=True)
                write_atomic(folder / FILE_NAME, document)
        except OSError as error:
            raise ProjectError(
                f"{folder} cannot be made or written to ({error.strerror}); choose another folder, or check its rights."
            ) from error
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path, *, writing: bool = True, patience: float = 1.0) -> Self:
        """Opens a project; `writing` takes its lock. Without it nothing is changed, and the place may be read-only.

        `patience` is in seconds: how long another process may go on holding the lock (a page's click holds it for a moment).
        Raises `ProjectError` when there is none, it is from the future, or another process is writing to it.
        """
        folder = folder.resolve()
        if not (folder / FILE_NAME).is_file():
            raise ProjectError(f"There is no project in {folder} (no {FILE_NAME}); `lorasmith new` makes one.")
        _demand_record(folder)
        lock = locked(folder, patience) if writing else None
        try:
            return cls(folder, connect(folder / "project.db", writing=writing), lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    def close(self) -> None:
        """Closes the database and gives the lock back."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sweep(self) -> None:
        """Removes the beginnings of files that a killed process left: a LoRA's may be as large as the LoRA."""
        if self._lock is not None:
            for name in _HOLDERS:
                remove_begun(self.folder / name)

    # settings

    @property
    def trigger(self) -> str:
        """The trigger: the main tag that calls the character."""
        trigger = str(self.tables.get("project", {}).get("trigger", ""))
        check_trigger(trigger)
        return trigger

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The tables of lorasmith.toml as they are on the disk now."""
        return read_tables(self.folder / FILE_NAME)

    def settings(self, model: type[S], flags: Mapping[str, Any] | None = None) -> S:
        """Gives a stage's settings: default < preset < lorasmith.toml < flags."""
        stage = next(name for name, known in TABLES.items() if known is model)
        settings = resolve(stage, self.tables, flags)
        assert isinstance(settings, model)
        return settings

    # changing

    @contextmanager
    def change(self, stage: str, what: str) -> Iterator[None]:
        """Records the block's changes as one journal entry; single transactions inside keep finished work."""
        with self.journal.entry(stage, what):
            yield

    def undo(self) -> Entry:
        """Takes the last change of the record back; what stages remember of their work is forgotten, so that they look again."""
        return self._replay(self.journal.undo)

    def redo(self) -> Entry:
        """Does the change that was last taken back again."""
        return self._replay(self.journal.redo)

    def _replay(self, way: Callable[[], Entry]) -> Entry:
        with self.transaction():
            before = self.written.rows()
            entry = way()
            self._forget_finished_work(entry.stage)
            self.written.follow(before)
        return entry

    def write_sheet(self, text: str, what: str) -> None:
        """Writes info.md as one step of the history."""
        self.written.remember()
        with self.change("sheet", what), self.transaction():
            self.written.write_sheet(text)

    def write_settings(self, settings: Mapping[str, Mapping[str, Any]], what: str) -> None:
        """Writes settings that were checked, by table, as one step of the history; None takes one out."""
        self.written.remember(settings)
        with self.change("settings", what), self.transaction():
            self.written.write_settings(settings)

    def _forget_finished_work(self, stage: str) -> None:
        if stage in ("tags", "sheet", "settings"):
            return  # no stage has anything to look at again: what reads them reads them each time
        forgotten = "name LIKE 'prepared:%' OR name LIKE 'done:%' OR name = ?"
        self._connection.execute(f"DELETE FROM facts WHERE {forgotten}", (f"{RESULT}{stage}",))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs a block as one database transaction."""
        with transaction(self._connection):
            yield

    def fact(self, name: str) -> Any:
        """Gives a small remembered value (what research found, the core tags), or None."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row["value"])

    def facts_named(self, start: str) -> dict[str, Any]:
        """Gives the remembered values whose names begin so."""
        rows = self._connection.execute("SELECT name, value FROM facts WHERE substr(name, 1, ?) = ?", (len(start), start))
        return {row["name"]: json.loads(row["value"]) for row in rows}

    def remember(self, name: str, value: Any) -> None:
        """Stores a small value under a name."""
        text = json.dumps(value)
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))

    # paths

    @property
    def images(self) -> Path:
        """Where originals lie, never rewritten."""
        return self.folder / "images"

    @property
    def edits(self) -> Path:
        """Where crops and other edits lie."""
        return self.folder / "edits"

    @property
    def loras(self) -> Path:
        """Where finished LoRA files lie, as WebUIs read them."""
        return self.folder / "loras"

    @property
    def runs(self) -> Path:
        """Where training runs lie."""
        return self.folder / "runs"

    @property
    def evaluations(self) -> Path:
        """Where evaluations lie."""
        return self.folder / "evaluations"

    @property
    def research(self) -> Path:
        """Where the preview wall and what else research found lie."""
        return self.folder / "research"

    @property
    def quarantine(self) -> Path:
        """Where files lie that came damaged twice, for a person to see."""
        return self.folder / "quarantine"

    @property
    def full_size(self) -> Path:
        """Where the full-size files of pictures lie that were made smaller when they came."""
        return self.folder / "full-size"

    @property
    def sheets(self) -> Path:
        """Where prune's contact sheets lie."""
        return self.folder / "sheets"

    @property
    def sheet(self) -> Path:
        """The character sheet, info.md."""
        return self.folder / "info.md"

    @property
    def cache(self) -> Path:
        """Where latents and other things that can be made again lie."""
        return self.folder / "cache"

    def dataset(self, caption_set: str) -> Path:
        """Where a caption set's training folders lie."""
        return self.folder / "dataset" / caption_set

    def file_of(self, picture: Picture) -> Path:
        """The file of a picture."""
        return self.folder / picture.file

    def numbered(self, parent: Path) -> list[Path]:
        """Lists the numbered folders (`001`, `002`, ...) under runs/ or evaluations/."""
        if not parent.is_dir():
            return []
        return sorted(entry for entry in parent.iterdir() if entry.is_dir() and entry.name.isdigit())

    def next_numbered(self, parent: Path) -> Path:
        """Gives the path of the next numbered folder; it is not made."""
        numbers = [int(entry.name) for entry in self.numbered(parent)]
        return parent / f"{max(numbers, default=0) + 1:03d}"


def check_trigger(trigger: str) -> None:
    """Raises when a trigger is empty or too long, has a comma or a line break, or marks minors."""
    if not trigger.strip() or trigger != trigger.strip():
        raise UsageError("The trigger is empty or has spaces round it; give one word, such as --trigger zorvex.")
    if any(mark in trigger for mark in ",|\\/<>") or not trigger.isprintable():
        raise UsageError(
            f"The trigger {trigger!r} has a mark that captions use otherwise; use letters, digits, spaces, '_' or '-'."
        )
    if len(trigger) > _LONGEST_TRIGGER:
        raise UsageError(f"The trigger has {len(trigger)} letters; give a short word, {_LONGEST_TRIGGER} at the most.")
    demand_safe_text(trigger, "trigger")


def _demand_record(folder: Path) -> None:
    """Raises when the database is gone while what it tells of is there: a new one would call all of it unknown."""
    if (folder / "project.db").exists():
        return
    held = [name for name in ("images", "edits", "runs") if any((folder / name).glob("*"))]
    if held:
        raise ProjectError(
            f"{folder} has no project.db any more, the record of what lies in {' and '.join(held)}. Put it back from a copy; or make "
            f"another project and take the pictures there (`lorasmith add PROJECT {folder / 'images'}`)."
        )


def locked(folder: Path, patience: float) -> FileLock:
    """Takes the project's lock: an operating system lock, gone with its process, kill -9 included."""
    lock = FileLock(folder / "project.lock")
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise ProjectError(
            f"Another lorasmith is working on {folder}; wait for it or stop it, then run this command again."
        ) from error
    except OSError as error:
        raise ProjectError(f"{folder} cannot be written to ({error.strerror}); check the folder's rights.") from error
    return lock
