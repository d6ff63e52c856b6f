"""Each reason to prune, by itself: what it sees, how sure it is, and what it leaves alone."""

from dataclasses import replace
from typing import Any

import pytest

from lorasmith.imaging.measure import Measures
from lorasmith.project.pictures import Picture
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.reasons import Candidate, judge, judge_twins, judge_variants, sureness

MEASURES = Measures(
    width=1000, height=1200, lossless=True, pixel_sha="a", dhash="0f0f0f0f0f0f0f0f", phash="00ff00ff00ff00ff", colours="00" * 48,
    telling=True, sharpness=0.8, blockiness=0.01, blank=False, is_grey=False, border=(255, 255, 255), border_spread=0.0,
)  # fmt: skip


def candidate(name: str = "e621_1", tags: str = "solo", post: dict[str, Any] | None = None, **changes: Any) -> Candidate:
    outer = {key: changes.pop(key) for key in ("characters", "agreement") if key in changes}
    facts = {"site": "e621", "id": int(name.rpartition("_")[2]), "score": 10} | (post or {})
    picture = Picture(name, f"images/{name}.png", "booru", 1000, 1200, 1, "s", "m", post=facts)
    return Candidate(picture, replace(MEASURES, **changes), frozenset(tags.split()), **outer)


def test_a_good_picture_has_no_reason_against_it() -> None:
    assert judge(candidate(), PruneSettings()) is None


@pytest.mark.parametrize(
    ("one", "settings", "reason"),
    [
        (candidate(width=200), {}, "too small"),
        (candidate(blank=True), {}, "nearly blank"),
        (candidate(sharpness=0.1), {}, "blurred"),
        (candidate(tags="solo upscaled"), {}, "made larger from a small picture"),
        (candidate(blockiness=0.3), {}, "blocky"),
        (candidate(height=5000), {}, "too long and narrow"),
        (candidate(is_grey=True), {"grey": False}, "without colours"),
        (candidate(tags="solo monochrome"), {"grey": False}, "without colours"),
        (candidate(tags="solo animated"), {}, "animated"),
        (candidate(tags="duo"), {}, "more than one character"),
        (candidate(tags="x", characters=frozenset(["a", "b"])), {}, "more than one character"),
        (candidate(tags="solo comic"), {}, "full of text"),
        (candidate(tags="solo text dialogue speech_bubble"), {}, "full of text"),
        (candidate(agreement=0.1), {"agreement": 0.5}, "unlike the character"),
        (candidate(post={"score": -9}), {"min_score": 0}, "low score"),
    ],
)
def test_each_reason_drops_with_its_words_and_its_sureness(one: Candidate, settings: dict[str, Any], reason: str) -> None:
    decision = judge(one, PruneSettings(**settings))
    assert decision is not None and (decision.verdict, decision.reason) == ("drop", reason)
    assert 0.65 <= sureness(decision) <= 1


@pytest.mark.parametrize(
    ("tags", "reason"), [("solo sketch", "perhaps a sketch"), ("solo model_sheet", "perhaps convoluted framing")]
)
def test_a_reason_that_is_not_sure_is_told_and_the_picture_stays(tags: str, reason: str) -> None:
    decision = judge(candidate(tags=tags), PruneSettings())
    assert decision is not None and (decision.verdict, decision.reason) == ("keep", reason)
    strict = judge(candidate(tags=tags), PruneSettings(sure=0.5))
    assert strict is not None and strict.verdict == "drop"


@pytest.mark.parametrize(
    ("one", "settings"),
    [
        (candidate(tags="solo duo"), {}),
        (candidate(tags="duo"), {"solo": False}),
        (candidate(tags="solo_focus", characters=frozenset(["a", "b"])), {}),
        (candidate(is_grey=True), {}),
        (candidate(agreement=0.1), {}),
        (candidate(tags="solo text"), {}),
        (candidate(height=2900), {}),
    ],
)
def test_what_is_allowed_is_left_alone(one: Candidate, settings: dict[str, Any]) -> None:
    assert judge(one, PruneSettings(**settings)) is None


def test_of_twins_the_better_one_stays_and_says_why() -> None:
    small = candidate("e621_1", width=500, height=600)
    found = judge_twins([small, candidate("e621_2")], 4)
    assert list(found) == ["e621_1"] and found["e621_1"].detail["twin"] == "e621_2"
    assert found["e621_1"].detail["why"] == "e621_2 has more pixels"


def test_of_one_works_versions_only_the_best_few_stay() -> None:
    first = candidate("e621_1", post={"children": [2, 3], "score": 5})
    family = [first, *(candidate(f"e621_{n}", post={"parent_id": 1, "score": n}) for n in (2, 3, 7))]
    found = judge_variants(family, 2)
    assert {name: word.detail["why"] for name, word in found.items()} == dict.fromkeys(
        ["e621_2", "e621_3"], "same parent e621 1"
    )
    pool = [candidate(f"e621_{n}", post={"pools": [9]}) for n in (4, 5)]
    source = [candidate(f"e621_{n}", post={"sources": ["https://x.example/view/12345/"]}) for n in (10, 11)]
    page = [candidate(f"e621_{n}", post={"sources": ["https://x.example/users/anna"]}) for n in (12, 13)]
    assert list(judge_variants([*pool, *source, *page], 1)) == ["e621_5", "e621_11"]
