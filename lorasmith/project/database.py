"""project.db: the master record of a project, SQLite in WAL mode, with a journal that triggers write.

Every change to a journalled table made while a journal entry is open is recorded by trigger as (table, key, row before,
row after), in the same transaction as the change itself. Undo and redo are replays of those rows (`journal.py`).
Measures and score vectors are caches and are not journalled.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lorasmith.errors import DiskFull, ProjectError

FORMAT = 1  # raised with every change of the schema; a file with a higher number is from the future

# table -> (key columns, other columns)
JOURNALLED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pictures": (
        ("name",),
        ("file", "parent", "operation", "origin", "width", "height", "bytes", "sha256", "md5", "post", "trashed"),
    ),
    "tags": (("picture", "source", "tag"), ("category", "score")),
    "decisions": (("picture", "maker"), ("verdict", "reason", "detail")),
    "captions": (("caption_set", "picture"), ("text", "sidecar", "sidecar_sha256")),
}

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


def connect(path: Path) -> sqlite3.Connection:
    """Opens (or makes) a project's database and brings it to this format.

    Raises `ProjectError` when it is from the future or no database.
    """
    try:
        connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        connection.row_factory = sqlite3.Row
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            connection.close()
            raise ProjectError(
                f"{path} was written by a newer lorasmith (format {version}, this one knows {FORMAT}). "
                "Update lorasmith to open this project; nothing was changed."
            )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        if version == 0:
            _create(connection)
    except sqlite3.DatabaseError as error:
        if _is_full(error):
            raise DiskFull(f"The disk is full: {path} could not be written. Free some space and try again.") from error
        raise ProjectError(f"{path} is not a project database ({error}). Restore it from a copy of the project.") from error
    return connection


def _create(connection: sqlite3.Connection) -> None:
    statements = [_SCHEMA]
    for table, (keys, others) in JOURNALLED.items():
        statements.append(_triggers(table, keys + others))
    script = "".join(statements)
    connection.executescript(f"BEGIN EXCLUSIVE;{script}PRAGMA user_version={FORMAT};COMMIT;")


def _triggers(table: str, columns: tuple[str, ...]) -> str:
    new = "json_object(" + ", ".join(f"'{c}', NEW.{c}" for c in columns) + ")"
    old = "json_object(" + ", ".join(f"'{c}', OLD.{c}" for c in columns) + ")"
    insert = "INSERT INTO journal_changes (entry, tbl, before, after) SELECT entry, '{t}', {b}, {a} FROM journal_current;"
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
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and _is_full(error):
            raise DiskFull(
                "The disk is full: the project's database could not be written. Free some space and run the same command "
                "again; nothing finished was lost."
            ) from error
        raise


def _is_full(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR)
