"""Danbooru over the drawn posts: its paths, its budget of two terms, what it leaves out, and its errors."""

from collections.abc import Callable
from typing import Any

from lorasmith.demo.drawn import Listing, is_served
from lorasmith.demo.records import BORN
from lorasmith.demo.search import Search, SearchRefusedError, read_search
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.site import Answer, Params, Refusal, Site, data

PAGE = 200
DEEPEST = 1000
MOST_TERMS = 2
TAGS_PAGE = 1000
CATEGORY_IDS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}
FREE = (
    "status rating limit is id date age filesize filetype parent child md5 width height duration mpixels ratio score "
    "upvote downvote favcount embedded tagcount pixiv_id pixiv"
).split()
ERRORS = {401: "SessionLoader::AuthenticationFailure", 404: "ActiveRecord::RecordNotFound", 410: "PaginationError"}


def category_of(name: str) -> str:
    """Gives the category under which Danbooru has what the drawn world calls so: it knows no species."""
    return name if name in CATEGORY_IDS else "meta" if name == "lore" else "general"


class DanbooruSite(Site):
    """Danbooru's paths."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.counting_takes_too_long = False
        self._paths = {
            "/posts.json": self._posts,
            "/counts/posts.json": self._counts,
            "/tags.json": self._tag_rows,
            "/tag_aliases.json": lambda params: _relation_rows(self._tables.aliases, params),
            "/tag_implications.json": lambda params: _relation_rows(self._tables.implications, params),
            "/wiki_pages.json": self._wiki_rows,
        }

    def answer(self, path: str, params: Params) -> Answer:
        answer = super().answer(path, params)
        return answer if answer.status < 400 or b'"reason"' not in answer.body else error(answer)

    def _search(self, params: Params) -> tuple[Search, list[Listing]]:
        terms = params.get("tags", "").lower().split()
        counted = {term.lstrip("-~") for term in terms if term not in ("(", ")", "or", "and") and not _is_free(term)}
        if len(counted) > MOST_TERMS:
            raise SearchRefusedError(f"You cannot search for more than {MOST_TERMS} tags at a time.")
        if not any("status:" in term for term in terms):
            terms.append("status:any")  # deleted posts are shown to a client
        search = read_search(" ".join(terms).replace("order:created_at", "order:created"), self._aliases)
        return search, [listing for listing in self._listings if search.matches(listing)]

    def _posts(self, params: Params) -> Answer:
        search, found = self._search(params)
        limit = max(1, min(PAGE, int(params.get("limit", "20"))))  # more than that is not refused
        page = params.get("page", "1")
        if page[0] in "ab":
            number = int(page[1:])
            found.sort(key=lambda listing: -listing.post.id)
            chosen = [listing for listing in found if listing.post.id < number][:limit]
            shown = chosen if page[0] == "b" else [listing for listing in found if listing.post.id > number][-limit:]
        elif int(page) > DEEPEST:
            raise Refusal(410, f"You cannot go beyond page {DEEPEST}.")
        else:
            shown = search.sort(found)[(int(page) - 1) * limit : int(page) * limit]
        self._files.draw_all(listing.post for listing in shown)
        return data([self.record(listing) for listing in shown])

    def _one(self, is_it: Callable[[Listing], bool]) -> Answer:
        for listing in filter(is_it, self._listings):
            return data(self.record(listing))
        raise Refusal(404, "That record was not found.")

    def _counts(self, params: Params) -> Answer:
        count = len(self._search(params)[1])
        return data({"counts": {"posts": None if self.counting_takes_too_long else count}})

    def _tag_rows(self, params: Params) -> Answer:
        rows = _named(self._tables.tags, "name", params)
        ids = {0: 0, 1: 1, 3: 3, 4: 4, 7: 5}  # e621's numbers to Danbooru's
        return data([{**row, "category": ids.get(row["category"], 0), "is_deprecated": False} for row in rows])

    def _wiki_rows(self, params: Params) -> Answer:
        title = params.get("search[title]", "")
        known = any(row["name"] == title for row in self._tables.tags)
        page = {"id": 1, "title": title, "body": f"What is known of [[{title}]].", "other_names": []}
        return data([page] if known else [])

    def record(self, listing: Listing) -> dict[str, Any]:
        """Gives a post; md5 and addresses are absent, not null, where strangers may not see it."""
        post, md5, served = listing.post, listing.md5, is_served(listing.post)
        place = f"{md5[:2]}/{md5[2:4]}/{md5}"
        tags: dict[str, list[str]] = {name: [] for name in CATEGORY_IDS}
        for name, words in post.tags.items():
            tags[category_of(name)].extend(words)
        original = {"type": "original", "url": f"{self.base_url}/data/{place}.{post.ext}", "file_ext": post.ext}
        smaller = [
            {"type": kind, "url": f"{self.base_url}/data/{folder}/{place}.jpg", "file_ext": "jpg"}
            for kind, folder in (("180x180", "preview"), ("360x360", "preview"), ("sample", "sample"))
        ]
        asset = {"id": post.id, "created_at": BORN, "image_width": post.width, "image_height": post.height}
        record: dict[str, Any] = {
            "id": post.id, "created_at": post.created_at, "uploader_id": 1, "score": post.score, "source": "",
            "rating": post.rating, "image_width": post.width, "image_height": post.height, "fav_count": post.fav_count,
            "file_ext": post.ext, "file_size": listing.size, "parent_id": post.parent_id,
            "has_children": bool(post.children), "is_deleted": post.is_deleted, "is_banned": not post.visible,
            "tag_string": " ".join(tag for words in tags.values() for tag in words),
            **{f"tag_string_{name}": " ".join(words) for name, words in tags.items()},
            "media_asset": asset,
        }  # fmt: skip
        if not served:
            return record
        return {
            **record,
            "md5": md5,
            "file_url": original["url"],
            "large_file_url": smaller[2]["url"],
            "preview_file_url": smaller[0]["url"],
            "media_asset": {**asset, "md5": md5, "variants": [*smaller, original]},
        }


def _relation_rows(rows: list[dict[str, Any]], params: Params) -> Answer:
    """Answers a page of aliases or implications; `a<id>` asks for those above an id, which come the highest first."""
    rows = [row for row in rows if row["status"] == params.get("search[status]", "active")]
    page = params.get("page", "1")
    if page[0] == "a":
        above = [row for row in rows if row["id"] > int(page[1:])]
        return data(above[: min(TAGS_PAGE, int(params.get("limit", "20")))][::-1])
    return data(_named(rows, "antecedent_name", params))


def error(answer: Answer) -> Answer:
    """Gives an error in Danbooru's own shape."""
    words = answer.body.decode("utf-8").partition('"reason": "')[2].rpartition('"')[0]
    kind = ERRORS.get(answer.status, "PostQuery::Error")
    return data({"success": False, "error": kind, "message": words}, answer.status)


def _is_free(term: str) -> bool:
    name, colon, _ = term.lstrip("-~").partition(":")
    return bool(colon) and name in FREE


def _named(rows: list[dict[str, Any]], column: str, params: Params) -> list[dict[str, Any]]:
    """Keeps the rows whose column is one of `search[<column>_space]`; without it, all. A comma is part of a name."""
    limit = min(TAGS_PAGE, int(params.get("limit", "20")))
    wanted = params.get(f"search[{column}_space]")
    exact = params.get(f"search[{column}]")
    kept = [row for row in rows if wanted is None or row[column] in wanted.split()]
    return [row for row in kept if exact is None or row[column] == exact][:limit]


class FakeDanbooru(DemoBooru):
    """Danbooru on this machine while a `with` lasts."""

    def __init__(self, posts: Any, **options: Any) -> None:
        super().__init__(posts, **options)
        self.site = DanbooruSite(posts, self._files, options.get("aliases", {}), options.get("implications", {}))
        self.site.base_url = self.url
