"""Moebooru over the drawn posts: its flat answers, the kinds of tags beside them, six tags a search, and its errors."""

import json
import re
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from lorasmith.demo.drawn import Listing, is_served
from lorasmith.demo.search import Search, read_search
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.site import Answer, Params, Site, data

MOST_TERMS = 6
KINDS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "circle": 5, "faults": 6}
_META = re.compile(
    r"-?(ratio|deleted|ext|user|md5|rating|width|height|mpixels|score|source|id|date|pool|parent|order|limit):"
)


class MoebooruSite(Site):
    """Moebooru's paths; `is_young` says whether it knows the second version of its answers."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_young = True
        self._paths = {
            "/post.json": self._post_json,
            "/post.xml": self._post_xml,
            "/tag.json": self._tag_json,
            "/tag/summary.json": self._summary,
            "/wiki.json": self._wiki,
        }

    def _search(self, params: Params) -> tuple[Search, list[Listing]] | None:
        terms = params.get("tags", "").lower().split()
        plain = [term for term in terms if not _META.match(term)]
        negative = [term for term in plain if term.startswith("-")]
        if max(len(negative), len(plain) - len(negative)) > MOST_TERMS:
            return None
        asks_for_deleted = {"deleted:all": "status:any", "deleted:true": "status:deleted"}
        words = [asks_for_deleted.get(term, term) for term in terms]
        if any(term.startswith("id:") for term in terms):
            words.append("status:any")  # a search for ids shows deleted posts too
        search = read_search(" ".join(words), self._aliases)
        return search, [listing for listing in self._listings if search.matches(listing)]

    def _page(self, params: Params) -> tuple[list[Listing], int] | None:
        found = self._search(params)
        if found is None:
            return None
        limit, number = min(1000, int(params.get("limit", "40"))), max(1, int(params.get("page", "1")))
        shown = found[0].sort(found[1])[(number - 1) * limit : number * limit]
        self._files.draw_all(listing.post for listing in shown)
        return shown, len(found[1])

    def _post_json(self, params: Params) -> Answer:
        page = self._page(params)
        if page is None:
            return _too_many()
        posts = [self.record(listing) for listing in page[0]]
        if params.get("api_version") != "2" or not self.is_young:
            return data(posts)
        kinds = {tag: _kind(name) for listing in page[0] for name, tags in listing.post.tags.items() for tag in tags}
        return data({"posts": posts, "tags": kinds} if params.get("include_tags") == "1" else {"posts": posts})

    def _post_xml(self, params: Params) -> Answer:
        page = self._page(params)
        if page is None:
            return _too_many()
        posts = "".join(f'<post id="{listing.post.id}" score="{listing.post.score}"/>' for listing in page[0])
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<posts count="{page[1]}" offset="0">\n{posts}</posts>'
        return Answer(200, text.encode("utf-8"), "application/xml; charset=utf-8")

    def _rows(self) -> list[dict[str, Any]]:
        names = {0: 0, 1: 1, 3: 3, 4: 4}  # e621's numbers to Moebooru's
        return [
            {
                "id": row["id"], "name": row["name"], "count": row["post_count"],
                "type": names.get(row["category"], 0), "ambiguous": False,
            }
            for row in self._tables.tags
        ]  # fmt: skip

    def _tag_json(self, params: Params) -> Answer:
        rows = self._rows()
        if name := params.get("name", ""):
            pattern = name if "*" in name else f"*{name}*"
            rows = [row for row in rows if fnmatchcase(row["name"], pattern)]
        by_count = params.get("order") == "count"
        rows.sort(key=lambda row: (-row["count"], row["name"]) if by_count else (0, row["name"]))
        return data(rows[: int(params.get("limit", "50"))])

    def _summary(self, params: Params) -> Answer:
        aliases: dict[str, list[str]] = {}
        for alias, name in self._aliases.items():
            aliases.setdefault(name, []).append(alias)
        entries = (
            f"{row['type']}`{'`'.join([row['name'], *sorted(aliases.get(row['name'], []))])}`" for row in self._rows()
        )
        return data({"version": 7, "data": " ".join(entries) + " "})

    def _wiki(self, params: Params) -> Answer:
        asked = params.get("query", "").removeprefix("title:")
        rows = [row for row in self._rows() if asked in row["name"]]
        return data([{"id": row["id"], "title": row["name"], "body": f"About {row['name']}."} for row in rows])

    def record(self, listing: Listing) -> dict[str, Any]:
        """Gives a post; one that is deleted keeps its md5 and loses its addresses."""
        post, md5 = listing.post, listing.md5
        place = f"{md5[:2]}/{md5[2:4]}/{md5}"
        tags = sorted(tag for tags in post.tags.values() for tag in tags)
        seconds = int(datetime.fromisoformat(post.created_at).timestamp())
        record: dict[str, Any] = {
            "id": post.id, "tags": " ".join(tags), "created_at": seconds, "updated_at": seconds, "creator_id": 1,
            "author": "demo", "change": post.id * 3, "source": "", "score": post.score, "md5": md5,
            "file_size": listing.size, "file_ext": post.ext, "file_url": f"{self.base_url}/data/{place}.{post.ext}",
            "is_shown_in_index": True, "preview_url": f"{self.base_url}/data/preview/{place}.jpg",
            "sample_url": f"{self.base_url}/data/sample/{place}.jpg",
            "jpeg_url": f"{self.base_url}/data/{place}.{post.ext}",
            "rating": "s" if post.rating == "g" else post.rating, "has_children": bool(post.children),
            "parent_id": post.parent_id, "status": "deleted" if post.is_deleted else "active", "is_pending": False,
            "width": post.width, "height": post.height, "is_held": False, "frames": [], "frames_pending": [],
        }  # fmt: skip
        if not is_served(post):
            for name in ("file_url", "sample_url", "jpeg_url"):
                del record[name]
        return record


class FakeMoebooru(DemoBooru):
    """Moebooru on this machine while a `with` lasts."""

    def __init__(self, posts: Any, **options: Any) -> None:
        super().__init__(posts, **options)
        self.site: MoebooruSite = MoebooruSite(posts, self._files, options.get("aliases", {}), {})
        self.site.base_url = self.url


def _kind(category: str) -> str:
    return category if category in KINDS else "general"


def _too_many() -> Answer:
    reason = f"Error: You cannot search for more than {MOST_TERMS} tags at a time"
    return Answer(500, json.dumps({"success": False, "reason": reason}).encode("utf-8"))
