"""e621's search grammar, read and answered here: for posts that no site is asked about, such as those of an export.

Terms are joined by AND; `-` is NOT, `~` is OR among all terms of a group so marked, `*` stands for any letters, groups are
written with spaces inside their brackets, `name:value` is a metatag. `order:`, `limit:` and `randseed:` count wherever they
stand, for the whole search.
"""

import hashlib
import heapq
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from lorasmith.boorus.metatags import TOLD, UNTOLD, metatag_test, shape
from lorasmith.boorus.post import Post
from lorasmith.errors import UsageError

DEEPEST_GROUP = 10
_OPENED = {"(": "", "-(": "-", "~(": "~"}
Tags = Collection[str]
Holds = Callable[[Post, Tags], bool]


@dataclass
class _Group:
    """The terms of one pair of brackets by their sign; `words` are the tags that each post in it carries."""

    musts: list[Holds] = field(default_factory=list)
    nots: list[Holds] = field(default_factory=list)
    mays: list[Holds] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def add(self, sign: str, holds: Holds, words: Iterable[str] = ()) -> None:
        {"": self.musts, "-": self.nots, "~": self.mays}[sign].append(holds)
        if not sign:
            self.words.update(words)

    def holds(self, post: Post, tags: Tags) -> bool:
        return (
            all(holds(post, tags) for holds in self.musts)
            and not any(holds(post, tags) for holds in self.nots)
            and (not self.mays or any(holds(post, tags) for holds in self.mays))
        )


@dataclass(frozen=True)
class Query:
    """A search that was read.

    `order` is "" or the name after `order:`, turned round for `-order:`; `words` are the plain tags that every post of the
    search carries; `metatags` are the names of all metatags in it; `limit` is what `limit:` says.
    """

    text: str
    order: str = ""
    seed: int = 0
    limit: int | None = None
    words: frozenset[str] = frozenset()
    metatags: frozenset[str] = frozenset()
    _holds: Holds = field(default=lambda post, tags: True, repr=False, compare=False)

    def matches(self, post: Post) -> bool:
        """Says whether a post is found; a deleted one only by a search that names a status."""
        if post.is_deleted and "status" not in self.metatags:
            return False
        return self._holds(post, frozenset(chain.from_iterable(post.tags.values())))

    def sort(self, posts: Iterable[Post]) -> list[Post]:
        """Gives posts in the order asked for, the newest first without one and among equals."""
        key, falling = self._key()
        return sorted(posts, key=key, reverse=falling)

    def best(self, posts: Iterable[Post], limit: int) -> list[Post]:
        """Gives the first `limit` of the order, holding no more than so many at a time."""
        key, falling = self._key()
        most = limit if self.limit is None else min(limit, self.limit)
        return (heapq.nlargest if falling else heapq.nsmallest)(most, posts, key=key)

    def _key(self) -> tuple[Callable[[Post], Any], bool]:
        """Gives a key, and whether the order falls by it."""
        if self.order == "random":
            return (lambda post: _shuffled(self.seed, post.id)), False
        read, falling = _read_order(self.order)
        return (lambda post: (read(post), post.id)) if falling else (lambda post: (read(post), -post.id)), falling


def read_query(text: str, aliases: Mapping[str, str] | None = None) -> Query:
    """Reads a search; `aliases` name the tags that the site uses instead, and count in every position.

    Raises `UsageError` for a metatag that a post alone does not answer, a value that cannot be read, and brackets that do
    not fit.
    """
    query, names = Query(text), set[str]()
    open_groups = [("", _Group())]
    for token in text.lower().split():
        if token in _OPENED:
            open_groups.append((_OPENED[token], _Group()))
            if len(open_groups) > DEEPEST_GROUP + 1:
                raise UsageError(f"The search has groups more than {DEEPEST_GROUP} deep; write it flatter.")
        elif token == ")":
            sign, group = open_groups.pop()
            if not open_groups:
                raise UsageError("The search closes a group that was not opened; look at its brackets.")
            open_groups[-1][1].add(sign, group.holds, group.words)
        elif (ordered := _with_wish(query, token)) is not None:
            query = ordered
        else:
            _add_term(open_groups[-1][1], token, aliases or {}, names)
    if len(open_groups) > 1:
        raise UsageError("The search opens a group that is not closed; brackets need spaces round them: ( fox ~wolf )")
    whole = open_groups[0][1]
    return replace(query, words=frozenset(whole.words), metatags=frozenset(names), _holds=whole.holds)


