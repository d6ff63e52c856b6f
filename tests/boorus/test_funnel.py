from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.funnel import (
    any_group,
    best_of,
    cannot_be_had,
    funnel,
    percentiles,
    reject,
    suggest_min_score,
    tag_groups,
)
from lorasmith.boorus.post import Post
from lorasmith.settings.tables import DownloadSettings, ResearchSettings

POST = Post(
    "e621", 5, "0" * 32, "png", 1000, 800, 5000, "https://static1.e621.net/x.png", None, None, "s", 50, 9,
    "2024-01-02T00:00:00Z", {"general": ("solo", "blue_fur"), "species": ("fox",)},
)  # fmt: skip
scores = st.lists(st.integers(-50, 500), max_size=60)


def scored(values: list[int]) -> list[Post]:
    return [replace(POST, id=number, score=value) for number, value in enumerate(values, start=1)]


def test_a_good_post_is_taken() -> None:
    assert reject(POST, ResearchSettings()) is None
    assert reject(POST, DownloadSettings()) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_deleted": True}, "deleted"),
        ({"url": None}, "not visible"),
        ({"md5": None}, "not visible"),
        ({"tags": {"artist": ("avoid_posting",)}}, "do not post"),
        ({"ext": "webm"}, "file type"),
        ({"rating": "e"}, "rating"),
        ({"tags": {"meta": ("animated", "solo")}}, "blacklist"),
        ({"tags": {"general": ("fox",)}}, "required tags"),
        ({"created_at": "2019-12-31T23:59:59Z"}, "date"),
        ({"fav_count": 4}, "favourites"),
        ({"width": 100}, "area"),
        ({"score": 9}, "score"),
        ({"size": 3 << 20}, "file too large"),
    ],
)
def test_each_rule_names_its_reason(change: dict[str, object], reason: str) -> None:
    settings = DownloadSettings(
        ratings=["s", "q"], min_score=10, max_megabytes=2, min_fav_count=5, min_date="2020", required_tags=["solo | duo, -wolf"]
    )
    assert reject(replace(POST, **change), settings) == reason


def test_research_knows_no_minimum_score() -> None:
    assert reject(replace(POST, score=-400), ResearchSettings()) is None


def test_a_general_rating_counts_as_safe_and_jpeg_as_jpg() -> None:
    assert reject(replace(POST, rating="g", ext="jpeg"), ResearchSettings(ratings=["s"])) is None


def test_a_line_of_a_blacklist_holds_only_as_a_whole() -> None:
    assert any_group(POST, ["Blue-Fur"])
    assert any_group(POST, ["solo fox"])
    assert not any_group(POST, ["solo wolf"])
    assert any_group(POST, ["solo -wolf"])
    assert not any_group(POST, ["solo -fox", "", "fur"])
    assert any_group(POST, ["*_fur"])
    assert any_group(POST, ["fox rating:safe"])
    assert any_group(POST, ["wolf | solo, blue_fur"])
    assert not any_group(POST, ["wolf | solo, green_fur", " | "])
    assert not any_group(POST, ["fox rating:e"])


@given(scores)
def test_the_funnel_never_widens_and_ends_with_what_is_taken(values: list[int]) -> None:
    posts = scored(values)
    settings = DownloadSettings(min_score=100)
    steps = [left for _, left in funnel(posts, settings)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == len(posts)
    assert steps[-1] == sum(reject(post, settings) is None for post in posts)


@given(scores, st.integers(1, 40), st.integers(0, 40))
def test_the_suggested_score_leaves_as_many_as_wanted(values: list[int], least: int, more: int) -> None:
    suggested = suggest_min_score(values, least, least + more)
    if len(values) <= least + more:
        assert suggested is None
        return
    left = sum(value >= suggested for value in values)
    assert left >= least
    if left > least + more:  # only where no score fits: one point more would leave too few
        assert sum(value > suggested for value in values) < least


def test_a_round_score_is_suggested_where_one_fits() -> None:
    assert suggest_min_score(range(1000), 150, 300) == 750
    assert suggest_min_score(range(1000), 150, 160) == 850
    assert suggest_min_score([7] * 500, 150, 300) == 7


@given(scores.filter(bool))
def test_each_percentile_says_how_many_reach_its_score(values: list[int]) -> None:
    rows = percentiles(values)
    assert [row.percentile for row in rows] == sorted((row.percentile for row in rows), reverse=True)
    for row in rows:
        reached = sum(value >= row.score for value in values)
        assert row.posts == reached >= len(values) * (100 - row.percentile) / 100 - 1e-9


def test_no_posts_have_no_scores() -> None:
    assert percentiles([]) == []
    assert suggest_min_score([], 10, 20) is None


def test_a_row_of_an_export_has_no_address_and_is_looked_at_all_the_same() -> None:
    row = replace(POST, url=None)
    assert reject(row, ResearchSettings()) == "not visible"
    assert reject(row, ResearchSettings(export="posts.csv.gz")) is None


def test_what_a_person_lists_is_taken_unless_there_is_no_picture() -> None:
    assert cannot_be_had(replace(POST, score=-9, rating="e", width=1), DownloadSettings(min_score=5)) is None
    assert cannot_be_had(replace(POST, url=None), DownloadSettings()) == "not visible"
    assert cannot_be_had(replace(POST, ext="webm"), DownloadSettings()) == "file type"


def test_groups_are_parted_by_bars_and_tags_by_commas_or_spaces() -> None:
    assert tag_groups(["a, b | c", "", "d e,f | "]) == [["a", "b"], ["c"], ["d", "e", "f"]]


def test_of_twins_the_one_in_most_pixels_stands_for_all() -> None:
    small, lossy = replace(POST, id=1, width=900), replace(POST, id=2, ext="jpg")
    assert best_of([small, lossy, POST]) == POST
    assert best_of([small, lossy]) == lossy
