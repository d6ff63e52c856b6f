"""The pictures of a project: originals and the edits made from them, their tags by source, decisions and captions."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorasmith.errors import ProjectError
from lorasmith.files import md5_of, sha256_of
from lorasmith.project.database import transaction
from lorasmith.safety import text_is_refused

Origin = Literal["booru", "folder", "edit", "render"]
Verdict = Literal["keep", "drop"]
TAGGER = "tagger:"  # how the source of a tagger's tags begins; the tagger's name follows
NOT_THERE = 0.0  # the score of a tag that a person took out
PERSON = "person"  # the maker of decisions and the source of tags that a person set
ERASE, TOUCH_UP = "erase", "touch-up"
VERSIONS = (ERASE, TOUCH_UP)  # kinds of edits that take the place of the picture they were made from, crops and all
REFUSED = "safety"  # the maker of decisions that no person's word overrules
_COLUMNS = "name, file, origin, width, height, bytes, sha256, md5, parent, operation, post, trashed"
_WORDS = "picture, maker, verdict, reason, detail"
# In this order a person's word comes after the program's, and safety's after that.
_DECIDED = f"SELECT {_WORDS} FROM decisions WHERE {{}} ORDER BY picture, maker = ?, maker = ?"
_SCORE_DIGITS = 6  # the journal keeps 15 digits of a number: what is stored must come back from it as it was


@dataclass(frozen=True)
class Picture:
    """One picture: an original, or an edit with a parent and an operation."""

    name: str
    file: str  # relative to the project folder, forward slashes
    origin: Origin
    width: int
    height: int
    bytes: int
    sha256: str
    md5: str
    parent: str | None = None
    operation: Mapping[str, Any] | None = None
    post: Mapping[str, Any] = field(default_factory=dict)  # site, id, rating, score, fav_count, sources, parent_id, ...
    trashed: bool = False

    @property
    def generated(self) -> bool:
        """Whether a model drew it: a render that came back."""
        return self.origin == "render" or bool(self.post.get("generated"))

    @property
    def replaces_parent(self) -> bool:
        """Whether this edit stands for the picture it was made from in the training set."""
        return bool((self.operation or {}).get("replaces_parent"))

    @property
    def kind(self) -> str:
        """What kind of edit it is: crop, head, resize, panel, erase, touch-up; empty for an original."""
        return str((self.operation or {}).get("kind", ""))


@dataclass(frozen=True)
class Tag:
    """A tag of a picture from one source, with the source's score (1.0 where a source has none)."""

    tag: str
    category: str
    source: str
    score: float = 1.0


@dataclass(frozen=True)
class Decision:
    """What was decided about a picture, by whom, and why in words."""

    verdict: Verdict
    maker: str
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Caption:
    """The caption of a picture in one caption set, and the sidecar that was last written from it."""

    picture: str
    text: str
    sidecar: str = ""
    sidecar_sha256: str = ""


