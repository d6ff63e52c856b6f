"""Several characters in one LoRA: what is asked, what one shows of another, and what is said of it."""

import numpy as np
import pytest

from lorasmith.judging.blend import blend_in, blends_in_words
from lorasmith.judging.fixes import TrainingSet, fixes
from lorasmith.judging.judge import Judge, Judged
from lorasmith.judging.plan import PlannedPrompt, Sought, Wishes, evaluation_prompts
from lorasmith.judging.record import compared
from lorasmith.judging.scores import CellScores, likeness, score_cell

TAGS = ("purple_fur", "horns", "fox", "yellow_fur", "long_ears", "solo", "duo", "full_body", "portrait", "scarf", "sitting")
INDEX = {tag: place for place, tag in enumerate(TAGS)}
CAST = {"zorvex": ("purple_fur", "horns", "fox"), "quillam": ("yellow_fur", "long_ears", "fox")}
JUDGE = Judge(INDEX, ("purple_fur", "horns", "fox", "yellow_fur", "long_ears"), cast=CAST)
SOUGHT = (Sought("zorvex", CAST["zorvex"], ("scarf",)), Sought("quillam", CAST["quillam"]))


def judged(who: tuple[str, ...], seed: int = 1, asked: tuple[str, ...] = (), **scores: float) -> Judged:
    vector = np.zeros(len(TAGS), np.float32)
    for tag, score in scores.items():
        vector[INDEX[tag]] = score
    return Judged(PlannedPrompt("likeness", ", ".join(who), asked, bool(who), who), seed, vector)


def test_every_character_is_asked_by_itself_and_every_two_together() -> None:
    prompts = evaluation_prompts("duo", Wishes(JUDGE.core, {}, set(TAGS), {"scarf": ("scarf",)}, cast=SOUGHT))
    of_kind = {kind: [(one.text, one.who) for one in prompts if one.kind == kind] for kind in ("likeness", "blend", "group", "toggle")}
    assert of_kind == {
        "likeness": [("zorvex", ("zorvex",)), ("quillam", ("quillam",))],
        "blend": [("zorvex, solo", ("zorvex",)), ("quillam, solo", ("quillam",))],
        "group": [("zorvex, quillam, duo, full body", ("zorvex", "quillam"))],
        "toggle": [("zorvex, full body, scarf", ("zorvex",))],
    }
    assert {one.who for one in prompts if one.kind == "framing"} == {("zorvex",), ("quillam",)}
    assert [one.asked for one in prompts if one.kind == "described"] == list(CAST.values())


def test_one_character_is_asked_as_ever() -> None:
    prompts = evaluation_prompts("zorvex", Wishes(CAST["zorvex"], {}, set(TAGS)))
    assert all(one.who == () for one in prompts) and not {"blend", "group"} & {one.kind for one in prompts}


def test_a_persons_own_prompt_is_for_those_whom_it_names() -> None:
    wishes = Wishes(JUDGE.core, {}, set(TAGS), extra=("{trigger}, scarf", "quillam and zorvex", "a forest"), cast=SOUGHT)
    own = [one for one in evaluation_prompts("x", wishes) if one.kind == "extra"]
    assert [(one.who, one.has_trigger) for one in own] == [(("zorvex",), True), (("zorvex", "quillam"), True), ((), False)]


def test_only_looks_that_the_other_alone_has_count_as_blend() -> None:
    assert blend_in(judged(("zorvex",), purple_fur=1, fox=1), JUDGE) == 0
    assert blend_in(judged(("zorvex",), yellow_fur=1, fox=1), JUDGE) == pytest.approx(0.5)
    assert blend_in(judged(("zorvex",), asked=("yellow_fur",), yellow_fur=1), JUDGE) == 0, "what was asked for is no blend"
    assert blend_in(judged(("zorvex", "quillam"), yellow_fur=1), JUDGE) is None
    assert blend_in(judged((), yellow_fur=1), JUDGE) is None


def test_likeness_is_that_of_the_one_who_is_asked_for_and_leak_that_of_the_likest() -> None:
    assert likeness(judged(("quillam",), yellow_fur=1, long_ears=1, fox=1), JUDGE) == pytest.approx(1)
    assert likeness(judged(("zorvex",), yellow_fur=1, long_ears=1, fox=1), JUDGE) == pytest.approx(1 / 3)
    assert likeness(judged((), yellow_fur=1, long_ears=1, fox=1), JUDGE) == pytest.approx(1)


