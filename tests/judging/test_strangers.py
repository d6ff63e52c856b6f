"""Other characters described in words: who is asked for, and what it says when they no longer come."""

from dataclasses import replace

from lorasmith.judging.plan import Wishes, evaluation_prompts
from lorasmith.judging.rank import rank
from lorasmith.judging.strangers import strangers
from lorasmith.tags.vocabulary import names
from tests.judging.test_rank import BASE, cell, spread_of

KNOWN = names("purple_fur red_fur blue_fur striped_fur green_eyes red_eyes pointy_ears round_ears long_ears solo headshot_portrait")
CORE = ("purple_fur", "striped_fur", "pointy_ears", "green_eyes")


def test_strangers_have_the_same_parts_of_other_kinds_and_nothing_of_the_character() -> None:
    found = strangers(CORE, KNOWN, 3)
    assert found[0] == ("red_fur", "round_ears", "red_eyes") and len(set(found)) == len(found) == 2
    assert all(len(looks) == 3 and not set(looks) & set(CORE) and set(looks) <= KNOWN for looks in found)


def test_without_a_part_that_could_be_otherwise_there_is_no_stranger() -> None:
    assert strangers(("fox", "curled_horns"), KNOWN, 4) == [] and strangers((), KNOWN, 4) == []
    assert strangers(("black_hair",), {"black_hair", "blonde_hair", "messy_hair"}, 4) == [("blonde_hair",)]


def test_strangers_are_asked_without_the_trigger_and_judged_by_their_looks_alone() -> None:
    prompts = evaluation_prompts("zorvex", Wishes(CORE, {}, KNOWN))
    others = [one for one in prompts if one.kind == "others"]
    assert len(others) == 2 and not any(one.has_trigger or "zorvex" in one.text for one in others)
    assert others[0].text == "solo, red fur, round ears, red eyes, headshot portrait"
    assert others[0].asked == ("red_fur", "round_ears", "red_eyes")


def test_a_lora_that_lets_nobody_else_be_drawn_is_overbaked_though_likeness_is_high() -> None:
    base = replace(BASE, followed={**BASE.followed, "others": spread_of(1.0)})
    good, greedy = (
        replace(one, followed={**one.followed, "others": spread_of(kept)})
        for one, kept in ((cell(4, 1.0, 0.85, 1.0), 0.9), (cell(8, 1.0, 0.9, 1.0), 0.6))
    )
    best = rank([good, greedy], base).best
    assert best is not None and best.epoch == 4, "the likest is not chosen where it is overbaked and another is good"
    found = {one.epoch: one for one in rank([good, greedy], base).order}
    assert found[4].bake == "good" and found[8].bake == "overbaked"
    assert "others, described without the trigger, keep 60% of the looks that the base gives them" in found[8].reason


def test_where_the_base_itself_cannot_draw_others_they_prove_nothing() -> None:
    base = replace(BASE, followed={**BASE.followed, "others": spread_of(0.0)})
    one = replace(cell(8, 1.0, 0.9, 1.0), followed={"pose": spread_of(1.0), "others": spread_of(0.0)})
    assert rank([one], base).order[0].bake == "good"
