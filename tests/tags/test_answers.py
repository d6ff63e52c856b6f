"""Every question has an answer or is visibly unset; what contradicts itself is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.answers import ASKED, answers, conflicts, unset
from lorasmith.tags.groups import one_of
from lorasmith.tags.profile import class_of
from lorasmith.tags.vocabulary import ONE_OF, TABLE, UMBRELLAS

TAGS = st.lists(st.sampled_from(sorted(TABLE)), unique=True, max_size=12)


@given(TAGS)
def test_each_question_is_answered_by_a_tag_of_the_picture_or_by_none(tags: list[str]) -> None:
    found = answers(tags)
    assert tuple(found) == ASKED
    assert all(tag is None or tag in tags for tag in found.values())
    assert unset(tags) == [group for group in ASKED if found[group] is None]


@given(TAGS, st.sampled_from([tag for tags in ONE_OF.values() for tag in tags]))
def test_a_member_of_a_one_of_group_always_answers_it(tags: list[str], member: str) -> None:
    group = str(one_of(member))
    if group in ASKED:
        assert answers([*tags, member])[group] is not None


@given(TAGS)
def test_a_conflict_is_between_tags_of_the_picture_and_never_of_one_alone(tags: list[str]) -> None:
    for group, sides in conflicts(tags).items():
        assert group in ONE_OF and len(set(sides)) > 1 and set(sides) <= set(tags) and not UMBRELLAS & set(sides)


def test_no_tags_leave_every_question_open() -> None:
    assert unset([]) == list(ASKED) and conflicts([]) == {}


@pytest.mark.parametrize(
    ("tags", "group", "tag"),
    [
        ("portrait half-length_portrait", "framing", "half-length_portrait"),
        ("on_back solo", "pose", "on_back"),
        ("sitting_on_rock", "pose", "sitting_on_rock"),
        ("Closed_Eyes", "gaze", "Closed_Eyes"),
        (":d", "mouth", ":d"),
        ("white_background", "inside", "white_background"),
        ("white_background", "light", "white_background"),
        ("headshot_portrait", "pose", "headshot_portrait"),
        ("upper_body sitting", "pose", "sitting"),
        ("full_body", "pose", None),
        ("bedroom", "place", "bedroom"),
        ("bedroom", "light", "bedroom"),
        ("forest", "light", None),
        ("1girl", "count", "1girl"),
        ("head_tilt", "gaze", None),
        ("smile", "mouth", None),
        ("reference_sheet", "framing", "reference_sheet"),
    ],
)
def test_a_question_finds_its_answer(tags: str, group: str, tag: str | None) -> None:
    assert answers(tags.split())[group] == tag


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("open_mouth mouth_closed", {"mouth": ("open_mouth", "mouth_closed")}),
        ("mouth_closed closed_mouth eyes_closed closed_eyes squatting crouching", {}),
        ("solo standing on_back", {"pose": ("standing", "on_back")}),
        ("duo standing sitting open_mouth closed_mouth", {}),
        ("portrait full-length_portrait", {}),
        ("from_behind from_above", {}),
        ("tongue_out open_mouth smile", {}),
        ("half-closed_eyes narrowed_eyes", {}),
        ("inside beach", {}),
        ("inside outdoors", {"inside": ("inside", "outdoors")}),
        ("white_background detailed_background", {"place": ("white_background", "detailed_background")}),
    ],
)
def test_what_cannot_both_be_is_a_conflict_and_what_can_is_none(tags: str, found: dict) -> None:
    assert conflicts(tags.split()) == found


@pytest.mark.parametrize(
    ("kind", "tags"),
    {
        "core": """blue_eyes purple_fur grey_body blue_skin dark_skin striped_fur countershading countershade_face
            gloves_(marking) socks_(marking) multicolored_body two_tone_fur scar scar_on_face facial_markings fluffy_tail
            curled_horns red_hair""",
        "toggle": "scarf school_uniform top_hat glasses collar gloves ear_piercing makeup",
        "state": """from_above three-quarter_view standing closed_eyes open_mouth smile looking_at_viewer full_body
            signature speech_bubble english_text sketch monochrome forest hand_on_hip holding_sword""",
        "choice": "anthro feral humanoid",
        "other": "masterpiece zorvex",
    }.items(),
)
def test_a_tag_is_of_the_class_that_a_trainer_treats_it_by(kind: str, tags: str) -> None:
    assert {tag: class_of(tag) for tag in tags.split()} == dict.fromkeys(tags.split(), kind)


def test_a_look_that_some_posts_lack_is_a_choice_and_a_name_is_neither() -> None:
    assert class_of("blue_eyes", share=0.9) == "core" and class_of("blue_eyes", share=0.4) == "choice"
    assert class_of("some_kind", "species") == "core" and class_of("fox", "character") == "other"


@given(st.sampled_from(sorted(TABLE)))
def test_every_tag_of_the_table_has_a_class_and_only_quality_is_other(tag: str) -> None:
    assert (class_of(tag) == "other") == (TABLE[tag] == "quality")
