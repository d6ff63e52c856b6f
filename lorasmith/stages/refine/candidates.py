"""Candidates: pictures drawn anew with a LoRA, over the framings, views and poses that its set lacks, and judged."""

import json
import tomllib
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, RefineSettings
from lorasmith.stages.evaluate.bench import Subject, last_finished_run, open_bench, settings_of_run
from lorasmith.stages.evaluate.judged import judge_renders, render, rows_of, without_refused
from lorasmith.stages.evaluate.renders import Cell, Wanted, scores_of

if TYPE_CHECKING:
    from lorasmith.judging.plan import PlannedPrompt, Wishes
    from lorasmith.rendering.prompt import LoraUse, Renderer

FOLDER = "candidates"  # of the project
ROWS = "candidates.json"


def render_candidates(
    project: Project, settings: RefineSettings, told: dict[str, Any], report: Report, renderer: "Renderer | None" = None
) -> tuple[Path, list[dict[str, Any]]]:
    """Draws and judges the candidates; gives their folder and a row for each. What is there already is not drawn again.

    `told` is the record of the last evaluation: it recommends the LoRA and its weight, unless the settings name others.
    """
    from lorasmith.judging.candidates import candidate_prompts, candidates_of_several

    def planned(wishes: "Wishes") -> "list[PlannedPrompt]":
        if wishes.cast:
            triggers = [one.trigger for one in wishes.cast]
            return candidates_of_several(triggers, seen or wishes.habits, wishes.known, settings.candidates, settings.ground)
        return candidate_prompts(project.trigger, seen or wishes.habits, wishes.known, settings.candidates, settings.ground)

    report(Progress("refine", 0, None, "loading"))
    cell = drawn_with(project, settings, told)
    assert cell.lora is not None
    own = {"checkpoint": settings.checkpoint} if settings.checkpoint else {}
    evaluation = project.settings(EvaluateSettings, own)
    others = lora_uses(project, settings)
    run = last_finished_run(project)
    trained, seen = settings_of_run(run), shown_in_training(run)
    subject = Subject(cell.lora.name, (cell,), trained, project.folder / FOLDER, others)
    bench = open_bench(project, evaluation, subject, report, renderer, planned)
    wanted = [Wanted(cell, row, prompt, settings.seed + row, False) for row, prompt in enumerate(bench.prompts)]
    render(bench, wanted)
    judged = judge_renders(bench, wanted)[cell]
    shown = {one.name for one in without_refused(bench, wanted, scores_of(project, bench.tagger, bench.folder, wanted, report))}
    rows = [asdict(row) for row in rows_of(bench, wanted, judged, shown)]
    write_atomic(bench.folder / ROWS, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return bench.folder, rows


def shown_in_training(run: Path) -> dict[str, float]:
    """Gives how much of what a run was shown carries each tag: a picture counts as often as it was repeated."""
    from lorasmith.tags.captions import tags_of_caption

    rows = tomllib.loads((run / "run.toml").read_text(encoding="utf-8")).get("pictures", {}).values()
    draws: Counter[str] = Counter()
    for row in rows:
        draws.update(dict.fromkeys(tags_of_caption(row["caption"]), int(row["repeats"])))
    everything = sum(int(row["repeats"]) for row in rows)
    return {tag: count / everything for tag, count in sorted(draws.items())}


def drawn_with(project: Project, settings: RefineSettings, told: dict[str, Any]) -> Cell:
    """Gives the LoRA and its weight: those that are set, else the recommended ones."""
    best = (told.get("ranking") or {}).get("best") or {}
    path = _lora_file(project, settings.lora or str(told.get("lora", "")))
    return Cell(int(best.get("epoch") or 0), path, settings.weight or float(best.get("weight") or 1.0))


def lora_uses(project: Project, settings: RefineSettings) -> "tuple[LoraUse, ...]":
    """Gives the LoRAs that are put in beside the one that draws."""
    return tuple(_use(project, words) for words in settings.other_loras)


def _use(project: Project, words: str) -> "LoraUse":
    """Reads `FILE=WEIGHT`; raises `UsageError` when it is not that or there is no such file."""
    from lorasmith.rendering.prompt import LoraUse

    file, sign, weight = words.rpartition("=")
    try:
        amount = float(weight) if sign else 1.0
    except ValueError as error:
        raise UsageError(f"refine.other_loras has '{words}'; write FILE=WEIGHT, such as style.safetensors=0.5.") from error
    return LoraUse(_lora_file(project, (file if sign else words).strip()), amount)


def _lora_file(project: Project, name: str) -> Path:
    places = [Path(name).expanduser(), project.loras / name, project.loras / f"{name}.safetensors"]
    found = next((place for place in places if name and place.is_file()), None)
    if found is None:
        raise UsageError(f"There is no LoRA file '{name}', neither as it is written nor in {project.loras}.")
    return found
