"""How tags are written: spaces, underscores, kaomoji, commas, prompt escapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.errors import RefusedError, UsageError
from lorasmith.safety import text_is_refused
from lorasmith.tags.captions import caption_text, tags_of_caption
from lorasmith.tags.spelling import demand_tag, for_prompt, from_prompt, is_kaomoji, with_spaces, with_underscores
from lorasmith.tags.vocabulary import names

KAOMOJI = sorted(
    names("0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<|> =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_|| t_t o_x o_0 ಠ_ಠ")
)
WORDS = st.lists(st.text("abxyz019-", min_size=2, max_size=5), min_size=1, max_size=4).map("_".join)
TAGS = st.builds("".join, st.tuples(WORDS, st.sampled_from(["", "_(species)", "_(a_b)"])))


@pytest.mark.parametrize("tag", KAOMOJI)
def test_a_kaomoji_keeps_its_underscore(tag: str) -> None:
    assert is_kaomoji(tag) and with_spaces(tag) == tag


@pytest.mark.parametrize(
    ("tag", "spaced"), [("red_fur", "red fur"), ("v", "v"), (":d", ":d"), ("3d_(art)", "3d (art)")]
)
def test_every_other_underscore_becomes_a_space(tag: str, spaced: str) -> None:
    assert with_spaces(tag) == spaced


@given(TAGS)
def test_spaces_and_underscores_turn_into_each_other(tag: str) -> None:
    assert with_underscores(with_spaces(tag)) == tag


@given(TAGS)
def test_a_prompt_s_escapes_are_read_back(tag: str) -> None:
    assert from_prompt(for_prompt(tag)) == tag


def test_parentheses_are_escaped_in_prompts_and_nowhere_else() -> None:
    assert for_prompt("fox_(species)") == r"fox \(species\)"
    assert caption_text(["fox_(species)"]) == "fox (species)"


def test_a_typed_tag_with_a_comma_is_refused_and_an_escaped_one_unescaped() -> None:
    assert demand_tag(r" fox \(species\) ") == "fox_(species)"
    with pytest.raises(UsageError, match="comma"):
        demand_tag("red, blue")
    with pytest.raises(UsageError, match="empty"):
        demand_tag("  ")


def test_a_comma_inside_a_tag_cannot_cut_it_in_two() -> None:
    assert caption_text(["name_(one,_two)", "solo"]) == "name (one two), solo"


@given(st.lists(TAGS.filter(lambda tag: not text_is_refused(tag)), unique=True, max_size=8))
def test_a_written_caption_is_read_back_as_the_same_tags(tags: list[str]) -> None:
    for underscores in (False, True):
        assert tags_of_caption(caption_text(tags, underscores)) == tags


def test_repeats_marks_and_lines_of_other_tools_captions_are_forgiven() -> None:
    assert tags_of_caption("\ufeffSolo,red fur ,  solo\r\nnight,,\n") == ["Solo", "red_fur", "night"]
    assert tags_of_caption("") == []


def test_a_caption_with_a_minor_s_tag_is_never_written() -> None:
    with pytest.raises(RefusedError):
        caption_text(["zorvex", "young_fox"])
