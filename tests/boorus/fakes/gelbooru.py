"""Gelbooru and Safebooru over the drawn posts: one protocol in two ages, with their odd shapes and limits."""

import html
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lorasmith.demo.drawn import Listing, is_served
from lorasmith.demo.search import read_search
from lorasmith.demo.server import Asked, DemoBooru
from lorasmith.demo.site import Answer, Params, Site, data

PAGE = 100
RATINGS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}
CATEGORY_IDS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}
XML = "text/xml; charset=utf-8"


class GelbooruSite(Site):
    """DAPI: everything is behind /index.php. `depth` is how many posts numbered pages reach."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.depth = 20_000
        self._paths = {"/index.php": self._dapi}
        counts: Counter[str] = Counter()
        self._category: dict[str, str] = {}
        for listing in self._listings:
            for category, tags in listing.post.tags.items():
                counts.update(tags)
                self._category.update(dict.fromkeys(tags, category if category in CATEGORY_IDS else "general"))
        self._counts = counts

    def _dapi(self, params: Params) -> Answer:
        if params.get("page") != "dapi" or params.get("q") != "index":
            return Answer(200, b"<!DOCTYPE html><html><title>Gelbooru</title></html>", "text/html; charset=UTF-8")
        return self._tags(params) if params.get("s") == "tag" else self._posts(params)

    def _found(self, params: Params) -> tuple[list[Listing], int]:
        query = f"id:{params['id']} status:any" if "id" in params else _as_e621(params.get("tags", ""))
        search = read_search(query, self._aliases)
        found = search.sort(listing for listing in self._listings if search.matches(listing))
        limit, number = min(PAGE, int(params.get("limit", "100"))), int(params.get("pid", "0"))
        reached = found[: self.depth]
        shown = reached[number * limit : (number + 1) * limit]
        self._files.draw_all(listing.post for listing in shown)
        return shown, len(found)

    def _posts(self, params: Params) -> Answer:
        shown, count = self._found(params)
        records: list[dict[str, Any]] = [self.record(listing) for listing in shown]
        limit = int(params["limit"])
        attributes = {"limit": limit, "offset": int(params["pid"]) * limit, "count": count}
        if not records:
            return data({"@attributes": attributes})
        return data({"@attributes": attributes, "post": records[0] if len(records) == 1 else records})

    def _tags(self, params: Params) -> Answer:
        names = [name for name in params.get("names", "").split() if name in self._counts][:PAGE]
        rows = [self.tag(name) for name in names]
        attributes = {"limit": PAGE, "offset": 0, "count": len(rows)}
        return data({"@attributes": attributes, "tag": rows} if rows else {"@attributes": attributes})

    def tag(self, name: str) -> dict[str, Any]:
        """Gives a tag; its count is a text, as the site likes to have it."""
        kind = CATEGORY_IDS[self._category[name]]
        return {"id": 1, "name": html.escape(name), "count": str(self._counts[name]), "type": kind, "ambiguous": 0}

    def record(self, listing: Listing) -> dict[str, Any]:
        """Gives a post: the tags in one text without categories, escaped for a page; numbers now and then as texts."""
        post, md5 = listing.post, listing.md5
        place = f"{md5[:2]}/{md5[2:4]}/{md5}"
        record: dict[str, Any] = {
            "id": post.id,
            "created_at": datetime.fromisoformat(post.created_at).strftime("%a %b %d %H:%M:%S %z %Y"),
            "score": str(post.score), "width": post.width, "height": str(post.height), "md5": md5,
            "directory": f"{md5[:2]}/{md5[2:4]}", "image": f"{md5}.{post.ext}", "rating": RATINGS[post.rating],
            "source": "", "change": 1767225600, "owner": "demo", "creator_id": 1, "parent_id": post.parent_id or 0,
            "sample": 1, "tags": html.escape(" ".join(_flat(listing))), "title": "",
            "status": "deleted" if post.is_deleted else "active", "has_notes": "false", "has_comments": "false",
            "has_children": "true" if post.children else "false",
            "preview_url": f"{self.base_url}/data/preview/{place}.jpg",
            "sample_url": f"{self.base_url}/data/sample/{place}.jpg",
            "file_url": f"{self.base_url}/data/{place}.{post.ext}",
        }  # fmt: skip
        if not is_served(post):
            record.update(file_url="", preview_url="", sample_url="")
        return record


class SafebooruSite(GelbooruSite):
    """The older age: a bare list or nothing at all, tags in XML only. `takes_lists` says whether of several names."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.takes_lists = False

    def _posts(self, params: Params) -> Answer:
        shown, count = self._found(params)
        if params.get("json") == "1":
            body = json.dumps([self.record(listing) for listing in shown]) if shown else ""
            return Answer(200, body.encode("utf-8"), "application/json" if shown else "text/html; charset=UTF-8")
        return _xml(f'<posts count="{count}" offset="0">', "</posts>")

    def _tags(self, params: Params) -> Answer:
        names = params.get("names", "").split() if self.takes_lists else []
        names = names or ([params["name"]] if "name" in params else sorted(self._counts)[-PAGE:])
        rows = [self.tag(name) for name in names if name in self._counts]
        if not self.takes_lists and "name" not in params:
            rows.append({"type": 0, "count": 9, "name": "a_tag_that_nobody_asked_for"})
        line = '<tag type="{type}" count="{count}" name="{name}" id="1"/>'
        lines = "".join(line.format_map(row) for row in rows)
        return _xml(f'<tags type="array">{lines}', "</tags>")

    def record(self, listing: Listing) -> dict[str, Any]:
        """Gives a post: the md5 is called hash, nobody says when it was posted, the score is null as often as not."""
        record = super().record(listing)
        record["hash"] = record.pop("md5")
        del record["created_at"]
        if not listing.post.score:
            record["score"] = None
        if not listing.post.visible:
            record.update(image=None, hash=None, directory=None, width=None, height=None, rating=None, tags="")
        return record


