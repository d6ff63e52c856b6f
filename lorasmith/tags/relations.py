"""A site's own aliases and implications, out of the file that was fetched once; nothing at run time needs them.

The file has a head line of JSON, a line for each relation (`alias` or `implies`, one name, the other) and an end line with
their number, so that one that was cut off is known as such. Names that mark minors are not in it: what is another name for
them, or implies them, stands as `refused`.
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from lorasmith.errors import UsageError
from lorasmith.files import disk_full_is_a_sentence, move_into_place
from lorasmith.folders import data_folder
from lorasmith.safety import is_refused
from lorasmith.tags.boards import vocabulary_of
from lorasmith.tags.spelling import with_underscores

Kind = Literal["alias", "implies"]
OLD = 60  # days from which on the tables are worth fetching again


class Relation(NamedTuple):
    """One line of a site's tables: `old` is another name for `new`, or implies it."""

    kind: Kind
    old: str
    new: str


@dataclass(frozen=True)
class Relations:
    """The aliases and direct implications of one site, as they were on a day.

    `refused` are names that the site files under what marks minors, by an alias or an implication.
    """

    site: str
    fetched: datetime
    aliases: Mapping[str, str]
    implications: Mapping[str, frozenset[str]]
    refused: frozenset[str] = frozenset()
    _closed: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def age_days(self, now: datetime | None = None) -> int:
        """Gives the whole days since the tables were fetched."""
        return max(0, ((now or datetime.now(UTC)) - self.fetched).days)

    def name(self, tag: str) -> str:
        """Gives the name that the site uses, aliases of aliases followed; a ring of aliases ends where it began."""
        name = with_underscores(tag)
        seen = {name}
        while (following := self.aliases.get(name)) is not None:
            if following in seen:
                return with_underscores(tag)
            name = following
            seen.add(name)
        return name

    def implied(self, tag: str) -> frozenset[str]:
        """Gives all that a tag implies, over any number of steps, itself left out."""
        name = self.name(tag)
        if name not in self._closed:
            found: set[str] = set()
            waiting = [name]
            while waiting:
                for following in self.implications.get(waiting.pop(), ()):
                    real = self.name(following)
                    if real not in found:
                        found.add(real)
                        waiting.append(real)
            self._closed[name] = frozenset(found - {name})
        return self._closed[name]

    def implied_among(self, tags: Iterable[str], keep: Iterable[str] = ()) -> dict[str, frozenset[str]]:
        """Gives for each tag the others of `tags` that say nothing new beside it; those to `keep` always do.

        Of tags that imply each other (a ring), the first stays.
        """
        names = list(dict.fromkeys(map(with_underscores, tags)))
        kept = set(map(with_underscores, keep))
        place = {name: index for index, name in enumerate(names)}
        spelt: dict[str, list[str]] = {}  # the name in use -> the tags that mean it
        for name in names:
            spelt.setdefault(self.name(name), []).append(name)
        found: dict[str, frozenset[str]] = {}
        for name in names:
            real = self.name(name)
            less = {
                other for below in self.implied(name) & spelt.keys() for other in spelt[below]
                if other not in kept and (real not in self.implied(below) or place[name] < place[other])
            }  # fmt: skip
            if less:
                found[name] = frozenset(less)
        return found

    def pruned(self, tags: Iterable[str], keep: Iterable[str] = ()) -> tuple[list[str], dict[str, str]]:
        """Gives the tags without those that others imply, in their order, and for each pruned one a kept tag that implies it."""
        names = list(dict.fromkeys(map(with_underscores, tags)))
        among = self.implied_among(names, keep)
        gone = {tag for less in among.values() for tag in less}
        left = [name for name in names if name not in gone]
        return left, {tag: next(name for name in left if tag in among.get(name, ())) for tag in names if tag in gone}

    def expanded(self, tags: Iterable[str]) -> list[str]:
        """Gives the tags with all that they imply behind them, each once: so that two sets compare."""
        names = list(dict.fromkeys(self.name(tag) for tag in tags))
        return list(dict.fromkeys([*names, *(implied for name in names for implied in sorted(self.implied(name)))]))


def relations_file(site: str, url: str = "", folder: Path | None = None) -> Path:
    """Gives where the tables lie that hold for a site: those of the board whose words it uses.

    A site at another address than its own has a file of its own.
    """
    host = urlsplit(url).hostname if url else None
    name = f"{site}@{_plain(host)}" if host else vocabulary_of(site)
    return (folder or data_folder() / "tags") / f"{name}.tsv"


def _plain(host: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)


def load_relations(site: str, url: str = "", folder: Path | None = None) -> Relations | None:
    """Gives the tables of a site that were fetched, or None when they never were; raises `UsageError` for a damaged file.

    `url` is the address that a project asks instead of the site's own, empty for that.
    """
    path = relations_file(site, url, folder)
    try:
        told = path.stat()
    except OSError:
        return None
    return _loaded(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=4)
def _loaded(path: Path, changed: int, size: int) -> Relations:
    """Reads a file once for as long as it stays as it is."""
    return read_relations(path)


def read_relations(path: Path) -> Relations:
    """Reads a file of tables; raises `UsageError` when it was cut off or is none."""
    aliases: dict[str, str] = {}
    implications: dict[str, set[str]] = {}
    refused: set[str] = set()
    number, ended = 0, False
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            head = json.loads(stream.readline())
            site, fetched = str(head["site"]), datetime.fromisoformat(head["fetched"])
            for line in stream:
                kind, old, new = line.rstrip("\n").split("\t")
                ended = kind == "end" and int(old) == number
                number += 1
                if kind == "alias":
                    aliases[old] = new
                elif kind == "implies":
                    implications.setdefault(old, set()).add(new)
                elif kind == "refused":
                    refused.add(old)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    if not ended:
        raise _damaged(path)
    direct = {old: frozenset(new) for old, new in implications.items()}
    return Relations(site, fetched, aliases, direct, frozenset(refused))


def write_relations(path: Path, site: str, rows: Iterable[Relation], now: datetime | None = None) -> int:
    """Writes a file of tables whole or not at all, and gives the number of its relations."""
    head = json.dumps({"site": site, "fetched": (now or datetime.now(UTC)).isoformat(timespec="seconds")})
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    number = 0
    with disk_full_is_a_sentence(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(f"{head}\n")
                for line in _lines(rows):
                    stream.write(f"{line}\n")
                    number += 1
                stream.write(f"end\t{number}\t\n")
                stream.flush()
                os.fsync(stream.fileno())
            move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return number


def _lines(rows: Iterable[Relation]) -> Iterator[str]:
    for kind, old, new in rows:
        if not _is_name(old) or not _is_name(new) or is_refused(old):
            continue
        yield f"refused\t{old}\t" if is_refused(new) else f"{kind}\t{old}\t{new}"


def _is_name(text: str) -> bool:
    """Says whether a text can be a tag's name: words joined, nothing that would end a line or a field."""
    return bool(text) and text.split() == [text]


def _damaged(path: Path) -> UsageError:
    return UsageError(f"{path} is damaged; fetch the tables again with `lorasmith tags fetch`, or delete the file.")