def blended_cell(epoch: int | None, shown: float) -> CellScores:
    renders = [judged(("quillam",), seed, yellow_fur=1, purple_fur=shown, horns=shown) for seed in (1, 2)]
    renders += [judged(("zorvex",), seed, purple_fur=1, horns=1, fox=1) for seed in (1, 2)]
    renders += [judged(("zorvex", "quillam"), 1, purple_fur=1, yellow_fur=1)]
    return score_cell(epoch, 1.0, renders, JUDGE)


def test_a_cell_tells_each_ones_likeness_both_blends_and_the_two_together() -> None:
    cell = blended_cell(3, 0.6)
    assert {name: round(value.mean, 2) for name, value in cell.each.items()} == {"zorvex": 1.0, "quillam": 0.33}
    shown = [(one.asked, one.other, round(one.shown.mean, 2)) for one in cell.blends]
    assert shown == [("quillam", "zorvex", 0.6), ("zorvex", "quillam", 0.0)]
    assert cell.blend is not None and cell.blend.mean == pytest.approx(0.3) and cell.blend.over_seeds is not None
    assert cell.together is not None and cell.together.mean == pytest.approx(0.4)
    whats = [row.what for row in compared(cell, blended_cell(None, 0.1))]
    assert {"likeness of zorvex", "likeness of quillam", "blend", "zorvex where quillam is asked", "likeness together"} <= set(whats)
    told = blends_in_words(cell.blends, blended_cell(None, 0.1).blends)
    assert told[0] == "quillam shows zorvex at 0.60 ± 0.00 over seeds, 0.10 without the LoRA"


@pytest.mark.parametrize(
    ("cast", "draws", "stage", "words", "named"),
    [
        (({"a", "b", "c", "d"}, {"e"}), (8, 2), "train", "quillam has 20% of their draws", {"e"}),
        (({"a", "b", "e"}, {"e", "f"}), (6, 6), "prune", "1 of these both", {"e"}),
        (({"a", "b", "c", "d"}, {"e"}), (4, 4), "prune", "Add pictures of quillam", {"e"}),
        (({"a", "b"}, {"e", "f"}), (4, 4), "tag", "each caption names who is on the picture", {"e", "f"}),
    ],
)
def test_a_blend_is_to_be_fixed_with_the_pictures_and_the_imbalance_told(
    cast: tuple[set[str], set[str]], draws: tuple[int, int], stage: str, words: str, named: set[str]
) -> None:
    names = dict(zip(CAST, (tuple(sorted(each)) for each in cast), strict=True))
    training = TrainingSet(tuple("abcdef"), {}, {}, (), names, dict(zip(CAST, draws, strict=True)))
    found = [one for one in fixes(blended_cell(3, 0.6), blended_cell(None, 0.1), training) if one.kind == "characters_blend"]
    assert len(found) == 1 and found[0].tag == "quillam" and found[0].stage == stage and set(found[0].pictures) == named
    assert words in found[0].words and "at 0.60, 0.10 without the LoRA (" in found[0].words


def test_characters_that_do_not_blend_are_left_alone() -> None:
    training = TrainingSet(("a",), {}, {}, (), {"zorvex": ("a",), "quillam": ("a",)}, {})
    for with_lora, chance in ((0.1, 0.1), (0.6, 0.55)):
        found = fixes(blended_cell(3, with_lora), blended_cell(None, chance), training)
        assert not [one for one in found if one.kind == "characters_blend"], "what comes by chance is no blend"


def test_a_character_that_is_learnt_less_than_another_is_told() -> None:
    training = TrainingSet(("a", "b"), {}, {}, (), {"zorvex": ("a",), "quillam": ("b",)}, {"zorvex": 3, "quillam": 1})
    found = [one for one in fixes(blended_cell(3, 0.1), blended_cell(None, 0.1), training) if one.kind == "character_behind"]
    assert [(one.tag, one.stage, one.pictures) for one in found] == [("quillam", "train", ("b",))]
    assert "quillam is learnt less than zorvex (likeness 0.33 and 1.00) with 25% of the draws" in found[0].words
