import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from PIL import Image

from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from tests.demo.plain import PlainPost, plain_posts

Get = Callable[..., requests.Response]
AGENT = {"User-Agent": "a test of lorasmith"}
ALIASES = {"vulpine": "fox", "alone": "solo"}
IMPLICATIONS = {"fox": ("mammal", "canine")}


@pytest.fixture(scope="module")
def booru() -> Iterator[DemoBooru]:
    unseen = [PlainPost(400, is_deleted=True), PlainPost(401, visible=False)]
    posts = [*plain_posts(330, width=16, height=12), *unseen, PlainPost(402, width=1200, height=600)]
    with DemoBooru(posts, aliases=ALIASES, implications=IMPLICATIONS) as running:
        yield running


@pytest.fixture
def get(booru: DemoBooru) -> Get:
    booru.strict = False
    booru.accounts = {}
    return lambda path, headers=AGENT, **params: requests.get(booru.url + path, params, headers=headers, timeout=20)


def test_a_page_holds_75_posts_and_no_more_than_320(get: Get) -> None:
    assert len(get("/posts.json").json()["posts"]) == 75
    assert len(get("/posts.json", limit=320).json()["posts"]) == 320
    for limit in (321, "x", -1):
        answer = get("/posts.json", limit=limit)
        assert answer.status_code == 410
        assert answer.json()["success"] is False


def test_pages_are_numbered_or_by_id(get: Get) -> None:
    def ids(**params: object) -> list[int]:
        return [post["id"] for post in get("/posts.json", tags="id:..10", **params).json()["posts"]]

    assert ids(limit=4, page=2) == [6, 5, 4, 3]
    assert ids(limit=4, page="b6") == [5, 4, 3, 2]
    assert ids(limit=4, page="a6") == [10, 9, 8, 7]
    assert ids(limit=2, page="a6", order="score") == [8, 7]
    assert ids(page=750) == []
    assert get("/posts.json", page=751).status_code == 410


def test_the_order_is_ignored_between_ids(get: Get) -> None:
    answer = get("/posts.json", tags="order:score", page="b9", limit=3)
    assert [post["id"] for post in answer.json()["posts"]] == [8, 7, 6]


def test_a_file_is_what_its_record_says(get: Get) -> None:
    record = get("/posts/402.json").json()["post"]["file"]
    content = requests.get(record["url"], headers=AGENT, timeout=20).content
    assert (hashlib.md5(content).hexdigest(), len(content)) == (record["md5"], record["size"])
    assert record["url"].endswith(f"/data/{record['md5'][:2]}/{record['md5'][2:4]}/{record['md5']}.png")
    assert get("/posts.json", md5=record["md5"]).json()["post"]["id"] == 402
    assert get("/posts.json", md5="0" * 32).status_code == 404


def test_previews_and_samples_are_small_pictures(get: Get) -> None:
    post = get("/posts/402.json").json()["post"]
    for part, size in (("preview", (256, 128)), ("sample", (850, 425))):
        content = requests.get(post[part]["url"], headers=AGENT, timeout=20).content
        assert Image.open(io.BytesIO(content)).size == size == (post[part]["width"], post[part]["height"])


@pytest.mark.parametrize(("number", "deleted"), [(400, True), (401, False)])
def test_what_strangers_may_not_see_has_no_address_and_no_file(get: Get, number: int, deleted: bool) -> None:
    post = get(f"/posts/{number}.json").json()["post"]
    assert post["flags"]["deleted"] is deleted
    assert [post[part]["url"] for part in ("file", "preview", "sample")] == [None] * 3
    md5 = post["file"]["md5"]
    assert get(f"/data/{md5[:2]}/{md5[2:4]}/{md5}.png").status_code == 404


def test_a_count_does_not_list(get: Get) -> None:
    assert get("/posts/count.json", tags="id:..10").json() == {"count": 10, "capped": False}


def test_a_search_of_too_many_terms_is_a_422(get: Get) -> None:
    answer = get("/posts.json", tags=" ".join(f"tag{number}" for number in range(41)))
    assert (answer.status_code, answer.json()["reason"]) == (422, "You cannot search for more than 40 tags at a time")


