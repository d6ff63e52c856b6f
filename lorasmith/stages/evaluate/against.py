"""evaluate --against: this project's LoRA beside others, its own or foreign ones, over the same prompts and seeds."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING

from lorasmith.errors import CheckpointError, UsageError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text
from lorasmith.settings.tables import EvaluateSettings
from lorasmith.stages.evaluate.bench import (
    SCORES,
    Bench,
    Subject,
    borrow_base,
    chosen_epochs,
    last_finished_run,
    open_bench,
    settings_of_run,
)
from lorasmith.stages.evaluate.files import draw_question_grids
from lorasmith.stages.evaluate.judged import judge_renders, render, without_refused
from lorasmith.stages.evaluate.renders import Cell, Wanted, scores_of, wanted
from lorasmith.stages.evaluate.stage import BASE, score_cells

if TYPE_CHECKING:
    from lorasmith.judging.contest import Contest
    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.rendering.prompt import Renderer

PLACE = "against"  # folder below evaluations/
COMPARISON = "comparison.json"
_MOST_WEIGHT = 4.0  # a card that asks for more is not believed


@dataclass(frozen=True)
class Rival:
    """A LoRA of a comparison: its column, and the word that calls its character."""

    cell: Cell
    trigger: str


@dataclass(frozen=True)
class Compared:
    """What a comparison found; the table has a column for the base alone and one for each LoRA, means only."""

    folder: str
    report: str
    rendered_now: int
    loras: tuple[str, ...]
    table: tuple[tuple[str, tuple[float | None, ...]], ...]
    outcome: tuple[str, ...]


def compare(
    project: Project, settings: EvaluateSettings, files: Sequence[Path], report: Report = silent,
    renderer: "Renderer | None" = None,
) -> Compared:  # fmt: skip
    """Renders this project's recommended LoRA and the given ones over one plan, on the seeds that chose nothing."""
    from lorasmith.judging.contest import contest

    report(Progress("evaluate", 0, None, "loading"))
    run = last_finished_run(project)
    rivals = [_own(project, settings), *(_rival(project, file, place) for place, file in enumerate(files))]
    _demand_one_family([one.cell.lora for one in rivals if one.cell.lora is not None])
    cells = tuple(one.cell for one in rivals)
    subject = Subject(run.name, cells, settings_of_run(run), project.evaluations / PLACE)
    bench = open_bench(project, settings, subject, report, renderer)
    borrow_base(bench)
    renders = wanted([BASE], bench.prompts, settings.report_seeds, told=True)
    for one in rivals:
        renders += wanted([one.cell], _prompts_for(bench, one.trigger), settings.report_seeds, told=True)
    made = render(bench, renders)
    judged = judge_renders(bench, renders)
    scored = score_cells(bench, judged)
    order = [BASE, *cells]
    names = [one.cell.title for one in rivals]
    found = contest(names, [scored[cell] for cell in order], [judged[cell] for cell in order], bench.judge)
    shown = without_refused(bench, renders, scores_of(project, bench.tagger, bench.folder, renders, report))
    page = _write(bench, order, shown, found)
    report(Progress("evaluate", 1, 1, "done"))
    table = tuple((line.what, tuple(None if value is None else value.mean for value in line.values)) for line in found.lines)
    place = bench.folder.relative_to(project.folder).as_posix()
    return Compared(place, str(page), made, tuple(names), table, found.words)


def _own(project: Project, settings: EvaluateSettings) -> Rival:
    """Gives the LoRA that the last evaluation recommends; before any evaluation the last epoch."""
    for folder in reversed(project.numbered(project.evaluations)):
        if (folder / SCORES).is_file():
            scores = json.loads((folder / SCORES).read_text(encoding="utf-8"))
            file, best = project.loras / str(scores["lora"]), scores["ranking"]["best"]
            if best and file.is_file():
                return Rival(Cell(best["epoch"], file, best["weight"], "a"), project.trigger)
    epoch, file = chosen_epochs(project, last_finished_run(project), 1)[-1]
    weight = min(settings.weights, key=lambda each: abs(each - 1.0))
    return Rival(Cell(epoch, file, weight, "a"), project.trigger)


def _rival(project: Project, file: Path, place: int) -> Rival:
    """Reads a LoRA's trigger and weight from the card beside it, else from its metadata."""
    from lorasmith.checkpoints import lora_history as history
    from lorasmith.checkpoints.family import identify
    from lorasmith.checkpoints.header import read_header

    if place + 1 >= len(ascii_lowercase):
        raise UsageError(f"{len(ascii_lowercase) - 1} LoRAs are the most that can be compared at once; name fewer.")
    file = file.expanduser().resolve()
    if not file.is_file():
        raise UsageError(f"There is no LoRA {file}; check the path.")
    header = read_header(file)
    if identify(header).kind != "lora":
        raise CheckpointError(f"{file} is no LoRA; only LoRAs can be compared.")
    card = _card(file)
    told = str(card.get("activation text") or history.value(header.metadata, "lorasmith_trigger", "modelspec.trigger_phrase"))
    trigger = told.replace("\\", "").strip(" ,") or project.trigger
    demand_safe_text(trigger, "trigger of the LoRA")
    weight = card.get("preferred weight")
    epoch = header.metadata.get("ss_epoch", "")
    strong = float(weight) if isinstance(weight, int | float) and 0 < weight <= _MOST_WEIGHT else 1.0
    return Rival(Cell(int(epoch) if epoch.isdigit() else 0, file, strong, ascii_lowercase[place + 1]), trigger)


def _card(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _demand_one_family(files: Sequence[Path]) -> None:
    from lorasmith.checkpoints import lora_history as history
    from lorasmith.checkpoints.header import read_header

    families = {file: history.version_of(read_header(file).metadata) for file in files}
    mine = families[files[0]]
    for file, family in families.items():
        if mine and family and family != mine:
            raise CheckpointError(f"{file.name} is for {family}, and this project's LoRA for {mine}: one base cannot draw both.")


def _prompts_for(bench: Bench, trigger: str) -> "list[PlannedPrompt]":
    """Gives the plan with another character's trigger in the place of the project's."""
    from lorasmith.tags.spelling import escaped

    mine, its = escaped(bench.project.trigger), escaped(trigger)
    return [
        replace(prompt, text=prompt.text.replace(mine, its, 1)) if prompt.has_trigger else prompt for prompt in bench.prompts
    ]


def _write(bench: Bench, order: Sequence[Cell], shown: Sequence[Wanted], found: "Contest") -> Path:
    from lorasmith.judging.page_tables import contest_page
    from lorasmith.judging.record import rounded

    by_row = {place: prompt for place, prompt in enumerate(bench.prompts)}
    grids = draw_question_grids(bench, order, [replace(one, prompt=by_row[one.row]) for one in shown])
    page = bench.folder / "report.html"
    write_atomic(page, contest_page(bench.folder, bench.project.trigger, found, grids))
    files = [{"name": cell.title, "file": str(cell.lora), "weight": cell.weight} for cell in order if cell.lora is not None]
    content = {"format": 1, "loras": files, **asdict(found)}
    write_atomic(bench.folder / COMPARISON, json.dumps(rounded(content), indent=2, ensure_ascii=False) + "\n")
    return page
