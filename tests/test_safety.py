"""The one rule without a switch: what marks minors is refused, however it is written, and ordinary words pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.errors import RefusedError
from lorasmith.safety import (
    KEY_NEGATIVE,
    REFUSED_TAGS,
    any_refused,
    demand_safe_query,
    demand_safe_text,
    fold,
    is_refused,
    query_is_refused,
    text_is_refused,
)

LISTED = "young cub toddler baby child loli lolicon shota shotacon toddlercon".split()
COMPOUNDS = (
    "young_fox female_child bear_cub lion_cubs male_child loli_bait shota_on_male young_(lore) cub_(age) child_(lore) "
    "babyfur baby_fur underage_drinking preteen_girl Young-Wolf mother_and_child"
).split()
ORDINARY = (
    "baby_blue_eyes baby_pink_hair baby's_breath brain_child child_bearing_hips childhood_friend gothic_lolita "
    "lolita_fashion incubus succubus cubism cuboid babysitter babydoll kidney youngster_cap_(hat) yoshi shotgun "
    "excubitor solo blue_eyes ^_^ o_o"
).split()
DISGUISES = [
    "CUB", "Cub", " cub ", "c\\ub", "\\(cub\\)", "(cub:1.2)", "((cub))", "[cub]", "{cub}", "(cub:-1)", "[dog:cub:0.5]",
    "<lora:cub:0.8>", "ｃｕｂ", "𝐜𝐮𝐛", "ⓒⓤⓑ", "сub", "cυb", "c\u200bub", "c\u00adub", "\ufeffcub", "c\u0301ub", "cüb",
    "a_cub_on_a_bed", "two cubs", "fox, cub, forest", "fox\ncub", "fox|cub", "fox，cub", "-cub", "fox, -cub", "cub2",
    "c()ub", "(c:1.0)ub", "a photo of a young fox", "the child's room", "cub/fox", "lоlі", "ＬＯＬＩ",
]  # fmt: skip


@pytest.mark.parametrize("tag", LISTED)
def test_each_listed_tag_is_refused_as_a_tag_as_text_and_as_a_search(tag: str) -> None:
    assert tag in REFUSED_TAGS
    assert is_refused(tag) and any_refused(["fox", tag])
    assert text_is_refused(tag) and text_is_refused(f"fox, {tag}, forest") and text_is_refused(f"a {tag} in a forest")
    assert query_is_refused(tag) and query_is_refused(f"fox ~{tag} rating:s")


@pytest.mark.parametrize("tag", COMPOUNDS)
def test_compounds_are_refused_as_tags_and_as_text(tag: str) -> None:
    assert is_refused(tag)
    assert text_is_refused(tag) and text_is_refused(tag.replace("_", " "))


@pytest.mark.parametrize("tag", ORDINARY)
def test_ordinary_words_that_only_contain_such_a_word_pass(tag: str) -> None:
    assert not is_refused(tag)
    assert not text_is_refused(tag) and not text_is_refused(f"fox, {tag.replace('_', ' ')}, forest")
    assert not query_is_refused(tag)


@pytest.mark.parametrize("tag", ["kid_icarus", "child_of_light"])
def test_a_whole_tag_may_hold_an_ambiguous_word_but_free_text_may_not(tag: str) -> None:
    assert not is_refused(tag)
    assert text_is_refused(tag.replace("_", " "))


@pytest.mark.parametrize("text", DISGUISES)
def test_no_way_of_writing_it_gets_past(text: str) -> None:
    assert text_is_refused(text)


@pytest.mark.parametrize(
    "tag", ["CUB", "Bear-Cub", "bear cub", "Young__Fox", "ｙｏｕｎｇ_fox", "уoung_fox", "cub_\\(age\\)"]
)
def test_a_tag_is_folded_before_it_is_compared(tag: str) -> None:
    assert is_refused(tag)


def test_an_innocent_phrase_covers_only_itself() -> None:
    assert not text_is_refused("baby blue eyes")
    assert text_is_refused("baby blueberry")
    assert text_is_refused("baby breathing")
    assert text_is_refused("a baby, blue eyes")
    assert text_is_refused("baby blue baby")


def test_aliases_are_resolved_whatever_their_spelling() -> None:
    aliases = {"cublet": "cub", "pup": "dog"}
    assert is_refused("Cublet", aliases) and text_is_refused("fox, (cublet:1.1)", aliases)
    assert query_is_refused("fox cublet", aliases)
    assert not is_refused("pup", aliases) and not is_refused("cublet")


def test_a_negated_term_passes_in_a_search_alone() -> None:
    assert not query_is_refused(f"fox {KEY_NEGATIVE} -cub order:score")
    assert query_is_refused("fox -dog young") and query_is_refused("-young cub") and query_is_refused("- young")
    assert text_is_refused("fox -young"), "a prompt knows no negation"


@pytest.mark.parametrize("query", ["~young ~fox", "young_*", "fox ( cub )", "{ young }", "CUB", "fox\tcub", "bear_cub"])
def test_a_search_that_asks_for_it_in_any_way_is_refused(query: str) -> None:
    assert query_is_refused(query)


def test_the_refusal_is_a_sentence_that_does_not_repeat_the_tag() -> None:
    with pytest.raises(RefusedError, match="^The trigger carries") as refused:
        demand_safe_text("cub", "trigger")
    assert "cub" not in str(refused.value)
    with pytest.raises(RefusedError, match="^The search carries"):
        demand_safe_query("fox cub")
    demand_safe_text("fox, forest", "prompt")
    demand_safe_query(f"fox {KEY_NEGATIVE}")


@pytest.mark.parametrize("text", ["", " ", ",", "\\", "()", ":1.2", "-", "\u200b", "_", "🦊"])
def test_text_without_words_passes(text: str) -> None:
    assert not text_is_refused(text) and not is_refused(text) and not query_is_refused(text)


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=30))
def test_text_is_never_laxer_than_the_tag_in_it(tag: str) -> None:
    if is_refused(tag):
        assert text_is_refused(tag)


@given(st.sampled_from(LISTED), st.text(max_size=12), st.text(max_size=12))
def test_a_listed_tag_between_commas_is_refused_whatever_stands_round_it(tag: str, before: str, after: str) -> None:
    assert text_is_refused(f"{before},{tag},{after}")
