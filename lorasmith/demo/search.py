"""The search grammar of the demo's booru: as much of e621's as a client uses.

Terms are joined by AND; `-` is NOT, `~` is OR among all terms so marked, `*` stands for any letters, and groups are
written with spaces inside their brackets. Metatags take a value, a range (`5..9`, `>=5`), or a list (`1,2,3`).
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from lorasmith.demo.drawn import Listing

MOST_TERMS = 40
DEEPEST_GROUP = 10
_FREE = re.compile(r"-?rating:.*|limit:.*|-status:deleted")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_WHOLE = re.compile(r"-?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?\Z")
_OPEN = {"(": "", "-(": "-", "~(": "~"}


Test = Callable[[Listing], bool]


class SearchRefusedError(ValueError):
    """A search that the site answers with 422 and this reason."""


@dataclass
class _Group:
    """Tests by their sign: all of the musts, none of the nots, one of the mays."""

    musts: list[Test] = field(default_factory=list)
    nots: list[Test] = field(default_factory=list)
    mays: list[Test] = field(default_factory=list)

    def add(self, sign: str, test: Test) -> None:
        {"": self.musts, "-": self.nots, "~": self.mays}[sign].append(test)

    def holds(self, listing: Listing) -> bool:
        if not all(test(listing) for test in self.musts) or any(test(listing) for test in self.nots):
            return False
        return not self.mays or any(test(listing) for test in self.mays)


@dataclass
class Search:
    """A search that was read: `matches` tests one post; `sort` puts found ones into the order that was asked for."""

    matches: Test
    order: str = ""
    seed: int = 0
    limit: int | None = None

    def sort(self, listings: Iterable[Listing]) -> list[Listing]:
        """Sorts posts; newest first when no order was asked for."""
        newest = sorted(listings, key=lambda listing: -listing.post.id)
        name = self.order.removesuffix("_desc")
        if name == "random":
            random.Random(self.seed).shuffle(newest)
            return newest
        rising = name.endswith("_asc") or self.order in ("id", "portrait")
        key = _ORDERS.get(name.removesuffix("_asc"))
        return sorted(newest, key=key, reverse=not rising) if key else newest


def read_search(text: str, aliases: Mapping[str, str] | None = None) -> Search:
    """Reads a search; `aliases` are resolved in every position. Raises `SearchRefusedError` with the site's reason."""
    tokens = text.lower().split()
    counted = [token for token in tokens if token not in (*_OPEN, ")") and not _FREE.fullmatch(token)]
    if len(counted) > MOST_TERMS:
        raise SearchRefusedError(f"You cannot search for more than {MOST_TERMS} tags at a time")
    search = Search(matches=lambda listing: True)
    tests = _read_group(tokens, search, aliases or {})
    wants_deleted = any(token.startswith(("status:", "-status:", "~status:")) for token in tokens)
    search.matches = lambda listing: (wants_deleted or not listing.post.is_deleted) and tests.holds(listing)
    return search


def _read_group(tokens: list[str], search: Search, aliases: Mapping[str, str]) -> _Group:
    """Reads all tokens into one group, with groups inside it; order, limit and seed go to the search itself."""
    open_groups: list[tuple[str, _Group]] = [("", _Group())]
    for token in tokens:
        if token in _OPEN:
            open_groups.append((_OPEN[token], _Group()))
            if len(open_groups) > DEEPEST_GROUP + 1:
                raise SearchRefusedError("You cannot nest groups that deep")
        elif token == ")":
            if len(open_groups) == 1:
                raise SearchRefusedError("A group is closed that was not opened")
            sign, group = open_groups.pop()
            open_groups[-1][1].add(sign, group.holds)
        elif not _is_for_search(token, search):
            sign = token[0] if token[0] in "-~" and len(token) > 1 else ""
            open_groups[-1][1].add(sign, _read_term(token.removeprefix(sign), aliases))
    if len(open_groups) > 1:
        raise SearchRefusedError("A group is not closed")
    return open_groups[0][1]


def _is_for_search(token: str, search: Search) -> bool:
    name, colon, value = token.partition(":")
    if not colon or name not in ("order", "-order", "limit", "randseed"):
        return False
    if name == "order":
        search.order = value
    elif name == "-order":
        search.order = _inverted(value)
    elif not value.isascii() or not value.isdigit():
        raise SearchRefusedError(f"{name} must be a number")
    elif name == "limit":
        search.limit = int(value)
    else:
        search.seed = int(value)
    return True


def _inverted(order: str) -> str:
    if order in ("id", "id_desc"):
        return "id" if order == "id_desc" else "id_desc"
    return order.removesuffix("_asc") if order.endswith("_asc") else order.removesuffix("_desc") + "_asc"


