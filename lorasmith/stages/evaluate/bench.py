"""What an evaluation works with: prompts, tagger, renderer, and the folder that holds just this evaluation."""

import json
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

from lorasmith.errors import CheckpointError, LorasmithError, UsageError
from lorasmith.files import move_into_place, sha256_of, write_atomic
from lorasmith.progress import Report
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, TagSettings, TrainSettings
from lorasmith.stages.evaluate.renders import FOLDER, Cell
from lorasmith.stages.evaluate.training_looks import habits, known_pictures, sought, toggles_of
from lorasmith.stages.tag.scores import open_project_tagger
from lorasmith.stages.train.check import checkpoint_faults

if TYPE_CHECKING:
    from lorasmith.judging.judge import Judge
    from lorasmith.judging.nearness import Known
    from lorasmith.judging.plan import PlannedPrompt, Wishes
    from lorasmith.rendering.prompt import LoraUse, Renderer
    from lorasmith.taggers.onnx import Tagger

PLAN = "evaluation.json"  # what the folder is an evaluation of
SCORES = "scores.json"


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
    known: "Known"  # the training pictures, as renders are held against them
    clip_skip: int
    report: Report
    checkpoint: Path
    others: "tuple[LoraUse, ...]" = ()


@dataclass(frozen=True)
class Subject:
    """What is evaluated: the columns, the base model with the settings that its LoRAs were trained with, and where it goes.

    `run` names it in `evaluation.json`; `place` is the folder in which evaluations of its kind are numbered.
    """

    run: str
    cells: tuple[Cell, ...]
    trained: Mapping[str, Any]
    place: Path
    others: "tuple[LoraUse, ...]" = ()  # LoRAs that are put in beside every column's own


def last_finished_run(project: Project) -> Path:
    """Gives the run that train gave last, else the newest that has ended; raises when there is none."""
    finished = finished_runs(project)
    if not finished:
        raise UsageError("No training run has ended yet; run `lorasmith train` first.")
    return next((folder for folder in finished if folder.name == project.fact("run")), finished[-1])


def finished_runs(project: Project) -> list[Path]:
    """Lists the runs that have ended."""
    return [folder for folder in project.numbered(project.runs) if (folder / "trained.json").is_file()]


def settings_of_run(run: Path) -> dict[str, Any]:
    """Gives the training settings of a run."""
    settings: dict[str, Any] = tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))["settings"]
    return settings


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


def subject_of_run(project: Project, settings: EvaluateSettings, run: Path) -> Subject:
    """Gives a run's chosen epochs at the weights of the settings."""
    cells = [Cell(epoch, file, weight) for epoch, file in chosen_epochs(project, run, settings.epochs)
             for weight in settings.weights]  # fmt: skip
    return Subject(run.name, tuple(cells), settings_of_run(run), project.evaluations)


def open_bench(  # noqa: PLR0913 - the four words of a stage, what is looked at, and by which prompts
    project: Project, settings: EvaluateSettings, subject: Subject, report: Report, renderer: "Renderer | None" = None,
    planned: "Callable[[Wishes], Sequence[PlannedPrompt]] | None" = None,
) -> Bench:  # fmt: skip
    """Opens tagger and renderer, plans the prompts (as an evaluation does, or as `planned` does), and finds or makes the folder."""
    from lorasmith.judging.judge import Judge
    from lorasmith.judging.plan import Wishes, evaluation_prompts
    from lorasmith.judging.unasked import artefacts_known, places_known
    from lorasmith.rendering.diffusers import renderer_as_trained

    tag_settings = project.settings(TagSettings)
    if not tag_settings.tagger_names:
        raise UsageError(
            "Renders are judged by a tagger, and tag.tagger is 'none': name one in lorasmith.toml under [tag]."
        )
    tagger = open_project_tagger(tag_settings, report)
    core = tuple(project.fact("core_tags") or ())
    toggles = toggles_of(project, tagger.index, settings.asked)
    shares = habits(project)
    cast = sought(project, toggles)
    wishes = Wishes(core, shares, set(tagger.index), toggles, settings.prompts, settings.asked, cast)
    prompts = tuple(evaluation_prompts(project.trigger, wishes) if planned is None else planned(wishes))
    checkpoint = checkpoint_of(project, settings, subject.trained)
    folder = _folder(project, subject, _identity(settings, subject, checkpoint, tagger, core, prompts))
    judge = Judge(
        tagger.index, core, settings.threshold, toggles, places_known(tagger.index), artefacts_known(tagger.index, core),
        {one.trigger: one.core for one in cast},
    )  # fmt: skip
    renderer = renderer or renderer_as_trained(checkpoint, subject.trained, settings.device, settings.batch_size)
    known = known_pictures(project, tagger, settings.width / settings.height, report)
    clip_skip = int(subject.trained.get("clip_skip", 1))
    return Bench(
        project, settings, folder, renderer, tagger, judge, prompts, known, clip_skip, report, checkpoint, subject.others
    )  # fmt: skip


