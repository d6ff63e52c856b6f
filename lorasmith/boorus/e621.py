"""The e621 family (e621ng): e621 and e926."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from lorasmith.boorus.answers import Fields, read_list, read_posts
from lorasmith.boorus.booru import FEW, Booru, TagFacts, chunks
from lorasmith.boorus.faults import NotFoundError
from lorasmith.boorus.pages import by_falling_id, by_number, in_order, lower, possible
from lorasmith.boorus.post import Post
from lorasmith.errors import SiteError
from lorasmith.safety import KEY_NEGATIVE, demand_safe_query, is_refused

PAGE = 320  # posts an answer holds at most; more asked is a 410
DEEPEST = 750  # numbered pages; one more is a 410
MOST_TERMS = 40
_NAMES = 80  # tag names in one request, so that the address stays short
_ORDER = re.compile(r"(?:^|\s)-?order:(?!id_desc(?:\s|$))", re.IGNORECASE)
_FREE = re.compile(r"-?rating:[sqe].*|limit:.*|-status:deleted", re.IGNORECASE)
_BRACKETS = ("(", ")", "-(", "~(")
_MOST_MD5S = 80  # in one metatag, so that the address stays short
CATEGORIES = ("general", "artist", "contributor", "copyright", "character", "species", "invalid", "meta", "lore")


class E621(Booru):
    """One e621-like site, open for questions."""

    ids_at_once = PAGE
    orders = {  # noqa: RUF012 - a table, never changed
        "score_desc": "order:score", "score_asc": "order:score_asc", "fav_count_desc": "order:favcount",
        "fav_count_asc": "order:favcount_asc", "date_desc": "order:created", "date_asc": "order:created_asc",
        "id_desc": "order:id_desc", "id_asc": "order:id",
    }  # fmt: skip

    def count(self, query: str) -> int:
        """Says how many posts a search finds; the site stops counting at 240,001."""
        return self._count(sent_query(query))[0]

    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives at most `limit` posts in the order of the query, newest first without one.

        An `order:` is only kept by numbered pages, which end at 240,000 posts; without one every depth is reached.
        """
        sent = sent_query(query)
        size = min(PAGE, limit)
        if _ORDER.search(sent):
            posts = by_number(lambda number: self._page(sent, size, number), size, DEEPEST)
        else:
            posts = by_falling_id(self, lambda below: self._page(sent, size, below and f"b{below}"), size)
        return islice(self.safe(posts), limit)

    def by_ids(self, ids: Iterable[int]) -> Iterator[Post]:
        """Gives the posts with these ids that still exist, deleted ones too, in the order of the ids.

        Asked without the key negative: so what is refused by now is known as such, and counted, and not taken for gone.
        """
        return in_order(self, possible(ids), PAGE, lambda some: self._listed(f"id:{some}"), lambda post: post.id)

    def by_md5s(self, md5s: Iterable[str]) -> Iterator[Post]:
        """Gives the posts whose files have these md5s, in the order of the md5s."""
        return in_order(self, lower(md5s), _MOST_MD5S, lambda some: self._listed(f"md5:{some}"), lambda post: post.md5)

    def tag_facts(self, names: Iterable[str]) -> dict[str, TagFacts]:
        """Says on how many posts each tag stands, and its category; an unknown one stands on none."""
        facts = {name: TagFacts(0, "") for name in names if not is_refused(name)}
        for chunk in chunks(list(facts), _NAMES):
            asked = {"search[name]": ",".join(chunk), "search[hide_empty]": "false", "limit": PAGE}
            for tag in self._rows("/tags.json", "tags", asked):
                if tag.text("name") in facts:
                    number = tag.number("category", 0)
                    category = CATEGORIES[number] if 0 <= number < len(CATEGORIES) else ""
                    facts[tag.text("name")] = TagFacts(tag.number("post_count"), category)
        return facts

    def wiki(self, tag: str) -> str:
        """Gives the site's text about a tag in its own markup (DText), empty where it has none."""
        if is_refused(tag):
            return ""
        with suppress(NotFoundError):  # a mirror without a wiki
            for page in self._rows("/wiki_pages.json", "wiki_pages", {"search[title]": tag, "limit": 1}):
                if page.text("title", "") == tag:
                    return page.text("body", "")
        return ""

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives the name that the site uses instead, for each of the names that is an alias."""
        found: dict[str, str] = {}
        for chunk in chunks([name for name in dict.fromkeys(names) if not is_refused(name)], _NAMES):
            asked = {"search[antecedent_name]": ",".join(chunk), "search[status]": "active", "limit": PAGE}
            for row in self._rows("/tag_aliases.json", "tag_aliases", asked):
                if row.text("antecedent_name") in chunk:
                    found[row.text("antecedent_name")] = row.text("consequent_name")
        return found

    def total_posts(self) -> int | None:
        """Says how many posts the site has; where it stops counting, the newest id says how many there ever were."""
        total, capped = self._count(sent_query(""))
        if not capped:
            return total
        newest = self._page(sent_query(""), 1, None)
        return newest[0].id if newest else None

    def hidden_share(self, tag: str) -> float | None:
        """Gives the share of a tag's posts that the key negative hides; None where there are too few to say."""
        if is_refused(tag):
            return 1.0
        total = self._count(tag)[0]
        return 1 - self._count(f"{tag} {KEY_NEGATIVE}")[0] / total if total >= FEW else None

    def _count(self, sent: str) -> tuple[int, bool]:
        answer = Fields(self.client.json("/posts/count.json", {"tags": sent}), f"The count of {self.site.name}")
        return answer.number("count"), answer.truth("capped")

    def _listed(self, terms: str) -> list[Post]:
        return self._page(f"{terms} status:any", PAGE, None)

    def _page(self, sent: str, size: int, page: str | int | None) -> list[Post]:
        asked: dict[str, str | int] = {"tags": sent, "limit": size}
        if page is not None:
            asked["page"] = page
        return read_posts(self.client.json("/posts.json", asked), self.site.name)

    def _rows(self, path: str, name: str, asked: dict[str, Any]) -> list[Fields]:
        rows = read_list(self.client.json(path, asked), name, self.site.name)
        return [Fields(row, f"A row of {path} of {self.site.name}") for row in rows]


def sent_query(query: str) -> str:
    """Gives the query as it is sent: refused if it asks for minors, with the key negative, within 40 terms."""
    demand_safe_query(query)
    terms = query.split()
    if not _has_key_negative(terms):
        terms.append(KEY_NEGATIVE)
    counted = [term for term in terms if term not in _BRACKETS and not _FREE.fullmatch(term)]
    if len(counted) > MOST_TERMS:
        raise SiteError(
            f"The search has {len(counted) - 1} terms, and the site takes {MOST_TERMS - 1} besides {KEY_NEGATIVE}; "
            "leave some out and filter by the blacklist instead."
        )
    return " ".join(terms)


def _has_key_negative(terms: list[str]) -> bool:
    """Says whether the key negative stands among the terms outside of every bracket."""
    depth = 0
    for term in terms:
        if depth == 0 and term.lower() == KEY_NEGATIVE:
            return True
        depth += (term.lstrip("-~") == "(") - (term == ")")
    return False

