"""The Danbooru family: danbooru.donmai.us.

Without a paid account a search takes two terms; what a longer one asks beyond them is tested here (see `budget.py`).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from lorasmith.boorus.answers import Fields, clean_ext, clean_md5, read_list
from lorasmith.boorus.booru import Booru, TagFacts, chunks
from lorasmith.boorus.budget import Budget, Plan
from lorasmith.boorus.client import Client
from lorasmith.boorus.pages import by_falling_id, by_number, in_order, lower, possible
from lorasmith.boorus.post import Post
from lorasmith.safety import demand_safe_query, is_refused

PAGE = 200  # posts an answer holds at most; more asked are not given
DEEPEST = 1000  # numbered pages; one more is a 410
CATEGORIES = {0: "general", 1: "artist", 3: "copyright", 4: "character", 5: "meta"}
_FREE = frozenset(  # of the budget
    "status rating limit is id date age filesize filetype parent child md5 width height duration mpixels ratio "
    "score favcount embedded tagcount pixiv_id pixiv".split()
)
_COUNTED = frozenset(
    "upvotes downvotes upvote downvote order user approver commenter comm noter noteupdater artcomm fav ordfav "
    "favgroup ordfavgroup pool ordpool note comment commentary source disapproved search pixelhash unaliased exif "
    "random has ai gentags arttags copytags chartags metatags".split()
)
BUDGET = Budget(most=2, free=_FREE, metatags=_FREE | _COUNTED, negatives=("-loli", "-shota", "-toddlercon"))
_TAGS_AT_ONCE = 80  # so that the address stays short
_MD5S_AT_ONCE = 80
_PREVIEWS = ("360x360", "180x180")
_SAMPLES = ("sample", "720x720")
_ORDER = re.compile(r"(?:^|\s)(?:order:(?!id_desc(?:\s|$))|ord[a-z]+:)")


class Danbooru(Booru):
    """One Danbooru-like site, open for questions."""

    ids_at_once = PAGE
    orders = {  # noqa: RUF012 - a table, never changed
        "score_desc": "order:score", "score_asc": "order:score_asc", "fav_count_desc": "order:favcount",
        "fav_count_asc": "order:favcount_asc", "date_desc": "order:created_at", "date_asc": "order:created_at_asc",
        "id_desc": "order:id_desc", "id_asc": "order:id",
    }  # fmt: skip

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._plans: dict[str, Plan] = {}

    def count(self, query: str) -> int | None:
        """Says how many posts a search finds; None where part is tested here, or the site cannot count in time."""
        plan = self._plan(query)
        if plan.kept_back is not None:
            return None
        answer = Fields(self.client.json("/counts/posts.json", {"tags": plan.sent}), f"The count of {self.site.name}")
        return answer.part("counts").number_or_none("posts")

    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives at most `limit` posts in the order of the query, newest first without one.

        An `order:` is only kept by numbered pages, which end at 200,000 posts; without one every depth is reached.
        """
        plan = self._plan(query)
        sent, size = plan.sent, PAGE if plan.kept_back else min(PAGE, limit)
        posts: Iterator[Post]
        if _ORDER.search(sent):
            posts = by_number(lambda number: self._page(sent, size, number), size, DEEPEST)
        else:
            posts = by_falling_id(self, lambda below: self._page(sent, size, below and f"b{below}"), size)
        if plan.kept_back is not None:
            posts = filter(plan.kept_back.matches, posts)
        return islice(self.safe(posts), limit)

    def by_ids(self, ids: Iterable[int]) -> Iterator[Post]:
        """Gives the posts with these ids that still exist, deleted ones too, in the order of the ids; 200 a request."""
        return in_order(self, possible(ids), PAGE, lambda some: self._listed(f"id:{some}"), lambda post: post.id)

    def by_md5s(self, md5s: Iterable[str]) -> Iterator[Post]:
        """Gives the posts whose files have these md5s, in the order of the md5s; 80 a request."""
        return in_order(self, lower(md5s), _MD5S_AT_ONCE, lambda some: self._listed(f"md5:{some}"), lambda post: post.md5)

    def tag_facts(self, names: Iterable[str]) -> dict[str, TagFacts]:
        """Says on how many posts each tag stands, and its category; an unknown one stands on none."""
        facts = {name: TagFacts(0, "") for name in names if not is_refused(name)}
        for chunk in chunks(list(facts), _TAGS_AT_ONCE):
            for tag in self._rows("/tags.json", {"search[name_space]": " ".join(chunk), "limit": PAGE}):
                if tag.text("name") in facts:
                    category = CATEGORIES.get(tag.number("category", 0), "")
                    facts[tag.text("name")] = TagFacts(tag.number("post_count", 0), category)
        return facts

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives the name that the site uses instead, for each of the names that is an alias."""
        found: dict[str, str] = {}
        for chunk in chunks([name for name in dict.fromkeys(names) if not is_refused(name)], _TAGS_AT_ONCE):
            asked = {"search[antecedent_name_space]": " ".join(chunk), "search[status]": "active", "limit": PAGE}
            for row in self._rows("/tag_aliases.json", asked):
                if row.text("antecedent_name") in chunk:
                    found[row.text("antecedent_name")] = row.text("consequent_name")
        return found

    def total_posts(self) -> int | None:
        """Says how many posts the site has."""
        return self.count("")

    def wiki(self, tag: str) -> str:
        """Gives the site's text about a tag in its own markup (DText), empty where it has none."""
        if is_refused(tag):
            return ""
        for page in self._rows("/wiki_pages.json", {"search[title]": tag, "limit": 1}):
            if page.text("title", "") == tag:
                return page.text("body", "")
        return ""

    def _plan(self, query: str) -> Plan:
        """Plans a search, deleted posts left out unless it names a status; refused if it asks for minors."""
        demand_safe_query(query)
        if query not in self._plans:
            plan = BUDGET.plan(query, self.aliases, self._rarest)
            says = "status:" in query.lower()
            self._plans[query] = plan if says else plan._replace(sent=f"{plan.sent} -status:deleted".strip())
        return self._plans[query]

    def _rarest(self, tags: list[str]) -> list[str]:
        """Sorts tags by how many posts they stand on."""
        aliases = self.aliases(tags)
        real = {tag: aliases.get(tag, tag) for tag in tags}
        facts = self.tag_facts(real.values())
        return sorted(tags, key=lambda tag: facts[real[tag]].posts if real[tag] in facts else 0)

    def _listed(self, terms: str) -> list[Post]:
        return self._page(f"{terms} status:any", PAGE, None)  # without negatives: what is refused by now is known as such

    def _page(self, sent: str, size: int, page: str | int | None) -> list[Post]:
        asked: dict[str, str | int] = {"tags": sent, "limit": size}
        if page is not None:
            asked["page"] = page
        answer = self.client.json("/posts.json", asked)
        return [self._read_post(item) for item in read_list(answer, "posts", self.site.name)]

    def _rows(self, path: str, asked: dict[str, Any]) -> list[Fields]:
        rows = read_list(self.client.json(path, asked), path.strip("/").removesuffix(".json"), self.site.name)
        return [Fields(row, f"A row of {path} of {self.site.name}") for row in rows]

    def _read_post(self, item: Any) -> Post:
        """Reads one post; md5 and addresses are absent from those that whoever asks may not see."""
        fields = Fields(item, f"A post of {self.site.name}")
        fields.where = f"Post {fields.number('id')} of {self.site.name}"
        variants = _variants(fields, self.site.url)
        source = fields.text_or_none("source")
        url = fields.address("file_url", self.site.url)
        return Post(
            site=self.site.name,
            id=fields.number("id"),
            md5=clean_md5(fields.text("md5", "")),
            ext=clean_ext(fields.text("file_ext", "")),
            width=fields.number("image_width", 0),
            height=fields.number("image_height", 0),
            size=fields.number("file_size", 0),
            url=url,
            preview_url=_first(variants, _PREVIEWS) or fields.address("preview_file_url", self.site.url),
            sample_url=_first(variants, _SAMPLES) or fields.address("large_file_url", self.site.url),
            rating=fields.text("rating", "e")[:1].lower(),
            score=fields.number("score", 0),
            fav_count=fields.number("fav_count", 0),
            created_at=fields.text("created_at", ""),
            tags=_read_tags(fields),
            sources=(source,) if source else (),
            parent_id=fields.number_or_none("parent_id"),
            is_deleted=fields.truth("is_deleted"),
        )


def _variants(fields: Fields, site_url: str) -> dict[str, str | None]:
    """Reads the sizes in which a file is there: type -> address."""
    asset = fields.part("media_asset")
    rows = read_list([] if asset.value.get("variants") is None else asset.value["variants"], "variants", asset.where)
    items = [Fields(row, f"{asset.where}, a variant") for row in rows]
    return {item.text("type", ""): item.address("url", site_url) for item in items}


def _first(variants: dict[str, str | None], kinds: Iterable[str]) -> str | None:
    return next((variants[kind] for kind in kinds if variants.get(kind)), None)


def _read_tags(fields: Fields) -> dict[str, tuple[str, ...]]:
    """Reads the tags by category; those of `tag_string` that stand in none count as general."""
    start = "tag_string_"
    tags = {name.removeprefix(start): fields.words(name) for name in fields.value if name.startswith(start)}
    sorted_ones = {tag for words in tags.values() for tag in words}
    rest = tuple(tag for tag in fields.words("tag_string") if tag not in sorted_ones)
    return {**tags, "general": tags.get("general", ()) + rest} if rest else tags