def checkpoint_of(project: Project, settings: EvaluateSettings, trained: Mapping[str, Any]) -> Path:
    """Gives the base model to render with: the one set, else the one trained on; raises when it cannot be used."""
    wanted = settings.checkpoint or str(trained.get("checkpoint", "")) or project.settings(TrainSettings).checkpoint
    if faults := checkpoint_faults(wanted):
        raise CheckpointError(" ".join(faults))
    return Path(wanted).expanduser()


def _identity(
    settings: EvaluateSettings, subject: Subject, checkpoint: Path, tagger: "Tagger", core: Sequence[str],
    prompts: "Sequence[PlannedPrompt]",
) -> dict[str, Any]:  # fmt: skip
    from lorasmith.checkpoints.hashes import model_sha

    return {
        "run": subject.run,
        "files": {cell.mark or cell.lora.name: sha256_of(cell.lora) for cell in subject.cells if cell.lora is not None},
        "columns": [cell.name for cell in subject.cells],
        "checkpoint": model_sha(checkpoint),
        "tagger": tagger.id,
        "core": list(core),
        "prompts": [prompt.text for prompt in prompts],
        "settings": settings.model_dump(mode="json", exclude={"device", "batch_size"}),
        "others": [use.tag for use in subject.others],
        "drawn": {name: subject.trained.get(name) for name in ("clip_skip", "prediction_type", "zero_terminal_snr")},
    }


def _folder(project: Project, subject: Subject, identity: Mapping[str, Any]) -> Path:
    """Gives the folder of just this evaluation, finished or not, or makes the next one."""
    text = json.dumps(identity, sort_keys=True, indent=1)
    folders = project.numbered(subject.place) if subject.place.is_dir() else []
    for folder in reversed(folders):
        plan = folder / PLAN
        if not plan.exists() or plan.read_text(encoding="utf-8") == text:
            write_atomic(plan, text)
            return folder
    folder = project.next_numbered(subject.place)
    write_atomic(folder / PLAN, text)
    return folder


_SAME_BASE = ("checkpoint", "prompts", "settings", "drawn")


def borrow_base(bench: Bench) -> None:
    """Takes over the base's renders of another evaluation with the same base model, prompts and settings: they are the same."""
    mine = json.loads((bench.folder / PLAN).read_text(encoding="utf-8"))
    for folder in bench.project.numbered(bench.project.evaluations):
        try:
            other = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if folder == bench.folder or any(mine.get(key) != other.get(key) for key in _SAME_BASE):
            continue
        for file in sorted((folder / FOLDER).glob("base-*.png")):
            target = bench.folder / FOLDER / file.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                copyfile(file, target.with_suffix(".part"))
                move_into_place(target.with_suffix(".part"), target)


def made_at(folder: Path) -> str:
    """Gives when an evaluation ended: as it stands in its record, else now (`SOURCE_DATE_EPOCH` where that is set)."""
    try:
        return str(json.loads((folder / SCORES).read_text(encoding="utf-8"))["made"])
    except (OSError, ValueError, KeyError):
        fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
        moment = datetime.fromtimestamp(int(fixed), UTC) if fixed.isdigit() else datetime.now(UTC)
        return moment.isoformat(timespec="seconds")
