from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus import moebooru as module
from lorasmith.boorus.answers import Fields
from lorasmith.boorus.client import Client
from lorasmith.boorus.families import open_booru
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.moebooru import Moebooru
from lorasmith.boorus.sites import find_site
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import RefusedError, SiteBlocked, SiteError
from lorasmith.files import md5_of
from tests.boorus.conftest import Clock
from tests.boorus.fakes.moebooru import FakeMoebooru
from tests.demo.plain import plain_posts

Open = Callable[..., Moebooru]
TAGS = {"general": ("solo", "smile"), "character": ("robin",), "copyright": ("a_tale",), "artist": ("a_painter",)}
POSTS = [
    replace(post, tags=TAGS if post.id % 3 else {"general": ("group",), "character": ("robin",)}, width=8, height=8)
    for post in plain_posts(250)
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def booru() -> Iterator[FakeMoebooru]:
    """Serves 250 posts: three pages of 100."""
    with FakeMoebooru(POSTS, aliases={"robin_bird": "robin", "alone": "solo"}) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(booru: FakeMoebooru) -> None:
    booru.log.clear()
    booru.faults.clear()


@pytest.fixture
def open_at(clock: Clock) -> Open:
    def opened(booru: FakeMoebooru, site: str = "yandere", **pace: float) -> Moebooru:
        return Moebooru(Client(find_site(site, booru.url), clock.pace(**pace)))

    return opened


def test_posts_are_counted_without_being_listed(booru: FakeMoebooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.count("robin id:<=40") == 40
    assert opened.count("nothing") == 0
    assert opened.total_posts() == 250
    assert {asked.path for asked in booru.log} == {"/post.xml"}


def test_a_search_without_order_reaches_every_depth_newest_first(booru: FakeMoebooru, open_at: Open) -> None:
    assert [post.id for post in open_at(booru).search("robin", 9999)] == list(range(250, 0, -1))
    assert [asked.params["tags"].rpartition(" ")[2] for asked in booru.log] == ["-child", "id:<151", "id:<51"]


@pytest.mark.parametrize("query", ["robin order:score", "robin id:1..240 order:score_asc", "robin id:>5"])
def test_an_order_and_a_range_of_ids_turn_numbered_pages(booru: FakeMoebooru, open_at: Open, query: str) -> None:
    found = list(open_at(booru).search(query, 230))
    assert len({post.id for post in found}) == 230
    assert [asked.params["page"] for asked in booru.log] == ["1", "2", "3"]
    if "score" in query:
        assert [post.score for post in found] == sorted((post.score for post in found), reverse="asc" not in query)


def test_a_post_says_all_that_moebooru_says_with_the_kinds_of_its_tags(booru: FakeMoebooru, open_at: Open) -> None:
    (post,) = open_at(booru).by_ids([2])
    assert (post.name, post.width, post.ext, post.rating, post.change_seq) == ("yandere_2", 8, "png", "s", 6)
    assert {name: set(tags) for name, tags in post.tags.items()} == {name: set(tags) for name, tags in TAGS.items()}
    assert post.created_at == "2024-05-06T07:08:09+00:00"
    assert post.url is not None and post.url.endswith(f"{post.md5}.png")
    assert post.size > 0


def test_a_site_that_knows_only_bare_lists_gives_tags_without_kinds(booru: FakeMoebooru, open_at: Open) -> None:
    booru.site.is_young = False
    try:
        (post,) = open_at(booru, "konachan").by_ids([2])
    finally:
        booru.site.is_young = True
    assert post.name == "konachan_2"
    assert post.tags.keys() == {"general"}


def test_more_than_six_tags_are_tested_here(booru: FakeMoebooru, open_at: Open) -> None:
    opened = open_at(booru)
    query = "robin alone smile a_tale a_painter -group -monochrome rating:s order:score"
    found = list(opened.search(query, 120))
    assert len(found) == 120
    assert all("a_painter" in post.all_tags for post in found)
    assert opened.count(query) is None
    sent = [asked.params["tags"] for asked in booru.log if asked.path == "/post.json"]
    assert all(len([term for term in tags.split() if ":" not in term]) <= 6 for tags in sent)
    assert all("rating:s" in tags and "order:score" in tags for tags in sent)


def test_too_many_tags_would_have_been_refused(booru: FakeMoebooru, open_at: Open) -> None:
    client = open_at(booru, tries=1).client
    with pytest.raises(SiteError, match="more than 6 tags"):
        client.json("/post.json", {"tags": "a b c d e f g"})


def test_what_room_is_left_goes_to_the_negatives(booru: FakeMoebooru, open_at: Open) -> None:
    opened = open_at(booru)
    list(opened.search("robin", 1))
    list(opened.search("robin solo -group a b c", 1))
    assert [asked.params["tags"] for asked in booru.log] == [
        "robin -loli -shota -toddlercon -toddler -child",
        "robin solo -group a b c",
    ]


@pytest.mark.parametrize("query", ["loli", "robin shota", "~toddler ~robin", "child"])
def test_a_query_that_asks_for_minors_is_never_sent(booru: FakeMoebooru, open_at: Open, query: str) -> None:
    opened = open_at(booru)
    with pytest.raises(RefusedError):
        opened.count(query)
    with pytest.raises(RefusedError):
        opened.search(query, 1)
    assert booru.log == []


def test_refused_posts_are_dropped_and_only_counted(open_at: Open) -> None:
    good, bad = plain_posts(2)
    with FakeMoebooru([good, replace(bad, tags={"general": ("solo", "aged_down_child")})]) as booru:
        opened = open_at(booru)
        assert [post.id for post in opened.search("solo", 9)] == [1]
        assert opened.refused == {"yandere_2"}
        assert [post.id for post in opened.by_ids([1, 2])] == [1]


def test_a_post_asked_by_its_id_is_known_as_refused_where_a_search_would_hide_it(open_at: Open) -> None:
    good, bad = plain_posts(2)
    with FakeMoebooru([good, replace(bad, tags={"general": ("solo", "loli")})]) as booru:
        opened = open_at(booru)
        assert [bool(list(opened.by_ids([number]))) for number in (1, 2, 3)] == [True, False, False]
        assert opened.refused == {"yandere_2"}


def test_many_ids_and_md5s_come_back_in_their_order(booru: FakeMoebooru, open_at: Open) -> None:
    opened = open_at(booru)
    found = list(opened.by_ids([*range(200, 20, -1), 200, 999_999, -3, 2**40]))
    assert [post.id for post in found] == list(range(200, 20, -1))
    assert len(booru.log) == 2
    md5s = [post.md5 for post in found[:50] if post.md5]
    assert [post.md5 for post in opened.by_md5s([*md5s, "f" * 32])] == md5s


def test_a_deleted_post_is_found_by_id_and_has_no_address(open_at: Open) -> None:
    gone, hidden, shown = plain_posts(3)
    with FakeMoebooru([replace(gone, is_deleted=True), replace(hidden, visible=False), shown]) as booru:
        opened = open_at(booru)
        found = list(opened.by_ids([1, 2, 3]))
        assert [(post.is_deleted, post.url is None) for post in found] == [(True, True), (False, True), (False, False)]
        assert [post.id for post in opened.by_md5s([found[0].md5 or ""])] == [1]
        assert [post.id for post in opened.search("solo", 9)] == [3, 2]


def test_common_tags_come_in_one_answer_and_rare_ones_each_in_its_own(
    booru: FakeMoebooru, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_USED", 2)
    opened = open_at(booru)
    facts = opened.tag_facts(["robin", "smile", "a_painter", "unheard_of", "loli", "*"])
    assert {tag: (known.posts, known.category) for tag, known in facts.items()} == {
        "robin": (250, "character"), "smile": (167, "general"), "a_painter": (167, "artist"),
        "unheard_of": (0, ""), "*": (0, ""),
    }  # fmt: skip
    opened.tag_facts(["robin", "a_painter", "unheard_of"])
    asked = [asked.params.get("name") for asked in booru.log]
    assert asked[0] is None
    assert len(asked) <= 4
    assert len(set(asked)) == len(asked)


def test_aliases_are_read_from_the_sites_list_once(booru: FakeMoebooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.aliases(["robin_bird", "robin", "alone"]) == {"robin_bird": "robin", "alone": "solo"}
    assert opened.aliases(["nothing"]) == {}
    assert opened.aliases([]) == opened.aliases(["loli"]) == {}
    assert [asked.path for asked in booru.log] == ["/tag/summary.json"]


def test_the_wiki_is_read(booru: FakeMoebooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.wiki("robin") == "About robin."
    assert opened.wiki("rob") == opened.wiki("loli") == ""


def test_a_file_is_fetched_and_its_md5_is_right(booru: FakeMoebooru, open_at: Open, tmp_path: Path) -> None:
    opened = open_at(booru)
    (post,) = opened.by_ids([7])
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    preview = opened.preview(post)
    assert preview is not None and preview.startswith(b"\xff\xd8")


def test_faults_of_the_site_are_waited_out_or_told(booru: FakeMoebooru, open_at: Open, clock: Clock) -> None:
    patience = Fault("status", status=429, headers={"Retry-After": "7"})
    booru.faults.add(patience, Fault("status", status=503), Fault("cut"))
    assert len(list(open_at(booru).search("robin", 3))) == 3
    assert sum(clock.slept) >= 12
    assert all("lorasmith/" in asked.headers["user-agent"] for asked in booru.log)
    for fault in (Fault("page", status=403), Fault("page", status=200)):
        booru.faults.add(fault)
        with pytest.raises(SiteBlocked):
            list(open_at(booru).search("robin", 1))
    booru.faults.add(Fault("garbage"))
    with pytest.raises(SiteError, match="not JSON"):
        list(open_at(booru).search("robin", 1))


def test_no_key_is_ever_sent(booru: FakeMoebooru, clock: Clock) -> None:
    opened = Moebooru(Client(find_site("yandere", booru.url), clock.pace(), "alice", "a-key"))
    opened.count("robin")
    assert "a-key" not in str(booru.log)
    assert "authorization" not in booru.log[0].headers


def test_the_site_is_asked_no_faster_than_was_wished(booru: FakeMoebooru, open_at: Open, clock: Clock) -> None:
    list(open_at(booru, requests_per_second=0.5).search("robin", 250))
    assert clock.now == pytest.approx(4.0)


@pytest.mark.parametrize("query", ["robin", "robin order:score"])
def test_a_site_that_repeats_its_page_does_not_hold_us_for_ever(booru: FakeMoebooru, open_at: Open, query: str) -> None:
    posts = open_at(booru).search(query, 2000)
    next(posts)
    booru.faults.add(Fault("redirect", "/post.json", location=f"/post.json?limit=100&tags={query.replace(' ', '+')}"))
    with pytest.raises(SiteError, match="same page"):
        list(posts)


def test_open_booru_opens_both_sites(booru: FakeMoebooru) -> None:
    for name in ("yandere", "konachan"):
        assert isinstance(open_booru(name, url=booru.url, requests_per_second=1000), Moebooru)


GOOD = {"id": 5, "rating": "q", "tags": "solo a_circle", "created_at": 1700000000, "file_url": "/image/a.jpg"}
READER = Moebooru(Client(find_site("konachan"), Pace()))


def test_an_address_without_a_host_is_the_sites_own() -> None:
    post = READER._read_post(GOOD, Fields({"a_circle": "circle", "solo": "new_kind"}, "x"))
    assert post.url == "https://konachan.com/image/a.jpg"
    assert (post.ext, post.md5) == ("jpg", None)
    assert post.tags == {"general": ("solo",), "artist": ("a_circle",)}


@given(st.sampled_from([*GOOD, "md5", "status", "score", "change", "parent_id", "source"]), ODD)
def test_any_json_is_read_or_refused_with_a_sentence(name: str, value: object) -> None:
    for read in (
        lambda: READER._read_post(value, None),
        lambda: READER._read_post({**GOOD, name: value}, None),
        lambda: READER._read_post(GOOD, Fields({"solo": value}, "The tags")),
    ):
        try:
            read()
        except SiteError as error:
            assert str(error).endswith(".")


@given(st.text(alphabet="`01 ab", max_size=30))
def test_any_list_of_tags_is_read(summary: str) -> None:
    assert all(alias for alias, _ in module._read_aliases(summary))
