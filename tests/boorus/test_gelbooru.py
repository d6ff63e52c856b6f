from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus import gelbooru as module
from lorasmith.boorus.bodies import ask_elements, ask_json
from lorasmith.boorus.client import Client
from lorasmith.boorus.families import open_booru
from lorasmith.boorus.gelbooru import Gelbooru, read_date, sent_query
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.sites import find_site
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import RefusedError, SiteBlocked, SiteError, UsageError
from lorasmith.files import md5_of
from tests.boorus.conftest import Clock
from tests.boorus.fakes.gelbooru import FakeGelbooru, FakeSafebooru
from tests.demo.plain import plain_posts

Open = Callable[..., Gelbooru]
TAGS = {
    "general": ("solo", "smile", "it's"), "character": ("robin",), "copyright": ("a_tale",), "artist": ("a_painter",),
    "meta": ("highres",),
}  # fmt: skip
POSTS = [
    replace(post, tags=TAGS if post.id % 3 else {"general": ("group",), "character": ("robin",)}, width=8, height=8)
    for post in plain_posts(250)
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NEGATIVES = " -loli -shota -toddlercon -toddler -child -baby"


@pytest.fixture(scope="module")
def gelbooru() -> Iterator[FakeGelbooru]:
    """Serves 250 posts: three pages of 100."""
    with FakeGelbooru(POSTS) as running:
        yield running


@pytest.fixture(scope="module")
def safebooru() -> Iterator[FakeSafebooru]:
    with FakeSafebooru(POSTS) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(gelbooru: FakeGelbooru, safebooru: FakeSafebooru) -> None:
    for booru in (gelbooru, safebooru):
        booru.log.clear()
        booru.faults.clear()
        booru.site.depth = 20_000


@pytest.fixture
def open_at(clock: Clock) -> Open:
    def opened(booru: FakeGelbooru, user: str = "12345", api_key: str = "secret-key", **pace: float) -> Gelbooru:
        name = "safebooru" if isinstance(booru, FakeSafebooru) else "gelbooru"
        login = (user, api_key) if name == "gelbooru" else ("", "")
        return Gelbooru(Client(find_site(name, booru.url), clock.pace(**pace), *login))

    return opened


@pytest.fixture(params=["gelbooru", "safebooru"])
def booru(request: pytest.FixtureRequest) -> FakeGelbooru:
    return request.getfixturevalue(request.param)


def searches(booru: FakeGelbooru) -> list[dict[str, str]]:
    return [dict(asked.params) for asked in booru.log if asked.params.get("s") == "post"]


def test_posts_are_counted_without_being_listed(booru: FakeGelbooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.count("robin id:<=40") == 40
    assert opened.count("nothing") == 0
    assert opened.total_posts() == 250
    assert all(asked["limit"] == "1" for asked in searches(booru))


def test_a_search_comes_newest_first_over_all_pages(booru: FakeGelbooru, open_at: Open) -> None:
    assert [post.id for post in open_at(booru).search("robin", 9999)] == list(range(250, 0, -1))
    assert [asked["pid"] for asked in searches(booru)][:3] == ["0", "1", "2"]


def test_beyond_the_depth_of_pages_the_ids_lead_on(
    booru: FakeGelbooru, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEPTH", 100)
    booru.site.depth = 100
    opened = open_at(booru)
    assert [post.id for post in opened.search("robin", 9999)] == list(range(250, 0, -1))
    sent = [asked["tags"].replace(NEGATIVES, "") for asked in searches(booru)]
    assert sent[:3] == ["robin", "robin id:<151", "robin id:<51"]
    assert len(list(opened.search("robin sort:score", 9999))) == 100  # an order ends there


def test_a_search_by_score_is_in_its_order(booru: FakeGelbooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.best_first("robin sort:id:asc") == "robin sort:id:asc"
    scores = [post.score for post in opened.search(opened.best_first("robin"), 150)]
    assert len(scores) == 150
    assert scores == sorted(scores, reverse=True)


def test_either_of_two_tags_is_written_in_the_sites_grammar(booru: FakeGelbooru, open_at: Open) -> None:
    opened = open_at(booru)
    found = list(opened.search(f"robin {opened.solo_or_focus}", 999))
    assert {post.id % 3 for post in found} == {1, 2}


def test_a_post_says_all_that_gelbooru_says(gelbooru: FakeGelbooru, open_at: Open) -> None:
    (post,) = open_at(gelbooru).by_ids([2])
    assert (post.name, post.width, post.height, post.ext, post.rating) == ("gelbooru_2", 8, 8, "png", "s")
    assert post.tags == TAGS
    assert post.url is not None and post.url.endswith(f"{post.md5}.png")
    assert post.created_at == "2024-05-06T07:08:09+00:00"
    assert post.score == POSTS[1].score


def test_what_safebooru_does_not_say_stays_unsaid(safebooru: FakeSafebooru, open_at: Open) -> None:
    (post,) = open_at(safebooru).by_ids([2])
    assert (post.name, post.rating, post.created_at, post.size) == ("safebooru_2", "s", "", 0)
    assert post.md5 and post.url and set(post.all_tags) == {tag for tags in TAGS.values() for tag in tags}


def test_categories_are_asked_for_once_and_many_at_a_time(gelbooru: FakeGelbooru, open_at: Open) -> None:
    opened = open_at(gelbooru)
    list(opened.search("robin", 250))
    names = [asked.params["names"] for asked in gelbooru.log if asked.params.get("s") == "tag"]
    assert len(names) == 1
    assert set(names[0].split()) == {"group", "robin", *(tag for tags in TAGS.values() for tag in tags)}
    assert opened.tag_facts(["robin", "it's", "unheard_of", "loli"]) == {
        "robin": (250, "character"), "it's": (167, "general"), "unheard_of": (0, ""),
    }  # fmt: skip
    assert len([asked for asked in gelbooru.log if asked.params.get("s") == "tag"]) == 2


def test_many_names_are_cut_into_addresses_of_a_sane_length(gelbooru: FakeGelbooru, open_at: Open) -> None:
    names = [f"a_tag_with_a_long_name_{number}" for number in range(250)]
    assert len(open_at(gelbooru).tag_facts(names)) == 250
    asked = [asked.params["names"] for asked in gelbooru.log]
    assert [name for part in asked for name in part.split()] == names
    assert max(map(len, asked)) <= 1500


def test_a_site_without_lists_of_tags_is_asked_for_the_common_ones_only(open_at: Open) -> None:
    common = {**TAGS, "general": (*TAGS["general"], *(f"common_{number}" for number in range(12)))}
    rare = replace(POSTS[0], id=999, tags={"general": ("solo", "rare_tag")})
    with FakeSafebooru([*(replace(post, tags=common) for post in POSTS[:50]), rare]) as booru:
        opened = open_at(booru)
        first = next(opened.search("solo", 100))
        names = [asked.params.get("name") for asked in booru.log if asked.params.get("s") == "tag"]
        assert "robin" in names
        assert "rare_tag" not in names
        assert first.tags == {"general": ("solo", "rare_tag")}
        assert opened.tag_facts(["rare_tag", "a_painter"]) == {"rare_tag": (1, "general"), "a_painter": (50, "artist")}


def test_a_site_of_the_older_age_that_takes_lists_is_asked_for_lists(safebooru: FakeSafebooru, open_at: Open) -> None:
    safebooru.site.takes_lists = True
    try:
        (post,) = open_at(safebooru).by_ids([2])
    finally:
        safebooru.site.takes_lists = False
    assert {name: set(tags) for name, tags in post.tags.items()} == {name: set(tags) for name, tags in TAGS.items()}


def test_ids_and_md5s_come_back_in_their_order_one_request_each(booru: FakeGelbooru, open_at: Open) -> None:
    opened = open_at(booru)
    found = list(opened.by_ids([7, 3, 999_999, 5, 3, -1]))
    assert [post.id for post in found] == [7, 3, 5]
    assert len(searches(booru)) == 4
    md5s = [post.md5 for post in found if post.md5]
    assert [post.id for post in opened.by_md5s([*md5s, "f" * 32])] == [7, 3, 5]


def test_nothing_found_is_nothing_whatever_its_shape(booru: FakeGelbooru, open_at: Open) -> None:
    assert list(open_at(booru).search("nobody_has_this", 9)) == []


def test_every_query_carries_the_negatives_once(booru: FakeGelbooru, open_at: Open) -> None:
    opened = open_at(booru)
    opened.count("robin")
    list(opened.search("robin -LOLI", 1))
    list(opened.by_md5s(["0" * 32]))
    for asked in searches(booru):
        assert [asked["tags"].lower().split().count(term) for term in NEGATIVES.split()] == [1] * 6


@pytest.mark.parametrize("query", ["loli", "{robin ~ shota}", "robin toddler", "child"])
def test_a_query_that_asks_for_minors_is_never_sent(booru: FakeGelbooru, open_at: Open, query: str) -> None:
    for ask in (open_at(booru).count, lambda asked: open_at(booru).search(asked, 1)):
        with pytest.raises(RefusedError):
            ask(query)
    assert booru.log == []


def test_refused_posts_are_dropped_and_their_tags_never_asked_for(open_at: Open) -> None:
    good, bad = plain_posts(2)
    bad = replace(bad, tags={"general": ("solo", "aged_down_child", "a_tag_of_its_own")})
    with FakeGelbooru([good, bad]) as booru:
        opened = open_at(booru)
        assert [post.id for post in opened.search("solo", 9)] == [1]
        assert opened.refused == {"gelbooru_2"}
        assert "a_tag_of_its_own" not in str([asked.params for asked in booru.log])


def test_a_listed_post_is_known_as_refused_where_a_search_would_hide_it(open_at: Open) -> None:
    good, bad = plain_posts(2)
    with FakeGelbooru([good, replace(bad, tags={"general": ("solo", "loli")})]) as booru:
        opened = open_at(booru)
        assert [post.id for post in opened.search("solo", 9)] == [1]
        assert opened.refused == set()
        assert [post.id for post in opened.by_ids([1, 2])] == [1]
        assert opened.refused == {"gelbooru_2"}


def test_what_is_not_visible_has_no_address(open_at: Open) -> None:
    hidden, shown = plain_posts(2)
    for kind in (FakeGelbooru, FakeSafebooru):
        with kind([replace(hidden, visible=False), shown]) as booru:
            found = {post.id: post.url for post in open_at(booru).search("", 9)}
            assert found.keys() == ({1, 2} if kind is FakeGelbooru else {2})
            assert found.get(1) is None and found[2]


def test_without_a_key_gelbooru_is_not_even_asked() -> None:
    with pytest.raises(UsageError, match="LORASMITH_GELBOORU_KEY"):
        open_booru("gelbooru")
    open_booru("safebooru")


def test_a_wrong_key_is_told_and_never_shown(gelbooru: FakeGelbooru, open_at: Open, tmp_path: Path) -> None:
    with pytest.raises(SiteBlocked, match="API key") as told:
        open_at(gelbooru, api_key="not-the-key").count("robin")
    assert "not-the-key" not in str(told.value)


def test_the_key_is_sent_to_the_api_and_stands_in_no_message(
    gelbooru: FakeGelbooru, open_at: Open, tmp_path: Path
) -> None:
    opened = open_at(gelbooru, tries=2)
    (post,) = opened.by_ids([7])
    opened.fetch(post, tmp_path)
    assert {asked.params.get("api_key") for asked in gelbooru.log if asked.path == "/index.php"} == {"secret-key"}
    assert all("api_key" not in asked.params for asked in gelbooru.log if asked.path != "/index.php")
    for fault in (
        Fault("status", status=500, times=9), Fault("status", status=404), Fault("garbage"), Fault("page", status=403),
        Fault("page", status=200), Fault("redirect", location="https://elsewhere.example/?a=b"), Fault("cut", times=9),
        Fault("status", status=429, headers={"Retry-After": "9999"}),
    ):  # fmt: skip
        gelbooru.faults.clear()
        gelbooru.faults.add(fault)
        with pytest.raises(SiteError) as told:
            opened.count("robin")
        assert "secret-key" not in str(told.value)
        opened.client.pace.turns.close(opened.site.host, 0)


def test_the_key_leaves_for_no_other_host(open_at: Open) -> None:
    with FakeGelbooru(POSTS[:1]) as booru, FakeGelbooru(POSTS[:1]) as other:
        booru.faults.add(Fault("redirect", location=f"{other.url}/index.php"))
        with pytest.raises(SiteError, match="not a host of gelbooru"):
            open_at(booru).count("")
        assert other.log == []


def test_a_file_is_fetched_and_its_md5_is_right(booru: FakeGelbooru, open_at: Open, tmp_path: Path) -> None:
    opened = open_at(booru)
    (post,) = opened.by_ids([7])
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    preview = opened.preview(post)
    assert preview is not None and preview.startswith(b"\xff\xd8")


def test_faults_of_the_site_are_waited_out(booru: FakeGelbooru, open_at: Open, clock: Clock) -> None:
    booru.faults.add(
        Fault("status", status=429, headers={"Retry-After": "7"}), Fault("status", status=503), Fault("cut", times=1)
    )
    assert len(list(open_at(booru).search("robin", 3))) == 3
    assert sum(clock.slept) >= 12
    assert all("lorasmith/" in asked.headers["user-agent"] for asked in booru.log)


def test_the_site_is_asked_no_faster_than_was_wished(booru: FakeGelbooru, open_at: Open, clock: Clock) -> None:
    list(open_at(booru, requests_per_second=0.5).search("robin", 250))
    assert clock.now == pytest.approx(2.0 * (len(booru.log) - 1))


@pytest.mark.parametrize("kind", ["page", "garbage"])
def test_what_is_no_data_is_told_in_a_sentence(booru: FakeGelbooru, open_at: Open, kind: str) -> None:
    booru.faults.add(Fault(kind, status=200))
    with pytest.raises(SiteError, match="a web page|not JSON|not XML"):
        list(open_at(booru).search("robin", 1))


def test_a_site_that_repeats_its_page_does_not_hold_us_for_ever(booru: FakeGelbooru, open_at: Open) -> None:
    posts = open_at(booru).search("robin", 999)
    next(posts)
    key = "&user_id=12345&api_key=secret-key"
    same = f"/index.php?page=dapi&s=post&q=index&json=1&limit=100&pid=0&tags=robin{key}"
    booru.faults.add(Fault("redirect", location=same))
    with pytest.raises(SiteError, match="same page"):
        list(posts)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Sat Mar 01 12:00:00 -0600 2025", "2025-03-01T18:00:00+00:00"),
        ("Mon Feb  3 01:02:03 +0000 2020", "2020-02-03T01:02:03+00:00"),
        ("2025-07-30 10:16:34", "2025-07-30T10:16:34"),
        ("Sat Mar 99 12:00:00 -0600 2025", ""), ("Sat Xyz 01 12:00:00 -0600 2025", ""), ("yesterday", ""), ("", ""),
        ("Mon Jan 01 00:00:00 +2359 0001", ""),
    ],
)  # fmt: skip
def test_the_sites_dates_become_iso_8601(text: str, iso: str) -> None:
    assert read_date(text) == iso


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    read_date(text)


GOOD = {
    "id": "5", "image": "a.jpeg", "tags": "solo", "rating": "sensitive", "score": "-3", "width": "9", "height": 8,
    "created_at": "Sat Mar 01 12:00:00 -0600 2025", "parent_id": "0", "file_url": "//img.gelbooru.com/a.jpeg",
}  # fmt: skip
READER = Gelbooru(Client(find_site("safebooru"), Pace()))


def test_numbers_may_come_as_texts_and_addresses_without_their_scheme() -> None:
    post = READER._read_post(GOOD)
    assert post is not None
    assert (post.id, post.score, post.width, post.parent_id, post.ext) == (5, -3, 9, None, "jpeg")
    assert post.url == "https://img.gelbooru.com/a.jpeg"


@pytest.mark.parametrize(
    ("word", "letter"),
    [("general", "g"), ("safe", "s"), ("sensitive", "s"), ("questionable", "q"), ("Explicit", "e"), ("new", "e")],
)
def test_ratings_become_letters(word: str, letter: str) -> None:
    post = READER._read_post({**GOOD, "rating": word})
    assert post is not None and post.rating == letter


@given(st.sampled_from([*GOOD, "md5", "hash", "source", "status", "preview_url"]), ODD)
def test_any_json_is_read_or_refused_with_a_sentence(name: str, value: object) -> None:
    for read in (
        lambda: READER._read_post(value),
        lambda: READER._read_post({**GOOD, name: value}),
        lambda: READER._rows(value, "post"),
        lambda: READER._rows({"@attributes": value, "post": value}, "post"),
    ):
        try:
            read()
        except SiteError as error:
            assert str(error).endswith(".")


def test_bodies_are_read_for_what_they_are(safebooru: FakeSafebooru, open_at: Open) -> None:
    client = open_at(safebooru).client
    asked = {"page": "dapi", "s": "post", "q": "index", "limit": 1, "pid": 0}
    assert [element.name for element in ask_elements(client, "/index.php", asked)] == ["posts"]
    with pytest.raises(SiteError, match="not XML"):
        ask_elements(client, "/index.php", {**asked, "json": 1})
    with pytest.raises(SiteError, match="not JSON"):
        ask_json(client, "/index.php", asked)
    with pytest.raises(SiteBlocked):
        ask_json(client, "/index.php", {"page": "post"})


def test_the_query_is_sent_as_it_was_written() -> None:
    query = "Robin -loli rating:general"
    assert sent_query(query) == f"{query} -shota -toddlercon -toddler -child -baby"
