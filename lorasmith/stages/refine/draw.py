"""draw: pictures of a person's own prompts, by the base model alone or with a LoRA, as candidates for the set.

So a project can begin without any picture: a described character is drawn with a seed that stays, and each round's LoRA
draws for the next.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.files import sha256_of, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text, is_seen, refused_places
from lorasmith.settings.tables import EvaluateSettings, RefineSettings, TagSettings, TrainSettings
from lorasmith.stages.evaluate.bench import checkpoint_of, finished_runs, last_finished_run, settings_of_run
from lorasmith.stages.evaluate.renders import Cell, Wanted, common_prompt, render_missing, scores_of
from lorasmith.stages.refine.bring import bring_back
from lorasmith.stages.refine.candidates import FOLDER, drawn_with, lora_uses
from lorasmith.stages.refine.lineage import generation_after
from lorasmith.stages.refine.stage import SCORES, latest_evaluation

if TYPE_CHECKING:
    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.rendering.prompt import Renderer

BASE_ALONE = "none"  # the LoRA's name that stands for none
_WEIGHT = re.compile(r"(?<!\\)[(\[]+|(?::[\d.]+)?(?<!\\)[)\]]+")
_SHEET = "sheets/drawn.png"


@dataclass(frozen=True)
class Drawn:
    """What draw did."""

    drawn: tuple[str, ...]  # names of the new candidate pictures
    already: int
    refused: int  # the tagger saw what marks minors: removed, shown to nobody
    lora: str  # empty: the base model alone
    generation: int
    sheet: str
    next: str


def draw(
    project: Project, prompts: Sequence[str], seeds: Sequence[int], settings: RefineSettings, report: Report = silent,
    renderer: "Renderer | None" = None,
) -> Drawn:  # fmt: skip
    """Draws each prompt at each seed; what it asked becomes the picture's tags, and none is trained on before it is kept.

    The LoRA is the one that the settings name, else the recommended one; before the first training, or with `none`, it is
    the base model alone. With a LoRA the trigger is put first. Renders that are there already are not drawn again.
    """
    from lorasmith.rendering.diffusers import renderer_as_trained

    cell = _cell(project, settings)
    lora = "" if cell.lora is None else cell.lora.name
    generation = generation_after(project, lora) if lora else 1
    if generation > settings.max_generation:
        raise UsageError(
            f"{lora} learnt from drawn pictures: what it draws is of generation {generation}, and refine.max_generation allows "
            f"{settings.max_generation}. Raise it, name another --lora, or draw with the base model alone (--lora {BASE_ALONE})."
        )
    planned = [_planned(project.trigger if lora else "", prompt) for prompt in prompts]
    evaluation = project.settings(EvaluateSettings, {"checkpoint": settings.checkpoint} if settings.checkpoint else {})
    ran = finished_runs(project)
    trained = settings_of_run(last_finished_run(project)) if ran else project.settings(TrainSettings).model_dump(mode="json")
    checkpoint = checkpoint_of(project, evaluation, trained)
    wanted = [Wanted(cell, row, prompt, seed, False) for row, prompt in enumerate(planned) for seed in seeds]
    others = lora_uses(project, settings)
    folder = _folder(project, evaluation, checkpoint, wanted, [use.tag for use in others])
    report(Progress("draw", 0, len(wanted), "loading"))
    renderer = renderer or renderer_as_trained(checkpoint, trained, evaluation.device, evaluation.batch_size)
    common = common_prompt(evaluation, int(trained.get("clip_skip", 1)))
    (folder / "renders").mkdir(parents=True, exist_ok=True)
    render_missing(folder, wanted, renderer, replace(common, loras=others), report, evaluation.batch_size)
    shown = _without_refused(project, folder, wanted, report)
    names = _bring_all(project, folder, shown, generation)
    _write_sheet(project, folder, shown)
    report(Progress("draw", len(wanted), len(wanted), "done"))
    new = tuple(name for name in names if name)
    return Drawn(
        new, names.count(""), len(wanted) - len(shown), lora, generation, _SHEET,
        "Look at the sheet, then `lorasmith keep DIR NAME ...`, `tag` and `train`.",
    )  # fmt: skip


def _cell(project: Project, settings: RefineSettings) -> Cell:
    """Gives what draws: the LoRA that is set, else the recommended one, else the base model alone."""
    if settings.lora == BASE_ALONE:
        return Cell(None, None, 0.0)
    evaluated = any((folder / SCORES).is_file() for folder in project.numbered(project.evaluations))
    if not settings.lora and not evaluated:
        if finished_runs(project):
            raise UsageError(
                "A LoRA was trained and not evaluated yet: run `lorasmith evaluate`, name the LoRA with --lora FILE, or draw with "
                f"--lora {BASE_ALONE}."
            )
        return Cell(None, None, 0.0)
    told = json.loads((latest_evaluation(project) / SCORES).read_text(encoding="utf-8")) if evaluated else {}
    return drawn_with(project, settings, told)


def _planned(trigger: str, words: str) -> "PlannedPrompt":
    """Reads a prompt: what it asks are its words without weights, as a booru would store them."""
    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.safety import fold
    from lorasmith.tags.spelling import escaped, from_prompt

    demand_safe_text(words, "prompt")
    pieces = [from_prompt(_WEIGHT.sub("", piece).strip()) for piece in words.split(",")]
    asked = tuple(dict.fromkeys(piece for piece in pieces if piece and fold(piece) != fold(trigger)))
    if not asked and not trigger:
        raise UsageError("The prompt is empty: describe what is to be drawn, such as 'solo, fox, red fur, green eyes'.")
    named = trigger and not any(fold(piece) == fold(trigger) for piece in pieces)
    text = ", ".join([escaped(trigger), *([words] if words.strip() else [])]) if named else words
    demand_safe_text(text, "prompt")
    return PlannedPrompt("extra", text, asked, bool(trigger))


def _folder(project: Project, evaluation: EvaluateSettings, checkpoint: Path, wanted: Sequence[Wanted], others: Sequence[str]) -> Path:
    """Gives the folder of just these drawings, so that a stopped call goes on where it was."""
    import hashlib

    cell = wanted[0].cell if wanted else Cell(None, None, 0.0)
    order = {
        "checkpoint": str(checkpoint), "lora": "" if cell.lora is None else sha256_of(cell.lora), "weight": cell.weight,
        "others": list(others), "drawings": [[one.prompt.text, one.seed] for one in wanted],
        "settings": evaluation.model_dump(mode="json", exclude={"device", "batch_size"}),
    }  # fmt: skip
    text = json.dumps(order, sort_keys=True, indent=1, ensure_ascii=False)
    folder = project.folder / FOLDER / f"drawn-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "drawn.json", text + "\n")
    return folder


def _without_refused(project: Project, folder: Path, wanted: Sequence[Wanted], report: Report) -> list[Wanted]:
    """Removes what a tagger refuses, where the project has one."""
    from lorasmith.stages.tag.scores import open_project_tagger

    settings = project.settings(TagSettings)
    if not settings.tagger_names:
        return list(wanted)
    tagger = open_project_tagger(settings, report)
    places = refused_places(label.name for label in tagger.labels)
    scores = scores_of(project, tagger, folder, wanted, report)
    left = []
    for one in wanted:
        if places and is_seen(scores[one.name], places):
            (folder / one.file).unlink(missing_ok=True)
        else:
            left.append(one)
    return left


def _bring_all(project: Project, folder: Path, wanted: Sequence[Wanted], generation: int) -> list[str]:
    """Makes candidates of all; an empty name stands for one that was there already."""
    names = []
    with project.change("draw", f"draw {len(wanted)} pictures"):
        for one in wanted:
            row = {
                "file": one.file, "lora": "" if one.cell.lora is None else one.cell.lora.name, "weight": one.cell.weight,
                "prompt": asdict(one.prompt), "seed": one.seed,
            }  # fmt: skip
            names.append(bring_back(project, folder, row, generation) or "")
    return names


def _write_sheet(project: Project, folder: Path, wanted: Sequence[Wanted]) -> None:
    """Draws all of them side by side, with the names by which they are kept."""
    from lorasmith.imaging.read import png_of
    from lorasmith.imaging.sheets import contact_sheet

    rows = [(f"render_{sha256_of(folder / one.file)[:12]}", folder / one.file) for one in wanted]
    (project.folder / _SHEET).parent.mkdir(exist_ok=True)
    write_atomic(project.folder / _SHEET, png_of(contact_sheet(rows)))
