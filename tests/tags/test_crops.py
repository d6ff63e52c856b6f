"""What a crop still shows."""

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.demo.world import NEW_LOOKS, POSES, Scene
from lorasmith.tags.crops import kind_of_framing, shown_by, visible
from lorasmith.tags.vocabulary import TABLE

WHOLE = [
    "solo",
    "full-length_portrait",
    "purple_fur",
    "striped_fur",
    "curled_horns",
    "green_eyes",
    "open_mouth",
    "fluffy_tail",
    "standing",
    "raised_arms",
    "shirt",
    "boots",
    "top_hat",
    "holding_sword",
    "white_belly",
    "forest",
]


def test_a_head_crop_shows_no_pose_no_clothes_no_tail_no_feet() -> None:
    assert visible(WHOLE, "head") == [
        "solo",
        "headshot_portrait",
        "purple_fur",
        "striped_fur",
        "curled_horns",
        "green_eyes",
        "open_mouth",
        "top_hat",
        "forest",
    ]


def test_half_a_figure_shows_arms_and_shirt_but_neither_stance_nor_boots() -> None:
    left = visible(WHOLE, "upper")
    assert "half-length_portrait" in left and {"raised_arms", "shirt", "white_belly"} <= set(left)
    assert not {"standing", "boots", "full-length_portrait"} & set(left)


def test_a_crop_to_the_whole_character_keeps_its_framing_and_loses_the_empty_space() -> None:
    assert visible([*WHOLE, "negative_space"], "body") == WHOLE


def test_a_picture_without_a_framing_tag_gets_one_in_the_board_s_words() -> None:
    assert visible(["solo", "smile"], "head", "danbooru") == ["portrait", "solo", "smile"]
    assert visible(["1girl", "cowboy_shot"], "upper", "danbooru") == ["1girl", "upper_body"]


def test_framing_tags_tell_what_is_in_view() -> None:
    assert kind_of_framing("headshot_portrait") == kind_of_framing("close-up") == "head"
    assert kind_of_framing("upper_body") == "upper" and kind_of_framing("full_body") == "body"
    assert shown_by(["purple_fur", "tail", "portrait"], "head") == ["purple_fur"]


def test_the_drawn_world_s_headshot_has_just_the_tags_that_a_head_crop_keeps() -> None:
    for pose in POSES:
        looks = type(NEW_LOOKS)(**{**vars(NEW_LOOKS), "pose": pose, "marking": "white_belly"})
        whole = Scene((looks,), "forest", "full-length_portrait", "boldline", 1).tags_by_category()["general"]
        head = Scene((looks,), "forest", "headshot_portrait", "boldline", 1).tags_by_category()["general"]
        assert set(visible(whole, "head")) == set(head)


@given(st.lists(st.sampled_from(sorted(TABLE)), unique=True, max_size=15), st.sampled_from(["head", "upper", "body"]))
def test_a_crop_adds_nothing_but_its_framing_and_cropping_again_changes_nothing(tags: list[str], kind: str) -> None:
    left = visible(tags, kind)  # type: ignore[arg-type]
    assert set(left) - set(tags) <= {"headshot_portrait", "half-length_portrait"}
    assert visible(left, kind) == left  # type: ignore[arg-type]
