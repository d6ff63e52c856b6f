"""e621's nightly export, searched on this machine instead of the site: at any depth, with no request at all.

`posts.csv.gz` is enough; `tags.csv.gz` beside it gives the tags their categories and counts, `tag_aliases.csv.gz` the names
that the site uses instead. An export carries no address of any file, and none is made up from the md5: the site itself says,
asked by id, what is still there to be seen.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lorasmith.boorus.booru import TagFacts
from lorasmith.boorus.e621 import CATEGORIES
from lorasmith.boorus.export_rows import Table
from lorasmith.boorus.grammar import Query, read_query
from lorasmith.boorus.post import Post
from lorasmith.errors import SiteError, UsageError
from lorasmith.safety import demand_safe_query, is_refused

_NUMBERS = ("id", "image_width", "image_height", "fav_count", "parent_id", "change_seq", "file_size", "score")
COLUMNS = ("created_at", "md5", "source", "rating", "tag_string", "file_ext", "is_deleted", *_NUMBERS)
KEPT = 5000  # found posts that are kept for the next search of the same, in another order or to another depth
_UNTOLD = frozenset({"child", "isparent", "pool", "inpool"})  # an export of the posts does not hold these
_LONGEST = 16  # letters of a number
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_EXT = re.compile(r"[a-zA-Z0-9]{1,5}")
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_WISH = re.compile(r"-?order:|limit:|randseed:")
_TAGS = COLUMNS.index("tag_string")


class _Refusals(dict[str, bool]):
    """Whether each tag marks minors, found out once: most tags stand on thousands of posts."""

    def __missing__(self, tag: str) -> bool:
        return self.setdefault(tag, is_refused(tag))


def open_export(path: str | Path, site: str = "e621", told: Callable[[float], None] | None = None) -> "Export":
    """Opens an export: `posts.csv.gz`, unpacked or not, or the folder that holds it.

    `told` is called all along a search with the share of the file that was read. Raises `UsageError` when there is none, or
    when it is something else.
    """
    path = Path(path).expanduser()
    posts = _named(path, "posts") if path.is_dir() else path
    if posts is None:
        raise UsageError(f"{path} holds no posts.csv.gz; download it from the site, or name the file itself.")
    return Export(posts, site, told)


def _named(folder: Path, name: str) -> Path | None:
    """Finds the export called `name` in a folder: the one without a date in its name, or the newest."""
    fits = re.compile(rf"{name}(-\d{{4}}-\d\d-\d\d)?\.csv(\.gz)?").fullmatch
    found = [file for file in folder.iterdir() if fits(file.name) and file.is_file()]
    return max(found, key=lambda file: (file.name.startswith(f"{name}."), file.name), default=None)


class Export:
    """The posts of one export, open for searches; `refused` names those that mark minors, which never come out of it."""

    def __init__(self, posts: Path, site: str = "e621", told: Callable[[float], None] | None = None) -> None:
        self.site = site
        self.refused: set[str] = set()
        self._posts = Table(posts, COLUMNS, told)
        tags, aliases = _named(posts.parent, "tags"), _named(posts.parent, "tag_aliases")
        self._tags = Table(tags, ("name", "category", "post_count")) if tags else None
        self._aliases = Table(aliases, ("antecedent_name", "consequent_name", "status")) if aliases else None
        self._facts: dict[str, TagFacts] = {}
        self._refused_tags: _Refusals | None = None
        self._counts: dict[str, int] = {}
        self._kept: tuple[str, list[Post]] = ("", [])

    def best_first(self, query: str) -> str:
        """Gives the query with the order by score, best first, unless it has an order of its own."""
        return query if "order:" in query else f"{query} order:score".strip()

    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives at most `limit` posts in the order of the query, newest first without one, with their tags' categories.

        One pass over the file, holding no more posts than asked for. Raises `RefusedError` for a search that asks for
        minors, `UsageError` for one that an export cannot answer.
        """
        read = self._read(query)
        posts = read.best(self._found(read), limit)
        self._learn(tag for post in posts for tag in post.all_tags)
        return self._sorted(posts)

    def count(self, query: str) -> int:
        """Says how many posts a search finds; one that was just searched for takes no second pass."""
        read = self._read(query)
        if _bare(query) not in self._counts:
            for _ in self._found(read):
                pass
        return self._counts[_bare(query)]

    def tag_facts(self, names: Iterable[str]) -> dict[str, TagFacts]:
        """Says on how many posts each tag stands, and its category; an unknown one stands on none."""
        safe = [name for name in dict.fromkeys(names) if not self._refusals()[name]]
        self._learn(safe)
        return {name: self._facts.get(name, TagFacts(0, "")) for name in safe}

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives the name that the site uses instead, for each of the names that is an alias."""
        wanted = {name for name in names if not is_refused(name)}
        return {old: new for old, new in self._alias_rows() if old in wanted}

    def total_posts(self) -> int:
        """Says how many posts the export holds, deleted ones too; after a search it is known without another pass."""
        return self._posts.count()

    def _read(self, text: str) -> Query:
        """Reads a query with the aliases of its words, and refuses it if it asks for minors under any name."""
        demand_safe_query(text)
        words = {term.lstrip("-~") for term in text.lower().split()}
        aliases = self.aliases(words)
        demand_safe_query(" ".join(_renamed(term, aliases) for term in text.lower().split()))
        query = read_query(text, aliases)
        untold = sorted(query.metatags & _UNTOLD)
        if untold:
            raise UsageError(
                f"The search has '{untold[0]}:', and an export does not say it of its posts; leave it out, or ask the site itself."
            )
        return query

    def _found(self, query: Query) -> Iterator[Post]:
        """Gives the posts of a query in the order of the file, and knows their number at its end."""
        bare = _bare(query.text)
        if self._kept[0] == bare and bare in self._counts:
            yield from self._kept[1]
            return
        count, kept = 0, list[Post]()
        refuses = self._refusals().__getitem__
        for cells in self._posts.rows(query.words):
            tags = cells[_TAGS].split()
            if query.words and not query.words.issubset(tags):  # the words stood in a description, or in a longer tag
                continue
            post = self._post(cells, tags)
            if not query.matches(post):
                continue
            if any(map(refuses, tags)):
                self.refused.add(post.name)
                continue
            count += 1
            if count <= KEPT:
                kept.append(post)
            yield post
        self._counts[bare] = count
        self._kept = (bare, kept) if count <= KEPT else ("", [])

    def _post(self, cells: Sequence[str], tags: list[str]) -> Post:
        """Makes a post of the cells of `COLUMNS`; all tags count as general for now."""
        created_at, md5, source, rating, _, ext, is_deleted, *numbers = cells
        if is_deleted not in ("t", "f", "") or not numbers[0] or max(map(len, numbers)) > _LONGEST:
            raise self._fault(cells)
        try:
            number, width, height, favs, parent, change, size, score = [int(text) if text else None for text in numbers]
        except ValueError:
            raise self._fault(cells) from None
        return Post(
            site=self.site,
            id=number or 0,
            md5=md5.lower() if _MD5.fullmatch(md5) else None,
            ext=ext.lower() if _EXT.fullmatch(ext) else "",
            width=width or 0,
            height=height or 0,
            size=size or 0,
            url=None,
            preview_url=None,
            sample_url=None,
            rating=rating[:1].lower(),
            score=score or 0,
            fav_count=favs or 0,
            created_at=created_at.replace(" ", "T", 1),
            tags={"general": tuple(map(sys.intern, tags))},
            sources=tuple(source.split("\n")) if source else (),
            parent_id=parent,
            is_deleted=is_deleted == "t",
            change_seq=change,
        )

    def _fault(self, cells: Sequence[str]) -> SiteError:
        """Words what cannot be read in a row."""
        row = dict(zip(COLUMNS, cells, strict=True))
        odd = [name for name in _NUMBERS if not _WHOLE.fullmatch(row[name]) and (row[name] or name == "id")]
        name = (odd or ["is_deleted"])[0]
        return SiteError(
            f"{self._posts.path} has '{row[name][:40]}' as '{name}' of post {row['id'][:20]}; the site may have changed its "
            "exports, or the file is damaged. Download it again."
        )

    def _refusals(self) -> "_Refusals":
        """Gives what was found out about tags so far, with the aliases of tags that mark minors."""
        if self._refused_tags is None:
            self._refused_tags = _Refusals({old: True for old, new in self._alias_rows() if is_refused(new)})
        return self._refused_tags

    def _alias_rows(self) -> Iterator[tuple[str, str]]:
        if self._aliases:
            yield from ((old, new) for old, new, status in self._aliases.rows() if status in ("active", ""))

    def _learn(self, names: Iterable[str]) -> None:
        """Reads what the export of the tags says of the names, all that are not known yet in one pass."""
        wanted = {name for name in names if name not in self._facts}
        if not wanted or self._tags is None:
            return
        self._facts.update(dict.fromkeys(wanted, TagFacts(0, "")))
        for name, category, posts in self._tags.rows():
            if name in wanted:
                self._facts[name] = TagFacts(int(posts) if _WHOLE.fullmatch(posts) else 0, _category(category))

    def _sorted(self, posts: list[Post]) -> Iterator[Post]:
        """Gives the posts with their tags in categories, letting go of each as it is given."""
        posts.reverse()
        while posts:
            post = posts.pop()
            yield replace(post, tags=self._sorted_in(post.all_tags))

    def _sorted_in(self, tags: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
        """Puts tags into their categories; those of unknown category count as general."""
        by_category: dict[str, list[str]] = {}
        for tag in tags:
            known = self._facts.get(tag)
            by_category.setdefault(known.category if known and known.category else "general", []).append(tag)
        return {name: tuple(by_category[name]) for name in CATEGORIES if name in by_category}


def _renamed(term: str, aliases: Mapping[str, str]) -> str:
    sign = term[: len(term) - len(term.lstrip("-~"))]
    return sign + aliases.get(term[len(sign) :], term[len(sign) :])


def _category(number: str) -> str:
    return CATEGORIES[int(number)] if number.isascii() and number.isdigit() and int(number) < len(CATEGORIES) else ""


def _bare(query: str) -> str:
    """Gives a query without its order and depth: what it finds is the same."""
    return " ".join(term for term in query.lower().split() if not _WISH.match(term))
