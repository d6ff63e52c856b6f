"""evaluate: a grid over epochs, weights and prompts, judged by the tagger, with a column of the base alone."""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import CheckpointError, LorasmithError, UsageError
from lorasmith.files import sha256_of, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.safety import is_seen, refused_places
from lorasmith.settings.tables import NO_TAGGER, EvaluateSettings, TagSettings, TrainSettings
from lorasmith.stages.check import checkpoint_faults
from lorasmith.stages.renders import Cell, Wanted, common_prompt, render_missing, scores_of, wanted

if TYPE_CHECKING:
    import numpy as np

    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.judging.rank import Ranking
    from lorasmith.judging.record import Evaluation
    from lorasmith.judging.scores import Judge, Judged
    from lorasmith.rendering.prompt import Renderer
    from lorasmith.taggers.onnx import Tagger

_PLAN = "evaluation.json"  # what the folder is an evaluation of
_SCORES = "scores.json"
_GRID = "grid.png"
Scores = Mapping[str, "np.ndarray"]  # render name -> the tagger's score of each label


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
    advice: str


@dataclass(frozen=True)
class Bench:
    """What an evaluation works with."""

    project: Project
    settings: EvaluateSettings
    folder: Path
    renderer: "Renderer"
    tagger: "Tagger"
    judge: "Judge"
    prompts: "tuple[PlannedPrompt, ...]"
    clip_skip: int
    report: Report
    checkpoint: Path


def evaluate(
    project: Project, settings: EvaluateSettings, report: Report = silent, renderer: "Renderer | None" = None
) -> Evaluated:
    """Renders and judges the last run's epochs; chooses epoch and weight on some seeds, tells the scores on others."""
    from lorasmith.judging.rank import rank
    from lorasmith.judging.report import write_report
    from lorasmith.judging.scores import score_cell

    report(Progress("evaluate", 0, None, "loading"))
    run = last_finished_run(project)
    bench = _bench(project, settings, run, report, renderer)
    base = Cell(None, None, 0.0)
    cells = [Cell(epoch, file, weight) for epoch, file in chosen_epochs(project, run, settings.epochs)
             for weight in settings.weights]  # fmt: skip
    choosing = wanted([base, *cells], bench.prompts, settings.seeds, told=False)
    made = _render(bench, choosing)
    judged = _judged(bench, choosing)
    scored = {cell: score_cell(cell.epoch, cell.weight, judged[cell], bench.judge) for cell in (base, *cells)}
    ranking = rank([scored[cell] for cell in cells], scored[base])
    best = recommended(cells, ranking)
    telling = wanted([base, best], bench.prompts, settings.report_seeds, told=True)
    made += _render(bench, telling)
    judged_told = _judged(bench, telling)
    told = {cell: score_cell(cell.epoch, cell.weight, judged_told[cell], bench.judge) for cell in (base, best)}
    record = _record(
        bench, (scored[base], tuple(scored[cell] for cell in cells), ranking), (told[best], told[base]), best
    )
    renders = [*choosing, *telling]
    scores = scores_of(project, bench.tagger, bench.folder, renders, report)
    shown = without_refused(bench, renders, scores)
    record = _with_renders(bench, record, shown, scores)
    _grid(bench, [base, *cells], [render for render in shown if not render.told])
    page = write_report(bench.folder, record)
    _add_own_scores(bench, shown, scores)
    _sidecars(bench, best, record)
    report(Progress("evaluate", 1, 1, "done"))
    return _result(bench, made, best, record, page)


def recommended(cells: Sequence[Cell], ranking: "Ranking") -> Cell:
    """Gives the cell that the ranking put first; where nothing could be judged, the last epoch nearest to full weight."""
    if ranking.best is None:
        return max(cells, key=lambda cell: (cell.epoch or 0, -abs(cell.weight - 1.0)))
    chosen = (ranking.best.epoch, ranking.best.weight)
    return next(cell for cell in cells if (cell.epoch, cell.weight) == chosen)


def last_finished_run(project: Project) -> Path:
    """Gives the run that train gave last, else the newest that has ended; raises when there is none."""
    finished = [folder for folder in project.numbered(project.runs) if (folder / "trained.json").is_file()]
    if not finished:
        raise UsageError("No training run has ended yet; run `lorasmith train` first.")
    return next((folder for folder in finished if folder.name == project.fact("run")), finished[-1])


def chosen_epochs(project: Project, run: Path, count: int) -> list[tuple[int, Path]]:
    """Gives the saved epochs that are compared: the last, and others evenly before it."""
    rows = json.loads((run / "trained.json").read_text(encoding="utf-8"))["files"]
    saved = [
        (int(row["epoch"]), project.loras / row["file"]) for row in rows if (project.loras / row["file"]).is_file()
    ]
    if not saved:
        raise LorasmithError(f"The LoRA files of {run.name} are gone from {project.loras}; train again.")
    count = min(count, len(saved))
    places = sorted({len(saved) - 1 - round(place * len(saved) / count) for place in range(count)})
    return [saved[place] for place in places]


