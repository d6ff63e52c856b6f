from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.boorus.funnel import counts_at, funnel, is_blacklisted, reject, score_at, suggest_min_score
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
        ({"tags": {"meta": ("animated",)}}, "blacklist"),
        ({"width": 100}, "area"),
        ({"score": 9}, "score"),
        ({"size": 3 << 20}, "file too large"),
    ],
)
def test_each_rule_names_its_reason(change: dict[str, object], reason: str) -> None:
    settings = DownloadSettings(ratings=["s", "q"], min_score=10, max_megabytes=2)
    assert reject(replace(POST, **change), settings) == reason


def test_research_knows_no_minimum_score() -> None:
    assert reject(replace(POST, score=-400), ResearchSettings()) is None


def test_a_general_rating_counts_as_safe_and_jpeg_as_jpg() -> None:
    assert reject(replace(POST, rating="g", ext="jpeg"), ResearchSettings(ratings=["s"])) is None


def test_a_line_of_a_blacklist_holds_only_as_a_whole() -> None:
    assert is_blacklisted(POST, ["Blue-Fur"])
    assert is_blacklisted(POST, ["solo fox"])
    assert not is_blacklisted(POST, ["solo wolf"])
    assert is_blacklisted(POST, ["solo -wolf"])
    assert not is_blacklisted(POST, ["solo -fox", "", "fur"])
    assert is_blacklisted(POST, ["*_fur"])
    assert is_blacklisted(POST, ["fox rating:safe"])
    assert not is_blacklisted(POST, ["fox rating:e"])


@given(scores)
def test_the_funnel_never_widens_and_ends_with_what_is_taken(values: list[int]) -> None:
    posts = scored(values)
    settings = DownloadSettings(min_score=100)
    steps = [left for _, left in funnel(posts, settings)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == len(posts)
    assert steps[-1] == sum(reject(post, settings) is None for post in posts)


@given(scores.filter(bool), st.integers(1, 80))
def test_the_suggested_score_leaves_as_many_as_wanted_and_one_more_would_not(values: list[int], wanted: int) -> None:
    posts = scored(values)
    suggested = suggest_min_score(posts, wanted)
    left = counts_at(posts, [suggested, suggested + 1])
    if len(posts) >= wanted:
        assert left[suggested] >= wanted > left[suggested + 1]
    else:
        assert left[suggested] == len(posts)


@given(scores.filter(bool), st.floats(0.01, 1))
def test_the_score_of_a_share_is_reached_by_that_share(values: list[int], share: float) -> None:
    posts = scored(values)
    score = score_at(posts, [share])[share]
    assert counts_at(posts, [score])[score] >= share * len(posts) - 1e-9


def test_no_posts_have_no_scores() -> None:
    assert score_at([], [0.5]) == {}
    assert suggest_min_score([], 10) == 0
