"""The token meter counts what CLIP's tokenizer counts, and cuts where the WebUIs cut."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.checkpoints import emphasis
from lorasmith.checkpoints.clip.tokenizer import load_tokenizer
from lorasmith.checkpoints.prompts import cut
from lorasmith.tags.spelling import with_spaces
from lorasmith.tags.tokens import COMMA, WINDOW, count_prompt, count_tokens, meter, tokens_of, windows_of
from lorasmith.tags.vocabulary import TABLE

TAGS = st.sampled_from(sorted(TABLE)).map(with_spaces)
CAPTIONS = st.lists(TAGS, max_size=60).map(", ".join)
ASSIGNED = st.characters(exclude_categories=("Cs", "Cn"))  # letters newer than Python's own Unicode are not compared
ODD = st.text(st.sampled_from("abzéßİǅ ﬁñ漢字かñ½²٣0123'’sStTrReE,.:;_^()<>|!?\\-\u200b\u0301\n\t\x1c\x85\u3000🦊"), max_size=40)


@pytest.fixture(scope="module", autouse=True)
def vocabularies_are_read() -> None:
    """Reads both once, before anything is timed."""
    assert len(tokens_of("fox")) == len(ids_by_transformers("fox"))


def ids_by_transformers(text: str) -> list[int]:
    return load_tokenizer()(text, add_special_tokens=False, verbose=False)["input_ids"]


@given(st.one_of(ODD, st.text(ASSIGNED, max_size=30), CAPTIONS))
def test_tokens_are_those_of_the_real_tokenizer(text: str) -> None:
    assert [token.id for token in tokens_of(text)] == ids_by_transformers(text)
    assert count_tokens(text) == len(tokens_of(text)) and count_prompt(text) == meter(text).tokens


def test_every_tag_of_the_table_is_the_real_tokenizer_s_tokens() -> None:
    names = [form for tag in TABLE for form in (tag, with_spaces(tag))]
    told = load_tokenizer()(names, add_special_tokens=False, verbose=False)["input_ids"]
    assert [[token.id for token in tokens_of(name)] for name in names] == told


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("looking at viewer", 3), ("looking_at_viewer", 5), ("1girl", 2), ("countershading", 2), ("solo", 1), ("ohwx", 1),
        ("^_^", 1), ("mychar01", 4), ("hu tao (genshin impact)", 7), (r"hu tao \(genshin impact\)", 9), ("", 0),
        ("it's <|endoftext|>", 3),
    ],
)  # fmt: skip
def test_what_is_known_of_tokens_is_so(text: str, count: int) -> None:
    assert count_tokens(text) == count


@given(CAPTIONS)
def test_windows_are_cut_where_the_webuis_cut_them(caption: str) -> None:
    chunks = cut(load_tokenizer(), emphasis.plain(caption))
    windows = windows_of([token.id for token in tokens_of(caption)])
    told = [sum(1 for token in chunk.ids[1:] if token != 49407) for chunk in chunks]
    assert [windows.count(number) for number in range(len(chunks))] == told
    assert meter(caption).windows == len(chunks)


@given(st.lists(st.sampled_from([COMMA, 320, 321]), max_size=400))
def test_no_window_holds_more_than_it_can_and_none_is_left_out(ids: list[int]) -> None:
    windows = windows_of(ids)
    assert len(windows) == len(ids) and windows == sorted(windows)
    assert all(0 < windows.count(number) <= WINDOW for number in range(max(windows, default=-1) + 1))


@given(CAPTIONS)
def test_the_tags_shares_add_up(caption: str) -> None:
    read = meter(caption)
    assert sum(tag.tokens for tag in read.tags) == read.tokens == count_tokens(caption)
    assert len(read.crossings) >= (read.windows > 1)
    assert [tag.tag for tag in read.tags] == [tag.lower() for tag in caption.split(", ") if tag]


def test_a_tag_counts_with_its_comma_and_the_last_has_none() -> None:
    read = meter("zorvex, solo, looking at viewer")
    assert [(tag.tag, tag.tokens) for tag in read.tags][1:] == [("solo", 2), ("looking at viewer", 3)]
    assert read.windows == 1 and not read.crossings


def test_the_tag_at_which_the_window_is_full_moves_whole_into_the_next() -> None:
    caption = ", ".join(["solo"] * 36 + ["looking at viewer and far beyond it", "night"])  # 72 tokens, then 7
    read = meter(caption)
    assert [(one.window, one.tag, one.torn) for one in read.crossings] == [(1, "looking at viewer and far beyond it", False)]
    assert [tag.window for tag in read.tags[-3:]] == [1, 2, 2]


def test_a_sentence_without_a_comma_near_is_cut_in_two() -> None:
    (crossing,) = meter("fox " * 90).crossings
    assert crossing.torn and crossing.window == 1


def test_escaped_brackets_count_as_brackets() -> None:
    assert meter(r"fox \(species\)").tokens == meter("fox (species)").tokens


def test_the_meter_needs_neither_torch_nor_transformers() -> None:
    words = "import sys; from lorasmith.tags.tokens import meter; meter('solo, fox'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "tokenizers", "numpy"} & set(done.stdout.split())
