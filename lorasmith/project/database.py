"""project.db: the master record of a project, SQLite in WAL mode, with a journal that triggers write.

Every change to a journalled table made while a journal entry is open is recorded by trigger as (table, key, row before,
row after), in the same transaction as the change itself. Undo and redo are replays of those rows (`journal.py`).
Measures and score vectors are caches and are not journalled.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lorasmith.errors import DiskFull, LorasmithError, ProjectError

FORMAT = 3  # raised with every change of the schema; a file with a higher number is from the future
_PATIENCE = 10  # seconds that another process may hold the database
_A_PAGE_OR_TWO = 128 * 1024  # bytes free under which a failed write means a full disk
_NO_ROOM = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)

# table -> (key columns, other columns)
JOURNALLED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pictures": (
        ("name",),
        ("file", "parent", "operation", "origin", "width", "height", "bytes", "sha256", "md5", "post", "trashed"),
    ),
    "tags": (("picture", "source", "tag"), ("category", "score")),
    "decisions": (("picture", "maker"), ("verdict", "reason", "detail")),
    "captions": (("caption_set", "picture"), ("text", "sidecar", "sidecar_sha256")),
    "caption_sets": (("name",), ("profile",)),
    "gathered": (("caption_set", "under", "tag"), ("why",)),
    "placed_tags": (("caption_set", "picture", "tag"), ("place",)),
    "written": (("name",), ("content",)),
}

_MD5_INDEX = "CREATE INDEX IF NOT EXISTS pictures_of_md5 ON pictures(md5)"
# What later formats brought. An older project gets these tables when it is opened for writing.
_CAPTION_SETS = {
    "caption_sets": "name TEXT PRIMARY KEY, profile TEXT NOT NULL",  # JSON: base family, prefix, keep_tokens, ...
    "gathered": "caption_set TEXT NOT NULL, under TEXT NOT NULL, tag TEXT NOT NULL, why TEXT NOT NULL, "
    "PRIMARY KEY (caption_set, under, tag)",  # under: the outfit's tag, empty for the trigger
    "placed_tags": "caption_set TEXT NOT NULL, picture TEXT NOT NULL, tag TEXT NOT NULL, place INTEGER NOT NULL, "
    "PRIMARY KEY (caption_set, picture, tag)",  # place: under 0 before the other tags, over 0 behind them
}
_WRITTEN = {"written": "name TEXT PRIMARY KEY, content TEXT NOT NULL"}  # a text file or a setting, as the page wrote it last
_LATER = {2: _CAPTION_SETS, 3: _WRITTEN}  # format -> its tables
_SCHEMA = """
CREATE TABLE pictures (
    name TEXT PRIMARY KEY,          -- the stem: e621_123456, edits e621_123456.2
    file TEXT NOT NULL,             -- path relative to the project folder, with forward slashes
    parent TEXT,                    -- the picture that this one was made from
    operation TEXT,                 -- JSON: what was done to the parent
    origin TEXT NOT NULL,           -- booru | folder | edit | render
    width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL, md5 TEXT NOT NULL,
    post TEXT NOT NULL,             -- JSON: provenance (site, post id, rating, score, sources, ...)
    trashed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX pictures_of_parent ON pictures(parent);
CREATE TABLE tags (
    picture TEXT NOT NULL, source TEXT NOT NULL, tag TEXT NOT NULL, category TEXT NOT NULL, score REAL NOT NULL,
    PRIMARY KEY (picture, source, tag)
) WITHOUT ROWID;
CREATE TABLE decisions (
    picture TEXT NOT NULL, maker TEXT NOT NULL,   -- maker: prune | person
    verdict TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (picture, maker)
) WITHOUT ROWID;
CREATE TABLE captions (
    caption_set TEXT NOT NULL, picture TEXT NOT NULL, text TEXT NOT NULL, sidecar TEXT NOT NULL, sidecar_sha256 TEXT NOT NULL,
    PRIMARY KEY (caption_set, picture)
) WITHOUT ROWID;
CREATE TABLE measures (sha256 TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE scores (sha256 TEXT NOT NULL, model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (sha256, model)) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, stage TEXT NOT NULL, what TEXT NOT NULL, at TEXT NOT NULL,
    state TEXT NOT NULL             -- open | done | undone
);
CREATE TABLE journal_changes (
    change INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL REFERENCES journal(entry) ON DELETE CASCADE,
    tbl TEXT NOT NULL, before TEXT, after TEXT
);
CREATE INDEX journal_changes_of_entry ON journal_changes(entry);
CREATE TABLE journal_current (entry INTEGER);
INSERT INTO journal_current VALUES (NULL);
"""


class Connection(sqlite3.Connection):
    """A connection whose faults of the world (full disk, damaged file, other program) are sentences for a person."""

    file = Path()

    def execute(self, *words: Any) -> sqlite3.Cursor:
        """Runs one statement; raises `DiskFull` or `ProjectError` where the fault is not the program's."""
        with _faults_in_words(self.file):
            return super().execute(*words)


def connect(path: Path, *, writing: bool = True) -> sqlite3.Connection:
    """Opens a project's database, makes it where it is missing, and checks that it is whole and of this format.

    Without `writing` nothing is made or changed, and the place may be read-only. Raises `ProjectError` when it is from the
    future, damaged or no database, `DiskFull` when there is no room for it.
    """
    if not writing and not path.is_file():
        raise ProjectError(f"{path} is missing; restore it from a copy of the project, or run a stage to begin anew.")
    with _faults_in_words(path):
        connection = _opened(path, writing)
        connection.row_factory = sqlite3.Row
        try:
            _prepare(connection, path, writing)
        except (sqlite3.DatabaseError, LorasmithError):
            connection.close()
            raise
    return connection


def _opened(path: Path, writing: bool) -> Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, factory=Connection)
    connection.file = path
    if writing:
        return connection
    try:
        sqlite3.Connection.execute(connection, "PRAGMA user_version")
    except sqlite3.OperationalError:  # a read-only place where the log cannot be made: as it is, if the log is empty
        connection.close()
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        address = f"{path.absolute().as_uri()}?immutable=1"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, factory=Connection)
        connection.file = path
    connection.execute("PRAGMA query_only=ON")
    return connection


