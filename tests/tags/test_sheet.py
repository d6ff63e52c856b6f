"""The character sheet survives its own writing, and a person's hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.tags.sheet import CharacterSheet, SheetTag, read_sheet, write_sheet

TAG = st.one_of(
    st.lists(st.text("abz09-'/!?.", min_size=1, max_size=5), min_size=1, max_size=3).map("_".join),
    st.sampled_from(["fox_(species)", "bird's-eye_view"]),
    st.sampled_from([":3", ":d", "^_^", ">_<", "o_o", "+_+", "...", "\\o/", "*_*"]),
)
WORDS = st.text("Abz0 ,.:%()-", min_size=1, max_size=20).map(lambda text: f"a{text}.")
ENTRY = st.builds(SheetTag, TAG, st.none() | st.integers(0, 100), st.just("") | WORDS)
ENTRIES = st.lists(ENTRY, max_size=5, unique_by=lambda one: one.tag).map(tuple)
LINES = st.lists(st.just("") | WORDS | WORDS.map("- {}".format), max_size=4)
TEXT = LINES.map(lambda lines: "\n".join(lines).strip("\n"))
HEADING = WORDS.filter(lambda text: text.lower() not in ("names", "notes", "toggles", "choices", "core looks"))
REMARKS = st.dictionaries(
    st.sampled_from(["", "Names", "Core looks", "Toggles", "Choices"]),
    st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    max_size=3,
)
SHEETS = st.builds(
    CharacterSheet,
    WORDS,
    st.dictionaries(st.sampled_from(["e621", "danbooru", "my site"]), TAG),
    ENTRIES,
    ENTRIES,
    ENTRIES,
    TEXT,
    st.lists(st.tuples(HEADING, TEXT), max_size=2).map(tuple),
    REMARKS,
)


@settings(max_examples=60, deadline=None)
@given(SHEETS)
def test_a_written_sheet_is_read_back_as_it_was(sheet: CharacterSheet) -> None:
    assert read_sheet(write_sheet(sheet)) == sheet


@given(st.text(max_size=200))
def test_any_text_is_read_and_writing_it_settles_after_one_turn(text: str) -> None:
    once = write_sheet(read_sheet(text))
    assert write_sheet(read_sheet(once)) == once


def test_a_sheet_edited_by_hand_is_understood() -> None:
    sheet = read_sheet(
        "\ufeff# Zorvex\r\nA trickster.\r\n\r\n## TOGGLES\r\n* glowing markings (12,5 %) : at night\n+ `top_hat`\n"
        "he lost it once\n\n## core looks\n- purple fur ( 96% ): darker on the back\n- :3\n\n"
        "## Names\n- e621: zorvex (inkwood)\n## Outfits\n- pirate\n"
    )
    assert sheet.trigger == "Zorvex" and sheet.site_names == {"e621": "zorvex_(inkwood)"}
    assert sheet.core == (SheetTag("purple_fur", 96, "darker on the back"), SheetTag(":3"))
    assert sheet.toggles[-1] == SheetTag("top_hat")
    assert sheet.other == (("Outfits", "- pirate"),)
    assert sheet.remarks[""] == ("A trickster.",) and sheet.remarks["Toggles"][-1] == "he lost it once"
    assert sheet.core_names() == ("purple_fur", ":3")


def test_what_the_reader_does_not_know_is_written_back() -> None:
    text = write_sheet(read_sheet("# Zorvex\n\n## Choices\n- scarf\nthe blue one\n\n## My list\n1. one\n   - two\n"))
    assert "the blue one" in text and "## My list\n\n1. one\n   - two\n" in text


def test_an_empty_sheet_reads_as_an_empty_character() -> None:
    assert read_sheet("") == CharacterSheet("")


def test_the_side_of_a_choice_that_a_person_picked_joins_the_core() -> None:
    text = "# Zor\n## Choices\n- blue_eyes (60 %): eye colour, pick\n- green_eyes (35 %): eye colour\n## Toggles\n- scarf\n"
    sheet = read_sheet("## Core looks\n- purple_fur\n" + text)
    assert sheet.core_names() == ("purple_fur", "blue_eyes")
    assert sheet.told_names() == ("scarf", "green_eyes")
    assert read_sheet(write_sheet(sheet)).core_names() == ("purple_fur", "blue_eyes")


def test_a_tag_is_moved_between_classes_and_keeps_its_note_and_the_rest_stays() -> None:
    core = "- fur (96 %): darker on the back\n- horns (80 %)\n\nsome prose\n"
    text = f"# z\n\n## Core looks\n\n{core}\n## Toggles\n\n- hat (30 %)\n\n## Mine\n\nwords\n"
    sheet = read_sheet(text)
    moved = sheet.moved("fur", "choice")
    assert moved.classes() == {"fur": "choice", "horns": "core", "hat": "toggle"} and moved.choices[0].note == "darker on the back"
    picked = moved.moved("fur", "picked")
    assert picked.classes()["fur"] == "picked" and "fur" in picked.core_names()
    assert picked.choices[0].note == "darker on the back, pick"
    assert picked.moved("fur", "picked") == picked and picked.moved("fur", "choice") == moved
    back = picked.moved("fur", "core")
    assert write_sheet(back) == write_sheet(sheet) and read_sheet(write_sheet(back)).other == (("Mine", "words"),)
    assert "fur" not in sheet.moved("fur", "state").classes()
    assert sheet.moved("new tag", "core", 85).core[1].tag == "new_tag"
    with pytest.raises(ValueError, match="nonsense"):
        sheet.moved("fur", "nonsense")