def test_tag_tables_are_filtered_and_an_empty_one_is_wrapped(get: Get) -> None:
    (fox,) = get("/tags.json", **{"search[name]": "fox,x"}).json()
    assert (fox["name"], fox["category"]) == ("fox", 5)
    assert get("/tags.json", **{"search[name_matches]": "sol*"}).json()[0]["post_count"] == 332
    assert get("/tags.json", **{"search[name]": "x"}).json() == {"tags": []}
    (alias,) = get("/tag_aliases.json", **{"search[antecedent_name]": "vulpine", "search[status]": "active"}).json()
    assert (alias["antecedent_name"], alias["consequent_name"]) == ("vulpine", "fox")
    assert get("/tag_aliases.json", **{"search[status]": "deleted"}).json() == {"tag_aliases": []}
    assert {row["consequent_name"] for row in get("/tag_implications.json").json()} == {"mammal", "canine"}
    assert get("/tags.json", limit=321).status_code == 410


def test_exports_are_listed_with_sums_that_fit(get: Get) -> None:
    rows = {row["name"]: row for row in get("/db_exports.json").json()}
    assert set(rows) == {"posts", "tags", "tag_aliases", "tag_implications"}
    for row in rows.values():
        content = requests.get(row["url"], headers=AGENT, timeout=20).content
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (row["checksum"], row["file_size"])
        table = list(csv.DictReader(io.StringIO(gzip.decompress(content).decode())))
        assert table
        if row["name"] == "posts":
            (gone,) = [post for post in table if post["id"] == "400"]
            assert (gone["is_deleted"], gone["tag_string"], gone["parent_id"]) == ("t", "solo fox", "")


@pytest.mark.parametrize("agent", ["", "python-requests/2.34", "Mozilla/5.0 (X11)", "aiohttp/3"])
def test_nameless_clients_get_a_page(get: Get, agent: str) -> None:
    answer = get("/posts.json", headers={"User-Agent": agent})
    assert answer.status_code == 403
    assert "html" in answer.headers["content-type"]


def test_a_strict_booru_answers_503_beyond_two_a_second(get: Get, booru: DemoBooru) -> None:
    booru.strict = True
    assert [get("/posts/count.json").status_code for _ in range(3)] == [200, 200, 503]


def test_a_login_that_does_not_fit_is_a_401(get: Get, booru: DemoBooru) -> None:
    booru.accounts = {"alice": "key"}
    for user, key, status in (("alice", "key", 200), ("alice", "no", 401), ("bob", "", 401)):
        answer = requests.get(f"{booru.url}/posts/count.json", auth=(user, key), headers=AGENT, timeout=20)
        assert answer.status_code == status
    assert get("/posts/count.json", headers={**AGENT, "Authorization": "Basic ???"}).status_code == 401


def test_files_come_in_ranges(get: Get) -> None:
    url = get("/posts/402.json").json()["post"]["file"]["url"]
    whole = requests.get(url, headers=AGENT, timeout=20).content
    for asked, status, part in (("5-9", 206, whole[5:10]), ("5-", 206, whole[5:]), (f"{len(whole)}-", 416, b"")):
        answer = requests.get(url, headers={**AGENT, "Range": f"bytes={asked}"}, timeout=20)
        assert (answer.status_code, answer.content) == (status, part)


@pytest.mark.parametrize(
    "path", ["/", "/posts.xml", "/data/../../etc/passwd", "/data/aa/bb/nothing.png", "/db_export/x.csv.gz"]
)
def test_other_paths_are_not_there(get: Get, path: str) -> None:
    assert get(path).status_code == 404


def test_faults_befall_the_requests_they_are_for(get: Get, booru: DemoBooru) -> None:
    booru.faults.add(Fault("status", "/tags", status=429, headers={"Retry-After": "3"}, times=2))
    assert get("/posts/count.json").status_code == 200
    assert [get("/tags.json").status_code for _ in range(3)] == [429, 429, 200]


def test_a_cache_outlives_the_server_and_belongs_to_its_world(tmp_path: Path) -> None:
    drawings: list[int] = []

    class Counted(PlainPost):
        def draw(self) -> bytes:
            drawings.append(self.id)
            return super().draw()

    for posts in ([Counted(1), Counted(2)], [Counted(1), Counted(2)], [Counted(1), replace(Counted(2), score=9)]):
        with DemoBooru(posts, cache=tmp_path) as booru:
            listed = requests.get(f"{booru.url}/posts.json", headers=AGENT, timeout=20).json()["posts"]
            assert requests.get(listed[0]["file"]["url"], headers=AGENT, timeout=20).status_code == 200
    assert sorted(drawings) == [1, 2, 2]


def test_a_temporary_cache_is_removed_at_the_end() -> None:
    with DemoBooru(plain_posts(1)) as booru:
        folder = booru._own_folder
        assert folder is not None and folder.is_dir()
    assert not folder.exists()