def _bench(
    project: Project, settings: EvaluateSettings, run: Path, report: Report, renderer: "Renderer | None"
) -> Bench:
    from lorasmith.checkpoints.hashes import model_sha
    from lorasmith.judging.plan import evaluation_prompts
    from lorasmith.judging.scores import Judge
    from lorasmith.rendering.diffusers import renderer_as_trained
    from lorasmith.taggers.open import open_tagger

    tag_settings = project.settings(TagSettings)
    if tag_settings.tagger == NO_TAGGER:
        raise UsageError(
            "Renders are judged by a tagger, and tag.tagger is 'none': name one in lorasmith.toml under [tag]."
        )
    tagger = open_tagger(tag_settings.tagger, models_folder=None, providers=tuple(tag_settings.providers))
    core = tuple(project.fact("core_tags") or ())
    prompts = tuple(evaluation_prompts(project.trigger, core, habits(project), set(tagger.index), settings.prompts))
    trained = tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))["settings"]
    checkpoint = checkpoint_of(project, settings, trained)
    clip_skip = int(trained["clip_skip"])
    identity = {
        "run": run.name,
        "files": {file.name: sha256_of(file) for _, file in chosen_epochs(project, run, settings.epochs)},
        "checkpoint": model_sha(checkpoint),
        "tagger": tagger.id,
        "core": list(core),
        "prompts": [prompt.text for prompt in prompts],
        "settings": settings.model_dump(mode="json", exclude={"device", "batch_size"}),
    }
    folder = _folder(project, identity)
    judge = Judge(tagger.index, core, settings.threshold)
    renderer = renderer or renderer_as_trained(checkpoint, trained, settings.device, settings.batch_size)
    return Bench(project, settings, folder, renderer, tagger, judge, prompts, clip_skip, report, checkpoint)


def checkpoint_of(project: Project, settings: EvaluateSettings, trained: Mapping[str, Any]) -> Path:
    """Gives the base model to render with: the one set, else the one trained on; raises when it cannot be used."""
    wanted = settings.checkpoint or str(trained.get("checkpoint", "")) or project.settings(TrainSettings).checkpoint
    if faults := checkpoint_faults(wanted):
        raise CheckpointError(" ".join(faults))
    return Path(wanted).expanduser()


def _folder(project: Project, identity: Mapping[str, Any]) -> Path:
    """Gives the folder of just this evaluation, finished or not, or makes the next one."""
    text = json.dumps(identity, sort_keys=True, indent=1)
    for folder in reversed(project.numbered(project.evaluations)):
        plan = folder / _PLAN
        if not plan.exists() or plan.read_text(encoding="utf-8") == text:
            write_atomic(plan, text)
            return folder
    folder = project.next_numbered(project.evaluations)
    write_atomic(folder / _PLAN, text)
    return folder


def habits(project: Project) -> dict[str, float]:
    """Gives the share of the training captions that carry each tag: what the LoRA has seen often."""
    from lorasmith.tags.captions import tags_of_caption

    captions = project.pictures.captions(project.settings(TagSettings).caption_set)
    counts: Counter[str] = Counter()
    for caption in captions.values():
        counts.update(set(tags_of_caption(caption.text)) - {project.trigger})
    return {tag: count / len(captions) for tag, count in sorted(counts.items())}


def _render(bench: Bench, renders: Sequence[Wanted]) -> int:
    (bench.folder / "renders").mkdir(parents=True, exist_ok=True)
    common = common_prompt(bench.settings, bench.clip_skip)
    return render_missing(bench.folder, renders, bench.renderer, common, bench.report, bench.settings.batch_size)


def _judged(bench: Bench, renders: Sequence[Wanted]) -> "dict[Cell, list[Judged]]":
    from lorasmith.judging.scores import Judged

    scores = scores_of(bench.project, bench.tagger, bench.folder, renders, bench.report)
    judged: dict[Cell, list[Judged]] = {}
    for render in renders:
        judged.setdefault(render.cell, []).append(Judged(render.prompt, render.seed, scores[render.name]))
    return judged


def _record(bench: Bench, choice: Any, told: Any, best: Cell) -> "Evaluation":
    from lorasmith.judging.record import Evaluation

    base, cells, ranking = choice
    shown = bench.settings.model_dump(mode="json", exclude={"prompts", "checkpoint"})
    return Evaluation(
        name=bench.folder.name,
        trigger=bench.project.trigger,
        base_model=bench.checkpoint.name,
        lora=best.lora.name if best.lora else "",
        tagger=bench.tagger.name,
        core=bench.judge.core,
        base=base,
        cells=cells,
        ranking=ranking,
        told=told[0],
        told_base=told[1],
        unknown=bench.judge.unknown(),
        grid=_GRID,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=shown,
    )


