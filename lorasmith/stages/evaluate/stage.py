"""evaluate: a grid over epochs, weights and prompts, judged by the tagger, with a column of the base alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings
from lorasmith.stages.evaluate.bench import (
    Bench,
    Subject,
    borrow_base,
    last_finished_run,
    made_at,
    open_bench,
    subject_of_run,
)
from lorasmith.stages.evaluate.files import draw_grids, picture_file, write_sidecars
from lorasmith.stages.evaluate.judged import judge_renders, render, rows_of, without_refused
from lorasmith.stages.evaluate.renders import Cell, scores_of, wanted
from lorasmith.stages.evaluate.training_looks import training_set

if TYPE_CHECKING:

    from lorasmith.judging.fixes import Fix
    from lorasmith.judging.judge import Judged
    from lorasmith.judging.rank import Ranking
    from lorasmith.judging.record import Evaluation
    from lorasmith.judging.scores import CellScores
    from lorasmith.rendering.prompt import Renderer

BASE = Cell(None, None, 0.0)


@dataclass(frozen=True)
class Evaluated:
    """What evaluate found."""

    folder: str
    report: str
    rendered_now: int
    lora: str  # the file recommended
    epoch: int
    weight: float
    likeness: float | None  # of the recommended one, on seeds that chose nothing
    likeness_without: float | None
    followed: dict[str, tuple[float, float]]  # kind of prompt -> share followed with the LoRA and without it
    blend: float | None  # of several characters: mean score of another's looks where one is asked for; None with one
    blends: tuple[str, ...]  # the same for each pair, with the LoRA and without it
    advice: str
    fixes: tuple[str, ...]  # what to fix, in words; the pictures stand in scores.json and the report


def evaluate(
    project: Project, settings: EvaluateSettings, report: Report = silent, renderer: "Renderer | None" = None
) -> Evaluated:
    """Renders and judges the last run's epochs; chooses epoch and weight on some seeds, tells the scores on others."""
    report(Progress("evaluate", 0, None, "loading"))
    subject = subject_of_run(project, settings, last_finished_run(project))
    made, record, best = evaluate_subject(project, settings, subject, report, renderer)
    report(Progress("evaluate", 1, 1, "done"))
    return _result(project, made, best, record)


def evaluate_subject(
    project: Project, settings: EvaluateSettings, subject: Subject, report: Report, renderer: "Renderer | None" = None
) -> "tuple[int, Evaluation, Cell]":
    """Evaluates a run into its folder: gives how many renders were made, the record, and the recommended column.

    `scores.json` is written last and whole: where it stands, everything else does.
    """
    from lorasmith.judging.rank import rank
    from lorasmith.judging.report import write_page, write_scores

    bench = open_bench(project, settings, subject, report, renderer)
    borrow_base(bench)
    choosing = wanted([BASE, *subject.cells], bench.prompts, settings.seeds, told=False)
    made = render(bench, choosing)
    judged = judge_renders(bench, choosing)
    scored = score_cells(bench, judged)
    ranking = rank([scored[cell] for cell in subject.cells], scored[BASE])
    best = recommended(subject.cells, ranking)
    telling = wanted([BASE, best], bench.prompts, settings.report_seeds, told=True)
    made += render(bench, telling)
    judged_told = judge_renders(bench, telling)
    told = score_cells(bench, judged_told)
    record = _record(bench, subject, scored, ranking, told, best)
    pooled = score_cells(bench, {cell: [*judged[cell], *judged_told[cell]] for cell in (BASE, best)})
    record = replace(record, fixes=tuple(_fixes(bench, pooled[best], pooled[BASE])))
    renders = [*choosing, *telling]
    scores = scores_of(project, bench.tagger, bench.folder, renders, report)
    shown = without_refused(bench, renders, scores)
    all_judged = [*(one for group in judged.values() for one in group), *(one for group in judged_told.values() for one in group)]
    record = replace(record, renders=tuple(rows_of(bench, renders, all_judged, {one.name for one in shown})))
    record = draw_grids(bench, record, [BASE, *subject.cells], [one for one in shown if not one.told])
    write_page(bench.folder, record, partial(picture_file, project))
    write_sidecars(bench, best, record)
    write_scores(bench.folder, record)
    return made, record, best


def recommended(cells: Sequence[Cell], ranking: "Ranking") -> Cell:
    """Gives the cell that the ranking put first; where nothing could be judged, the last epoch nearest to full weight."""
    if ranking.best is None:
        return max(cells, key=lambda cell: (cell.epoch or 0, -abs(cell.weight - 1.0)))
    chosen = (ranking.best.epoch, ranking.best.weight)
    return next(cell for cell in cells if (cell.epoch or 0, cell.weight) == chosen)


def score_cells(bench: Bench, judged: "Mapping[Cell, Sequence[Judged]]") -> "dict[Cell, CellScores]":
    """Sums up each column."""
    from lorasmith.judging.scores import score_cell

    return {cell: score_cell(cell.epoch, cell.weight, renders, bench.judge) for cell, renders in judged.items()}


def _fixes(bench: Bench, cell: "CellScores", base: "CellScores") -> "list[Fix]":
    from lorasmith.judging.fixes import fixes
    from lorasmith.judging.rank import Bars
    from lorasmith.judging.scores import kept_share

    training = training_set(bench.project, bench.tagger, bench.judge.core, last_finished_run(bench.project))
    kept = kept_share(cell, base)
    return fixes(cell, base, training, bench.judge.artefacts, sound=kept is None or kept >= Bars().kept)


def _record(
    bench: Bench, subject: Subject, scored: "Mapping[Cell, CellScores]", ranking: "Ranking",
    told: "Mapping[Cell, CellScores]", best: Cell,
) -> "Evaluation":  # fmt: skip
    from lorasmith.judging.record import Evaluation

    shown = bench.settings.model_dump(mode="json", exclude={"prompts", "checkpoint", "device", "batch_size"})
    return Evaluation(
        name=bench.folder.name,
        trigger=bench.project.trigger,
        base_model=bench.checkpoint.name,
        lora=best.lora.name if best.lora else "",
        tagger=bench.tagger.name,
        core=bench.judge.core,
        base=scored[BASE],
        cells=tuple(scored[cell] for cell in subject.cells),
        ranking=ranking,
        told=told[best],
        told_base=told[BASE],
        unknown=bench.judge.unknown(),
        made=made_at(bench.folder),
        settings=shown,
        run=subject.run,
        features=f"tag scores of {bench.tagger.name}",
        typical=bench.known.typical(),
        pictures=len(bench.known.names),
    )


def _result(project: Project, made: int, best: Cell, record: "Evaluation") -> Evaluated:
    from lorasmith.judging.blend import blends_in_words

    told, base = record.told, record.told_base
    assert told is not None and base is not None
    pairs = {
        kind: (share.mean, base.followed[kind].mean) for kind, share in told.followed.items() if kind in base.followed
    }
    folder: Path = project.evaluations / record.name
    return Evaluated(
        folder=folder.relative_to(project.folder).as_posix(),
        report=str(folder / "report.html"),
        rendered_now=made,
        lora=best.lora.relative_to(project.folder).as_posix() if best.lora else "",
        epoch=best.epoch or 0,
        weight=best.weight,
        likeness=None if told.likeness is None else told.likeness.mean,
        likeness_without=None if base.likeness is None else base.likeness.mean,
        followed=pairs,
        blend=None if told.blend is None else told.blend.mean,
        blends=blends_in_words(told.blends, base.blends),
        advice=record.ranking.advice,
        fixes=tuple(fix.words for fix in record.fixes),
    )
