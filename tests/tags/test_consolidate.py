"""Core tags are found and absorbed; captions come in a fixed order, trigger first."""

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.consolidate import OTHERWISE_DRAWN, CaptionRules, caption, core_tags, in_order
from lorasmith.tags.vocabulary import TABLE

PICTURES = {
    "a": {"purple_fur", "curled_horns", "standing", "forest"},
    "b": {"purple_fur", "curled_horns", "standing", "night"},
    "c": {"purple_fur", "scarf", "standing"},
    "d": {"purple_fur", "curled_horns", "standing", "red_fur"},
}


def general(*tags: str) -> dict[str, str]:
    return dict.fromkeys(tags, "general")


def test_identity_tags_on_most_pictures_are_core_the_most_common_first() -> None:
    assert [(core.tag, core.share) for core in core_tags(PICTURES, 0.75)] == [
        ("purple_fur", 1.0),
        ("curled_horns", 0.75),
    ]


def test_a_pose_on_every_picture_is_no_core_tag() -> None:
    assert "standing" not in [core.tag for core in core_tags(PICTURES, 0.5)]


def test_kept_tags_never_and_chosen_tags_always_are_core() -> None:
    names = [core.tag for core in core_tags(PICTURES, 0.75, keep=["purple_fur"], always=["scarf"])]
    assert names == ["curled_horns", "scarf"]


def test_a_species_is_known_by_its_category() -> None:
    found = core_tags({"a": {"glorp"}}, 0.9, category_of=lambda tag: "species")
    assert [core.tag for core in found] == ["glorp"]


def test_no_pictures_have_no_core() -> None:
    assert core_tags({}, 0.5) == []


def test_the_trigger_comes_first_and_absorbs_the_core() -> None:
    tags = general("forest", "purple_fur", "open_mouth", "standing", "solo", "headshot_portrait", "scarf")
    assert caption("zorvex", tags, ["purple_fur", "curled_horns"]) == [
        "zorvex",
        "solo",
        "headshot_portrait",
        "open_mouth",
        "standing",
        "scarf",
        "forest",
    ]


def test_a_picture_that_lacks_a_core_tag_keeps_what_it_shows_instead() -> None:
    assert caption("zorvex", general("red_fur", "solo"), ["purple_fur"]) == ["zorvex", "solo", "red_fur"]


def test_names_and_quality_marks_are_left_out_but_seen_meta_stays() -> None:
    tags = {
        "boldline": "artist",
        "inkwood": "copyright",
        "zorvex": "character",
        "hi_res": "meta",
        "sketch": "meta",
        "half-length_portrait": "meta",
        "masterpiece": "general",
    }
    assert caption("zorvex", tags, []) == ["zorvex", "half-length_portrait", "sketch"]
    rules = CaptionRules(drop_categories=frozenset(["artist", "copyright", "meta"]))
    assert "zorvex" not in caption("trigger", tags, []) and "zorvex" in caption("trigger", tags, [], rules)


def test_dropped_and_implied_tags_are_left_out_and_prepended_tags_follow_the_trigger() -> None:
    rules = CaptionRules(drop=frozenset(["night"]), implied={"fox": ["mammal"]}, prepend=("style_a",))
    assert caption("zorvex", general("mammal", "fox", "night"), [], rules) == ["zorvex", "style_a", "fox"]


@given(st.lists(st.sampled_from(sorted(TABLE)), max_size=20), st.lists(st.sampled_from(sorted(TABLE)), max_size=5))
def test_a_caption_holds_no_core_tag_no_repeat_and_nothing_new(tags: list[str], core: list[str]) -> None:
    written = caption("zorvex", general(*tags), core)
    assert written[0] == "zorvex" and len(written) == len(set(written))
    assert set(written[1:]) <= set(tags) - (set(core) - OTHERWISE_DRAWN)
    assert written[1:] == in_order(written[1:])
