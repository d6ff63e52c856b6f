import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.answers import read_list, read_post, read_posts
from lorasmith.demo.drawn import Files, Listing
from lorasmith.demo.records import post_record
from lorasmith.errors import SiteError
from tests.demo.plain import PlainPost

V2: dict[str, Any] = {
    "id": 77,
    "created_at": "2026-07-01T00:00:00Z",
    "files": {
        "meta": {"md5": "A" * 32, "ext": "PNG", "size": 1234, "duration": None, "has_sample": True},
        "original": {"width": 900, "height": 700, "url": "https://static1.e621.net/data/aa/aa/a.png"},
        "preview": {"width": 256, "height": 200, "jpg": "https://static1.e621.net/p.jpg", "webp": None},
        "sample": {"width": 850, "height": 660, "jpg": None, "webp": None},
    },
    "stats": {"score": {"up": 5, "down": -2, "total": 3}, "fav_count": 4, "hotness": 1.5},
    "flags": {"deleted": False},
    "relationships": {"parent_id": 70, "children": [78, 79]},
    "rating": "q",
    "sources": ["https://example.org"],
    "pools": [3],
    "tags": {"general": ["solo"], "contributor": ["someone"], "brand_new": ["x"]},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def legacy(tmp_path: Path) -> dict[str, Any]:
    post = PlainPost(9, parent_id=4, children=(10,), score=12, fav_count=3)
    record = post_record(Listing(post, Files([post], tmp_path)), "http://127.0.0.1:1")
    return json.loads(json.dumps(record))


def test_the_legacy_shape_is_read(legacy: dict[str, Any]) -> None:
    post = read_post(legacy, "e621")
    assert (post.name, post.width, post.height, post.ext, post.rating) == ("e621_9", 96, 64, "png", "s")
    assert (post.score, post.fav_count, post.parent_id, post.children) == (12, 3, 4, (10,))
    assert post.url is not None and post.url.endswith(f"{post.md5}.png")
    assert post.tags["species"] == ("fox",)
    assert post.all_tags == ("solo", "fox")


def test_the_v2_shape_is_read_with_whatever_categories_it_has() -> None:
    post = read_post(V2, "e621")
    assert (post.md5, post.ext, post.size, post.width, post.score, post.fav_count) == ("a" * 32, "png", 1234, 900, 3, 4)
    assert post.preview_url == "https://static1.e621.net/p.jpg"
    assert post.tags["brand_new"] == ("x",)
    assert (post.parent_id, post.children, post.pools) == (70, (78, 79), (3,))


def test_flat_tags_count_as_general() -> None:
    assert read_post({**V2, "tags": ["a", "b"]}, "e621").tags == {"general": ("a", "b")}


def test_a_null_address_stays_null(legacy: dict[str, Any]) -> None:
    legacy["file"]["url"] = None
    assert read_post(legacy, "e621").url is None


def test_an_md5_or_extension_that_is_none_is_not_taken_for_one(legacy: dict[str, Any]) -> None:
    legacy["file"].update(md5="../../etc", ext="../sh")
    post = read_post(legacy, "e621")
    assert (post.md5, post.ext) == (None, "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "9"), ("id", True), ("id", 10**400), ("rating", 3), ("score", 5), ("tags", "solo"), ("file", [1]),
        ("sources", [1]), ("relationships", "none"), ("tags", {"general": "solo"}), ("flags", {"deleted": 1}),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_named_in_a_sentence(legacy: dict[str, Any], field: str, value: object) -> None:
    with pytest.raises(SiteError, match=r"may have changed its answers\."):
        read_post({**legacy, field: value}, "e621")


@given(json_values)
def test_any_json_is_read_or_refused_with_a_sentence(value: object) -> None:
    try:
        read_posts(value, "e621")
        read_posts([value], "e621")
        read_post({**V2, "files": value, "tags": value}, "e621")
    except SiteError as error:
        assert str(error).endswith(".")


def test_a_list_may_be_bare_or_wrapped() -> None:
    assert read_list([1], "tags", "e621") == read_list({"tags": [1]}, "tags", "e621") == [1]
