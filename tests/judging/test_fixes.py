"""What to fix, on made scores."""

from lorasmith.judging.fixes import TrainingSet, fixes
from lorasmith.judging.judge import Control, Spread
from lorasmith.judging.scores import CellScores

PICTURES = tuple(f"e621_{number}" for number in range(10))


def flat(value: float) -> Spread:
    return Spread(value, value, value, 0.0, 4)


def training(**showing: int) -> TrainingSet:
    return TrainingSet(PICTURES, {tag: PICTURES[:count] for tag, count in showing.items()}, {"striped_fur": PICTURES[7:]})


def cell(**values: object) -> CellScores:
    return CellScores(4, 1.0, flat(0.9), **values)  # type: ignore[arg-type]


BASE = CellScores(None, 0.0, flat(0.1), outfit={"scarf": Control(flat(0.8), flat(0.1))}, unasked={"forest": 0.2})


def test_a_toggle_on_every_picture_is_not_controllable_whatever_the_renders_show() -> None:
    for asked, bare in ((0.9, 0.9), (0.9, 0.0)):
        found = fixes(cell(outfit={"scarf": Control(flat(asked), flat(bare))}), BASE, training(scarf=10))
        assert [(fix.kind, fix.tag, fix.stage) for fix in found] == [("toggle_not_controllable", "scarf", "prune")]
        assert found[0].pictures == PICTURES and "10 of 10 pictures have it" in found[0].words


def test_a_toggle_that_never_shows_says_how_many_pictures_have_it() -> None:
    found = fixes(cell(outfit={"scarf": Control(flat(0.2), flat(0.0))}), BASE, training(scarf=1))
    assert [(fix.kind, fix.stage, fix.pictures) for fix in found] == [("toggle_never_shows", "prune", PICTURES[:1])]
    assert "1 of 10 pictures have it" in found[0].words and found[0].without == 0.8
    often = fixes(cell(outfit={"scarf": Control(flat(0.2), flat(0.0))}), BASE, training(scarf=5))
    assert often[0].stage == "tag", "enough pictures have it: their captions are to blame"


def test_a_toggle_that_comes_unasked_is_told_and_a_well_behaved_one_is_not() -> None:
    unasked = fixes(cell(outfit={"scarf": Control(flat(0.9), flat(0.6))}), BASE, training(scarf=5))
    assert [fix.kind for fix in unasked] == ["toggle_comes_unasked"] and "0.60" in unasked[0].words
    assert fixes(cell(outfit={"scarf": Control(flat(0.9), flat(0.1))}), BASE, training(scarf=5)) == []


def test_a_wrong_trait_names_the_pictures_that_disagree() -> None:
    found = fixes(cell(by_tag={"striped_fur": 0.3, "purple_fur": 0.9, "curled_horns": 0.4}), BASE, training())
    assert [(fix.tag, fix.pictures) for fix in found] == [("striped_fur", PICTURES[7:]), ("curled_horns", ())]
    assert "3 of 10 pictures disagree" in found[0].words and "train longer" in found[1].words


def test_a_background_leaks_when_the_lora_brings_it_and_the_set_has_it() -> None:
    found = fixes(cell(unasked={"forest": 0.8, "beach": 0.9, "night": 0.1}), BASE, training(forest=9, night=3, beach=3))
    assert [(fix.kind, fix.tag, fix.pictures) for fix in found] == [("background_leaks", "forest", PICTURES[:9])]
    assert "80%" in found[0].words and "9 of 10" in found[0].words
    usual = CellScores(None, 0.0, None, unasked={"forest": 0.7})
    assert fixes(cell(unasked={"forest": 0.8}), usual, training(forest=9)) == [], "the base alone shows it as often"


def test_tags_of_the_same_pictures_are_told_once() -> None:
    found = fixes(cell(unasked={"forest": 0.8, "tree": 0.7, "night": 0.6}), BASE, training(forest=9, tree=9, night=4))
    assert [fix.tag for fix in found] == ["forest", "night"]


def test_a_signature_in_renders_is_a_thing_to_erase() -> None:
    found = fixes(cell(unasked={"signature": 0.3}), BASE, training(signature=4), ["signature"])
    assert [(fix.kind, fix.stage, fix.pictures) for fix in found] == [("artefact", "prepare", PICTURES[:4])]


def test_without_pictures_nothing_can_be_told() -> None:
    assert fixes(cell(by_tag={"striped_fur": 0.1}), BASE, TrainingSet((), {}, {})) == []


def test_a_toggle_that_the_tagger_cannot_see_is_still_found_on_every_picture() -> None:
    set_of = TrainingSet(PICTURES, {"monocle": PICTURES, "cane": PICTURES[:3]}, {}, ("monocle", "cane"))
    found = fixes(cell(), BASE, set_of)
    assert [(fix.kind, fix.tag, fix.with_lora) for fix in found] == [("toggle_not_controllable", "monocle", None)]


def test_a_lora_that_broke_down_does_not_blame_the_set_for_what_it_cannot_draw() -> None:
    broken = cell(outfit={"scarf": Control(flat(0.1), flat(0.0))}, by_tag={"striped_fur": 0.1, "curled_horns": 0.1})
    found = fixes(broken, BASE, training(scarf=3), sound=False)
    assert [(fix.kind, fix.tag) for fix in found] == [("trait_wrong", "striped_fur")], "these pictures disagree all the same"


def test_a_single_picture_of_many_is_not_blamed_for_a_look() -> None:
    names = tuple(f"e621_{number}" for number in range(40))
    found = fixes(cell(by_tag={"striped_fur": 0.3}), BASE, TrainingSet(names, {}, {"striped_fur": names[:1]}))
    assert found[0].pictures == () and "next to no picture disagrees" in found[0].words
