"""evaluate on a real small project: its record, its files, kills, comparisons, sweeps and the strength advisor."""

import json
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lorasmith.errors import CheckpointError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings
from lorasmith.stages.evaluate.against import compare
from lorasmith.stages.evaluate.stage import evaluate
from lorasmith.stages.evaluate.strength import advise_strength
from lorasmith.stages.evaluate.sweeps import differences, sweep
from lorasmith.stages.run import run_stage
from tests.stages.conftest import A_DATE
from tests.stages.dying import dies_in_stages

if TYPE_CHECKING:
    from PIL import Image

    from lorasmith.rendering.prompt import Prompt

pytestmark = pytest.mark.slow


class Drawing:
    """A renderer that draws plain pictures of a prompt's own colour, and can break off at a render."""

    def __init__(self, breaks_at: int = -1) -> None:
        self.rendered = 0
        self.breaks_at = breaks_at

    def render(self, prompts: "Sequence[Prompt]", report: object = None) -> "list[Image.Image]":
        from PIL import Image

        pictures = []
        for prompt in prompts:
            if self.rendered == self.breaks_at:
                raise KeyboardInterrupt
            self.rendered += 1
            rng = random.Random(f"{prompt.text} {prompt.seed} {[(lora.path.name, lora.weight) for lora in prompt.loras]}")
            picture = Image.new("RGB", (8, 8))
            picture.putdata([(rng.randrange(256), rng.randrange(256), rng.randrange(256)) for _ in range(64)])
            pictures.append(picture.resize((prompt.width, prompt.height)))
        return pictures


def settings_of(project: Project, **values: Any) -> EvaluateSettings:
    return project.settings(EvaluateSettings, {"steps": 2, **values})


def scores_in(project: Project, name: str = "001") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.evaluations / name / "scores.json").read_text(encoding="utf-8"))
    return found


def test_the_record_says_what_was_asked_what_came_and_what_to_fix(walked: Project) -> None:
    scores = scores_in(walked)
    kinds = {render["prompt"]["kind"] for render in scores["renders"]}
    assert {"likeness", "framing", "pose", "expression", "background", "described", "plain"} <= kinds
    assert kinds & {"toggle", "clothing"}
    assert scores["format"] == 2 and scores["run"] == "001" and scores["features"] == "tag scores of tagger"
    trained = {picture.name for picture in walked.pictures.trained()}
    assert scores["pictures"] == len(trained) and 0 < scores["typical"] <= 1
    for render in scores["renders"]:
        assert render["nearest"] in trained and 0 <= render["similarity"] <= 1 and render["own_scores"]
    for fix in scores["fixes"]:
        assert set(fix["pictures"]) <= trained and fix["of"] == len(trained) and fix["stage"] in ("prune", "prepare", "tag")
        assert len(fix["words"]) > 20
    folder = walked.evaluations / "001"
    assert set(scores["grids"]) == kinds and all((folder / file).is_file() for file in scores["grids"].values())