def _with_wish(query: Query, token: str) -> Query | None:
    """Gives the query with an order, limit or seed that the token asks for, or None when it is another term."""
    name, colon, value = token.partition(":")
    if colon and name in ("order", "-order"):
        order = value if name == "order" else _turned(value)
        if order != "random":
            _read_order(order)
        return replace(query, order=order)
    if not colon or name not in ("limit", "randseed"):
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise UsageError(f"The search has '{token}', and '{value}' is not a whole number; write it like {name}:100.")
    return replace(query, limit=int(value)) if name == "limit" else replace(query, seed=int(value))


def _add_term(group: _Group, token: str, aliases: Mapping[str, str], names: set[str]) -> None:
    """Adds a tag, a tag with `*` or a metatag to a group; `names` takes a metatag's name."""
    sign = token[0] if token[0] in "-~" and len(token) > 1 else ""
    term = token.removeprefix(sign)
    name, colon, value = term.partition(":")
    if colon and name in UNTOLD:
        raise UsageError(
            f"The search has '{term}', and '{name}' cannot be told from a post alone; leave it out, or ask the site itself."
        )
    if colon and name in TOLD:
        names.add(name)
        test = metatag_test(name, value)
        group.add(sign, lambda post, tags: test(post))
    elif "*" in term:
        fits = re.compile(".*".join(map(re.escape, re.split(r"\*+", term))), re.DOTALL).fullmatch
        group.add(sign, lambda post, tags: any(map(fits, tags)))
    else:
        wanted = aliases.get(term, term)
        group.add(sign, lambda post, tags: wanted in tags, (wanted,))


def _turned(order: str) -> str:
    if order in ("id", "id_asc"):
        return "id_desc"
    if order == "portrait":
        return "landscape"
    return order.removesuffix("_asc") if order.endswith("_asc") else order.removesuffix("_desc") + "_asc"


def _read_order(order: str) -> tuple[Callable[[Post], Any], bool]:
    """Gives what posts are ordered by, and whether the largest comes first; raises `UsageError` for an unknown order."""
    name = order.removesuffix("_asc").removesuffix("_desc")
    if name not in _ORDERED:
        raise UsageError(
            f"The search has 'order:{order}', and posts alone cannot be put in that order; these can: "
            f"{', '.join(filter(None, _ORDERED))}, random."
        )
    rising = order.endswith("_asc") or order == "id"
    return _ORDERED[name], rising == (name == "portrait")


def _shuffled(seed: int, number: int) -> bytes:
    """Gives a place that depends on nothing but seed and id."""
    return hashlib.blake2b(f"{seed} {number}".encode(), digest_size=8).digest()


_ORDERED: dict[str, Callable[[Post], Any]] = {
    "": lambda post: post.id,
    "id": lambda post: post.id,
    "score": lambda post: post.score,
    "favcount": lambda post: post.fav_count,
    "created": lambda post: post.created_at,
    "change": lambda post: post.change_seq or 0,
    "md5": lambda post: post.md5 or "",
    "mpixels": lambda post: post.area,
    "filesize": lambda post: post.size,
    "size": lambda post: post.size,
    "tagcount": lambda post: len(post.all_tags),
    "landscape": shape,
    "aspect_ratio": shape,
    "portrait": shape,
}
