"""Several characters in one training: who is in a caption, equal shares of the draws, and what is told of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lorasmith.settings.tables import TrainSettings
from lorasmith.training.balance import balance_notes, balanced, seen, triggers_in, with_triggers_held
from lorasmith.training.captions import CaptionRules, draw_caption
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.plan import learning_rates

CAST = {"alice": "character:alice", "bob the great": "character:bob"}
NAMES = list(CAST)


def pictures(alice: int, bob: int, both: int = 0, nobody: int = 0, repeats: int = 4) -> list[TrainingPicture]:
    captions = ["alice, solo"] * alice + ["Bob the Great, solo"] * bob + ["alice, bob the great, duo"] * both + ["forest"] * nobody
    names = [f"p{place}" for place in range(len(captions))]
    rows = zip(names, captions, strict=True)
    return [TrainingPicture(name, Path(f"{name}.png"), caption, repeats, f"{repeats}_mia") for name, caption in rows]


def test_triggers_are_found_whole_in_any_case_and_in_the_order_of_the_cast() -> None:
    assert triggers_in("Bob the great, duo, alice", NAMES) == ("alice", "bob the great")
    assert triggers_in("malice, bob, alice_in_wonderland", NAMES) == ()
    assert triggers_in("alice, bob_the_great ||| duo", NAMES) == ("alice", "bob the great")


def test_all_triggers_of_a_caption_stay_in_front_whatever_is_left_out_behind_them() -> None:
    held = with_triggers_held("alice, bob the great, duo, forest", NAMES, 1)
    rules = CaptionRules(keep_tokens=1, tag_dropout=0.9)
    for key in map(str, range(50)):
        assert draw_caption(held, rules, key).startswith("alice, bob the great")
    assert with_triggers_held("alice, solo", NAMES, 1) == "alice, solo"
    assert with_triggers_held("alice, bob the great, duo, x, y", NAMES, 2) == "alice, bob the great, duo ||| x, y"
    assert with_triggers_held("alice, bob the great", NAMES, 1) == "alice, bob the great"


def test_a_character_of_few_pictures_is_seen_as_often_as_one_of_many() -> None:
    found = balanced(pictures(24, 6, 2), NAMES, 4)
    assert [row.draws for row in seen(found, NAMES)] == [24 * 2 + 8, 6 * 10 + 8]
    assert {picture.repeats for picture in found if picture.caption.startswith("alice, bob")} == {4}, "both: as they were"
    assert found[0].folder == "2_mia" and [each.name for each in found] == [each.name for each in pictures(24, 6, 2)]


@given(some.integers(1, 60), some.integers(1, 60), some.integers(0, 9), some.integers(4, 20))
def test_balance_never_widens_the_gap_and_loses_no_picture(alice: int, bob: int, both: int, repeats: int) -> None:
    before = pictures(alice, bob, both, repeats=repeats)
    after = balanced(before, NAMES, repeats)
    assert [each.name for each in after] == [each.name for each in before] and all(each.repeats >= 1 for each in after)
    assert sum(each.repeats for each in after) <= 2 * sum(each.repeats for each in before)

    def gap(rows: list[TrainingPicture]) -> float:
        draws = [row.draws for row in seen(rows, NAMES)]
        return max(draws) / min(draws)

    assert gap(after) <= max(1.3, gap(before))


def test_check_says_who_is_seen_less_and_what_to_do() -> None:
    told = list(balance_notes(pictures(24, 6), CAST, subsets=False))
    assert told[0] == "Characters: alice 24 pictures, 80% of the draws; bob the great 6 pictures, 20% of the draws."
    assert "alice is seen 4.0 times as often as bob the great" in told[1] and "train.balance" in told[1]
    by_hand = list(balance_notes(pictures(24, 6), CAST, subsets=True))
    assert "'bob_the_great weight=1 where character:bob'" in by_hand[1]


def test_check_is_content_with_a_balanced_set_and_tells_of_few_pictures_seen_often() -> None:
    assert len(list(balance_notes(pictures(10, 10, 2), CAST, subsets=False))) == 1
    told = list(balance_notes(balanced(pictures(60, 5), NAMES, 4), CAST, subsets=False))
    assert "bob the great has 5 pictures, each seen" in told[-1]


@pytest.mark.parametrize(
    ("counts", "words"), [((9, 0, 0), "No picture shows bob the great"), ((9, 0, 3), "bob the great is nowhere alone")]
)
def test_a_character_without_pictures_of_its_own_is_told(counts: tuple[int, int, int], words: str) -> None:
    assert any(words in line for line in balance_notes(balanced(pictures(*counts), NAMES, 4), CAST, subsets=False))


def test_two_characters_are_each_learnt_as_strongly_as_one_alone() -> None:
    settings = TrainSettings(strength=1.1, epochs=10)
    one = learning_rates(settings, pictures(10, 0))
    two = learning_rates(settings, [replace(each, characters=2) for each in pictures(10, 10)])
    assert two == pytest.approx(one)


def test_pictures_of_nobody_keep_their_repeats() -> None:
    found = balanced(pictures(8, 2, 0, 3), NAMES, 4)
    assert {each.repeats for each in found if each.caption == "forest"} == {4}
