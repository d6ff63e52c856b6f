"""Reading what sites answer: every field checked for its type, unknown ones let be.

`Fields` serves all families. The posts read here are e621ng's: the legacy shape (`file`, `score`), and v2 (`files`,
`stats`) in its basic and extended modes; the other families read theirs in their own modules.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urljoin

from lorasmith.boorus.post import Post
from lorasmith.errors import SiteError

_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_EXT = re.compile(r"[a-z0-9]{1,5}\Z")
_DIGITS = re.compile(r"-?[0-9]{1,18}\Z")
_MOST = 2**53  # what JSON numbers carry exactly


class Fields:
    """One JSON object of a site's answer; each reader raises `SiteError` naming a field of the wrong type."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise SiteError(f"{where} is not an object; the site may have changed its answers.")
        self.value: dict[str, Any] = value
        self.where = where

    def part(self, name: str) -> Self:
        """Gives an object inside this one; a missing one is empty."""
        inner = self.value.get(name)
        return type(self)({} if inner is None else inner, f"{self.where}, '{name}'")

    def number(self, name: str, missing: int | None = None) -> int:
        """Gives a whole number."""
        value = self.value.get(name, missing)
        if value is None and missing is not None:
            return missing
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
            raise self._fault(name, "a whole number")
        return value

    def number_or_none(self, name: str) -> int | None:
        """Gives a whole number, or None where the site gives none."""
        return None if self.value.get(name) is None else self.number(name)

    def loose_number(self, name: str, missing: int | None = None) -> int:
        """Gives a whole number that may have come as a text; an empty text is a missing one."""
        value = self.value.get(name)
        if missing is not None and (value is None or value == ""):
            return missing
        if not isinstance(value, str):
            return self.number(name, missing)
        if not _DIGITS.match(value) or abs(int(value)) > _MOST:
            raise self._fault(name, "a whole number")
        return int(value)

    def text(self, name: str, missing: str | None = None) -> str:
        """Gives a text."""
        value = self.value.get(name, missing)
        if value is None and missing is not None:
            return missing
        if not isinstance(value, str):
            raise self._fault(name, "a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Gives a text, or None where the site gives none or an empty one."""
        return None if self.value.get(name) is None else self.text(name) or None

    def words(self, name: str) -> tuple[str, ...]:
        """Gives the words of a text with spaces between them, each once; a missing one has none."""
        return tuple(dict.fromkeys(self.text(name, "").split()))

    def address(self, name: str, site_url: str) -> str | None:
        """Gives a web address, or None where the site gives none; one without a host is the site's own."""
        address = self.text_or_none(name)
        return urljoin(f"{site_url}/", address) if address is not None and address.startswith("/") else address

    def truth(self, name: str) -> bool:
        """Gives true or false; a missing one is false."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._fault(name, "true or false")
        return bool(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Gives a list of texts; a missing one is empty."""
        return tuple(self._items(name, str))

    def numbers(self, name: str) -> tuple[int, ...]:
        """Gives a list of whole numbers; a missing one is empty."""
        return tuple(self._items(name, int))

    def _items(self, name: str, kind: type) -> list[Any]:
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise self._fault(name, "a list of " + ("texts" if kind is str else "whole numbers"))
        return value

    def _fault(self, name: str, kind: str) -> SiteError:
        found = repr(self.value.get(name))[:60]
        return SiteError(f"{self.where} has {found} for '{name}', not {kind}; the site may have changed its answers.")


def clean_md5(text: str) -> str | None:
    """Gives an md5 in lower case, or None when the text is none."""
    md5 = text.lower()
    return md5 if _MD5.match(md5) else None


def clean_ext(text: str) -> str:
    """Gives a file's extension in lower case, empty when the text is none."""
    ext = text.lower()
    return ext if _EXT.match(ext) else ""


def ext_of(address: str | None) -> str:
    """Gives the extension of the file at an address, empty where it has none."""
    path = (address or "").partition("?")[0]
    return clean_ext(path.rpartition(".")[2]) if "." in path.rpartition("/")[2] else ""


def read_posts(answer: Any, site: str) -> list[Post]:
    """Reads a list of posts, bare or under `posts`."""
    return [read_post(item, site) for item in read_list(answer, "posts", site)]


def read_list(answer: Any, name: str, site: str) -> list[Any]:
    """Gives the items of an answer that is a bare list or an object holding one under `name` (an empty one may be)."""
    items = answer.get(name) if isinstance(answer, dict) else answer
    if not isinstance(items, list):
        raise SiteError(f"{site} answered without a list of {name}; the site may have changed its answers.")
    return items


def read_post(item: Any, site: str) -> Post:
    """Reads one post of either shape."""
    fields = Fields(item, f"A post of {site}")
    fields.where = f"Post {fields.number('id')} of {site}"
    shape = _v2(fields) if "files" in fields.value else _legacy(fields)
    relations = fields.part("relationships")
    return Post(
        site=site,
        id=fields.number("id"),
        md5=clean_md5(shape.file.text("md5", "")),
        ext=clean_ext(shape.file.text("ext", "")),
        width=shape.size.number("width", 0),
        height=shape.size.number("height", 0),
        size=shape.file.number("size", 0),
        url=shape.url,
        preview_url=shape.preview_url,
        sample_url=shape.sample_url,
        rating=fields.text("rating")[:1].lower(),
        score=shape.score.number("total", 0),
        fav_count=shape.stats.number("fav_count", 0),
        created_at=fields.text("created_at", ""),
        tags=_read_tags(fields),
        sources=fields.texts("sources"),
        parent_id=relations.number_or_none("parent_id"),
        children=relations.numbers("children"),
        pools=fields.numbers("pools"),
        is_deleted=fields.part("flags").truth("deleted"),
        change_seq=fields.number_or_none("change_seq"),
    )


class _Shape(NamedTuple):
    """Where one of the two shapes keeps what the other keeps elsewhere."""

    file: Fields
    size: Fields
    score: Fields
    stats: Fields
    url: str | None
    preview_url: str | None
    sample_url: str | None


def _legacy(fields: Fields) -> _Shape:
    file, preview, sample = fields.part("file"), fields.part("preview"), fields.part("sample")
    urls = (file.text_or_none("url"), preview.text_or_none("url"), sample.text_or_none("url"))
    return _Shape(file, file, fields.part("score"), fields, *urls)


def _v2(fields: Fields) -> _Shape:
    files, stats = fields.part("files"), fields.part("stats")
    original, preview, sample = files.part("original"), files.part("preview"), files.part("sample")
    urls = (original.text_or_none("url"), preview.text_or_none("jpg"), sample.text_or_none("jpg"))
    return _Shape(files.part("meta"), original, stats.part("score"), stats, *urls)


def _read_tags(fields: Fields) -> Mapping[str, tuple[str, ...]]:
    """Reads tags under whatever categories the site has; a flat list of unknown category counts as general."""
    tags = fields.value.get("tags")
    if isinstance(tags, list):
        return {"general": fields.texts("tags")}
    inner = fields.part("tags")
    return {category: inner.texts(category) for category in inner.value}
