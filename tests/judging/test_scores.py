"""Likeness, obedience, leak and diversity of renders with known scores."""

import numpy as np
import pytest

from lorasmith.judging.judge import Judge, Judged, Spread, spread
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.scores import (
    CellScores,
    diversity,
    followed,
    kept_by_group,
    kept_share,
    likeness,
    score_cell,
)

LABELS = ("purple_fur", "fluffy_tail", "standing", "sitting", "night", "headshot_portrait")
JUDGE = Judge({tag: place for place, tag in enumerate(LABELS)}, ("purple_fur", "fluffy_tail", "unseen_look"), 0.5)


def render(prompt: PlannedPrompt, seed: int = 1, **scores: float) -> Judged:
    return Judged(prompt, seed, np.array([scores.get(tag, 0.0) for tag in LABELS], dtype=np.float32))


def flat(value: float) -> Spread:
    return Spread(value, value, value, 0.0, 4)


ALONE = PlannedPrompt("likeness", "zorvex")
SITTING = PlannedPrompt("pose", "zorvex, sitting", ("sitting",))
HEAD = PlannedPrompt("framing", "zorvex, headshot portrait", ("headshot_portrait",))
PLAIN = PlannedPrompt("plain", "standing, night", ("standing", "night"), has_trigger=False)


def test_likeness_is_the_mean_score_of_the_own_tags_that_the_tagger_knows() -> None:
    assert likeness(render(ALONE, purple_fur=1.0, fluffy_tail=0.5), JUDGE) == pytest.approx(0.75)
    assert JUDGE.unknown() == ("unseen_look",)


def test_a_headshot_is_not_blamed_for_the_tail_it_cannot_show() -> None:
    assert likeness(render(HEAD, purple_fur=0.9), JUDGE) == pytest.approx(0.9)


def test_an_own_tag_that_the_prompt_names_proves_nothing() -> None:
    named = PlannedPrompt("extra", "zorvex, purple fur", ("purple_fur",))
    assert likeness(render(named, purple_fur=1.0, fluffy_tail=0.2), JUDGE) == pytest.approx(0.2)
    everything = PlannedPrompt("described", "purple fur, fluffy tail", ("purple_fur", "fluffy_tail"), has_trigger=False)
    assert likeness(render(everything), JUDGE) is None


def test_followed_is_the_share_of_asked_tags_seen_from_the_threshold_on() -> None:
    assert followed(render(PLAIN, standing=0.5, night=0.49), JUDGE) == 0.5
    assert followed(render(ALONE), JUDGE) is None


def test_a_cell_sums_up_its_renders_by_kind() -> None:
    cell = score_cell(
        3,
        0.7,
        [
            render(ALONE, 1, purple_fur=1.0, fluffy_tail=1.0),
            render(ALONE, 2, purple_fur=0.5, fluffy_tail=0.5),
            render(SITTING, 1, sitting=0.9, purple_fur=0.9, fluffy_tail=0.9),
            render(SITTING, 2),
            render(PLAIN, 1, standing=1.0, night=1.0, purple_fur=0.4),
        ],
        JUDGE,
    )
    assert cell.likeness == Spread(pytest.approx(0.6), 0.0, 1.0, pytest.approx(np.std([1, 0.5, 0.9, 0])), 4, pytest.approx(0.35))
    assert cell.followed["pose"].mean == 0.5 and cell.followed["plain"].mean == 1.0
    assert cell.followed_mean == 0.5
    assert cell.leak is not None and cell.leak.mean == pytest.approx(0.2)
    assert cell.by_tag["purple_fur"] == pytest.approx(0.6)


def test_diversity_is_the_distance_between_seeds_of_one_prompt() -> None:
    assert diversity([render(ALONE, 1, night=1.0), render(ALONE, 2), render(HEAD, 1, night=1.0)]) == pytest.approx(
        1 / 6
    )
    assert diversity([render(ALONE)]) is None


def test_a_spread_leaves_out_what_could_not_be_judged() -> None:
    assert spread([None, 0.2, 0.4]) == Spread(pytest.approx(0.3), 0.2, 0.4, pytest.approx(0.1), 2)
    assert spread([None]) is None


def test_what_is_kept_is_relative_to_the_base_and_never_more_than_all_of_it() -> None:
    base = CellScores(None, 0.0, None, {"pose": flat(0.5), "framing": flat(1.0), "background": flat(0.0)})
    cell = CellScores(1, 1.0, None, {"pose": flat(1.0), "framing": flat(0.6), "background": flat(0.9)})
    assert kept_by_group(cell, base) == {"pose": 2.0, "framing": 0.6}
    assert kept_share(cell, base) == pytest.approx(0.8)
    assert kept_share(cell, CellScores(None, 0.0, None)) is None
