"""evaluate --sweep: all runs of the project, each evaluated, in one table and one plot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, TrainSettings
from lorasmith.stages.evaluate.bench import finished_runs, settings_of_run, subject_of_run
from lorasmith.stages.evaluate.stage import evaluate_subject

if TYPE_CHECKING:
    from lorasmith.judging.record import Evaluation
    from lorasmith.rendering.prompt import Renderer

TABLE, PAGE, PLOT = "sweep.json", "sweep.html", "sweep.png"
_NOT_TOLD = ("checkpoint", "device", "precision", "processes", "checkpoint_every", "sample_every", "sample_steps", "sample_prompts")


@dataclass(frozen=True)
class Swept:
    """What a sweep came to: a row for each run, the best first by the rule of the evaluation."""

    report: str
    plot: str
    rendered_now: int
    runs: tuple[dict[str, Any], ...]
    best: str
    advice: str


def sweep(
    project: Project, settings: EvaluateSettings, report: Report = silent, renderer: "Renderer | None" = None
) -> Swept:
    """Evaluates every finished run that was not evaluated so yet, and sets them side by side."""
    runs = finished_runs(project)
    if len(runs) < 2:
        raise UsageError(
            "A sweep needs two finished runs or more; `lorasmith queue add DIR --sweep rank=8,16` and `queue run` train some."
        )
    made, records = 0, []
    for run in runs:
        rendered, record, _ = evaluate_subject(project, settings, subject_of_run(project, settings, run), report, renderer)
        made += rendered
        records.append(record)
    names = differences([settings_of_run(run) for run in runs])
    best = _best(records)
    rows = [_row(name, record, place == best) for place, (name, record) in enumerate(zip(names, records, strict=True))]
    advice = f"Run {records[best].run} ({names[best]}) is best. {records[best].ranking.advice}"
    _write(project, rows, records, names, best, advice)
    report(Progress("evaluate", 1, 1, "done"))
    ordered = sorted(rows, key=lambda row: not row["best"])
    place = project.evaluations
    return Swept(str(place / PAGE), str(place / PLOT), made, tuple(ordered), records[best].run, advice)


def differences(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names each run by the settings in which runs differ; a run number tells apart what has the same."""
    fields = [name for name in TrainSettings.model_fields if name not in _NOT_TOLD]
    apart = [name for name in fields if len({json.dumps(run.get(name), sort_keys=True) for run in runs}) > 1]
    words = [", ".join(f"{name.replace('_', ' ')} {_shown(run.get(name))}" for name in apart[:5]) for run in runs]
    return [text or "the same settings" for text in words]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "unset" if value is None else str(value)


def _best(records: "Sequence[Evaluation]") -> int:
    """Applies the evaluation's own rule to the best of each run; a run of which nothing could be judged comes last."""
    from lorasmith.judging.rank import Bars, choose

    bests = [record.ranking.best for record in records]
    judged = [one for one in bests if one is not None]
    if not judged:
        return len(records) - 1
    chosen = choose(judged, Bars())
    return next(place for place, one in enumerate(bests) if one is chosen)


def _row(name: str, record: "Evaluation", is_best: bool) -> dict[str, Any]:
    best, told, base = record.ranking.best, record.told, record.told_base
    from lorasmith.judging.scores import kept_share

    def mean(spread: Any) -> float | None:
        return None if spread is None else round(spread.mean, 4)

    kept = None if told is None or base is None else kept_share(told, base)
    return {
        "run": record.run,
        "settings": name,
        "epoch": best.epoch if best else None,
        "weight": best.weight if best else None,
        "likeness": None if told is None else mean(told.likeness),
        "kept": None if kept is None else round(kept, 4),
        "leak": None if told is None else mean(told.leak),
        "copies": None if told is None else mean(told.copies),
        "bake": best.bake if best else "unjudged",
        "evaluation": record.name,
        "best": is_best,
    }


def _write(
    project: Project, rows: list[dict[str, Any]], records: "Sequence[Evaluation]", names: Sequence[str], best: int, advice: str
) -> None:
    from lorasmith.imaging.read import save_png
    from lorasmith.judging.chart import Mark, Series, chart
    from lorasmith.judging.page_tables import sweep_page

    likeness = [
        None if one.told is None or one.told.likeness is None
        else Mark(one.told.likeness.mean, one.told.likeness.over_seeds or 0.0)
        for one in records
    ]  # fmt: skip
    kept = [None if row["kept"] is None else Mark(row["kept"]) for row in rows]
    leak = [
        None if one.told is None or one.told.leak is None else Mark(one.told.leak.mean, one.told.leak.over_seeds or 0.0)
        for one in records
    ]  # fmt: skip
    series = [Series("likeness", tuple(likeness)), Series("obedience kept", tuple(kept)), Series("leak", tuple(leak))]
    titles = [f"run {record.run}: {name}" for record, name in zip(records, names, strict=True)]
    place: Path = project.evaluations
    save_png(chart(f"{project.trigger}: {len(rows)} runs", titles, series, best), place / PLOT)
    write_atomic(place / PAGE, sweep_page(project.trigger, advice, rows, place / PLOT))
    content = {"format": 1, "advice": advice, "runs": rows}
    write_atomic(place / TABLE, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
