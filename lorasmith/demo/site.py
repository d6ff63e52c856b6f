"""What the demo's booru answers to each path: e621ng's behaviour, without the wires."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from lorasmith.demo.drawn import PREVIEW_SIDE, SAMPLE_SIDE, Drawable, Files, Listing
from lorasmith.demo.records import Tables, export_record, post_record, posts_export, table_export
from lorasmith.demo.search import Search, SearchRefusedError, read_search

PAGE = 320
DEEPEST = 750
DEFAULT_LIMIT = 75
COUNT_CEILING = PAGE * DEEPEST + 1
_FILE = re.compile(r"/data/(?:(preview|sample)/)?[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{32})\.([a-z0-9]+)\Z")
_POST = re.compile(r"/posts/(\d{1,10})\.json\Z")
_PAGE = re.compile(r"([ab]?)(\d{1,10})\Z")
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
Params = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    """An answer with a status of 400 and more, and the site's reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def data(content: Any, status: int = 200) -> Answer:
    """Makes an answer of JSON."""
    return Answer(status, json.dumps(content).encode("utf-8"))


def refusal(status: int, reason: str) -> Answer:
    """Makes the JSON that the site gives with an error."""
    return data({"success": False, "reason": reason}, status)


class Site:
    """A world of posts behind e621's paths; `base_url` starts every address it gives."""

    def __init__(
        self, posts: Sequence[Drawable], files: Files, aliases: Mapping[str, str],
        implications: Mapping[str, Iterable[str]],
    ) -> None:  # fmt: skip
        self.base_url = ""
        self.wiki: Mapping[str, str] = {}  # title -> body, in DText
        self.exports_posts = True
        self._files = files
        self._listings = [Listing(post, files) for post in posts]
        self._aliases = aliases
        self._tables = Tables(posts, aliases, implications)
        self._paths: dict[str, Callable[[Params], Answer]] = {
            "/posts.json": self._posts,
            "/posts/count.json": self._count,
            "/tags.json": self._tags,
            "/tag_aliases.json": lambda params: self._relations(self._tables.aliases, "tag_aliases", params),
            "/tag_implications.json": lambda params: self._relations(
                self._tables.implications, "tag_implications", params
            ),
            "/wiki_pages.json": self._wiki,
            "/db_exports.json": self._export_list,
        }

    def answer(self, path: str, params: Params) -> Answer:
        """Gives the answer to one GET."""
        try:
            if path in self._paths:
                return self._paths[path](params)
            if match := _POST.match(path):
                number = int(match[1])
                return self._one(lambda listing: listing.post.id == number)
            if match := _FILE.match(path):
                return self._file(match[1] or "", match[2])
            if path.startswith("/db_export/") and (name := path[11:].removesuffix(".csv.gz")) in self._exports:
                return Answer(200, self._exports[name], "application/gzip")
        except SearchRefusedError as fault:
            return refusal(422, str(fault))
        except Refusal as fault:
            return refusal(fault.status, str(fault))
        return refusal(404, "not found")

    def _found(self, params: Params) -> tuple[Search, list[Listing]]:
        search = read_search(params.get("tags", ""), self._aliases)
        return search, [listing for listing in self._listings if search.matches(listing)]

    def _posts(self, params: Params) -> Answer:
        if "md5" in params:
            return self._one(lambda listing: listing.md5 == params["md5"])
        search, found = self._found(params)
        limit = _limit(params, search.limit)
        letter, number = _page(params)
        if letter:
            found.sort(key=lambda listing: -listing.post.id)
            if letter == "b":
                shown = [listing for listing in found if listing.post.id < number][:limit]
            else:
                above = [listing for listing in found if listing.post.id > number]
                shown = above[max(0, len(above) - limit) :]
        else:
            shown = search.sort(found)[(number - 1) * limit : number * limit]
        self._files.draw_all(listing.post for listing in shown)
        return data({"posts": [post_record(listing, self.base_url) for listing in shown]})

    def _one(self, is_it: Callable[[Listing], bool]) -> Answer:
        for listing in self._listings:
            if is_it(listing):
                return data({"post": post_record(listing, self.base_url)})
        raise Refusal(404, "not found")

    def _count(self, params: Params) -> Answer:
        count = len(self._found(params)[1])
        return data({"count": min(count, COUNT_CEILING), "capped": count >= COUNT_CEILING})

    def _tags(self, params: Params) -> Answer:
        rows = _filtered(self._tables.tags, params, {"name": "name"}, "name")
        if category := params.get("search[category]"):
            rows = [row for row in rows if str(row["category"]) == category]
        if params.get("search[order]") == "name":
            rows.sort(key=lambda row: row["name"])
        return _table_page(rows, "tags", params)

    def _wiki(self, params: Params) -> Answer:
        title = params.get("search[title]", "").lower()
        pages = [{"id": place, "title": name, "body": body} for place, (name, body) in enumerate(self.wiki.items(), 1)]
        return _table_page([page for page in pages if not title or page["title"] == title], "wiki_pages", params)

    def _relations(self, rows: Iterable[dict[str, Any]], name: str, params: Params) -> Answer:
        columns = {"antecedent_name": "antecedent_name", "consequent_name": "consequent_name", "status": "status"}
        return _table_page(_filtered(rows, params, columns, "antecedent_name"), name, params)

    @cached_property
    def _exports(self) -> dict[str, bytes]:
        """The exports, made once; the one of the posts needs every picture drawn, for its md5."""
        tables = self._tables
        exports = {
            "tags": table_export("tags", tables.tags),
            "tag_aliases": table_export("tag_aliases", tables.aliases),
            "tag_implications": table_export("tag_implications", tables.implications),
        }
        if self.exports_posts:
            self._files.draw_all(listing.post for listing in self._listings)
            exports["posts"] = posts_export(self._listings, self.base_url)
        return exports

    def _export_list(self, params: Params) -> Answer:
        return data([export_record(name, content, self.base_url) for name, content in sorted(self._exports.items())])

    def _file(self, version: str, md5: str) -> Answer:
        if version:
            content = self._files.smaller(md5, PREVIEW_SIDE if version == "preview" else SAMPLE_SIDE)
            ext = "jpg"
        else:
            content, ext = self._files.original(md5)
        if content is None:
            return Answer(404, b"<html><title>404 Not Found</title></html>", "text/html")
        return Answer(200, content, _TYPES.get(ext, "application/octet-stream"))