class Pictures:
    """Reads and changes the rows of one project's pictures; every change is inside the caller's journal entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # pictures

    def add(self, picture: Picture) -> None:
        """Adds a picture, or brings its row up to date."""
        row = asdict(picture)
        row["operation"] = None if picture.operation is None else _json(picture.operation)
        row["post"] = _json(picture.post)
        row["trashed"] = int(picture.trashed)
        columns = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        updates = ", ".join(f"{name} = excluded.{name}" for name in row if name != "name")
        differs = " OR ".join(f"{name} IS NOT excluded.{name}" for name in row if name != "name")
        self._db.execute(
            f"INSERT INTO pictures ({columns}) VALUES ({marks}) ON CONFLICT(name) DO UPDATE SET {updates} WHERE {differs}",
            row,
        )

    def all(self, *, origins: Iterable[Origin] | None = None) -> list[Picture]:
        """Lists the pictures that are not in the trash, by name."""
        wanted = None if origins is None else sorted(set(origins))
        among = "" if wanted is None else f"AND origin IN ({', '.join('?' * len(wanted))})"
        query = f"SELECT {_COLUMNS} FROM pictures WHERE trashed = 0 {among} ORDER BY name"
        return [_picture(row) for row in _tuples(self._db, query, wanted or ())]

    def every_name(self) -> set[str]:
        """Names all pictures, those in the trash included."""
        return {row["name"] for row in self._db.execute("SELECT name FROM pictures")}

    def originals(self) -> list[Picture]:
        """Lists the pictures that are no edits: downloads, added ones, renders that came back."""
        return self.all(origins=("booru", "folder", "render"))

    def edits_of(self, name: str) -> list[Picture]:
        """Lists the edits made from a picture, by name."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM pictures WHERE parent = ? AND trashed = 0 ORDER BY name", (name,))
        return [_picture(tuple(row)) for row in rows]

    def find(self, name: str) -> Picture | None:
        """Gives the picture of that name, in the trash or not."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM pictures WHERE name = ?", (name,)).fetchone()
        return None if row is None else _picture(tuple(row))

    def get(self, name: str) -> Picture:
        """Gives the picture of that name; raises `ProjectError` when there is none."""
        picture = self.find(name)
        if picture is None:
            raise ProjectError(f"The project has no picture named '{name}'; `prune --list` shows the names.")
        return picture

    def by_md5(self, md5: str) -> Picture | None:
        """Gives an original with that md5."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM pictures WHERE md5 = ? AND parent IS NULL ORDER BY name", (md5,)
        ).fetchone()
        return None if row is None else _picture(tuple(row))

    def next_edit_name(self, name: str) -> str:
        """Gives the name of the next edit of an original: `e621_123456.2`, then `.3`."""
        root = name.split(".")[0]
        edits = "SELECT name FROM pictures WHERE name > ? AND name < ?"  # by the index, which LIKE does not use
        rows = self._db.execute(edits, (f"{root}.", f"{root}/")).fetchall()  # the slash comes after the dot
        numbers = [int(row["name"].rsplit(".", 1)[1]) for row in rows if row["name"].rsplit(".", 1)[1].isdigit()]
        return f"{root}.{max(numbers, default=1) + 1}"

    def trash(self, name: str) -> None:
        """Marks a picture as trashed; its file stays."""
        self._db.execute("UPDATE pictures SET trashed = 1 WHERE name = ? AND trashed = 0", (name,))

    # tags

    def set_tags(self, name: str, source: str, tags: Iterable[Tag]) -> None:
        """Replaces the tags that a picture has from one source; what a caption must not say is never stored."""
        wanted = {
            tag.tag: Tag(tag.tag, tag.category, source, round(tag.score, _SCORE_DIGITS))
            for tag in tags
            if not text_is_refused(tag.tag)
        }
        with transaction(self._db):
            old = {tag.tag: tag for tag in self.tags(name) if tag.source == source}
            for gone in old.keys() - wanted.keys():
                self._db.execute("DELETE FROM tags WHERE picture = ? AND source = ? AND tag = ?", (name, source, gone))
            for tag in wanted.values():
                if old.get(tag.tag) != tag:
                    self._db.execute(
                        "INSERT INTO tags (picture, source, tag, category, score) VALUES (?, ?, ?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET category = excluded.category, score = excluded.score",
                        (name, source, tag.tag, tag.category, tag.score),
                    )

    def tags(self, name: str) -> list[Tag]:
        """Lists a picture's tags from all sources."""
        rows = self._db.execute("SELECT * FROM tags WHERE picture = ? ORDER BY source, tag", (name,))
        return [Tag(row["tag"], row["category"], row["source"], row["score"]) for row in rows]

    def said(self, name: str) -> dict[str, str]:
        """Gives tag -> category of what the site, a sidecar, a prompt or a person says, less what a person took out.

        What a tagger saw is left out: decisions that come before tagging must not change when it has been done.
        """
        rows = [tag for tag in self.tags(name) if not tag.source.startswith(TAGGER)]
        gone = {tag.tag for tag in rows if tag.source == PERSON and tag.score == NOT_THERE}
        return {tag.tag: tag.category for tag in rows if tag.tag not in gone}

    def said_of_all(self) -> dict[str, dict[str, str]]:
        """Gives what is said of every picture that has tags, in one look."""
        # SQLite puts each picture's tags together, in the key's order: a large project has half a million rows of them.
        wanted = "SELECT picture, json_group_object(tag, category) FROM tags WHERE source NOT LIKE ? GROUP BY picture"
        rows = _tuples(self._db, wanted, (f"{TAGGER}%",))
        said: dict[str, dict[str, str]] = {picture: json.loads(tags) for picture, tags in rows}
        gone = "SELECT picture, tag FROM tags WHERE source = ? AND score = ?"
        for picture, tag in _tuples(self._db, gone, (PERSON, NOT_THERE)):
            said[picture].pop(tag, None)
        return said

    # decisions

    def decide(self, name: str, decision: Decision | None, *, maker: str) -> None:
        """Records what a maker thinks of a picture; None takes its earlier word back."""
        if decision is None:
            self._db.execute("DELETE FROM decisions WHERE picture = ? AND maker = ?", (name, maker))
            return
        values = (name, maker, decision.verdict, decision.reason, _json(decision.detail))
        self._db.execute(
            "INSERT INTO decisions (picture, maker, verdict, reason, detail) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET verdict = excluded.verdict, reason = excluded.reason, detail = excluded.detail "
            "WHERE (verdict, reason, detail) != (excluded.verdict, excluded.reason, excluded.detail)",
            values,
        )

    def decisions(self) -> dict[str, Decision]:
        """Gives the decision that holds for each picture that has one: a person's word wins over the program's."""
        return _decisions(_tuples(self._db, _DECIDED.format("1"), (REFUSED, PERSON)))

    def decisions_of(self, names: Iterable[str]) -> dict[str, Decision]:
        """Gives those of a few pictures: in a large project all take too long to be read for each picture."""
        asked = json.dumps(sorted(set(names)))
        wanted = _DECIDED.format("picture IN (SELECT value FROM json_each(?))")
        return _decisions(_tuples(self._db, wanted, (asked, REFUSED, PERSON)))

    def words_of(self, maker: str) -> dict[str, Decision]:
        """Gives what one maker thinks of each picture, whether or not another's word holds."""
        return _decisions(_tuples(self._db, f"SELECT {_WORDS} FROM decisions WHERE maker = ?", (maker,)))

    def kept(self, originals: Iterable[Picture] | None = None) -> list[Picture]:
        """Lists the originals that nobody dropped, by name; `originals` where they have been read already."""
        decisions = self.decisions()
        among = self.originals() if originals is None else originals
        return [picture for picture in among if not _is_dropped(decisions.get(picture.name))]

    def trained(self) -> list[Picture]:
        """Lists what is trained on: of each kept original its edits, or itself where it has none that replaces it.

        An erased version stands for the picture it was made from: its own crops count, those of the older state do not.
        """
        decisions = self.decisions()
        edits: dict[str, list[Picture]] = {}
        for edit in self.all(origins=("edit",)):
            if edit.parent is not None and not _is_dropped(decisions.get(edit.name)):
                edits.setdefault(edit.parent, []).append(edit)
        return [each for original in self.kept() for each in _standing_for(original, edits)]

    def newest_version(self, name: str) -> Picture:
        """Gives the picture after all that was erased and touched up in it, or itself where nothing was."""
        picture = self.get(name)
        while versions := [edit for edit in self.edits_of(picture.name) if edit.kind in VERSIONS]:
            decisions = self.decisions_of(edit.name for edit in versions)
            left = [edit for edit in versions if not _is_dropped(decisions.get(edit.name))]
            if not left:
                break
            picture = max(left, key=_edit_number)
        return picture

    def all_edits_of(self, name: str) -> list[Picture]:
        """Lists the edits of a picture, theirs, and so on."""
        return [each for edit in self.edits_of(name) for each in (edit, *self.all_edits_of(edit.name))]

    # captions

    def set_caption(self, caption_set: str, caption: Caption) -> None:
        """Records a caption and the sidecar written from it."""
        self._db.execute(
            "INSERT INTO captions (caption_set, picture, text, sidecar, sidecar_sha256) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET text = excluded.text, sidecar = excluded.sidecar, "
            "sidecar_sha256 = excluded.sidecar_sha256 WHERE (text, sidecar, sidecar_sha256) != "
            "(excluded.text, excluded.sidecar, excluded.sidecar_sha256)",
            (caption_set, caption.picture, caption.text, caption.sidecar, caption.sidecar_sha256),
        )

    def drop_caption(self, caption_set: str, name: str) -> None:
        """Forgets a picture's caption in one set."""
        self._db.execute("DELETE FROM captions WHERE caption_set = ? AND picture = ?", (caption_set, name))

    def caption_set_names(self) -> list[str]:
        """Names the caption sets that have captions."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT caption_set FROM captions ORDER BY 1")]

    def captions(self, caption_set: str) -> dict[str, Caption]:
        """Gives the captions of one set by picture name."""
        rows = self._db.execute("SELECT * FROM captions WHERE caption_set = ? ORDER BY picture", (caption_set,))
        return {r["picture"]: Caption(r["picture"], r["text"], r["sidecar"], r["sidecar_sha256"]) for r in rows}


def _edit_number(edit: Picture) -> int:
    number = edit.name.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def _standing_for(picture: Picture, edits: Mapping[str, list[Picture]]) -> list[Picture]:
    """Gives what stands for a picture in the training set; `edits` has those that nobody dropped, by their parent."""
    mine = edits.get(picture.name, [])
    if versions := [edit for edit in mine if edit.kind in VERSIONS]:
        return _standing_for(max(versions, key=_edit_number), edits)
    replaced = any(edit.replaces_parent for edit in mine)
    below = [each for edit in mine for each in _standing_for(edit, edits)]
    return below if replaced else [picture, *below]


def _is_dropped(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "drop"


class Caches:
    """What was measured and scored once per file content: not journalled, and safe to lose."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def measures(self, sha256: str) -> dict[str, Any] | None:
        """Gives the measures of a file."""
        row = self._db.execute("SELECT facts FROM measures WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else json.loads(row["facts"])

    def measures_of_all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields sha256 and measures of every file of the record that has them."""
        wanted = "SELECT sha256, facts FROM measures WHERE sha256 IN (SELECT sha256 FROM pictures)"
        for sha256, facts in _tuples(self._db, wanted):
            yield sha256, json.loads(facts)

    def measured(self) -> int:
        """Says how many files have measures."""
        return int(self._db.execute("SELECT count(*) FROM measures").fetchone()[0])

    def keep_measures(self, sha256: str, facts: Mapping[str, Any]) -> None:
        """Stores the measures of a file."""
        self._db.execute("INSERT OR REPLACE INTO measures VALUES (?, ?)", (sha256, _json(facts)))

    def scores(self, sha256: str, model: str) -> bytes | None:
        """Gives a file's full score vector under one tagger: little-endian fp16."""
        row = self._db.execute("SELECT vector FROM scores WHERE sha256 = ? AND model = ?", (sha256, model)).fetchone()
        return None if row is None else bytes(row["vector"])

    def keep_scores(self, sha256: str, model: str, vector: bytes) -> None:
        """Stores a file's full score vector under one tagger."""
        self._db.execute("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", (sha256, model, vector))


def _json(value: Any) -> str:
    # ASCII, because a file's name may hold bytes that are no text (lone surrogates), which SQLite does not take
    return json.dumps(value, sort_keys=True)


def _tuples(connection: sqlite3.Connection, query: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
    """Gives plain tuples: a named row takes twice as long to be made and to be read, and large projects have many."""
    cursor = connection.execute(query, tuple(values))
    cursor.row_factory = None
    return cursor


def _picture(row: tuple[Any, ...]) -> Picture:
    name, file, origin, width, height, size, sha256, md5, parent, operation, post, trashed = row
    done = None if operation is None else json.loads(operation)
    return Picture(
        name, file, origin, width, height, size, sha256, md5, parent, done, json.loads(post), bool(trashed)
    )


def _decisions(rows: Iterable[tuple[Any, ...]]) -> dict[str, Decision]:
    """Makes decisions of rows; of several on one picture the last holds."""
    return {
        picture: Decision(verdict, maker, reason, json.loads(detail)) for picture, maker, verdict, reason, detail in rows
    }


def facts_of(folder: Path, file: Path, size: tuple[int, int]) -> dict[str, Any]:
    """Gives what a picture's row says of its file: where it is in the project folder, pixels, bytes, hashes."""
    width, height = size
    return {
        "file": relative_to_project(folder, file),
        "width": width,
        "height": height,
        "bytes": file.stat().st_size,
        "sha256": sha256_of(file),
        "md5": md5_of(file),
    }


def relative_to_project(folder: Path, file: Path) -> str:
    """Writes a file's path as the database keeps it: relative to the project folder, with forward slashes."""
    return file.relative_to(folder).as_posix()
