"""What a trigger is told: how it splits, and whether it means something already."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.tokens import count_tokens
from lorasmith.tags.trigger import trigger_advice


@pytest.mark.parametrize("trigger", ["nick", "fox", "sks", "red fox", "sonic", "solo", "Red_Fox", "v", ""])
def test_a_trigger_that_means_something_already_is_weak(trigger: str) -> None:
    assert trigger_advice(trigger).weak


@pytest.mark.parametrize("trigger", ["zorvex", "nick wilde", "lucario", "mirelka", "vaporeon", "mychar"])
def test_a_trigger_with_a_rare_piece_is_not(trigger: str) -> None:
    assert not trigger_advice(trigger).weak


def test_it_is_shown_how_the_name_splits() -> None:
    told = trigger_advice("zorvex")
    assert [piece.text for piece in told.pieces] == ["zor", "vex"] and told.tokens == 2
    assert told.sentence == "'zorvex' is two tokens to CLIP (zor + vex): good, since its pieces mean little by themselves."


def test_a_short_common_name_is_told_to_take_a_surname() -> None:
    told = trigger_advice("nick")
    assert told.pieces[0].common and told.pieces[0].word
    assert "one token" in told.sentence and "Add the surname" in told.sentence


def test_a_rare_word_that_is_one_token_is_not_called_common() -> None:
    assert "a word that it knows" in trigger_advice("sks").sentence


def test_digits_and_underscores_are_counted() -> None:
    assert "three of them for digits" in trigger_advice("mychar001").sentence
    assert "one of them for underscores" in trigger_advice("nick_wilde").sentence


def test_a_trigger_that_is_a_tag_is_told_so() -> None:
    assert "a tag of its own (species)" in trigger_advice("red_fox").sentence


@given(st.text(max_size=30))
def test_any_text_gets_a_sentence(text: str) -> None:
    told = trigger_advice(text)
    assert told.sentence.endswith(".") and told.tokens == count_tokens(text.strip())
