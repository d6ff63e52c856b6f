"""LoRAs side by side: what is a difference and what is luck; sweeps' plots; the strength advisor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.judging.advisor import Drawn, Outcome, advise, drawn_by_base
from lorasmith.judging.chart import Mark, Series, chart
from lorasmith.judging.contest import contest, difference
from lorasmith.judging.judge import Judge, Judged, Spread
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.scores import score_cell

JUDGE = Judge({"purple_fur": 0, "curled_horns": 1, "sitting": 2}, ("purple_fur", "curled_horns"))
ALONE, SITTING = PlannedPrompt("likeness", "zorvex"), PlannedPrompt("pose", "zorvex, sitting", ("sitting",))


def renders(like: float, sits: float = 1.0) -> list[Judged]:
    rng = np.random.default_rng(1)
    return [
        Judged(prompt, seed, np.array([like + rng.uniform(-0.02, 0.02), like, sits]))
        for prompt in (ALONE, SITTING) for seed in range(6)
    ]  # fmt: skip


def found(*likes: float, sits: float = 1.0) -> list[str]:
    columns = [renders(0.1), *(renders(like, sits if place else 1.0) for place, like in enumerate(likes))]
    cells = [score_cell(place or None, 1.0, column, JUDGE) for place, column in enumerate(columns)]
    table = contest([f"lora {place}" for place in range(len(likes))], cells, columns, JUDGE)
    assert [len(line.values) for line in table.lines] == [len(columns)] * len(table.lines)
    return list(table.words)


def test_a_likelier_lora_is_called_so_with_its_error() -> None:
    assert found(0.8, 0.6)[0].startswith("lora 1 against lora 0: -0.20 in likeness (± 0.00)")


def test_equal_loras_are_no_different_by_more_than_luck() -> None:
    assert found(0.8, 0.8) == ["lora 1 and lora 0: no difference that 12 renders could tell from luck."]


def test_one_that_follows_less_is_called_so() -> None:
    assert "-1.00 in prompts followed" in found(0.8, 0.8, sits=0.0)[0]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_a_difference_is_the_same_either_way_round(values: list[float]) -> None:
    pairs = [(value, 1 - value) for value in values]
    one, other = difference("x", pairs), difference("x", [(b, a) for a, b in pairs])
    assert one is not None and other is not None
    assert one.mean == pytest.approx(-other.mean, abs=1e-9) and one.error == pytest.approx(other.error, abs=1e-9)


def test_pairs_in_which_one_could_not_be_judged_are_left_out() -> None:
    assert difference("x", [(0.1, None), (0.2, 0.3), (None, None)]) is None


def test_the_plot_shows_every_run_and_the_best_ones_column() -> None:
    series = [Series("likeness", (Mark(0.2, 0.1), None, Mark(0.9))), Series("kept", (Mark(1.0), Mark(0.5), Mark(0.8)))]
    picture = chart("three runs", ["rank 4", "rank 8", "a very long name of a run that needs several lines"], series, best=2)
    colours = {colour for _, colour in picture.getcolors(1 << 16) or []}
    assert {(79, 70, 200), (28, 124, 77), (238, 237, 251)} <= colours


def drawn(mean: float) -> Drawn:
    return Drawn(Spread(mean, mean, mean, 0.0, 8), Spread(0.1, 0.1, 0.1, 0.0, 8), {"purple_fur": 0.95, "curled_horns": mean})


def test_a_character_that_the_base_hardly_knows_gets_more_strength_than_one_it_knows() -> None:
    assert advise(drawn(0.0), 1.1).strength == pytest.approx(1.35, abs=0.01)
    assert advise(drawn(0.8), 1.1).strength == 1.1
    assert advise(drawn(1.0), 1.1).strength == pytest.approx(1.04, abs=0.01)
    assert "curled horns 0.00" in advise(drawn(0.0), 1.1).reasons[0] and "knows all" in advise(drawn(0.9), 1.1).reasons[0]


def test_what_runs_showed_counts_more_than_the_rule() -> None:
    low, high, good = Outcome("001", 0.5, "underbaked"), Outcome("002", 8.0, "overbaked"), Outcome("003", 2.5, "good")
    assert advise(drawn(0.5), 1.1, [low, high, good]).strength == 2.5
    assert advise(drawn(0.5), 1.1, [low, high]).strength == 2.0
    assert advise(drawn(0.5), 1.1, [low]).strength == 0.75
    assert advise(drawn(0.5), 1.1, [high]).strength == pytest.approx(5.33)


def test_without_a_look_that_can_be_seen_the_strength_stays() -> None:
    nothing = drawn_by_base([], [], JUDGE)
    assert nothing.described is None and advise(nothing, 1.1).strength == 1.1


def test_the_base_is_measured_by_the_looks_that_the_prompt_names() -> None:
    named = PlannedPrompt("described", "purple fur, curled horns", ("purple_fur", "curled_horns"), has_trigger=False)
    plain = PlannedPrompt("plain", "full-length portrait", (), has_trigger=False)
    seen = drawn_by_base([Judged(named, 1, np.array([0.9, 0.1, 0]))], [Judged(plain, 1, np.array([0.2, 0.0, 0]))], JUDGE)
    assert seen.described is not None and seen.described.mean == pytest.approx(0.5)
    assert seen.unnamed is not None and seen.unnamed.mean == pytest.approx(0.1)
    assert seen.by_tag == {"purple_fur": pytest.approx(0.9), "curled_horns": pytest.approx(0.1)}
