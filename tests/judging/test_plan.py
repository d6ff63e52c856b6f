"""The prompts of an evaluation."""

import pytest

from lorasmith.errors import RefusedError, UsageError
from lorasmith.judging.asked import FLEXIBILITY, asked_members
from lorasmith.judging.plan import PlannedPrompt, Wishes, evaluation_prompts, extra_prompt
from lorasmith.tags.vocabulary import names

KNOWN = names(
    """
    standing sitting lying raised_arms headshot_portrait half-length_portrait full-length_portrait white_background
    forest beach night inside purple_fur curled_horns scarf solo outside"""
)
LOOKS = ["purple_fur", "curled_horns", "fox"]


def plan(**values: object) -> list[PlannedPrompt]:
    wishes = {"core": LOOKS, "habits": {}, "known": KNOWN, **values}
    return evaluation_prompts("zorvex", Wishes(**wishes))  # type: ignore[arg-type]


def test_the_trigger_alone_comes_first_and_every_group_is_asked_several_ways() -> None:
    prompts = plan()
    assert prompts[0] == PlannedPrompt("likeness", "zorvex")
    asked = {kind: [prompt.asked[0] for prompt in prompts if prompt.kind == kind] for kind in FLEXIBILITY}
    assert {kind: tags for kind, tags in asked.items() if tags} == {
        "clothing": ["scarf"],
        "pose": ["standing", "sitting", "lying", "raised_arms"],
        "framing": ["headshot_portrait", "half-length_portrait", "full-length_portrait"],
        "background": ["white_background", "forest", "beach", "night"],
    }


def test_a_pose_is_asked_with_the_whole_figure_in_view_but_judged_alone() -> None:
    pose = next(prompt for prompt in plan() if prompt.kind == "pose")
    assert pose == PlannedPrompt("pose", "zorvex, full-length portrait, standing", ("standing",))


def test_only_what_the_tagger_knows_is_asked() -> None:
    assert all(tag in KNOWN for prompt in plan() for tag in prompt.asked)
    assert [prompt.kind for prompt in plan(known=frozenset())] == ["likeness"]


def test_the_set_s_own_places_are_asked_after_the_plain_ones() -> None:
    known = KNOWN | {"volcano_background"}
    asked = asked_members("background", {"volcano_background": 0.3, "scarf": 0.9}, known, 9)
    assert asked[-1] == "volcano_background" and "scarf" not in asked and "outside" not in asked


def test_looks_by_name_and_plain_scenes_leave_the_trigger_out() -> None:
    others = [prompt for prompt in plan() if not prompt.has_trigger]
    assert [prompt.kind for prompt in others] == ["described", "plain", "plain"]
    assert others[0].text == "purple fur, curled horns" and others[1].text == "solo, standing, white background"
    assert not any("zorvex" in prompt.text for prompt in others)


def test_a_person_s_prompt_is_filled_in_and_its_known_words_are_asked() -> None:
    prompt = plan(extra=["{trigger}, scarf, night, masterpiece"])[-1]
    assert prompt == PlannedPrompt("extra", "zorvex, scarf, night, masterpiece", ("scarf", "night"))
    assert not extra_prompt("a scarf", "zorvex", KNOWN).has_trigger


def test_braces_that_stand_for_nothing_are_told() -> None:
    with pytest.raises(UsageError, match="only {trigger} is known"):
        extra_prompt("{name}, night", "zorvex", KNOWN)


def test_a_prompt_with_a_minor_s_tag_is_refused() -> None:
    with pytest.raises(RefusedError):
        plan(extra=["{trigger}, child"])


def test_no_prompt_is_planned_twice() -> None:
    texts = [prompt.text for prompt in plan(habits={"forest": 0.5, "night": 0.4}, most=9, extra=["zorvex, night"])]
    assert len(texts) == len(set(texts))


def test_what_the_set_rarely_shows_is_asked_before_what_it_often_shows() -> None:
    asked = asked_members("background", {"white_background": 0.6, "forest": 0.2, "night": 0.01}, KNOWN, 3)
    assert asked == ["beach", "inside", "night"]


def test_every_view_and_expression_that_the_tagger_knows_is_asked() -> None:
    known = KNOWN | {"front_view", "side_view", "rear_view", "smile", "angry", "crying"}
    asked = {kind: [prompt.asked[0] for prompt in plan(known=known) if prompt.kind == kind] for kind in ("view", "expression")}
    assert asked == {"view": ["front_view", "side_view", "rear_view"], "expression": ["smile", "angry"]}


def test_a_toggle_is_asked_by_its_word_and_seen_by_its_tags() -> None:
    prompts = plan(toggles={"winter_outfit": ["scarf", "boots"], "monocle": ["monocle"]})
    toggles = [prompt for prompt in prompts if prompt.kind == "toggle"]
    assert toggles == [PlannedPrompt("toggle", "zorvex, full-length portrait, winter outfit", ("scarf",))]
    assert not [prompt for prompt in prompts if prompt.kind == "clothing"], "the scarf is a toggle's, and not asked twice"


def test_nothing_lewd_is_asked_though_the_set_shows_it() -> None:
    known = KNOWN | {"nude", "spread_legs", "jacket"}
    asked = {tag for prompt in plan(known=known, habits={"nude": 0.5, "spread_legs": 0.4}, most=20) for tag in prompt.asked}
    assert "jacket" in asked and not asked & {"nude", "spread_legs"}
