"""The rule that chooses epoch and weight."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.judging.judge import Spread
from lorasmith.judging.rank import Bars, rank
from lorasmith.judging.scores import CellScores


def spread_of(value: float) -> Spread:
    return Spread(value, value, value, 0.0, 2)


def cell(epoch: int | None, weight: float, like: float | None, pose: float | None) -> CellScores:
    def flat(value: float | None) -> Spread | None:
        return None if value is None else Spread(value, value, value, 0.0, 2)

    followed = flat(pose)
    return CellScores(epoch, weight, flat(like), {} if followed is None else {"pose": followed})


BASE = cell(None, 0.0, 0.1, 1.0)


def test_the_likest_that_still_follows_is_chosen() -> None:
    outcome = rank([cell(4, 1.0, 0.75, 1.0), cell(6, 1.0, 0.85, 0.9), cell(8, 1.0, 0.95, 0.5)], BASE)
    assert outcome.best is not None and (outcome.best.epoch, outcome.best.bake) == (6, "good")
    assert [one.bake for one in outcome.order] == ["good", "good", "overbaked"]
    assert "Use epoch 6 at weight 1" in outcome.advice and "80%" in outcome.rule


def test_near_ties_go_to_the_lower_weight_and_then_to_the_earlier_epoch() -> None:
    cells = [cell(8, 1.0, 0.90, 1.0), cell(8, 0.7, 0.885, 1.0), cell(6, 0.7, 0.881, 1.0), cell(4, 0.7, 0.80, 1.0)]
    best = rank(cells, BASE).best
    assert best is not None and (best.epoch, best.weight) == (6, 0.7)


def test_too_little_likeness_is_underbaked_and_says_to_train_longer() -> None:
    outcome = rank([cell(2, 1.0, 0.4, 1.0)], BASE)
    assert outcome.best is not None and outcome.best.bake == "underbaked"
    assert "0.40, under 0.70" in outcome.best.reason and "Train longer" in outcome.advice


def test_when_nothing_follows_the_best_compromise_is_chosen_and_called_overbaked() -> None:
    outcome = rank([cell(4, 1.0, 0.9, 0.3), cell(2, 1.0, 0.8, 0.7)], BASE)
    assert outcome.best is not None and (outcome.best.epoch, outcome.best.bake) == (2, "overbaked")
    assert "Lower the learning rate" in outcome.advice


def test_a_base_that_follows_nothing_leaves_likeness_to_decide() -> None:
    outcome = rank([cell(4, 1.0, 0.9, None)], cell(None, 0.0, 0.1, None))
    assert outcome.best is not None and outcome.best.bake == "good" and outcome.best.kept is None


def test_without_a_tag_that_the_tagger_knows_nothing_is_chosen() -> None:
    outcome = rank([cell(4, 1.0, None, 1.0)], BASE)
    assert outcome.best is None and outcome.order[0].bake == "unjudged" and "nothing to rank" in outcome.advice


def test_the_earliest_epoch_as_the_best_hints_at_a_shorter_run() -> None:
    assert "a shorter run may do" in rank([cell(4, 1.0, 0.9, 1.0), cell(8, 1.0, 0.9, 1.0)], BASE).advice


def test_low_likeness_with_lost_obedience_is_too_much_and_not_too_little() -> None:
    broken = rank([cell(8, 1.0, 0.3, 0.3)], BASE).order[0]
    assert broken.bake == "overbaked" and "break down" in broken.reason
    weak = rank([cell(2, 1.0, 0.3, 0.95)], BASE).order[0]
    assert weak.bake == "underbaked"


def test_likeness_that_falls_with_more_training_while_obedience_goes_is_too_much() -> None:
    outcome = rank([cell(4, 1.0, 0.8, 0.9), cell(8, 1.0, 0.6, 0.7)], BASE)
    assert {one.epoch: one.bake for one in outcome.order} == {4: "good", 8: "overbaked"}
    assert "where less training or weight had 0.80" in next(one for one in outcome.order if one.epoch == 8).reason


def test_renders_that_repeat_the_set_or_each_other_are_overbaked() -> None:
    base = replace(BASE, copies=spread_of(0.05), diversity=0.1)
    copying = replace(cell(8, 1.0, 0.9, 1.0), copies=spread_of(0.4), diversity=0.09)
    same = replace(cell(6, 1.0, 0.9, 1.0), copies=spread_of(0.05), diversity=0.02)
    assert rank([copying], base).order[0].reason.startswith("40% of the renders nearly repeat a training picture")
    assert rank([same], base).order[0].bake == "overbaked" and "20%" in rank([same], base).order[0].reason


def test_a_character_that_comes_without_its_trigger_is_told_and_still_good() -> None:
    leaking = replace(cell(6, 1.0, 0.9, 1.0), leak=spread_of(0.7))
    told = rank([leaking], replace(BASE, leak=spread_of(0.1))).order[0]
    assert told.bake == "good" and "comes without its trigger too (leak 0.70, 0.10 in the base)" in told.reason


SHARES = st.floats(0, 1)
CELLS = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from([0.5, 0.7, 1.0]), SHARES, SHARES),
    min_size=1,
    max_size=8,
    unique_by=lambda values: values[:2],
)


@given(CELLS, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_and_is_never_beaten_in_both(
    values: list[tuple[int, float, float, float]], shuffler: random.Random
) -> None:
    cells = [cell(*entry) for entry in values]
    outcome = rank(cells, BASE)
    shuffler.shuffle(cells)
    assert rank(cells, BASE).best == outcome.best is not None
    assert len(outcome.order) == len(cells)
    best, tie = outcome.best, Bars().tie
    likest = [one for one in outcome.order if one.likeness > best.likeness + tie]
    assert best.kept < Bars().kept or all(one.kept < best.kept for one in likest)
