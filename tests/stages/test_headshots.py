"""Which heads become pictures of their own: a share of the set, the best first, no twins, and a reason for each left out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.imaging.crop import Box
from lorasmith.imaging.framing import Framing, SeenHead
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.prepare.headshots import Headshots, choose_heads
from lorasmith.stages.prepare.stage import prepare
from tests.stages.test_suggestions import add_scene

SETTINGS = PrepareSettings(head_share=0.25)
NO_LIKENESS = ("0f" * 8, "f0" * 8, "3c" * 8, "c3" * 8, "55" * 8, "aa" * 8, "99" * 8, "66" * 8, "00ff" * 4, "ff00" * 4)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p", "nick") as opened:
        yield opened


def head(at: int, side: int = 400, *, whole: bool = True, sharpness: float = 0.8) -> SeenHead:
    return SeenHead(Box(10, 10, 10 + side, 10 + side), 0.9, 1.0, whole, sharpness, NO_LIKENESS[at], NO_LIKENESS[-at - 1])


def chosen(project: Project, heads: dict[str, SeenHead | None], settings: PrepareSettings = SETTINGS) -> tuple[set[str], Headshots]:
    looks = {name: (project.pictures.get(name), Framing(None, one)) for name, one in heads.items()}
    return choose_heads(project, looks, settings)


def test_headshots_become_the_wanted_share_of_all_and_those_there_count(project: Project) -> None:
    for at in range(8):
        add_scene(project, f"own_{at}", tags=("solo", "headshot_portrait") if at == 0 else ("solo",))
    names, told = chosen(project, {f"own_{at}": head(at) for at in range(8)})
    assert told.there == 1 and told.wanted == told.chosen == len(names) == 2  # (1 + 2) of 10 are the first to reach a quarter
    assert told.reasons == {"is a headshot already": 1, "others are better": 5}
    names, told = chosen(project, {f"own_{at}": head(at) for at in range(8)}, PrepareSettings(head_share=1.0))
    assert len(names) == 7


def test_the_sharp_the_large_and_the_whole_come_first(project: Project) -> None:
    for at in range(4):
        add_scene(project, f"own_{at}")
    heads = {"own_0": head(0, 300), "own_1": head(1, sharpness=0.2), "own_2": head(2, whole=False), "own_3": head(3, 450)}
    names, _ = chosen(project, heads)
    assert names == {"own_3", "own_0"}


def test_twins_are_left_out_with_the_name_of_the_other(project: Project) -> None:
    for at in range(3):
        add_scene(project, f"own_{at}")
    names, told = chosen(project, {"own_0": head(0), "own_1": head(0), "own_2": head(2)}, PrepareSettings(head_share=0.5))
    assert names == {"own_0", "own_2"} and told.left_out[0].why == "like the head of own_0"


@pytest.mark.parametrize(
    ("tags", "seen", "why"),
    [
        (("solo",), None, "no head found"),
        (("solo",), head(0, 100), "too small for the resolution"),
        (("duo",), head(0), "more than one character"),
        (("solo", "rear_view"), head(0), "seen from behind"),
        (("solo",), head(0, 620), "is a headshot already"),
    ],
)
def test_each_head_that_is_left_out_has_a_reason(
    project: Project, tags: tuple[str, ...], seen: SeenHead | None, why: str
) -> None:
    add_scene(project, "own_1", tags=tags)
    names, told = chosen(project, {"own_1": seen}, PrepareSettings(head_share=1.0))
    assert not names and told.reasons == {why: 1}


def test_prepare_makes_the_share_and_the_same_again_makes_nothing(project: Project) -> None:
    for at in range(5):
        add_scene(project, f"own_{at}", seed=at)
    first = prepare(project, SETTINGS)
    assert first.head_crops == first.headshots.chosen == first.headshots.wanted == 2
    again = prepare(project, SETTINGS)
    assert again.made_now == 0 and again.headshots == first.headshots
    assert prepare(project, PrepareSettings(head_crops=False)).head_crops == 0
