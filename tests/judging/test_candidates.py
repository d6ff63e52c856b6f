"""Prompts for candidates."""

from collections import Counter

import pytest

from lorasmith.errors import RefusedError
from lorasmith.judging.candidates import candidate_prompts, candidates_of_several
from lorasmith.tags.groups import group_of

KNOWN = """headshot_portrait half-length_portrait full-length_portrait front_view side_view rear_view standing sitting lying
    grey_background simple_background""".split()


def asked(habits: dict[str, float], count: int, group: str) -> Counter[str]:
    prompts = candidate_prompts("mia", habits, KNOWN, count, "grey")
    return Counter(tag for prompt in prompts for tag in prompt.asked if group_of(tag) == group)


def test_what_the_set_lacks_is_asked_most() -> None:
    views = asked({"front_view": 0.9, "side_view": 0.1, "rear_view": 0.0}, 12, "view")
    assert views["rear_view"] >= views["side_view"] > views["front_view"] == 0


def test_with_nothing_known_of_the_set_all_are_asked_alike() -> None:
    framings = asked({}, 12, "framing")
    assert set(framings.values()) == {4}


def test_a_headshot_is_asked_no_stance_and_half_a_figure_only_what_it_shows() -> None:
    for prompt in candidate_prompts("mia", {}, [*KNOWN, "raised_arms"], 24, "any"):
        poses = {tag for tag in prompt.asked if group_of(tag) in ("pose", "arms")}
        if "headshot_portrait" in prompt.asked:
            assert not poses
        elif "half-length_portrait" in prompt.asked:
            assert poses <= {"raised_arms"}
        else:
            assert len(poses) == 1


def test_half_figures_are_asked_with_raised_arms_no_oftener_than_without() -> None:
    known = "headshot_portrait half-length_portrait full-length_portrait standing sitting lying raised_arms".split()
    habits = {"headshot_portrait": 0.5, "full-length_portrait": 0.3, "half-length_portrait": 0.2}
    prompts = candidate_prompts("mia", habits, known, 96, "any")
    half = [prompt.asked for prompt in prompts if "half-length_portrait" in prompt.asked]
    raised = sum("raised_arms" in asked for asked in half)
    assert len(half) >= 40 and 0 < raised <= len(half) / 2
    assert all(len(prompt.asked) == 2 for prompt in prompts if "full-length_portrait" in prompt.asked)


def test_every_prompt_asks_for_the_character_on_the_ground() -> None:
    prompts = candidate_prompts("mia (fox)", {}, KNOWN, 5, "grey")
    assert len(prompts) == 5
    assert all(prompt.text.startswith("mia \\(fox\\), ") and "grey background" in prompt.text for prompt in prompts)
    assert candidate_prompts("mia (fox)", {}, KNOWN, 5, "grey") == prompts


def test_a_ground_that_the_tagger_does_not_know_becomes_a_plain_one() -> None:
    assert all("simple background" in each.text for each in candidate_prompts("mia", {}, KNOWN, 2, "pink"))
    assert not any("background" in each.text for each in candidate_prompts("mia", {}, KNOWN, 2, "any"))


def test_a_trigger_that_marks_minors_is_refused() -> None:
    with pytest.raises(RefusedError):
        candidate_prompts("toddler", {}, KNOWN, 1, "grey")


def test_several_characters_are_asked_for_in_turn() -> None:
    prompts = candidates_of_several(["mia", "tom"], {}, KNOWN, 5, "grey")
    assert [prompt.who for prompt in prompts] == [("mia",), ("tom",), ("mia",), ("tom",), ("mia",)]
    assert all(prompt.text.startswith(prompt.who[0]) for prompt in prompts)
