"""Danbooru's words in e621's and back: groups are kept, nothing is lost unsaid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.boards import Row, table, translate, twin, vocabulary_of
from lorasmith.tags.groups import group_of
from lorasmith.tags.vocabulary import TABLE

ROWS = st.sampled_from(table())
BOARDS = st.sampled_from(["danbooru", "e621"])
WORDS = sorted({*TABLE, *(tag for row in table() for tag in (*row.danbooru, *row.e621))})


@given(ROWS)
def test_every_tag_of_the_table_is_in_one_group_and_its_translation_in_the_same(row: Row) -> None:
    groups = {group_of(tag) for tag in (*row.danbooru, *row.e621)}
    assert None not in groups
    combined = row.e621 in (("smiling_at_viewer",), ("facing_viewer",))
    assert combined or len(groups) == 1


@given(ROWS)
def test_a_row_says_something_of_two_boards_or_why_it_cannot(row: Row) -> None:
    assert row.way in ("both", "to_e621", "to_danbooru")
    assert (row.danbooru and row.e621) or row.note
    assert row.way != "both" or len(row.danbooru) == len(row.e621) == 1


@given(ROWS)
def test_what_is_the_same_on_both_boards_comes_back_as_it_was(row: Row) -> None:
    if row.way == "both" and not row.note:
        there = translate(row.danbooru, "e621", "danbooru")
        assert there.tags == row.e621 and not there.notes
        assert translate(there.tags, "danbooru", "e621").tags == row.danbooru
        assert twin(row.danbooru[0]) == twin(row.e621[0])


@given(st.lists(st.sampled_from(WORDS), max_size=15), BOARDS, st.sampled_from([None, "danbooru", "e621"]))
def test_tags_keep_their_order_come_once_and_what_vanishes_is_told(tags: list[str], to: str, origin: str | None) -> None:
    done = translate(tags, to, origin)
    assert len(set(done.tags)) == len(done.tags)
    assert all(set(note.became) <= set(done.tags) and note.tag in tags and note.why for note in done.notes)
    if origin != to:
        assert translate(done.tags, to).tags == done.tags  # once said in a board's words, it stays


@pytest.mark.parametrize(
    ("to", "tags", "became"),
    [
        ("e621", "1girl solo upper_body from_behind", "female solo half-length_portrait rear_view"),
        ("e621", "1girl 1boy", "female male duo"),
        ("e621", "2girls multiple_girls", "female duo"),
        ("e621", "3girls 1boy", "female male group"),
        ("danbooru", "female solo open_smile", "1girl solo smile open_mouth"),
        ("danbooru", "female male duo", "1girl 1boy"),
        ("danbooru", "male duo", "2boys multiple_boys"),
        ("danbooru", "female trio", "3girls multiple_girls"),
        ("danbooru", "smiling_at_viewer anthro", "smile looking_at_viewer furry"),
        ("danbooru", "portrait half-length_portrait", "upper_body"),
        ("e621", "portrait", "bust_portrait"),
    ],
)
def test_a_picture_is_said_in_the_other_board_s_words(to: str, tags: str, became: str) -> None:
    other = "danbooru" if to == "e621" else "e621"
    assert translate(tags.split(), to, other).tags == tuple(became.split())


@pytest.mark.parametrize("tag", ["narrowed_eyes", "spots", "animal_ears"])
def test_a_false_friend_is_left_out_and_said(tag: str) -> None:
    for to, origin in (("e621", "danbooru"), ("danbooru", "e621")):
        done = translate([tag], to, origin)
        assert done.tags == () and done.notes[0].tag == tag


def test_an_umbrella_beside_a_more_exact_framing_is_not_missed() -> None:
    assert not [note for note in translate(["portrait", "headshot_portrait"], "danbooru", "e621").notes]
    assert translate(["portrait"], "danbooru", "e621").notes[0].became == ()


def test_an_unknown_tag_stays_and_spaces_become_underscores() -> None:
    assert translate(["zorvex", "looking at viewer"], "e621").tags == ("zorvex", "looking_at_viewer")


def test_a_site_tags_in_the_words_of_one_board() -> None:
    assert vocabulary_of("e926") == "e621" and vocabulary_of("yandere") == "danbooru"