# file -> its state when this process found it sound: the check reads every page, and a page that watches opens it often
_sound: dict[Path, tuple[int, int]] = {}


def _state_of(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size


def _was_sound(path: Path) -> bool:
    return path in _sound and _sound[path] == _state_of(path)


def _prepare(connection: Connection, path: Path, writing: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise ProjectError(
            f"{path} was written by a newer lorasmith (format {version}, this one knows {FORMAT}). "
            "Update lorasmith to open this project; nothing was changed."
        )
    fault = "ok" if not writing and _was_sound(path) else connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise ProjectError(f"{path} is damaged ({' '.join(fault.split())}). Restore it from a copy of the project.")
    _sound[path] = _state_of(path)
    if version == 0 and not writing:
        raise ProjectError(f"{path} holds nothing yet; run a stage first.")
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise ProjectError(f"{path} is another program's database; move it away and run the command again.")
    if writing:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    if version == 0:
        _create(connection)
    elif version < FORMAT:
        (_migrate if writing else _stand_in)(connection, version)
    if version and writing:  # a table of tens of thousands of pictures is asked for an md5 at each new post
        connection.execute(_MD5_INDEX)


@contextmanager
def _faults_in_words(path: Path) -> Iterator[None]:
    """Turns SQLite's words for faults of the world into sentences; a fault of the program stays as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        sentence = _in_words(error, path)
        if sentence is None:
            raise
        raise sentence from error


def _in_words(error: sqlite3.DatabaseError, path: Path) -> LorasmithError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code in _NO_ROOM and _disk_is_full(path)):
        return DiskFull(
            f"The disk is full: {path} could not be written. Free some space and run the same command again; "
            "nothing finished was lost."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ProjectError(f"{path} is not a project database ({error}). Restore it from a copy of the project.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ProjectError(f"Another program holds {path}; close it, then run this command again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return ProjectError(f"{path} cannot be read or written ({error}); check the folder's rights and its disk.")
    return None


def _disk_is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _A_PAGE_OR_TWO
    except OSError:
        return False


def _create(connection: sqlite3.Connection) -> None:
    statements = [_SCHEMA, *_tables_after(1)]
    for table, (keys, others) in JOURNALLED.items():
        statements.append(_triggers(table, keys + others))
    script = "".join(statements)
    connection.executescript(f"BEGIN EXCLUSIVE;{script}{_MD5_INDEX};PRAGMA user_version={FORMAT};COMMIT;")


def _tables_after(version: int, kind: str = "TABLE") -> list[str]:
    return [f"CREATE {kind} {name} ({columns}) WITHOUT ROWID;" for name, columns in _new_since(version).items()]


def _new_since(version: int) -> dict[str, str]:
    return {name: columns for number, its in _LATER.items() if number > version for name, columns in its.items()}


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Brings a project of an older format to this one, in one transaction."""
    triggers = [_triggers(table, sum(JOURNALLED[table], ())) for table in _new_since(version)]
    script = "".join([*_tables_after(version), *triggers])
    connection.executescript(f"BEGIN EXCLUSIVE;{script}PRAGMA user_version={FORMAT};COMMIT;")


def _stand_in(connection: sqlite3.Connection, version: int) -> None:
    """Gives an older project that is only read the tables it lacks, empty, in memory."""
    connection.execute("PRAGMA query_only=OFF")
    connection.executescript("".join(_tables_after(version, "TEMP TABLE")))
    connection.execute("PRAGMA query_only=ON")


def _triggers(table: str, columns: tuple[str, ...]) -> str:
    new = "json_object(" + ", ".join(f"'{c}', NEW.{c}" for c in columns) + ")"
    old = "json_object(" + ", ".join(f"'{c}', OLD.{c}" for c in columns) + ")"
    insert = (
        "INSERT INTO journal_changes (entry, tbl, before, after) SELECT entry, '{t}', {b}, {a} FROM journal_current;"
    )
    condition = "WHEN (SELECT entry FROM journal_current) IS NOT NULL"
    parts = []
    for event, before, after in (("INSERT", "NULL", new), ("UPDATE", old, new), ("DELETE", old, "NULL")):
        body = insert.format(t=table, b=before, a=after)
        parts.append(f"CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} {condition} BEGIN {body} END;\n")
    return "".join(parts)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Runs a block as one transaction: all of it, or nothing. Blocks may nest; the outermost decides."""
    if connection.in_transaction:
        yield connection
        return
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
