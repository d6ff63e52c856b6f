"""How scores are spread: columns and steps, for any scores."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from lorasmith.settings.tables import ResearchSettings
from lorasmith.stages.research.scores import bins_of, read_scores, spread, steps_of
from lorasmith.stages.research.stage import research
from tests.demo.plain import PlainPost

ROBIN = {"character": ("robin",), "general": ("solo",)}


@given(st.lists(st.integers(-500, 30_000), max_size=300))
def test_every_score_is_in_one_column_and_steps_count_what_is_left(scores: list[int]) -> None:
    scores.sort()
    bins, steps = bins_of(scores), steps_of(scores)
    assert sum(one.posts for one in bins) == len(scores)
    assert all(one.start < one.end for one in bins) and all(a.end == b.start for a, b in zip(bins, bins[1:], strict=False))
    assert all(left == sum(score >= step for score in scores) for step, left in steps)
    assert len(steps) == len(set(scores))


def test_many_different_scores_are_told_in_a_thousand_steps() -> None:
    steps = steps_of(list(range(25_000)))
    assert len(steps) <= 1001 and steps[0] == (0, 25_000) and steps[-1] == (24_999, 1)


def test_research_leaves_the_scores_of_what_passes(robin: Project, serve: Callable[..., DemoBooru]) -> None:
    posts: list[Any] = [PlainPost(number, tags=ROBIN, score=number * 10) for number in range(1, 9)]
    posts.append(PlainPost(20, tags=ROBIN | {"general": ("solo", "animated")}, score=999))
    settings = robin.settings(ResearchSettings, {"site_url": serve(posts).url, "min_area": 0, "previews": 0})
    research(robin, settings)
    assert read_scores(robin) == [10, 20, 30, 40, 50, 60, 70, 80]
    lines = (robin.research / "posts.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "post,score,left_out" and "e621_20,999,blacklist" in lines
    found = spread(robin)
    assert (found.posts, found.now, found.suggested) == (8, 0, None)


def test_a_project_without_research_has_no_scores_and_a_damaged_file_neither(robin: Project) -> None:
    assert spread(robin).posts == 0 and spread(robin).bins == ()
    robin.research.mkdir(exist_ok=True)
    (robin.research / "posts.csv").write_text("nonsense", encoding="utf-8")
    assert read_scores(robin) == []
