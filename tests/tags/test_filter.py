"""The filter language: what it means, how faults are told, and that it agrees with a plain reading of each picture."""

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import UsageError
from lorasmith.tags.filter import bits_of, places_of, read_filter
from lorasmith.tags.index import TagIndex, index_of

PICTURES = {
    "e621_1": "smile open_mouth blue_eyes blaze_(marking)",
    "e621_2": "closed_mouth red_eyes boldline",
    "e621_2.2": "closed_mouth red_eyes looking_at_viewer >_<",
    "own_3": "",
}
SCORES = {"smile": (0.9, 0.2, math.nan, 0.31)}


def numbers(field: str, tag: str) -> Sequence[float]:
    return SCORES[tag] if field == "score" else (10, 80, 76, math.nan)


@pytest.fixture
def index() -> TagIndex:
    rows = [(name, tag, "artist" if tag == "boldline" else "general") for name, tags in PICTURES.items() for tag in tags.split()]
    texts = {
        "name": lambda: [{name, name.split(".")[0]} for name in PICTURES],
        "caption": lambda: [(f"zorvex, {tags.replace('_', ' ')}",) for tags in PICTURES.values()],
        "is": lambda: [{"head"} if "." in name else {"original"} for name in PICTURES],
    }
    return index_of(tuple(PICTURES), rows, texts=texts, number=numbers)


def found(index: TagIndex, text: str) -> str:
    """The places of the pictures that fit, as digits."""
    return "".join(map(str, places_of(read_filter(text).holds(index))))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", "0123"), ("smile", "0"), ("tag:smile", "0"), ("SMILE", "0"), ("NOT smile", "123"), ("-smile", "123"),
        ("closed_mouth red_eyes", "12"), ("closed_mouth, red_eyes", "12"), ("closed_mouth AND red_eyes", "12"),
        ("smile | red_eyes", "012"), ("smile or red_eyes", "012"), ("smile | red_eyes, -boldline", "02"),
        ("(smile | red_eyes), -boldline", "02"), ("not (smile | red_eyes)", "3"), ("*_eyes", "012"), ("?ed_eyes", "12"),
        ('"looking at viewer"', "2"), ('tag:"looking at viewer"', "2"), ("looking_at_viewer", "2"), ("blaze_(marking)", "0"),
        ("blaze_marking", "0"), (r"blaze_\(marking\)", "0"), (">_<", "2"), ("group:eye_colour", "012"), ("artist:*", "1"),
        ("artist:smile", ""),
        ("score(smile)>0.3 AND NOT tag:smile", "3"), ("score(smile) >= 0.2", "013"), ('score("smile")=.2', "1"),
        ("tags>3", "02"), ("tags=0", "3"), ("tokens>75", "12"), ("tags<9 -tags=0", "012"), ("name:e621_2", "12"),
        ("name:e621_2.2", "2"), ("name:own_*", "3"), ('caption:"open mouth"', "0"), ("caption:zorvex", "0123"), ("is:head", "2"),
        ("NOT NOT smile", "0"), ("--smile", "0"), ("unknown_tag", ""), ("re:zero", ""), ("unset:mouth", "3"),
        ("((smile))", "0"), ("andor | smile", "0"), ("NOT(smile)", "123"),
    ],
)  # fmt: skip
def test_a_filter_means_what_a_person_would_read(index: TagIndex, text: str, places: str) -> None:
    assert found(index, text) == places


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smile AND", "at its end: a tag or"),
        ("AND smile", r"at letter 1 \('AND smile'\): a tag"),
        ("smile NOT )", r"at letter 11 \('\)'\)"),
        ("(smile | x", "at its end: a '\\(' is not closed"),
        ("smile)", r"at letter 6 \('\)'\): there is a '\)' too many"),
        ('"smile', "a quotation mark is not closed"),
        ('tag:""', "nothing stands between"),
        ("group:", "'group:' needs a word"),
        ("score(smile)", r"a score is written score\(tag\)>0.5"),
        ("score(smile)>much", r"a score is written score\(tag\)>0.5"),
        ("score()>0.5", "needs a tag"),
        ("smile,,fox", r"at letter 7 \(',fox'\)"),
        ("NOT " * 60 + "x", "deep"),
        ("(" * 60 + "x" + ")" * 60, "deep"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_filter(text)


def test_tags_of_a_filter_are_named_in_its_order() -> None:
    assert read_filter("b | -a, score(c)>1, b, group:mouth").tags() == ["b", "a"]


@given(st.sets(st.integers(0, 300)))
def test_bits_and_places_are_each_other_s_reverse(places: set[int]) -> None:
    bits = bits_of(sorted(places))
    assert bits == sum(1 << place for place in places) and list(places_of(bits)) == sorted(places)


TAGS = st.sampled_from(["a", "b", "ab", "ba", "b_a"])
FILTERS = st.recursive(
    TAGS | st.sampled_from(["a*", "?b", "*"]),
    lambda inner: st.one_of(
        st.tuples(st.just("NOT"), inner), st.tuples(inner, st.sampled_from(["AND", "OR", ",", "|", ""]), inner)
    ),
    max_leaves=8,
)


def written(term: object) -> str:
    if isinstance(term, str):
        return term
    assert isinstance(term, tuple)
    return f"({' '.join(part if part in ('NOT', 'AND', 'OR', ',', '|', '') else written(part) for part in term)})"


def fits(term: object, tags: set[str]) -> bool:
    if isinstance(term, str):
        return any(fnmatchcase(tag, term) for tag in tags)
    assert isinstance(term, tuple)
    if term[0] == "NOT":
        return not fits(term[1], tags)
    left, how, right = fits(term[0], tags), term[1], fits(term[2], tags)
    return left or right if how in ("OR", "|") else left and right


@settings(max_examples=60, deadline=None)
@given(FILTERS, st.lists(st.sets(TAGS), max_size=12))
def test_a_filter_agrees_with_a_plain_reading_of_each_picture(term: object, pictures: list[set[str]]) -> None:
    rows = [(str(at), tag, "general") for at, its in enumerate(pictures) for tag in its]
    index = index_of([str(place) for place in range(len(pictures))], rows)
    expected = [at for at, tags in enumerate(pictures) if fits(term, tags)]
    assert list(places_of(read_filter(written(term)).holds(index))) == expected


@settings(max_examples=200)
@given(st.text(st.sampled_from(list("ab -|,()\"*:>.01ANDORscore")), max_size=25))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        read_filter(text)
    except UsageError as error:
        assert "cannot be read" in str(error)


def test_counts_are_of_the_chosen_pictures_the_most_common_first(index: TagIndex) -> None:
    counts = index.counts(read_filter("red_eyes").holds(index))
    assert [(one.tag, one.pictures) for one in counts[:2]] == [("closed_mouth", 2), ("red_eyes", 2)]
    assert [(one.tag, one.share) for one in counts[2:]] == [(">_<", 0.5), ("boldline", 0.5), ("looking_at_viewer", 0.5)]


@pytest.mark.parametrize("text", ["is:haed", "NOT is:haed", "group:nosuch", "unset:nosuch", "rating:zzz", 'NOT is:"haed"'])
def test_a_word_that_a_closed_list_does_not_have_is_a_sentence_and_never_every_picture(text: str) -> None:
    with pytest.raises(UsageError, match="knows "):
        read_filter(text)
