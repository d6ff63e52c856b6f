"""Captions of a draw."""

from hypothesis import given
from hypothesis import strategies as some

from lorasmith.training.captions import CaptionRules, draw_caption, split_tags

CAPTION = "mia, red body, blue eyes, meadow, sitting"


def drawn(rules: CaptionRules, caption: str = CAPTION) -> set[str]:
    return {draw_caption(caption, rules, f"1:{step}:0:a") for step in range(60)}


def test_a_caption_is_a_function_of_its_key() -> None:
    assert draw_caption(CAPTION, CaptionRules(), "1:5:0:a") == draw_caption(CAPTION, CaptionRules(), "1:5:0:a")
    assert draw_caption(CAPTION, CaptionRules(), "1:5:0:a") == "mia, meadow, red body, blue eyes, sitting"


def test_the_kept_tags_stay_first_and_the_others_move() -> None:
    captions = drawn(CaptionRules(keep_tokens=2))
    assert len(captions) == 6
    assert all(caption.startswith("mia, red body, ") for caption in captions)


def test_without_shuffle_the_order_stays() -> None:
    assert drawn(CaptionRules(shuffle=False)) == {CAPTION}


def test_the_separator_keeps_both_ends_and_never_reaches_the_text_encoder() -> None:
    caption = "mia, red body ||| a, b ||| masterpiece"
    shuffled = drawn(CaptionRules(keep_tokens=0), caption)
    assert shuffled == {"mia, red body, a, b, masterpiece", "mia, red body, b, a, masterpiece"}
    assert drawn(CaptionRules(shuffle=False), caption) == {"mia, red body, a, b, masterpiece"}


def test_tag_dropout_never_takes_a_kept_tag() -> None:
    captions = drawn(CaptionRules(tag_dropout=0.9))
    assert all(caption.startswith("mia") for caption in captions) and "mia" in captions


def test_caption_dropout_gives_an_empty_caption_about_as_often_as_asked() -> None:
    rules = CaptionRules(caption_dropout=0.5)
    empty = sum(draw_caption(CAPTION, rules, f"1:{step}:0:a") == "" for step in range(400))
    assert 150 < empty < 250


@given(some.text("abc ,|", max_size=40), some.integers(0, 3))
def test_without_dropouts_no_tag_is_lost_or_invented(caption: str, keep: int) -> None:
    rules = CaptionRules(keep_tokens=keep)
    wanted = split_tags(caption.replace("|||", ","))
    assert sorted(split_tags(draw_caption(caption, rules, "k"))) == sorted(wanted)


def test_tags_that_are_joined_move_as_one() -> None:
    captions = drawn(CaptionRules(keep_tokens=0), "a;;;b, c")
    assert captions == {"a, b, c", "c, a, b"}


def test_wildcards_are_text_unless_asked_for() -> None:
    caption = "mia, {red|blue} body, {{curly}}"
    assert drawn(CaptionRules(shuffle=False), caption) == {caption}
    asked = drawn(CaptionRules(shuffle=False, wildcards=True), caption)
    assert asked == {"mia, red body, {curly}", "mia, blue body, {curly}"}


def test_of_several_lines_the_first_counts_and_with_wildcards_any() -> None:
    caption = "mia, sitting\n\nmia, standing"
    assert drawn(CaptionRules(), caption) == {"mia, sitting"}
    assert drawn(CaptionRules(wildcards=True), caption) == {"mia, sitting", "mia, standing"}


def test_warm_up_lets_the_free_tags_in_one_by_one_and_never_fewer_than_one() -> None:
    rules = CaptionRules(shuffle=False)
    counts = [len(split_tags(draw_caption(CAPTION, rules, "k", shown))) for shown in (0, 0.25, 0.5, 0.75, 1)]
    assert counts == [2, 2, 3, 4, 5]
    assert draw_caption("mia", rules, "k", 0.0) == "mia"