def _read_term(term: str, aliases: Mapping[str, str]) -> Test:
    name, colon, value = term.partition(":")
    if colon and name in _META:
        return _META[name](value)
    if "*" in term:
        return lambda listing: any(fnmatchcase(tag, term) for tag in _tags(listing))
    wanted = aliases.get(term, term)
    return lambda listing: wanted in _tags(listing)


def _tags(listing: Listing) -> set[str]:
    return {tag for tags in listing.post.tags.values() for tag in tags}


def _one_of(read: Callable[[Listing], str], short: bool = False) -> Callable[[str], Test]:
    """A metatag with words as its values, several after commas."""

    def make(value: str) -> Test:
        words = {word[:1] if short else word for word in value.split(",")[:320]}
        return lambda listing: read(listing) in words

    return make


def _range(read: Callable[[Listing], Any], parse: Callable[[str], Any], loose: float = 0.0) -> Callable[[str], Test]:
    """A metatag that takes a value, a list or a range; `loose` lets a bare value match that share beside it."""

    def make(value: str) -> Test:
        if "," in value:
            listed = [parse(part) for part in value.split(",")[:320]]
            return lambda listing: read(listing) in listed
        if ".." in value:
            low, high = value.split("..", 1)
            least, most = parse(low) if low else None, parse(high) if high else None
            return lambda listing: (least is None or read(listing) >= least) and (most is None or read(listing) <= most)
        match = re.match(r"[<>]=?", value)
        bound = parse(value[match.end() :] if match else value)
        if match:
            return lambda listing: _COMPARED[match[0]](read(listing), bound)
        if loose:
            return lambda listing: bound * (1 - loose) <= read(listing) <= bound * (1 + loose)
        return lambda listing: bool(read(listing) == bound)

    return make


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _whole(text: str) -> int:
    if not _WHOLE.match(text):
        raise SearchRefusedError(f"'{text}' is not a whole number")
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.match(text):
        raise SearchRefusedError(f"'{text}' is not a number")
    return float(text)


def _ratio(text: str) -> float:
    width, colon, height = text.partition(":")
    value = _number(width) / (_number(height) or 1.0) if colon else _number(width)
    return round(value, 2)


def _bytes(text: str) -> int:
    for unit, factor in (("kb", 1 << 10), ("mb", 1 << 20), ("b", 1)):
        if text.endswith(unit):
            return int(_number(text.removesuffix(unit)) * factor)
    return _whole(text)


def _date(text: str) -> str:
    if not _DATE.match(text):
        raise SearchRefusedError(f"'{text}' is not a date")
    return text


def _mpixels(listing: Listing) -> float:
    return round(listing.post.width * listing.post.height / 1e6, 2)


def _status(value: str) -> Test:
    if value in ("any", "all"):
        return lambda listing: True
    return lambda listing: listing.post.is_deleted == (value == "deleted")


def _parent(value: str) -> Test:
    if value in ("any", "none"):
        return lambda listing: (listing.post.parent_id is not None) == (value == "any")
    wanted = _whole(value)
    return lambda listing: wanted in (listing.post.parent_id, listing.post.id)


def _child(value: str) -> Test:
    return lambda listing: bool(listing.post.children) == (value == "any")


_META: dict[str, Callable[[str], Test]] = {
    "id": _range(lambda listing: listing.post.id, _whole),
    "score": _range(lambda listing: listing.post.score, _whole),
    "favcount": _range(lambda listing: listing.post.fav_count, _whole),
    "width": _range(lambda listing: listing.post.width, _whole),
    "height": _range(lambda listing: listing.post.height, _whole),
    "mpixels": _range(_mpixels, _number, loose=0.05),
    "ratio": _range(lambda listing: round(listing.post.width / listing.post.height, 2), _ratio),
    "filesize": _range(lambda listing: listing.size, _bytes, loose=0.05),
    "tagcount": _range(lambda listing: len(_tags(listing)), _whole),
    "date": _range(lambda listing: listing.post.created_at[:10], _date),
    "rating": _one_of(lambda listing: listing.post.rating, short=True),
    "type": _one_of(lambda listing: listing.post.ext),
    "filetype": _one_of(lambda listing: listing.post.ext),
    "md5": _one_of(lambda listing: listing.md5),
    "status": _status,
    "parent": _parent,
    "child": _child,
}
_ORDERS: dict[str, Callable[[Listing], Any]] = {
    "id": lambda listing: listing.post.id,
    "score": lambda listing: listing.post.score,
    "favcount": lambda listing: listing.post.fav_count,
    "created": lambda listing: listing.post.created_at,
    "md5": lambda listing: listing.md5,
    "mpixels": lambda listing: listing.post.width * listing.post.height,
    "filesize": lambda listing: listing.size,
    "size": lambda listing: listing.size,
    "tagcount": lambda listing: len(_tags(listing)),
    "landscape": lambda listing: listing.post.width / listing.post.height,
    "portrait": lambda listing: listing.post.width / listing.post.height,
    "aspect_ratio": lambda listing: listing.post.width / listing.post.height,
}
