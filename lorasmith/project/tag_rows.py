"""The tags of all pictures at once: read for filters and counts, and changed for many pictures as a person's word."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lorasmith.project.database import transaction
from lorasmith.project.pictures import NOT_THERE, PERSON, TAGGER, Tag
from lorasmith.safety import text_is_refused

SEPARATOR = "\x1f"  # between tag and category in `lists`


@dataclass(frozen=True)
class PersonTag:
    """What a person says of one tag of one picture: that it is there, or that it is not."""

    picture: str
    tag: str
    category: str
    there: bool


class TagRows:
    """Reads and changes the tag rows of a whole project; every change is inside the caller's journal entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yields (picture, tag, category) of what any source says, less what a person took out; a tag of two sources twice."""
        gone = set(self.gone())
        every = self._plain().execute("SELECT picture, tag, category FROM tags")
        if not gone:
            yield from every
            return
        for row in every:
            if row[:2] not in gone:
                yield row

    def lists(self) -> Iterator[tuple[str, list[str]]]:
        """Yields each picture with all that is said of it, whoever says it, as `tag SEPARATOR category`: one row a picture.

        What a person took out is among it; `gone` has it. A large project has half a million rows, and this is what an index
        is built of, so SQLite joins them.
        """
        wanted = "SELECT picture, group_concat(tag || char(31) || category, char(30)) FROM tags GROUP BY picture"
        for picture, said in self._plain().execute(wanted):
            yield picture, said.split("\x1e")

    def gone(self) -> list[tuple[str, str]]:
        """Lists (picture, tag) of what a person took out."""
        wanted = "SELECT picture, tag FROM tags WHERE source = ? AND score = ?"
        return self._plain().execute(wanted, (PERSON, NOT_THERE)).fetchall()

    def by_picture(self) -> dict[str, list[Tag]]:
        """Gives every picture's tags from all sources."""
        found: dict[str, list[Tag]] = {}
        wanted = "SELECT picture, tag, category, source, score FROM tags ORDER BY picture, source, tag"
        for picture, tag, category, source, score in self._plain().execute(wanted):
            found.setdefault(picture, []).append(Tag(tag, category, source, score))
        return found

    def sources(self) -> dict[str, set[str]]:
        """Gives who says something of each picture."""
        said: dict[str, set[str]] = {}
        for picture, source in self._plain().execute("SELECT DISTINCT picture, source FROM tags"):
            said.setdefault(picture, set()).add(source)
        return said

    def said_by(self, source: str) -> Iterator[tuple[str, str]]:
        """Yields (picture, tag) of what one source says is there."""
        wanted = "SELECT picture, tag FROM tags WHERE source = ? AND score != ?"
        yield from self._plain().execute(wanted, (source, NOT_THERE))

    def said(self) -> Iterator[tuple[str, str, str]]:
        """Yields (picture, tag, category) of what anyone but a tagger says is there."""
        wanted = "SELECT picture, tag, category FROM tags WHERE source NOT LIKE ? AND NOT (source = ? AND score = ?)"
        yield from self._plain().execute(wanted, (f"{TAGGER}%", PERSON, NOT_THERE))

    def column(self, model: str, place: int) -> dict[str, bytes]:
        """Gives one number of each stored score vector of a tagger, by file hash: two bytes, little-endian fp16."""
        wanted = "SELECT sha256, substr(vector, ?, 2) FROM scores WHERE model = ?"
        return dict(self._plain().execute(wanted, (2 * place + 1, model)))

    def say(self, tags: Iterable[PersonTag]) -> None:
        """Enters a person's word on many tags, one transaction; what a caption must not say is never stored."""
        rows = [(one.picture, PERSON, one.tag, one.category, 1.0 if one.there else NOT_THERE) for one in tags]
        refused = {tag for tag in {row[2] for row in rows} if text_is_refused(tag)}
        rows = sorted(row for row in rows if row[2] not in refused)  # in the order in which they lie on the disk
        with transaction(self._db):
            self._db.executemany(
                "INSERT INTO tags (picture, source, tag, category, score) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET category = excluded.category, score = excluded.score WHERE score != excluded.score",
                rows,
            )

    def _plain(self) -> sqlite3.Cursor:
        cursor = self._db.cursor()
        cursor.row_factory = None  # plain tuples: a large project has half a million of them
        return cursor