class FakeGelbooru(DemoBooru):
    """Gelbooru on this machine while a `with` lasts: without a key that fits nothing is answered but files."""

    kind: type[GelbooruSite] = GelbooruSite

    def __init__(self, posts: Any, **options: Any) -> None:
        super().__init__(posts, **options)
        self.site: GelbooruSite = self.kind(posts, self._files, options.get("aliases", {}), {})
        self.site.base_url = self.url
        self.keys: Mapping[str, str] | None = {"12345": "secret-key"}  # by user id; None asks for none

    def answer(self, asked: Asked) -> Answer:
        answer = super().answer(asked)
        if asked.path != "/index.php" or self.keys is None:
            return answer
        key = self.keys.get(asked.params.get("user_id", ""))
        return answer if key and asked.params.get("api_key") == key else Answer(401, b"", "application/json")


class FakeSafebooru(FakeGelbooru):
    """Safebooru on this machine while a `with` lasts."""

    kind = SafebooruSite

    def __init__(self, posts: Any, **options: Any) -> None:
        super().__init__(posts, **options)
        self.keys = None


def _flat(listing: Listing) -> list[str]:
    return [tag for tags in listing.post.tags.values() for tag in tags]


def _xml(start: str, end: str) -> Answer:
    return Answer(200, f'<?xml version="1.0" encoding="UTF-8"?>\n{start}{end}'.encode(), XML)


def _as_e621(query: str) -> str:
    """Writes a search in the grammar that the demo's booru reads: `{a ~ b}` as `( ~a ~b )`, `sort:` as `order:`."""
    words = query.replace("{", "{ ").replace("}", " }").split()
    terms, inside = [], False
    for word in words:
        if word in "{}":
            inside = word == "{"
            terms.append("(" if inside else ")")
        elif word.startswith("sort:"):
            name, _, direction = word.removeprefix("sort:").partition(":")
            terms.append(f"order:{name}_{direction or 'desc'}" if (name, direction) != ("id", "asc") else "order:id")
        elif word != "~":
            terms.append(f"~{word}" if inside else word)
    return " ".join(terms)