def test_the_recommended_lora_has_a_card_and_a_text_to_publish_from_its_metadata(walked: Project) -> None:
    lora = walked.loras / scores_in(walked)["lora"]
    card = json.loads(lora.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["activation text"] == "zorvex" and card["sd version"] == "SD1" and "pictures" in card["description"]
    text = lora.with_suffix(".txt").read_text(encoding="utf-8")
    for piece in ("Trigger: zorvex", "rank: 16", "pictures,", "Tags: ", "likeness: "):
        assert piece in text, piece


def test_a_finished_evaluation_done_again_gives_the_same_bytes(walked: Project) -> None:
    before = (walked.evaluations / "001" / "scores.json").read_bytes()
    assert run_stage(walked, "evaluate").rendered_now == 0
    assert (walked.evaluations / "001" / "scores.json").read_bytes() == before


def test_broken_off_anywhere_it_ends_with_the_same_bytes(walked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    shutil.rmtree(walked.evaluations)
    whole = Drawing()
    evaluate(walked, settings_of(walked), renderer=whole)
    wanted = (walked.evaluations / "001" / "scores.json").read_bytes()
    rng = random.Random("breaks")
    for _ in range(3):
        shutil.rmtree(walked.evaluations)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                evaluate(walked, settings_of(walked), renderer=Drawing(rng.randrange(whole.rendered // 3)))
            assert not (walked.evaluations / "001" / "scores.json").exists()
        evaluate(walked, settings_of(walked), renderer=Drawing())
        assert (walked.evaluations / "001" / "scores.json").read_bytes() == wanted


def test_killed_anywhere_and_run_again_it_gives_the_same_report(walked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", A_DATE)
    place = walked.evaluations / "001"
    wanted = [(place / name).read_bytes() for name in ("scores.json", "report.html")]
    shutil.rmtree(walked.evaluations)
    walked.close()
    rng = random.Random(os.environ.get("LORASMITH_KILL_SEED", "evaluate"))
    for _ in range(int(os.environ.get("LORASMITH_KILLS", "1"))):
        dies_in_stages(walked.folder, rng.randint(1, 500), "evaluate", "evaluate")
    with Project.open(walked.folder) as again:
        run_stage(again, "evaluate")
    assert [(place / name).read_bytes() for name in ("scores.json", "report.html")] == wanted


def test_a_lora_beside_itself_is_no_different_and_the_base_is_rendered_once(walked: Project, tmp_path: Path) -> None:
    mine = walked.loras / scores_in(walked)["lora"]
    foreign = tmp_path / "somebody's.safetensors"
    shutil.copy(mine, foreign)
    found = compare(walked, settings_of(walked), [foreign])
    assert [row[0] for row in found.table][0] == "likeness"
    assert all(row[1][1] == row[1][2] for row in found.table), "the same file gives the same numbers"
    assert "no difference" in found.outcome[0] and "b: somebody's" in found.loras[1]
    plan = len({render["prompt"]["text"] for render in scores_in(walked)["renders"]})
    assert found.rendered_now == 2 * plan, "the base's renders were there already"
    again = compare(walked, settings_of(walked), [foreign])
    assert again.rendered_now == 0 and again.table == found.table
    page = Path(found.report).read_text(encoding="utf-8")
    assert "Side by side" in page and "data:image/jpeg" in page
    assert run_stage(walked, "refine"), "a comparison is no evaluation: refine still finds its own"


def test_a_foreign_lora_is_called_by_its_own_trigger_and_weight(walked: Project, tmp_path: Path) -> None:
    foreign = tmp_path / "other.safetensors"
    shutil.copy(walked.loras / scores_in(walked)["lora"], foreign)
    foreign.with_suffix(".json").write_text('{"activation text": "mirabel", "preferred weight": 0.6}', encoding="utf-8")
    asked: list[tuple[str, float]] = []

    class Listening(Drawing):
        def render(self, prompts: "Sequence[Prompt]", report: object = None) -> "list[Image.Image]":
            asked.extend((prompt.text, lora.weight) for prompt in prompts for lora in prompt.loras)
            return super().render(prompts, report)

    compare(walked, settings_of(walked), [foreign], renderer=Listening())
    its = [text for text, weight in asked if weight == 0.6]
    assert its and not any("zorvex" in text for text in its) and any(text.startswith("mirabel, ") for text in its)


def test_what_cannot_be_compared_is_told(walked: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no LoRA"):
        compare(walked, settings_of(walked), [tmp_path / "nothing.safetensors"])
    base = Path(walked.tables["train"]["checkpoint"])
    with pytest.raises(CheckpointError, match="is no LoRA"):
        compare(walked, settings_of(walked), [base])


def test_a_sweep_ends_in_one_table_and_one_plot(walked: Project) -> None:
    from PIL import Image

    with pytest.raises(UsageError, match="two finished runs"):
        sweep(walked, settings_of(walked), renderer=Drawing())
    run_stage(walked, "train", flags={"rank": 4, "epochs": 1}, keep=False)
    found = sweep(walked, settings_of(walked), renderer=Drawing())
    assert [row["settings"] for row in sorted(found.runs, key=lambda row: str(row["run"]))] == [
        "rank 16, epochs 2", "rank 4, epochs 1",
    ]  # fmt: skip
    assert found.runs[0]["best"] and f"Run {found.best}" in found.advice
    with Image.open(found.plot) as plot:
        assert plot.width > 300
    assert "rank 4, epochs 1" in Path(found.report).read_text(encoding="utf-8")
    assert sweep(walked, settings_of(walked), renderer=Drawing()).rendered_now == 0


def test_runs_are_named_by_what_differs() -> None:
    assert differences([{"rank": 4, "device": "cpu"}, {"rank": 8, "device": "cuda"}]) == ["rank 4", "rank 8"]
    assert differences([{"strength": 1.0}, {"strength": 1.0}]) == ["the same settings", "the same settings"]


def test_the_base_alone_is_measured_and_a_strength_proposed(walked: Project) -> None:
    shutil.rmtree(walked.evaluations)
    found = advise_strength(walked, settings_of(walked), renderer=Drawing())
    assert found.described is not None and found.strength > 0 and found.reasons and found.by_tag
    assert advise_strength(walked, settings_of(walked), renderer=Drawing()).rendered_now == 0
    assert json.loads((walked.folder / found.folder / "strength.json").read_text(encoding="utf-8"))["strength"] == found.strength


def test_the_command_line_does_one_of_them_at_a_time(walked: Project, capsys: pytest.CaptureFixture[str]) -> None:
    from lorasmith.cli import main

    walked.close()
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(walked.folder), "--sweep", "--base-only"])
    assert ended.value.code != 0 and "one at a time" in capsys.readouterr().err