def _with_renders(bench: Bench, record: "Evaluation", renders: Sequence[Wanted], scores: Scores) -> "Evaluation":
    from dataclasses import replace

    from lorasmith.judging.record import RenderRow
    from lorasmith.judging.scores import Judged, followed, likeness

    rows = []
    for render in renders:
        judged = Judged(render.prompt, render.seed, scores[render.name])
        rows.append(
            RenderRow(
                render.file,
                render.prompt,
                render.seed,
                render.cell.epoch,
                render.cell.weight,
                likeness(judged, bench.judge),
                followed(judged, bench.judge),
                render.told,
            )  # fmt: skip
        )
    return replace(record, renders=tuple(rows))


def without_refused(bench: Bench, renders: Sequence[Wanted], scores: Scores) -> list[Wanted]:
    """Leaves out, and removes, the renders on which the tagger sees what marks minors: nobody is shown them."""
    places = refused_places(label.name for label in bench.tagger.labels)
    refused = {name for name, vector in scores.items() if is_seen(vector, places)}
    for render in renders:
        if render.name in refused:
            (bench.folder / render.file).unlink(missing_ok=True)
    return [render for render in renders if render.name not in refused]


def _add_own_scores(bench: Bench, renders: Sequence[Wanted], scores: Scores) -> None:
    """Adds to scores.json what later stages read: each render's name, LoRA, and the score of each own tag."""
    path = bench.folder / _SCORES
    content = json.loads(path.read_text(encoding="utf-8"))
    for row, render in zip(content["renders"], renders, strict=True):
        row["name"] = render.name
        row["lora"] = "" if render.cell.lora is None else render.cell.lora.name
        row["own_scores"] = _scores_by_tag(bench, scores[render.name])
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _scores_by_tag(bench: Bench, vector: "np.ndarray") -> dict[str, float]:
    known = [tag for tag in bench.judge.core if tag in bench.judge.index]
    return {tag: round(float(vector[bench.judge.index[tag]]), 4) for tag in known}


def _grid(bench: Bench, cells: Sequence[Cell], renders: Sequence[Wanted]) -> None:
    """Draws the grid: one row per prompt, one column per epoch and weight, all seeds side by side."""
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import labelled_grid

    rows = [prompt.text for prompt in bench.prompts]
    at: dict[tuple[str, str], list[Path]] = {}
    for render in renders:
        at.setdefault((render.prompt.text, render.cell.title), []).append(bench.folder / render.file)
    size = min(192, max(bench.settings.width, bench.settings.height))
    save_png(labelled_grid([cell.title for cell in cells], rows, at, cell=size), bench.folder / _GRID)


def _sidecars(bench: Bench, best: Cell, record: "Evaluation") -> None:
    """Writes what WebUIs read beside the recommended LoRA: activation text and weight (.json), a preview (.png)."""
    from lorasmith.checkpoints.header import read_header
    from lorasmith.tags.spelling import escaped

    if best.lora is None:
        return
    version = read_header(best.lora).metadata.get("ss_base_model_version", "")
    notes = f"lorasmith: {record.ranking.advice}"
    facts = {
        "description": f"{bench.project.trigger}, trained on {record.base_model}",
        "sd version": "SDXL" if version.startswith("sdxl") else "SD1",
        "activation text": escaped(bench.project.trigger),
        "preferred weight": best.weight,
        "negative text": bench.settings.negative,
        "notes": notes,
    }
    write_atomic(best.lora.with_suffix(".json"), json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    of_best = [row for row in record.renders if row.epoch == best.epoch and row.weight == best.weight]
    preview = max(of_best, key=lambda row: (row.likeness or 0.0, row.file))
    write_atomic(best.lora.with_suffix(".png"), (bench.folder / preview.file).read_bytes())


def _result(bench: Bench, made: int, best: Cell, record: "Evaluation", page: Path) -> Evaluated:
    told, base = record.told, record.told_base
    assert told is not None and base is not None
    pairs = {
        kind: (share.mean, base.followed[kind].mean) for kind, share in told.followed.items() if kind in base.followed
    }
    folder = bench.project.folder
    return Evaluated(
        folder=bench.folder.relative_to(folder).as_posix(),
        report=str(page),
        rendered_now=made,
        lora=best.lora.relative_to(folder).as_posix() if best.lora else "",
        epoch=best.epoch or 0,
        weight=best.weight,
        likeness=None if told.likeness is None else told.likeness.mean,
        likeness_without=None if base.likeness is None else base.likeness.mean,
        followed=pairs,
        advice=record.ranking.advice,
    )
