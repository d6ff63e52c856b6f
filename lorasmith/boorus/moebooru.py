"""The Moebooru family: yande.re and konachan.

The second version of its answers tells the category of every tag beside the posts. JSON does not count; XML does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from lorasmith.boorus.answers import Fields, clean_ext, clean_md5, ext_of, read_list
from lorasmith.boorus.bodies import ask_elements
from lorasmith.boorus.booru import Booru, TagFacts
from lorasmith.boorus.budget import Budget, Plan
from lorasmith.boorus.client import Client
from lorasmith.boorus.pages import by_falling_id, in_order, lower, possible
from lorasmith.boorus.post import Post
from lorasmith.errors import UsageError
from lorasmith.safety import demand_safe_query, is_refused

PAGE = 100  # posts an answer is asked for; the site gives more, but asks nobody to take them
MOST_USED = 1000  # tags whose counts come in one answer; others are asked for one by one
_METATAGS = frozenset(
    "ratio unlocked deleted ext user sub vote fav md5 rating width height mpixels score source id date pool parent "
    "order change holds pending shown limit".split()
)
BUDGET = Budget(
    most=6,
    free=_METATAGS,
    metatags=_METATAGS,
    negatives=("-loli", "-shota", "-toddlercon", "-toddler", "-child", "-baby"),
)
CATEGORIES = {
    "general": "general", "artist": "artist", "circle": "artist", "copyright": "copyright", "character": "character",
    "style": "meta", "faults": "meta",
}  # fmt: skip
_KINDS = {0: "general", 1: "artist", 3: "copyright", 4: "character"}  # the same on all sites; the others differ
_MORE_KINDS = {"yandere": {5: "circle", 6: "faults"}, "konachan": {5: "style", 6: "circle"}}
_MD5S_AT_ONCE = 40
_BY_PAGE = re.compile(r"(?:^|\s)(?:order:(?!id_desc(?:\s|$))|id:|pool:)", re.IGNORECASE)
_DEEPEST = 1000  # numbered pages; a search with an order of its own ends there


class Moebooru(Booru):
    """One Moebooru site, open for questions."""

    ids_at_once = PAGE
    orders = {  # noqa: RUF012 - a table, never changed
        "score_desc": "order:score", "score_asc": "order:score_asc", "date_desc": "order:id_desc",
        "date_asc": "order:id", "id_desc": "order:id_desc", "id_asc": "order:id",
    }  # fmt: skip

    @classmethod
    def any_of(cls, *groups: Sequence[str]) -> str:
        """Writes a group of tags of which a post needs one; raises `UsageError` for two, which this family cannot search for."""
        if sum(len(group) > 1 for group in groups) > 1:
            raise UsageError("This site takes one group of tags of which one suffices; leave one out, or choose another company.")
        return super().any_of(*groups)

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._plans: dict[str, Plan] = {}
        self._most_used: dict[str, TagFacts] | None = None
        self._aliases: dict[str, str] | None = None

    def count(self, query: str) -> int | None:
        """Says how many posts a search finds; None where part of it is tested here."""
        plan = self._plan(query)
        if plan.kept_back is not None:
            return None
        for element in ask_elements(self.client, "/post.xml", {"tags": plan.sent, "limit": 1}):
            if element.name == "posts" and "count" in element.attributes:
                return Fields(dict(element.attributes), f"The count of {self.site.name}").loose_number("count")
        return None

    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives at most `limit` posts in the order of the query, newest first without one.

        An order of its own is kept by numbered pages, which end at 100,000 posts; without one every depth is reached.
        """
        plan = self._plan(query)
        turn = self._numbered if _BY_PAGE.search(plan.sent) else self._by_falling_id
        posts: Iterator[Post] = turn(plan.sent, PAGE if plan.kept_back else min(PAGE, limit))
        if plan.kept_back is not None:
            posts = filter(plan.kept_back.matches, posts)
        return islice(self.safe(posts), limit)

    def by_ids(self, ids: Iterable[int]) -> Iterator[Post]:
        """Gives the posts with these ids that still exist, deleted ones too, in the order of the ids; 100 a request."""
        return in_order(self, possible(ids), PAGE, lambda some: self._listed(f"id:{some}"), lambda post: post.id)

    def by_md5s(self, md5s: Iterable[str]) -> Iterator[Post]:
        """Gives the posts whose files have these md5s, in the order of the md5s; 40 a request."""
        return in_order(self, lower(md5s), _MD5S_AT_ONCE, lambda some: self._listed(f"md5:{some}"), lambda post: post.md5)

    def tag_facts(self, names: Iterable[str]) -> dict[str, TagFacts]:
        """Says on how many posts each tag stands, and its category; an unknown one stands on none.

        The thousand tags in most use come in one answer; every other name is a request of its own.
        """
        wanted = [name for name in dict.fromkeys(names) if not is_refused(name)]
        if wanted and self._most_used is None:
            self._most_used = self._ask_tags({"order": "count", "limit": MOST_USED})
        known = self._most_used or {}
        for name in wanted:
            if name not in known:
                # With a `*` at its end it is matched from the start, and the shortest comes first: the name itself.
                found = self._ask_tags({"name": f"{name}*", "order": "name", "limit": 5}) if "*" not in name else {}
                known[name] = found.get(name, TagFacts(0, ""))
        return {name: known[name] for name in wanted}

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives the name that the site uses instead, for each of the names that is an alias.

        The site's own list of all tags is asked for once: it is what its pages complete names from.
        """
        wanted = [name for name in dict.fromkeys(names) if not is_refused(name)]
        if wanted and self._aliases is None:
            answer = Fields(self.client.json("/tag/summary.json"), f"The tags of {self.site.name}")
            self._aliases = dict(_read_aliases(answer.text("data", "")))
        return {name: self._aliases[name] for name in wanted if self._aliases and name in self._aliases}

    def total_posts(self) -> int | None:
        """Says how many posts the site has."""
        return self.count("")

    def wiki(self, tag: str) -> str:
        """Gives the site's text about a tag in its own markup (DText), empty where it has none."""
        if is_refused(tag):
            return ""
        answer = self.client.json("/wiki.json", {"query": f"title:{tag}", "limit": PAGE})
        for row in read_list(answer, "wiki", self.site.name):
            page = Fields(row, f"A page of the wiki of {self.site.name}")
            if page.text("title", "").replace(" ", "_") == tag:
                return page.text("body", "")
        return ""

    def _plan(self, query: str) -> Plan:
        """Plans a search; refused if it asks for minors."""
        demand_safe_query(query)
        if query not in self._plans:
            self._plans[query] = BUDGET.plan(query, self.aliases, self._rarest)
        return self._plans[query]

    def _rarest(self, tags: list[str]) -> list[str]:
        """Sorts tags by how many posts they stand on."""
        aliases = self.aliases(tags)
        real = {tag: aliases.get(tag, tag) for tag in tags}
        facts = self.tag_facts(real.values())
        return sorted(tags, key=lambda tag: facts[real[tag]].posts if real[tag] in facts else 0)

    def _listed(self, terms: str) -> list[Post]:
        return self._page(f"{terms} deleted:all", PAGE, 1)  # without negatives: what is refused by now is known as such

    def _page(self, sent: str, size: int, number: int) -> list[Post]:
        asked: dict[str, str | int] = {"tags": sent, "limit": size, "page": number, "api_version": 2, "include_tags": 1}
        answer = self.client.json("/post.json", asked)
        kinds = Fields(answer, f"An answer of {self.site.name}").part("tags") if isinstance(answer, dict) else None
        return [self._read_post(item, kinds) for item in read_list(answer, "posts", self.site.name)]

    def _numbered(self, sent: str, size: int) -> Iterator[Post]:
        """Turns numbered pages; a post that slides onto the next page while they are turned comes once."""
        seen: set[int] = set()
        for number in range(1, _DEEPEST + 1):
            posts = self._page(sent, size, number)
            fresh = [post for post in posts if post.id not in seen]
            if posts and not fresh:
                raise self.same_page_again()
            yield from fresh
            seen.update(post.id for post in posts)
            if len(posts) < size:
                return

    def _by_falling_id(self, sent: str, size: int) -> Iterator[Post]:
        def page(below: int | None) -> list[Post]:
            return self._page(sent if below is None else f"{sent} id:<{below}".strip(), size, 1)

        return by_falling_id(self, page, size)

    def _ask_tags(self, asked: Mapping[str, str | int]) -> dict[str, TagFacts]:
        kinds = {**_KINDS, **_MORE_KINDS.get(self.site.name, {})}
        facts = {}
        for row in read_list(self.client.json("/tag.json", asked), "tags", self.site.name):
            tag = Fields(row, f"A tag of {self.site.name}")
            category = CATEGORIES.get(kinds.get(tag.number("type", 0), ""), "general")
            facts[tag.text("name")] = TagFacts(max(0, tag.number("count", 0)), category)
        return facts

    def _read_post(self, item: Any, kinds: Fields | None) -> Post:
        """Reads one post; a deleted one has no address. `kinds` has the kind of each tag, where the site told it."""
        fields = Fields(item, f"A post of {self.site.name}")
        fields.where = f"Post {fields.number('id')} of {self.site.name}"
        url = fields.address("file_url", self.site.url)
        source = fields.text_or_none("source")
        return Post(
            site=self.site.name,
            id=fields.number("id"),
            md5=clean_md5(fields.text("md5", "")),
            ext=clean_ext(fields.text("file_ext", "")) or ext_of(url),
            width=fields.number("width", 0),
            height=fields.number("height", 0),
            size=fields.number("file_size", 0),
            url=url,
            preview_url=fields.address("preview_url", self.site.url),
            sample_url=fields.address("sample_url", self.site.url),
            rating=fields.text("rating")[:1].lower(),
            score=fields.number("score", 0),
            fav_count=0,
            created_at=_date(fields.number("created_at", 0)),
            tags=_read_tags(fields, kinds),
            sources=(source,) if source else (),
            parent_id=fields.number_or_none("parent_id"),
            is_deleted=fields.text("status", "active") == "deleted",
            change_seq=fields.number_or_none("change"),
        )


def _read_tags(fields: Fields, kinds: Fields | None) -> dict[str, tuple[str, ...]]:
    """Sorts a post's tags into categories; one whose kind is not told counts as general."""
    tags: dict[str, tuple[str, ...]] = {}
    for tag in fields.words("tags"):
        category = CATEGORIES.get(kinds.text(tag, "general"), "general") if kinds else "general"
        tags[category] = (*tags.get(category, ()), tag)
    return tags


def _read_aliases(summary: str) -> Iterator[tuple[str, str]]:
    """Reads the site's list of tags: "4`name`alias`other_alias`", with a space between tags."""
    for entry in summary.split(" "):
        _, name, *aliases = [*entry.split("`"), ""]
        yield from ((alias, name) for alias in aliases if alias)


def _date(seconds: int) -> str:
    """Writes a Unix time as ISO 8601; empty for none, and for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else ""
    except (OverflowError, OSError, ValueError):
        return ""
