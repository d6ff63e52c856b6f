from collections.abc import Callable
from dataclasses import replace

import pytest

from lorasmith.boorus.e621 import E621, MOST_TERMS, sent_query
from lorasmith.boorus.families import open_booru
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import RefusedError, SiteError
from lorasmith.safety import KEY_NEGATIVE
from tests.demo.plain import plain_posts

Serve = Callable[..., DemoBooru]
Open = Callable[..., E621]


@pytest.fixture(scope="module")
def booru() -> DemoBooru:
    """Serves 700 posts: three pages of 320."""
    with DemoBooru(plain_posts(700, width=8, height=8), aliases={"vulpine": "fox", "alone": "solo"}) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh_log(booru: DemoBooru) -> None:
    booru.log.clear()


def test_posts_are_counted_without_being_listed(booru: DemoBooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert opened.count("fox id:<=40") == 40
    assert opened.count("nothing") == 0
    assert opened.total_posts() == 700
    assert {asked.path for asked in booru.log} == {"/posts/count.json"}


def test_a_search_without_order_reaches_every_depth_newest_first(booru: DemoBooru, open_at: Open) -> None:
    assert [post.id for post in open_at(booru).search("solo", 9999)] == list(range(700, 0, -1))
    assert [asked.params.get("page") for asked in booru.log] == [None, "b381", "b61"]


def test_a_search_by_score_turns_numbered_pages(booru: DemoBooru, open_at: Open) -> None:
    found = list(open_at(booru).search("solo order:score", 650))
    assert len({post.id for post in found}) == 650
    assert [post.score for post in found] == sorted((post.score for post in found), reverse=True)
    assert [asked.params["page"] for asked in booru.log] == ["1", "2", "3"]


def test_no_more_is_asked_than_was_wanted(booru: DemoBooru, open_at: Open) -> None:
    assert len(list(open_at(booru).search("solo", 5))) == 5
    assert [asked.params["limit"] for asked in booru.log] == ["5"]


def test_many_ids_come_back_in_their_order_a_page_at_a_time(booru: DemoBooru, open_at: Open) -> None:
    ids = [*range(10, 400), 10, 999_999, -3, 2**40]
    assert [post.id for post in open_at(booru).by_ids(ids)] == list(range(10, 400))
    assert len(booru.log) == 2


def test_a_deleted_post_is_found_by_id_and_said_to_be_deleted(serve: Serve, open_at: Open) -> None:
    first, second = plain_posts(2)
    opened = open_at(serve([first, replace(second, is_deleted=True)]))
    assert [(post.id, post.is_deleted, post.url is None) for post in opened.by_ids([2, 1])] == [
        (2, True, True),
        (1, False, False),
    ]
    assert [post.id for post in opened.search("solo", 9)] == [1]


def test_a_post_that_is_not_visible_has_no_address(serve: Serve, open_at: Open) -> None:
    (post,) = open_at(serve([replace(plain_posts(1)[0], visible=False)])).search("solo", 9)
    assert (post.url, post.preview_url, post.sample_url) == (None, None, None)
    assert post.md5


def test_tag_counts_and_aliases_are_read(booru: DemoBooru, open_at: Open) -> None:
    opened = open_at(booru)
    assert {tag: facts.posts for tag, facts in opened.tag_facts(["fox", "unheard_of", "cub"]).items()} == {"fox": 700, "unheard_of": 0}
    assert opened.aliases(["vulpine", "fox"]) == {"vulpine": "fox"}
    assert opened.aliases(["nothing"]) == {}
    assert len(opened.tag_facts(f"tag_{number}" for number in range(200))) == 200


def test_every_query_carries_the_key_negative_once(booru: DemoBooru, open_at: Open) -> None:
    opened = open_at(booru)
    opened.count("fox")
    opened.count("fox -YOUNG")
    list(opened.search("fox", 1))
    assert all(asked.params["tags"].lower().split().count(KEY_NEGATIVE) == 1 for asked in booru.log)


def test_what_is_asked_by_its_id_is_known_as_refused_where_a_search_would_hide_it(serve: Serve, open_at: Open) -> None:
    good, bad = plain_posts(2)
    opened = open_at(serve([good, replace(bad, tags={"general": ("young",)})]))
    assert list(opened.search("", 9)) == list(opened.by_ids([1]))
    assert opened.refused == set()
    assert list(opened.by_ids([2])) == [] and opened.refused == {"e621_2"}


def test_the_share_that_the_key_negative_hides_is_known(serve: Serve, open_at: Open) -> None:
    posts = [replace(post, tags={"general": ("fox", "young") if post.id > 10 else ("fox",)}) for post in plain_posts(40)]
    assert open_at(serve(posts)).hidden_share("fox") == 0.75
    assert open_at(serve(posts[:15])).hidden_share("fox") is None


def test_refused_posts_are_dropped_and_only_counted(serve: Serve, open_at: Open) -> None:
    good, bad, worse = plain_posts(3)
    bad = replace(bad, tags={"general": ("solo", "toddler")})
    worse = replace(worse, tags={"lore": ("young_(lore)",)})
    opened = open_at(serve([good, bad, worse]))
    assert [post.id for post in opened.search("order:score", 9)] == [1]
    assert len(opened.refused) == 2
    assert [post.id for post in opened.by_ids([1, 2, 3])] == [1]


@pytest.mark.parametrize("query", ["cub", "fox young", "~loli ~fox", "rating:s ( shota )"])
def test_a_query_that_asks_for_minors_is_never_sent(booru: DemoBooru, open_at: Open, query: str) -> None:
    with pytest.raises(RefusedError):
        open_at(booru).count(query)
    assert booru.log == []


def test_too_many_terms_are_told_before_anything_is_sent() -> None:
    fits = " ".join(f"tag{number}" for number in range(MOST_TERMS - 1))
    assert sent_query(f"{fits} rating:s ( )").endswith(KEY_NEGATIVE)
    with pytest.raises(SiteError, match="40 terms, and the site takes 39"):
        sent_query(f"{fits} more")


def test_a_site_that_repeats_its_page_does_not_hold_us_for_ever(booru: DemoBooru, open_at: Open) -> None:
    posts = open_at(booru).search("solo", 2000)
    next(posts)
    booru.faults.add(Fault("redirect", "/posts.json", location="/posts.json?limit=320"))
    with pytest.raises(SiteError, match="same page"):
        list(posts)


def test_open_booru_asks_nothing_yet_and_works_on_the_address_it_is_given(booru: DemoBooru) -> None:
    opened = open_booru("e621", url=booru.url, requests_per_second=1000, user="alice")
    assert booru.log == []
    assert opened.count("fox") == 700
