"""The Gelbooru family (DAPI): Gelbooru, which wants a key with every request, and Safebooru, an older one without.

Gelbooru answers with an object that counts what it found; Safebooru with a bare list or nothing, and in XML about tags.
Posts have no categories of tags: these are asked for by name, and kept for as long as the booru is open.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from lorasmith.boorus.answers import Fields, clean_md5, ext_of
from lorasmith.boorus.bodies import ask_elements, ask_json
from lorasmith.boorus.booru import Booru, TagFacts
from lorasmith.boorus.client import Client
from lorasmith.boorus.post import Post
from lorasmith.errors import SiteError
from lorasmith.safety import demand_safe_query, is_refused

PAGE = 100  # posts an answer holds at most
DEPTH = 20_000  # posts that numbered pages reach
NEGATIVES = ("-loli", "-shota", "-toddlercon", "-toddler", "-child", "-baby")
CATEGORIES = {
    "0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta",
    "tag": "general", "artist": "artist", "copyright": "copyright", "character": "character", "metadata": "meta",
}  # fmt: skip
_API = "/index.php"
_NAMES_AT_ONCE = 100
_POSTS: dict[str, str | int] = {"page": "dapi", "s": "post", "q": "index"}
_TAGS: dict[str, str | int] = {"page": "dapi", "s": "tag", "q": "index", "limit": _NAMES_AT_ONCE}
_PROBE = 10  # names in the request that shows whether a site takes lists of them
_LETTERS_AT_ONCE = 1500  # of tag names, so that the address stays short
_OFTEN = 0.2  # where a site tells of one tag at a time, only those on this share of a page are asked for
_RATINGS = {"general": "g", "safe": "s", "sensitive": "s", "questionable": "q", "explicit": "e"}
_SORT = re.compile(r"(?:^|\s)sort:(?!id(?::desc)?(?:\s|$))", re.IGNORECASE)
_BELOW = re.compile(r"id:<=?[0-9]+", re.IGNORECASE)
_DATE = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}:\d{2}:\d{2}) ([+-]\d{4}) (\d{4})")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # whatever the machine's language


class _Page(NamedTuple):
    """One page of posts; `rows` is how many the site gave, `found` how many it says there are in all."""

    posts: list[Post]
    rows: int
    found: int | None


class Gelbooru(Booru):
    """One site that speaks DAPI, open for questions."""

    solo_or_focus = "{solo ~ solo_focus}"
    orders = {  # noqa: RUF012 - a table, never changed
        "score_desc": "sort:score:desc", "score_asc": "sort:score:asc", "date_desc": "sort:id:desc",
        "date_asc": "sort:id:asc", "id_desc": "sort:id:desc", "id_asc": "sort:id:asc",
    }  # fmt: skip

    @classmethod
    def any_of(cls, *groups: Sequence[str]) -> str:
        """Writes groups of tags of which a post needs one each."""
        return " ".join(group[0] if len(group) == 1 else f"{{{' ~ '.join(group)}}}" for group in groups)

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._tags: dict[str, TagFacts] = {}
        self._is_old = not self.site.needs_key  # speaks the version before Gelbooru's own
        self._takes_lists = None if self._is_old else True  # of tag names; None as long as the site has not shown it

    def count(self, query: str) -> int | None:
        """Says how many posts a search finds."""
        if not self._is_old:
            return self._page(sent_query(query), 1, 0).found
        return self._counted_in_xml(sent_query(query))

    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives at most `limit` posts in the order of the query, newest first without one.

        A `sort:` ends at 20,000 posts; without one every depth is reached, by asking for ids below the last.
        """
        sent = sent_query(query)
        return islice(self._turned(sent, min(PAGE, limit)), limit)

    def by_ids(self, ids: Iterable[int]) -> Iterator[Post]:
        """Gives the posts with these ids, in the order of the ids; one request an id: the site takes no lists.

        They are asked for by their own addresses, which hide nothing: so that what is refused by now is known as such.
        """
        for number in dict.fromkeys(ids):
            if number > 0:
                posts = self._posts({"id": number, "limit": 1, "pid": 0}).posts
                yield from self._categorized(self.safe(post for post in posts if post.id == number))

    def by_md5s(self, md5s: Iterable[str]) -> Iterator[Post]:
        """Gives the posts whose files have these md5s, in the order of the md5s; one request an md5."""
        for md5 in dict.fromkeys(md5.lower() for md5 in md5s):
            posts = self._page(sent_query(f"md5:{md5}"), 1, 0).posts
            yield from self._categorized(self.safe(post for post in posts if post.md5 == md5))

    def tag_facts(self, names: Iterable[str]) -> dict[str, TagFacts]:
        """Says on how many posts each tag stands, and its category; an unknown one stands on none.

        A hundred names go into one request; Safebooru, where it takes no lists, is asked for one after the other.
        """
        wanted = [name for name in dict.fromkeys(names) if not is_refused(name)]
        self._learn(wanted)
        return {name: self._tags.get(name, TagFacts(0, "")) for name in wanted}

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives none: the site has no list of aliases to ask, and follows them by itself in a search."""
        return {}

    def total_posts(self) -> int | None:
        """Says how many posts the site has."""
        return self.count("")

    def best_first(self, query: str) -> str:
        """Gives the query with the order by score, best first, unless it has an order of its own."""
        return query if "sort:" in query.lower() else f"{query} sort:score:desc".strip()

    def _turned(self, sent: str, size: int) -> Iterator[Post]:
        """Turns pages; a post that slides onto the next one while they are turned comes once."""
        seen: set[int] = set()
        asked, number = sent, 0
        while (page := self._page(asked, size, number)).rows:
            fresh = [post for post in page.posts if post.id not in seen]
            if page.posts and not fresh:
                raise self.same_page_again()
            seen.update(post.id for post in fresh)
            yield from self._categorized(self.safe(fresh))
            number += 1
            # A page may be some posts short without being the last one: those that were hidden since.
            if page.rows < size // 2 or (page.found is not None and number * size >= page.found):
                return
            if (number + 1) * size > DEPTH:
                if _SORT.search(sent) or not seen:
                    return
                asked, number = _below(sent, min(seen)), 0

    def _page(self, sent: str, size: int, number: int) -> _Page:
        return self._posts({"tags": sent, "limit": size, "pid": number})

    def _posts(self, asked: dict[str, str | int]) -> _Page:
        answer = ask_json(self.client, _API, {**_POSTS, "json": 1, **asked})
        rows, count = self._rows(answer, "post")
        posts = [post for row in rows if (post := self._read_post(row)) is not None]
        return _Page(posts, len(rows), count)

    def _rows(self, answer: Any, name: str) -> tuple[list[Any], int | None]:
        """Gives the rows of an answer of any shape: nothing, a list, an object with none, one or many under `name`."""
        if answer is None or isinstance(answer, list):
            return answer or [], None
        fields = Fields(answer, f"An answer of {self.site.name}")
        if "@attributes" not in fields.value:
            raise SiteError(f"{self.site.name} answered without a list; the site may have changed its answers.")
        rows = fields.value.get(name)
        count = fields.part("@attributes").loose_number("count", 0)
        return ([] if rows is None else rows if isinstance(rows, list) else [rows]), count

    def _counted_in_xml(self, sent: str) -> int | None:
        for element in ask_elements(self.client, _API, {**_POSTS, "tags": sent, "limit": 1, "pid": 0}):
            if element.name == "posts" and "count" in element.attributes:
                return Fields(dict(element.attributes), f"The count of {self.site.name}").loose_number("count")
        return None

    def _categorized(self, posts: Iterable[Post]) -> list[Post]:
        """Sorts the tags of posts into their categories; those whose category is not known count as general."""
        page = list(posts)
        often = Counter(tag for post in page for tag in post.all_tags)
        if self._takes_lists is None:
            self._learn([tag for tag, _ in often.most_common(_PROBE)])
        least = 1 if self._takes_lists else max(2.0, _OFTEN * len(page))
        self._learn([tag for tag, times in often.items() if times >= least])
        return [_in_categories(post, self._tags) for post in page]

    def _learn(self, names: Iterable[str]) -> None:
        """Asks for the tags that are not known yet."""
        missing = [name for name in names if name not in self._tags]
        if self._takes_lists is None and missing:
            self._takes_lists = self._learn_list(missing[:_PROBE])
            missing = [name for name in missing if name not in self._tags]
        for chunk in _short_lists(missing):
            if self._takes_lists:
                self._learn_list(chunk)
            else:
                self._learn_each(chunk)

    def _learn_each(self, names: list[str]) -> None:
        for name in names:
            found = dict(self._ask_tags("name", name))
            self._tags[name] = found.get(name, TagFacts(0, ""))

    def _learn_list(self, names: list[str]) -> bool:
        """Asks for several tags at once, and says whether the site takes lists; else it answers with other tags."""
        found = dict(self._ask_tags("names", " ".join(names)))
        if self._takes_lists is None and not (found and found.keys() <= set(names)):
            return False
        self._tags.update({name: found.get(name, TagFacts(0, "")) for name in names})
        return True

    def _ask_tags(self, key: str, value: str) -> Iterator[tuple[str, TagFacts]]:
        params = {**_TAGS, key: value}
        if self._is_old:
            elements = ask_elements(self.client, _API, params)
            rows: list[Any] = [dict(element.attributes) for element in elements if element.name == "tag"]
        else:
            rows = self._rows(ask_json(self.client, _API, {**params, "json": 1}), "tag")[0]
        for row in rows:
            fields = Fields(row, f"A tag of {self.site.name}")
            kind = fields.value.get("type", 0)
            yield (
                html.unescape(fields.text("name")),
                TagFacts(max(0, fields.loose_number("count", 0)), CATEGORIES.get(str(kind), "general")),
            )

    def _read_post(self, item: Any) -> Post | None:
        """Reads one post, in either version; None for the shell that the older one gives of a post without a file."""
        fields = Fields(item, f"A post of {self.site.name}")
        fields.where = f"Post {fields.loose_number('id')} of {self.site.name}"
        if not fields.text("image", "") and not fields.text("tags", "").strip():
            return None
        url = fields.address("file_url", self.site.url)
        tags = tuple(dict.fromkeys(html.unescape(fields.text("tags", "")).split()))
        source = fields.text_or_none("source")
        return Post(
            site=self.site.name,
            id=fields.loose_number("id"),
            md5=clean_md5(fields.text("md5", "") or fields.text("hash", "")),
            ext=ext_of(fields.text("image", "")) or ext_of(url),
            width=fields.loose_number("width", 0),
            height=fields.loose_number("height", 0),
            size=0,
            url=url,
            preview_url=fields.address("preview_url", self.site.url),
            sample_url=fields.address("sample_url", self.site.url),
            rating=_rating(fields.text("rating", "")),
            score=fields.loose_number("score", 0),
            fav_count=0,
            created_at=read_date(fields.text("created_at", "")),
            tags={"general": tags},
            sources=(html.unescape(source),) if source else (),
            parent_id=fields.loose_number("parent_id", 0) or None,
            is_deleted=fields.text("status", "active") == "deleted",
        )


def sent_query(query: str) -> str:
    """Gives the query as it is sent: refused if it asks for minors, with the negatives that mark them."""
    demand_safe_query(query)
    terms = query.split()
    lower = [term.lower() for term in terms]
    return " ".join([*terms, *(negative for negative in NEGATIVES if negative not in lower)])


def read_date(text: str) -> str:
    """Writes "Sat Mar 01 12:00:00 -0600 2025" as ISO 8601 in UTC; empty when the text is no date."""
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            return datetime.fromisoformat(text).isoformat() if text else ""
        month = _MONTHS.index(match[1]) + 1
        date = datetime.fromisoformat(f"{match[5]}-{month:02}-{int(match[2]):02}T{match[3]}{match[4]}")
        return date.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return ""


def _rating(word: str) -> str:
    """Gives the letter of a rating; one that is new here counts as explicit."""
    return _RATINGS.get(word.lower(), word.lower() if word.lower() in ("g", "s", "q", "e") else "e")


def _below(sent: str, number: int) -> str:
    """Gives the query for the posts with smaller ids."""
    return " ".join([*(term for term in sent.split() if not _BELOW.fullmatch(term)), f"id:<{number}"])


def _in_categories(post: Post, known: dict[str, TagFacts]) -> Post:
    tags: dict[str, tuple[str, ...]] = {}
    for tag in post.all_tags:
        category = known[tag].category if tag in known else ""
        tags[category or "general"] = (*tags.get(category or "general", ()), tag)
    return replace(post, tags=tags)


def _short_lists(names: list[str]) -> Iterator[list[str]]:
    """Cuts names into lists of at most a hundred that are short enough for an address."""
    part: list[str] = []
    letters = 0
    for name in names:
        if part and (len(part) == _NAMES_AT_ONCE or letters + len(name) > _LETTERS_AT_ONCE):
            yield part
            part, letters = [], 0
        part.append(name)
        letters += len(name) + 1
    if part:
        yield part
