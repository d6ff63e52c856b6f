"""The demo booru's answers: posts, tags, aliases, implications and exports in the shapes of e621ng."""

import csv
import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from lorasmith.demo.drawn import PREVIEW_SIDE, SAMPLE_SIDE, Drawable, Listing, is_served

CATEGORY_IDS = {
    "general": 0, "artist": 1, "contributor": 2, "copyright": 3, "character": 4, "species": 5, "invalid": 6, "meta": 7,
    "lore": 8,
}  # fmt: skip
BORN = "2026-01-01T00:00:00.000+00:00"


def post_record(listing: Listing, base_url: str) -> dict[str, Any]:
    """Gives a post in the legacy shape; nothing that strangers may not see has an address."""
    post, md5 = listing.post, listing.md5
    served = is_served(post)
    place = f"{md5[:2]}/{md5[2:4]}/{md5}"
    small, medium = _fit(post, PREVIEW_SIDE), _fit(post, SAMPLE_SIDE)

    def address(path: str) -> str | None:
        return f"{base_url}/data/{path}" if served else None

    return {
        "id": post.id,
        "created_at": post.created_at,
        "updated_at": post.created_at,
        "file": {
            "width": post.width, "height": post.height, "ext": post.ext, "size": listing.size, "md5": md5,
            "url": address(f"{place}.{post.ext}"),
        },
        "preview": {**small, "url": address(f"preview/{place}.jpg"), "alt": None},
        "sample": {"has": True, **medium, "url": address(f"sample/{place}.jpg"), "alt": None, "alternates": {}},
        "score": {"up": max(0, post.score), "down": min(0, post.score), "total": post.score},
        "tags": {name: list(post.tags.get(name, ())) for name in CATEGORY_IDS},
        "locked_tags": [],
        "change_seq": post.id * 1000 + crc32(repr(post.tags).encode()) % 1000,  # another one with every edit
        "flags": {
            "pending": False, "flagged": False, "note_locked": False, "status_locked": False, "rating_locked": False,
            "deleted": post.is_deleted,
        },
        "rating": post.rating,
        "fav_count": post.fav_count,
        "sources": [],
        "pools": [],
        "relationships": {
            "parent_id": post.parent_id, "has_children": bool(post.children),
            "has_active_children": bool(post.children), "children": list(post.children),
        },
        "approver_id": None,
        "uploader_id": 1,
        "uploader_name": "demo",
        "description": "",
        "comment_count": 0,
        "is_favorited": False,
        "vote": 0,
        "has_notes": False,
        "duration": None,
    }  # fmt: skip


def _fit(post: Drawable, side: int) -> dict[str, int]:
    scale = min(1.0, side / max(post.width, post.height))
    return {"width": max(1, round(post.width * scale)), "height": max(1, round(post.height * scale))}


class Tables:
    """The tag tables of a world: counted once from its posts that are not deleted."""

    def __init__(
        self, posts: Sequence[Drawable], aliases: Mapping[str, str], implications: Mapping[str, Iterable[str]]
    ) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        for post in posts:
            if not post.is_deleted:
                counts.update({(tag, category) for category, tags in post.tags.items() for tag in tags})
        self.tags = [
            _tag(number, name, CATEGORY_IDS.get(category, 0), count)
            for number, ((name, category), count) in enumerate(counts.most_common(), start=1)
        ]
        self.aliases = [_relation(number, *pair) for number, pair in enumerate(sorted(aliases.items()), start=1)]
        pairs = [(tag, implied) for tag, others in sorted(implications.items()) for implied in others]
        self.implications = [
            {**_relation(number, *pair), "descendant_names": [pair[1]]} for number, pair in enumerate(pairs, start=1)
        ]


def _tag(number: int, name: str, category: int, count: int) -> dict[str, Any]:
    return {
        "id": number, "name": name, "post_count": count, "related_tags": "[]", "related_tags_updated_at": BORN,
        "category": category, "is_locked": False, "created_at": BORN, "updated_at": BORN,
    }  # fmt: skip


def _relation(number: int, antecedent: str, consequent: str) -> dict[str, Any]:
    return {
        "id": number, "antecedent_name": antecedent, "consequent_name": consequent, "status": "active", "reason": "",
        "creator_id": 1, "approver_id": 1, "created_at": BORN, "updated_at": BORN, "post_count": 0,
        "forum_topic_id": None, "forum_post_id": None,
    }  # fmt: skip


_COLUMNS = {
    "tags": ("id", "name", "category", "post_count", "created_at", "updated_at", "is_locked"),
    "tag_aliases": ("id", "antecedent_name", "consequent_name", "created_at", "status"),
    "tag_implications": ("id", "antecedent_name", "consequent_name", "created_at", "status", "descendant_names"),
}
_POST_COLUMNS = (
    "id", "uploader_id", "created_at", "md5", "source", "rating", "image_width", "image_height", "tag_string",
    "locked_tags", "fav_count", "file_ext", "parent_id", "change_seq", "approver_id", "file_size",
    "comment_count", "description", "duration", "updated_at", "is_deleted", "is_pending", "is_flagged", "score",
    "up_score", "down_score", "is_rating_locked", "is_status_locked", "is_note_locked", "bg_color",
    "last_noted_at", "last_commented_at",
)  # fmt: skip


def table_export(name: str, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Gives one of the tag tables as the nightly export has it: csv.gz, booleans as t and f, lists in braces."""
    return _csv_gz(_COLUMNS[name], ([_cell(row[column]) for column in _COLUMNS[name]] for row in rows))


def posts_export(listings: Iterable[Listing], base_url: str) -> bytes:
    """Gives the export of the posts: all of them, with no addresses and no tag categories."""
    rows = (_post_cells(post_record(listing, base_url)) for listing in listings)
    return _csv_gz(_POST_COLUMNS, ([_cell(row.get(column)) for column in _POST_COLUMNS] for row in rows))


def _post_cells(record: Mapping[str, Any]) -> dict[str, Any]:
    file, score = record["file"], record["score"]
    return {
        **{name: record[name] for name in ("id", "uploader_id", "created_at", "rating", "fav_count", "change_seq")},
        "md5": file["md5"], "image_width": file["width"], "image_height": file["height"], "file_ext": file["ext"],
        "file_size": file["size"], "tag_string": " ".join(tag for tags in record["tags"].values() for tag in tags),
        "parent_id": record["relationships"]["parent_id"], "comment_count": 0, "updated_at": record["updated_at"],
        **{name: False for name in _POST_COLUMNS if name.startswith("is_")}, "is_deleted": record["flags"]["deleted"],
        "score": score["total"], "up_score": score["up"], "down_score": score["down"],
    }  # fmt: skip


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list):
        return "{" + ",".join(value) + "}"
    return "" if value is None else str(value)


def _csv_gz(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode("utf-8"), mtime=0)


def export_record(name: str, content: bytes, base_url: str) -> dict[str, Any]:
    """Gives one row of `/db_exports.json`."""
    return {
        "name": name, "file_name": f"{name}.csv.gz", "file_size": len(content), "updated_at": BORN,
        "checksum": hashlib.sha256(content).hexdigest(), "url": f"{base_url}/db_export/{name}.csv.gz",
    }  # fmt: skip
