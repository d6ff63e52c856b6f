"""Candidates drawn anew: over what the set lacks, judged, brought back with their descent, and drawn once only."""

import json
from pathlib import Path

import pytest

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import RefineSettings
from lorasmith.stages.refine.candidates import shown_in_training
from lorasmith.stages.refine.lineage import rendered_in
from lorasmith.stages.refine.stage import choose, refine
from lorasmith.ui.refine.asking import render_of

pytestmark = pytest.mark.slow


def wanted(project: Project, **more: object) -> RefineSettings:
    return project.settings(RefineSettings, {"candidates": 4, "min_likeness": 0.0, "min_followed": 0.0, "top_n": 2, **more})


def test_candidates_are_drawn_judged_and_brought_back_with_their_descent(walked: Project) -> None:
    done = refine(walked, wanted(walked))
    assert done.evaluation == "candidates/001" and done.considered == 4 and len(done.brought_back) == 2
    rows = json.loads((walked.folder / done.evaluation / "candidates.json").read_text(encoding="utf-8"))
    assert len({row["seed"] for row in rows}) == 4 and len({row["prompt"]["text"] for row in rows}) > 1
    assert all(row["prompt"]["has_trigger"] and len(row["prompt"]["asked"]) >= 1 for row in rows)
    picture = walked.pictures.get(done.brought_back[0])
    assert picture.generated and picture.post["generation"] == 1 and picture.post["rendered_in"] == "candidates/001"
    assert picture.post["lora"].endswith(".safetensors") and len(str(picture.post["lora_sha256"])) == 64
    assert picture.name not in {kept.name for kept in walked.pictures.trained()}
    files = sorted((walked.folder / done.evaluation / "renders").glob("*.png"))
    moments = [file.stat().st_mtime_ns for file in files]
    again = refine(walked, wanted(walked))
    assert again.brought_back == () and again.already == 2
    assert [file.stat().st_mtime_ns for file in files] == moments


def test_an_evaluation_and_candidates_of_the_same_number_are_told_apart(walked: Project) -> None:
    drawn = refine(walked, wanted(walked)).brought_back
    judged = refine(walked, wanted(walked, candidates=0, top_n=9)).brought_back
    assert drawn and judged
    for names, place in ((drawn, "candidates/001"), (judged, "evaluations/001")):
        for picture in map(walked.pictures.get, names):
            assert rendered_in(picture.post) == (place,)
            assert (render := render_of(walked, picture)) and render["seed"] == picture.post["seed"]
            assert (walked.folder / place / render["file"]).read_bytes() == walked.file_of(picture).read_bytes()


def test_what_came_back_is_trained_on_only_when_kept_and_is_then_in_the_lineage(walked: Project) -> None:
    from lorasmith.stages.prune.stage import decide_by_hand

    done = refine(walked, wanted(walked))
    decide_by_hand(walked, "keep", list(done.brought_back[:1]))
    assert [one.generation for one in refine(walked, wanted(walked, candidates=0)).lineage] == [1]


def test_a_lora_that_is_not_there_is_a_sentence(walked: Project) -> None:
    with pytest.raises(UsageError, match="There is no LoRA file 'nowhere'"):
        refine(walked, wanted(walked, lora="nowhere"))
    with pytest.raises(UsageError, match="write FILE=WEIGHT"):
        refine(walked, wanted(walked, other_loras=["a=much"]))


def test_no_generation_is_allowed_beyond_the_limit(walked: Project) -> None:
    done = refine(walked, wanted(walked, candidates=0, max_generation=0))
    assert done.brought_back == () and done.too_deep > 0
    assert "max_generation" in done.advice


def test_of_few_prompts_as_many_renders_come_back_as_are_wanted_and_of_many_one_each() -> None:
    def row(prompt: str, number: int, likeness: float) -> dict[str, object]:
        asked = {"kind": "extra", "text": prompt, "asked": []}
        return {"name": f"{prompt}{number}", "lora": "a", "prompt": asked, "likeness": likeness, "followed": 1.0}

    rows = [row(prompt, number, 0.9 - number / 20) for prompt in "ab" for number in range(4)]
    few = choose(rows, RefineSettings(top_n=4, min_likeness=0.0))
    assert [one["name"] for one in few] == ["a0", "b0", "a1", "b1"]
    many = choose([*rows, *(row(prompt, 0, 0.1) for prompt in "cdefgh")], RefineSettings(top_n=4, min_likeness=0.0))
    assert [one["name"] for one in many] == ["a0", "b0", "c0", "d0"]


def test_what_was_shown_counts_as_often_as_it_was_repeated(tmp_path: Path) -> None:
    rows = {"face": ("mia, headshot portrait", 9), "body": ("mia, standing, full-length portrait", 1)}
    text = "".join(f'[pictures.{name}]\ncaption = "{words}"\nrepeats = {count}\n' for name, (words, count) in rows.items())
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    shown = shown_in_training(tmp_path)
    assert shown["headshot_portrait"] == 0.9 and shown["standing"] == 0.1 and shown["mia"] == 1.0
