"""Every main tag falls into its group, by the table or by the rules for its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.groups import ROLES, group_of, is_coloured, is_identity, members, of_groups, one_of, role_of
from lorasmith.tags.vocabulary import MEMBERS, ONE_OF, TABLE

IN_GROUPS = {
    "colour": "red_fur orange_fur purple_fur white_fur grey_body blue_scales dark_blue_skin",
    "eye_colour": "green_eyes red_eyes dark_brown_eyes heterochromia",
    "eyes": "closed_eyes eyes_closed half-closed_eyes one_eye_closed",
    "body": "pointy_ears curled_horns tail wings anthro fluffy_grey_tail",
    "markings": "striped_fur spotted_fur white_belly facial_markings tail_stripes gloves_(marking)",
    "hair": "long_hair blue_hair two_tone_bangs",
    "species": "fox wolf mammal dragon bear pokemon_(species)",
    "mouth": "open_mouth mouth_closed smile :3 crooked_grin",
    "pose": "standing sitting lying kneeling dramatic_pose raised_tail",
    "arms": "raised_arms arms_up hand_on_hip arm_behind_back",
    "hands": "hand_on_wall v_sign v",
    "action": "holding holding_lollipop eating_noodles",
    "framing": "headshot_portrait half-length_portrait full-length_portrait close-up upper_body three-quarter_portrait",
    "view": "front_view from_behind low-angle_view aerial_view",
    "gaze": "looking_at_viewer looking_at_phone facing_left",
    "clothing": "shirt polka_dot_dress open_coat",
    "accessories": "scarf top_hat eyeglasses glasses bow red_bandana",
    "background": "white_background simple_background forest beach night city inside teal_background",
    "text_and_icons": "signature speech_bubble english_text spoken_symbol",
    "style": "sketch monochrome watercolor_(artwork) oil_(medium) red_theme",
    "count": "solo duo 1girl group male",
    "quality": "masterpiece hi_res decent_quality",
}
CASES = [(tag, group) for group, tags in IN_GROUPS.items() for tag in tags.split()]


@pytest.mark.parametrize(("tag", "group"), CASES)
def test_a_tag_falls_into_its_group(tag: str, group: str) -> None:
    assert group_of(tag) == group


def test_an_unknown_tag_has_no_group_and_counts_as_state() -> None:
    assert group_of("zorvex") is None
    assert role_of("zorvex") == "state" and role_of("zorvex", "species") == "identity"


@pytest.mark.parametrize("tag", ["purple_fur", "green_eyes", "curled_horns", "striped_fur", "fox", "long_hair", "tail"])
def test_looks_are_identity(tag: str) -> None:
    assert is_identity(tag)


@pytest.mark.parametrize(
    "tag", ["closed_eyes", "standing", "scarf", "forest", "open_mouth", "raised_tail", "sketch", "solo"]
)
def test_what_may_change_is_not_identity(tag: str) -> None:
    assert not is_identity(tag)


def test_spaces_and_case_do_not_matter() -> None:
    assert group_of("Looking at viewer") == "gaze"


def test_colours_are_seen_in_front_of_a_noun_only() -> None:
    assert is_coloured("dark_red_fur") and not is_coloured("red") and not is_coloured("long_hair")


def test_every_group_has_a_role_and_every_one_of_member_a_known_group() -> None:
    assert set(TABLE.values()) == set(MEMBERS) == set(ROLES)
    for tags in ONE_OF.values():
        assert set(tags) <= set(TABLE)
        assert len({group_of(tag) for tag in tags}) == 1


def test_one_of_groups_are_marked() -> None:
    assert one_of("open_mouth") == one_of("mouth_closed") == "mouth"
    assert one_of("smile") is None


def test_members_come_the_most_telling_first() -> None:
    assert members("pose")[:3] == ("standing", "sitting", "lying")
    assert members("no such group") == ()
    assert of_groups(["forest", "solo", "night"], ["background"]) == ["forest", "night"]


@given(st.text(max_size=40))
def test_any_text_has_a_group_or_none_and_a_role(text: str) -> None:
    assert group_of(text) in {*ROLES, None}
    assert role_of(text) in ("identity", "state", "picture")
