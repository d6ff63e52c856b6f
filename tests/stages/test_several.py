"""Two characters in one LoRA, the whole road from their pictures on: trained, evaluated, published."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.checkpoints.header import read_header
from lorasmith.checkpoints.inspection import inspect
from lorasmith.demo import several
from lorasmith.project.project import Project
from lorasmith.settings.toml import read_preset
from lorasmith.stages.evaluate.stage import Evaluated
from lorasmith.stages.run import run_stage
from lorasmith.stages.tag.export_info import export_info
from tests.stages.several_project import make

FIRST, SECOND = several.LOOKS
QUICK = {"resolution": 64, "min_bucket": 64, "max_bucket": 64, "epochs": 1, "repeats": 2, "batch_size": 8, "rank": 4, "alpha": 4.0}
LOOK = {
    "epochs": 1, "weights": [1.0], "asked": 1, "seeds": [1], "report_seeds": [2, 3], "steps": 1, "guidance": 1,
    "width": 64, "height": 64,
}  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Evaluated]]:
    folder = tmp_path_factory.mktemp("several")
    drawn = several.write_folder(folder / "drawn", several.scenes(8, 2, 1), 128)
    with make(folder / "p", drawn, QUICK | read_preset("several_characters")["train"] | QUICK) as project:
        run_stage(project, "tag")
        run_stage(project, "train", flags={"sample_steps": 1, "sample_every": 1})
        yield project, run_stage(project, "evaluate", flags=LOOK)


@pytest.fixture
def scores(trained: tuple[Project, Evaluated]) -> dict[str, Any]:
    project, found = trained
    read: dict[str, Any] = json.loads((project.folder / found.folder / "scores.json").read_text(encoding="utf-8"))
    return read


def test_each_is_asked_and_what_one_shows_of_the_other_is_measured_and_told(
    trained: tuple[Project, Evaluated], scores: dict[str, Any]
) -> None:
    project, found = trained
    asked = {(row["prompt"]["kind"], tuple(row["prompt"]["who"])) for row in scores["renders"]}
    assert {("likeness", (FIRST,)), ("blend", (SECOND,)), ("group", (FIRST, SECOND)), ("framing", (SECOND,))} <= asked
    told = scores["told"]
    assert found.blend == pytest.approx(told["blend"]["mean"], abs=1e-3) and told["blend"]["over_seeds"] is not None
    assert {(one["asked"], one["other"]) for one in told["blends"]} == {(FIRST, SECOND), (SECOND, FIRST)}
    assert set(told["each"]) == {FIRST, SECOND} and told["together"]["count"] == 2
    assert len(found.blends) == 2 and all("over seeds" in line and "without the LoRA" in line for line in found.blends)
    page = Path(found.report).read_text(encoding="utf-8")
    assert "blend of the characters" in page and f"{SECOND} where {FIRST} is asked" in page and "Is each itself" in page


def test_the_lora_names_all_its_characters_wherever_it_says_what_it_is(trained: tuple[Project, Evaluated]) -> None:
    project, found = trained
    lora = project.folder / found.lora
    metadata = read_header(lora).metadata
    assert json.loads(metadata["lorasmith_triggers"]) == [FIRST, SECOND] and metadata["modelspec.trigger_phrase"] == FIRST
    assert inspect(lora)["trigger"] == f"{FIRST}; {SECOND}"
    card = json.loads(lora.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["activation text"] == FIRST and f"{FIRST} and {SECOND}" in card["description"]
    assert f"Characters, one trigger each: {FIRST}; {SECOND}" in card["notes"]
    assert f"Together: {FIRST}, {SECOND}, duo" in lora.with_suffix(".txt").read_text(encoding="utf-8")
    info = Path(export_info(project).file).read_text(encoding="utf-8")
    assert f"Trigger: {SECOND}" in info and f"{SECOND} brings: " in info and "long ears" in info


def test_every_character_is_sampled_and_both_are_seen_equally_often(trained: tuple[Project, Evaluated]) -> None:
    project, _ = trained
    run = project.numbered(project.runs)[-1]
    assert len(list((run / "samples").glob("*.png"))) == 2
    captions = project.pictures.captions("default")
    rows = tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))["pictures"]
    alone = {name: [row for one, row in rows.items() if captions[one].text.startswith(f"{name}, solo")] for name in several.LOOKS}
    draws = {name: sum(row["repeats"] for row in its) for name, its in alone.items()}
    assert draws[FIRST] / draws[SECOND] == pytest.approx(1, abs=0.35)
