from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.client import Client
from lorasmith.boorus.danbooru import Danbooru
from lorasmith.boorus.families import open_booru
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.sites import find_site
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import RefusedError, SiteBlocked, SiteError, UsageError
from lorasmith.files import md5_of
from tests.boorus.conftest import Clock
from tests.boorus.fakes.danbooru import FakeDanbooru
from tests.demo.plain import PlainPost, plain_posts

Open = Callable[..., Danbooru]
TAGS = {
    "general": ("solo", "smile"), "character": ("robin",), "copyright": ("a_tale",), "artist": ("a_painter",),
    "meta": ("highres",),
}  # fmt: skip
POSTS = [
    replace(post, tags=TAGS if post.id % 3 else {"general": ("group",), "character": ("robin",)}, width=8, height=8)
    for post in plain_posts(450)
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def booru() -> Iterator[FakeDanbooru]:
    """Serves 450 posts: three pages of 200."""
    with FakeDanbooru(POSTS, aliases={"robin_bird": "robin", "alone": "solo"}) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(booru: FakeDanbooru) -> None:
    booru.log.clear()
    booru.faults.clear()


@pytest.fixture
def open_at(clock: Clock) -> Open:
    def opened(booru: FakeDanbooru, user: str = "alice", api_key: str = "", **pace: float) -> Danbooru:
        return Danbooru(Client(find_site("danbooru", booru.url), clock.pace(**pace), user, api_key))

    return opened


def asked_for(booru: FakeDanbooru, path: str = "/posts.json") -> list[str]:
    return [asked.params["tags"] for asked in booru.log if asked.path == path]


def test_posts_are_counted_without_being_listed(booru: FakeDanbooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.count("robin solo") == 300
    assert opened.count("robin id:<=40") == 40
    assert opened.total_posts() == 450
    assert {asked.path for asked in booru.log} == {"/counts/posts.json"}


def test_a_count_that_takes_the_site_too_long_is_none(booru: FakeDanbooru, open_at: Open) -> None:
    booru.site.counting_takes_too_long = True
    try:
        assert open_at(booru).count("robin") is None
    finally:
        booru.site.counting_takes_too_long = False


def test_a_search_without_order_reaches_every_depth_newest_first(booru: FakeDanbooru, open_at: Open) -> None:
    assert [post.id for post in open_at(booru).search("robin", 9999)] == list(range(450, 0, -1))
    assert [asked.params.get("page") for asked in booru.log] == [None, "b251", "b51"]


def test_a_search_by_score_turns_numbered_pages(booru: FakeDanbooru, open_at: Open) -> None:
    opened = open_at(booru)
    found = list(opened.search(opened.best_first("robin"), 420))
    assert len({post.id for post in found}) == 420
    assert [post.score for post in found] == sorted((post.score for post in found), reverse=True)
    assert [asked.params["page"] for asked in booru.log] == ["1", "2", "3"]


def test_a_post_says_all_that_danbooru_says(booru: FakeDanbooru, open_at: Open) -> None:
    (post,) = open_at(booru).search("robin id:2", 1)
    assert (post.name, post.width, post.ext, post.rating) == ("danbooru_2", 8, "png", "s")
    assert post.tags == TAGS
    assert post.url is not None and post.url.endswith(f"{post.md5}.png")
    assert post.preview_url is not None and "/preview/" in post.preview_url
    assert post.created_at.startswith("2024-05-06T07:08:09")


def test_terms_beyond_the_budget_are_tested_here(booru: FakeDanbooru, open_at: Open) -> None:
    opened = open_at(booru)
    query = "solo robin smile -group rating:s order:score"
    found = list(opened.search(query, 250))
    assert opened.count(query) is None
    assert len(found) == 250
    assert all("smile" in post.all_tags for post in found)
    assert [post.score for post in found] == sorted((post.score for post in found), reverse=True)
    # solo stands on fewer posts than robin
    assert set(asked_for(booru)) == {"solo rating:s order:score -status:deleted"}


def test_an_alias_among_the_terms_tested_here_means_what_it_means_there(booru: FakeDanbooru, open_at: Open) -> None:
    found = open_at(booru).search("robin group_of_none alone order:score", 5)
    assert list(found) == []
    assert len(list(open_at(booru).search("smile highres alone robin_bird", 500))) == 300


def test_groups_are_tested_here_too(booru: FakeDanbooru, open_at: Open) -> None:
    found = list(open_at(booru).search("robin ( ~smile ~group ) id:<=9", 99))
    assert len(found) == 9
    assert len(list(open_at(booru).search("robin -( smile ~group ) ~a ~group id:<=9", 99))) == 3


@pytest.mark.parametrize(
    "query",
    ["~a ~b ~c", "order:score user:bob fav:bob robin", "robin a b or c", "robin ( a ~fav:bob ) c", "robin (a or b)"],
)
def test_what_only_the_site_can_do_with_too_many_terms_is_told(booru: FakeDanbooru, open_at: Open, query: str) -> None:
    with pytest.raises(UsageError, match="more than the 2 terms"):
        open_at(booru).search(query, 9)
    assert "/posts.json" not in {asked.path for asked in booru.log}


def test_what_room_is_left_goes_to_the_negatives(booru: FakeDanbooru, open_at: Open) -> None:
    opened = open_at(booru)
    for query in ("", "robin", "robin solo", "-loli robin"):
        list(opened.search(query, 1))
    assert asked_for(booru) == [
        "-loli -shota -status:deleted",
        "robin -loli -status:deleted",
        "robin solo -status:deleted",
        "-loli robin -status:deleted",
    ]


@pytest.mark.parametrize("query", ["loli", "robin shota", "~toddler ~robin", "( child )"])
def test_a_query_that_asks_for_minors_is_never_sent(booru: FakeDanbooru, open_at: Open, query: str) -> None:
    opened = open_at(booru)
    with pytest.raises(RefusedError):
        opened.count(query)
    with pytest.raises(RefusedError):
        opened.search(query, 1)
    assert booru.log == []


def test_refused_posts_are_dropped_and_only_counted(open_at: Open) -> None:
    good, bad, worse = plain_posts(3)
    bad = replace(bad, tags={"general": ("solo", "child"), "character": ("robin",)})
    worse = replace(worse, tags={"general": ("solo",), "meta": ("aged_down_child",)})
    with FakeDanbooru([good, bad, worse]) as booru:
        opened = open_at(booru)
        assert [post.id for post in opened.search("solo order:id", 9)] == [1]
        assert opened.refused == {"danbooru_2", "danbooru_3"}
        assert [post.id for post in opened.by_ids([1, 2, 3])] == [1]
        assert opened.tag_facts(["child", "solo"]).keys() == {"solo"}


def test_a_post_asked_by_its_id_is_known_as_refused_where_a_search_would_hide_it(open_at: Open) -> None:
    good, bad = plain_posts(2)
    with FakeDanbooru([good, replace(bad, tags={"general": ("solo", "loli")})]) as booru:
        opened = open_at(booru)
        assert [bool(list(opened.by_ids([number]))) for number in (1, 2, 3)] == [True, False, False]
        assert opened.refused == {"danbooru_2"}


def test_many_ids_and_md5s_come_back_in_their_order(booru: FakeDanbooru, open_at: Open) -> None:
    opened = open_at(booru)
    ids = [*range(300, 20, -1), 300, 999_999, -3, 2**40]
    found = list(opened.by_ids(ids))
    assert [post.id for post in found] == list(range(300, 20, -1))
    assert len(booru.log) == 2
    md5s = [post.md5 for post in found[:100] if post.md5]
    assert [post.md5 for post in opened.by_md5s([*md5s, "f" * 32])] == md5s


def test_what_strangers_may_not_see_has_no_address_and_none_is_made_up(open_at: Open) -> None:
    banned, gone, seen = plain_posts(3)
    with FakeDanbooru([replace(banned, visible=False), replace(gone, is_deleted=True), seen]) as booru:
        opened = open_at(booru)
        assert [(post.id, post.url, post.md5, post.preview_url) for post in opened.by_ids([1, 2])] == [
            (1, None, None, None),
            (2, None, None, None),
        ]
        assert [post.is_deleted for post in opened.by_ids([1, 2])] == [False, True]
        assert [post.id for post in opened.search("solo", 9)] == [3, 1]
        assert [post.id for post in opened.search("solo status:deleted", 9)] == [2]


def test_facts_of_tags_come_with_categories(booru: FakeDanbooru, open_at: Open) -> None:
    opened = open_at(booru)
    facts = opened.tag_facts(["robin", "smile", "a_painter", "a_tale", "highres", "unheard_of"])
    assert {tag: (known.posts, known.category) for tag, known in facts.items()} == {
        "robin": (450, "character"), "smile": (300, "general"), "a_painter": (300, "artist"),
        "a_tale": (300, "copyright"), "highres": (300, "meta"), "unheard_of": (0, ""),
    }  # fmt: skip
    assert opened.aliases(["robin_bird", "robin"]) == {"robin_bird": "robin"}
    assert opened.wiki("robin") == "What is known of [[robin]]."
    assert opened.wiki("nobody") == opened.wiki("loli") == ""


def test_a_file_is_fetched_and_its_md5_is_right(booru: FakeDanbooru, open_at: Open, tmp_path: Path) -> None:
    opened = open_at(booru)
    (post,) = opened.by_ids([7])
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    preview = opened.preview(post)
    assert preview is not None and preview.startswith(b"\xff\xd8")


def test_the_login_goes_as_a_header_to_the_site_alone(booru: FakeDanbooru, open_at: Open) -> None:
    booru.accounts = {"alice": "a-key"}
    try:
        assert open_at(booru, api_key="a-key").count("robin") == 450
        assert booru.log[0].headers["authorization"].startswith("Basic ")
        assert "a-key" not in str(booru.log[0].params)
        with pytest.raises(SiteBlocked, match="refuses the login") as told:
            open_at(booru, api_key="wrong-key").count("robin")
        assert "wrong-key" not in str(told.value)
    finally:
        booru.accounts = {}


def test_faults_of_the_site_are_waited_out_or_told(booru: FakeDanbooru, open_at: Open, clock: Clock) -> None:
    booru.faults.add(Fault("status", status=429, headers={"Retry-After": "7"}), Fault("status", status=503))
    assert len(list(open_at(booru).search("robin", 3))) == 3
    assert sum(clock.slept) >= 12
    assert all("lorasmith/" in asked.headers["user-agent"] for asked in booru.log)
    booru.faults.add(Fault("page", status=403, reason="Just a moment..."))
    with pytest.raises(SiteBlocked, match="refuses this client"):
        open_at(booru).count("robin")
    booru.faults.add(Fault("page", status=200))
    with pytest.raises(SiteBlocked, match="a web page instead of data"):
        open_at(booru).count("robin")
    booru.faults.add(Fault("status", status=451, reason="This page has been removed"))
    with pytest.raises(SiteError, match="451"):
        list(open_at(booru).by_ids([1]))


def test_the_site_is_asked_no_faster_than_was_wished(booru: FakeDanbooru, open_at: Open, clock: Clock) -> None:
    list(open_at(booru, requests_per_second=0.5).search("robin", 450))
    assert clock.now == pytest.approx(4.0)


def test_a_site_that_repeats_its_page_does_not_hold_us_for_ever(booru: FakeDanbooru, open_at: Open) -> None:
    posts = open_at(booru).search("robin", 2000)
    next(posts)
    booru.faults.add(Fault("redirect", "/posts.json", location="/posts.json?limit=200"))
    with pytest.raises(SiteError, match="same page"):
        list(posts)


def test_open_booru_opens_danbooru(booru: FakeDanbooru) -> None:
    assert isinstance(open_booru("danbooru", url=booru.url, requests_per_second=1000), Danbooru)


GOOD = {
    "id": 5, "created_at": "2026-01-01T00:00:00.000-05:00", "rating": "g", "tag_string": "solo new_tag",
    "tag_string_general": "solo", "image_width": 5, "image_height": 6,
    "media_asset": {"variants": [{"type": "360x360", "url": "https://cdn.donmai.us/a.jpg"}]},
}  # fmt: skip
READER = Danbooru(Client(find_site("danbooru"), Pace()))


@given(st.sampled_from([*GOOD, "md5", "file_url", "score", "parent_id", "is_deleted", "source"]), ODD)
def test_any_json_is_read_or_refused_with_a_sentence(name: str, value: object) -> None:
    for item in (value, {**GOOD, name: value}, {**GOOD, "media_asset": {"variants": [value]}}):
        try:
            READER._read_post(item)
        except SiteError as error:
            assert str(error).endswith(".")


def test_tags_without_a_category_count_as_general() -> None:
    post = READER._read_post(GOOD)
    assert post.tags == {"general": ("solo", "new_tag")}
    assert (post.url, post.md5, post.preview_url) == (None, None, "https://cdn.donmai.us/a.jpg")


def test_a_noisy_file_is_fetched_again_after_a_break(open_at: Open, tmp_path: Path, noisy: PlainPost) -> None:
    with FakeDanbooru([noisy]) as booru:
        booru.faults.add(Fault("cut", "/data/"))
        opened = open_at(booru)
        (post,) = opened.search("solo", 1)
        assert md5_of(opened.fetch(post, tmp_path)) == post.md5
