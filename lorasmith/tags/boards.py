"""Danbooru's words in e621's and back: a table of tags (`boards.csv`), a rule for counts, and a note for all that is lost.

A row of the table holds the two names, the way in which it may be read (`both`, `to_e621`, `to_danbooru`), and a note where
the two are not the same. A cell of several names is several tags; an empty one says that the other board has no such tag.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, NamedTuple

from lorasmith.tags.counts import counted
from lorasmith.tags.spelling import with_underscores

if TYPE_CHECKING:
    from lorasmith.tags.relations import Relations

Vocabulary = Literal["danbooru", "e621"]
_E621_SITES = frozenset(["e621", "e926"])


class Row(NamedTuple):
    """One line of the table: names of Danbooru, names of e621, which way it is read, and what is lost."""

    danbooru: tuple[str, ...]
    e621: tuple[str, ...]
    way: str
    note: str


class Note(NamedTuple):
    """A tag that another board cannot say as it is: what became of it (nothing when it was left out), and why."""

    tag: str
    became: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Translated:
    """Tags in the words of a board, in their order, each once; `notes` tell what was lost or is only near."""

    tags: tuple[str, ...]
    notes: tuple[Note, ...]


@cache
def table() -> tuple[Row, ...]:
    """Reads the table."""
    text = files("lorasmith.tags").joinpath("boards.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Row(tuple(row["danbooru"].split()), tuple(row["e621"].split()), row["way"], row["note"]) for row in rows)


def vocabulary_of(site: str) -> Vocabulary:
    """Says in whose words a site tags: e621's, or Danbooru's, which all the others have taken over."""
    return "e621" if site in _E621_SITES else "danbooru"


def twin(tag: str) -> str:
    """Gives the one name for both boards' spellings of a tag, by which they compare; an unknown tag is its own."""
    name = with_underscores(tag).lower()
    return _twins().get(name, name)


def translate(
    tags: Iterable[str], to: Vocabulary, origin: Vocabulary | None = None, relations: "Relations | None" = None
) -> Translated:
    """Says tags in the words of the board `to`.

    `origin` is the board that they come from; without it they may be of both, and a tag that is a name of `to` stays.
    `relations` are the aliases of `to`, for what is not in the table; a tag that neither knows stays as it is.
    """
    if origin == to:
        return Translated(tuple(dict.fromkeys(with_underscores(tag) for tag in tags)), ())
    names = [with_underscores(tag) for tag in tags]
    counts = counted(names, to)
    found: dict[str, None] = {}
    notes: list[Note] = []
    for name in dict.fromkeys(names):
        became, why = counts[name] if name in counts else _translated(name, to, origin, relations)
        found.update(dict.fromkeys(became))
        if why:
            notes.append(Note(name, became, why))
    # What another tag of the same picture says anyway is not lost.
    return Translated(tuple(found), tuple(note for note in notes if note.became or not _said(note.tag, found)))


def _translated(
    name: str, to: Vocabulary, origin: Vocabulary | None, relations: "Relations | None"
) -> tuple[tuple[str, ...], str]:
    """Gives what one tag becomes, and why something is lost (empty when nothing is)."""
    known = name.lower()
    if origin is None and known in _own(to):
        return (name,), ""
    if known in _ways(to):
        return _ways(to)[known]
    return ((name,) if relations is None else (relations.name(name),)), ""


def _said(tag: str, found: Iterable[str]) -> bool:
    """Says whether an umbrella stands beside a more exact tag, which tells what it would have told."""
    return tag == "portrait" and any(other in _FRAMINGS for other in found)


_FRAMINGS = frozenset(["portrait", "upper_body", "cowboy_shot", "full_body", "close-up", "headshot"])


@cache
def _ways(to: Vocabulary) -> Mapping[str, tuple[tuple[str, ...], str]]:
    """Gives, for each tag of the other board, what it becomes on this one, and the note."""
    ways: dict[str, tuple[tuple[str, ...], str]] = {}
    for row in table():
        if row.way in ("both", f"to_{to}"):
            source, target = (row.danbooru, row.e621) if to == "e621" else (row.e621, row.danbooru)
            if len(source) == 1:
                ways[source[0]] = (target, row.note)
    return ways


@cache
def _own(board: Vocabulary) -> frozenset[str]:
    """Gives the names of a board that the table has."""
    rows = table()
    return frozenset(name for row in rows for name in (row.danbooru if board == "danbooru" else row.e621))


@cache
def _twins() -> Mapping[str, str]:
    pairs = [row for row in table() if row.way == "both" and row.danbooru and row.e621]
    return {row.e621[0]: row.danbooru[0] for row in pairs if row.e621[0] not in _own("danbooru")}