def _limit(params: Params, in_search: int | None = None) -> int:
    asked = params.get("limit", str(DEFAULT_LIMIT if in_search is None else in_search))
    if not re.fullmatch(r"[0-9]{1,9}", asked) or int(asked) > PAGE:
        raise Refusal(410, f"You cannot request more than {PAGE} items per page")
    return int(asked)


def _page(params: Params) -> tuple[str, int]:
    match = _PAGE.match(params.get("page") or "1")
    if match is None or (not match[1] and int(match[2]) > DEEPEST):
        raise Refusal(410, f"You cannot go beyond page {DEEPEST}. Please narrow your search terms.")
    return match[1], max(1, int(match[2])) if not match[1] else int(match[2])


def _filtered(
    rows: Iterable[dict[str, Any]], params: Params, columns: Mapping[str, str], wildcard: str
) -> list[dict[str, Any]]:
    """Keeps the rows that fit every `search[…]` that was sent: exact lists for `columns`, and `name_matches`."""
    kept = list(rows)
    for asked, column in columns.items():
        if text := params.get(f"search[{asked}]"):
            wanted = set(re.split(r"[ ,]+", text.lower()))
            kept = [row for row in kept if row[column] in wanted]
    if pattern := params.get("search[name_matches]"):
        kept = [row for row in kept if fnmatchcase(row[wildcard], pattern.lower())]
    return kept


def _table_page(rows: Sequence[dict[str, Any]], name: str, params: Params) -> Answer:
    limit, (_, number) = _limit(params), _page(params)
    shown = rows[(number - 1) * limit : number * limit]
    return data(shown if shown else {name: []})  # the site's old quirk: an empty list is wrapped
