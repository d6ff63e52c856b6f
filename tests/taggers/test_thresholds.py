"""Thresholds as questions to stored scores, and what several taggers say together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.taggers.labels import Label
from lorasmith.taggers.thresholds import ThresholdRule, over, thresholds_of
from lorasmith.taggers.verdicts import Verdict, Voice, disagreements, verdicts

LABELS = (Label("smile", "general"), Label("fox", "species"), Label("someone", "character"), Label("hat", "general", 0.42))
OWN = {"*": 0.26, "character": 0.85}


def chosen(*rules: ThresholdRule, general: float = 0.0) -> list[float]:
    return thresholds_of(LABELS, OWN, rules, ("wd-swinv2-tagger-v3", "danbooru"), general).tolist()


def test_without_wishes_the_tag_list_s_own_and_then_the_model_s_own_count() -> None:
    assert chosen() == [0.26, 0.26, 0.85, 0.42]


@pytest.mark.parametrize(
    ("rules", "general", "expected"),
    [
        ([("*", "*", 0.5)], 0.0, [0.5, 0.5, 0.5, 0.5]),
        ([("*", "*", 0.5)], 0.3, [0.3, 0.3, 0.3, 0.3]),
        ([("*", "species", 0.2)], 0.3, [0.3, 0.2, 0.3, 0.3]),
        ([("*", "general", 0.2), ("*", "smile", 0.6)], 0.0, [0.6, 0.26, 0.85, 0.2]),
        ([("wd-*", "*", 0.4), ("*", "*", 0.5)], 0.0, [0.4, 0.4, 0.4, 0.4]),
        ([("danbooru", "smile", 0.7), ("*", "smile", 0.1)], 0.0, [0.7, 0.26, 0.85, 0.42]),
        ([("e621", "*", 0.7), ("z3d-*", "smile", 0.7)], 0.0, [0.26, 0.26, 0.85, 0.42]),
        ([("*", "smile", 0.1), ("*", "smile", 0.2)], 0.0, [0.2, 0.26, 0.85, 0.42]),
    ],
)
def test_the_narrowest_wish_counts(rules: list[tuple[str, str, float]], general: float, expected: list[float]) -> None:
    assert chosen(*(ThresholdRule(*rule) for rule in rules), general=general) == expected


@given(
    scores=st.lists(st.lists(st.floats(0, 1, width=16), min_size=5, max_size=5), min_size=1, max_size=6),
    thresholds=st.lists(st.floats(0.001, 1), min_size=5, max_size=5),
)
def test_the_tags_over_their_thresholds_are_those_by_plain_comparison(
    scores: list[list[float]], thresholds: list[float]
) -> None:
    stored = np.array(scores, dtype="<f2")
    found = list(over(stored, np.array(thresholds)))
    for places, vector in zip(found, stored, strict=True):
        assert places.tolist() == np.nonzero(vector.astype(np.float64) >= np.array(thresholds))[0].tolist()


def test_zero_and_its_negative_are_never_over_a_threshold() -> None:
    stored = np.array([[0.0, -0.0, 1.0]], dtype="<f2")
    assert [places.tolist() for places in over(stored, np.array([0.0, 0.0, np.inf]))] == [[]]


def test_many_pictures_in_pieces_are_answered_one_by_one() -> None:
    stored = (np.random.default_rng(1).random((1000, 40)) ** 4).astype("<f2")
    thresholds = np.linspace(0.1, 0.9, 40)
    found = list(over(stored, thresholds))
    assert len(found) == 1000
    assert sum(map(len, found)) == int((stored.astype(np.float64) >= thresholds).sum())


def voice(name: str, tags: str) -> Voice:
    labels = tuple(Label(tag, "general") for tag in tags.split())
    return Voice(name, labels, {label.name: place for place, label in enumerate(labels)}, np.full(len(labels), 0.3))


def verdict(**scores: dict[str, float]) -> Verdict:
    voices = [voice(name, " ".join(tags)) for name, tags in scores.items()]
    stored = [np.array([list(tags.values())], dtype="<f2") for tags in scores.values()]
    return next(verdicts(voices, stored))


def test_each_tag_keeps_who_says_it_and_how_surely() -> None:
    said = verdict(wd={"smile": 0.75, "hat": 0.125, "tail": 0.5}, z3d={"smile": 0.5, "fox": 0.875, "tail": 0.0625})
    assert said.by == {"smile": {"wd": 0.75, "z3d": 0.5}, "tail": {"wd": 0.5}, "fox": {"z3d": 0.875}}
    assert said.tags == {"smile": 0.75, "tail": 0.5, "fox": 0.875}
    assert said.scores_of("tail") == {"wd": 0.5, "z3d": 0.0625}
    assert (said.score_of("hat"), said.score_of("moon")) == (0.125, None)
    assert said.scores_for_merging(["hat", "moon"]) == {"hat": 0.125, "smile": 0.75, "tail": 0.5, "fox": 0.875}


def test_three_kinds_of_disagreement_are_told_the_surest_first() -> None:
    said = verdict(wd={"smile": 0.01, "hat": 0.9375, "fox": 0.95}, z3d={"smile": 0.02, "hat": 0.01, "wolf": 0.5})
    found = disagreements("000001", {"smile", "wolf", "unknown_tag"}, said, 0.05)
    assert [(one.tag, one.kind) for one in found] == [("fox", "unsaid"), ("hat", "differ"), ("smile", "denied")]
    assert dict(found[1].scores) == pytest.approx({"wd": 0.9375, "z3d": 0.01}, abs=1e-3)


def test_a_picture_without_booru_tags_leaves_nothing_unsaid() -> None:
    assert disagreements("000001", set(), verdict(wd={"fox": 0.95}), 0.05) == []


def test_a_tag_of_the_booru_that_one_tagger_sees_is_not_denied() -> None:
    said = verdict(wd={"smile": 0.01}, z3d={"smile": 0.2})
    assert disagreements("000001", {"smile"}, said, 0.05) == []
