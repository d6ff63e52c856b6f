"""train: the LoRA, in a run folder that a killed process goes on in."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import NotReady
from lorasmith.files import sha256_of
from lorasmith.model_imports import uncollected
from lorasmith.progress import Report, silent
from lorasmith.project.project import Project
from lorasmith.project.sidecars import folder_word
from lorasmith.settings.sweep import name_of_differences
from lorasmith.settings.tables import TagSettings, TrainSettings
from lorasmith.stages.train.at_work import told_at_work
from lorasmith.stages.train.check import check
from lorasmith.stages.train.together import train_together
from lorasmith.stages.train.training_set import training_set

if TYPE_CHECKING:
    from lorasmith.training.dataset import TrainingPicture


@dataclass(frozen=True)
class Trained:
    """What train did."""

    run: str  # the run folder
    files: tuple[str, ...]  # one LoRA per saved epoch, the last one last
    pictures: int
    steps: int
    unet_lr: float
    text_encoder_lr: float
    loss: float  # mean of the last epoch
    resumed_from: int | None  # the step that a stopped run went on from
    notes: tuple[str, ...]
    base: str = ""  # family of the base model, and what it predicts


def train(project: Project, settings: TrainSettings, report: Report = silent) -> Trained:
    """Trains the LoRA; an unfinished run of the same settings, pictures and base model goes on, a finished one is given back."""
    with uncollected():
        from lorasmith.training.request import TrainRequest
        from lorasmith.training.train import train as train_lora

    found = check(project, settings)
    if found.errors:
        raise NotReady(" ".join(found.errors))
    pictures = training_set(project, settings).pictures
    triggers = tuple(project.settings(TagSettings).cast)
    request = TrainRequest(
        run_folder=_run_folder(project, settings, pictures),
        lora_folder=project.loras,
        cache_folder=project.cache / "latents",
        checkpoint=Path(settings.checkpoint).expanduser().resolve(),
        pictures=pictures,
        settings=settings,
        name="-".join(filter(None, (folder_word(project.trigger), name_of_differences(settings, project.settings(TrainSettings))))),
        trigger=triggers[0] if triggers else project.trigger,
        triggers=triggers,
    )
    with told_at_work(request.run_folder):
        if settings.processes > 1:
            trained = train_together(request, settings.processes, report)
        else:
            trained = train_lora(request, report)
    project.remember("run", request.run_folder.name)
    assert found.unet_lr is not None and found.text_encoder_lr is not None  # check makes a plan where it finds no error
    files = tuple(saved.path.relative_to(project.folder).as_posix() for saved in trained.files)
    return Trained(
        request.run_folder.relative_to(project.folder).as_posix(), files, len(pictures), trained.steps, found.unet_lr,
        found.text_encoder_lr, trained.loss, trained.resumed_from, tuple(found.warnings), found.base,
    )  # fmt: skip


def _run_folder(project: Project, settings: TrainSettings, pictures: "list[TrainingPicture]") -> Path:
    """Gives the folder of the run with just these settings, pictures and base model, else the next free one."""
    from lorasmith.checkpoints.hashes import model_sha
    from lorasmith.training.fingerprint import fingerprint_of

    shas = {picture.name: sha256_of(picture.path) for picture in pictures}
    base = model_sha(Path(settings.checkpoint).expanduser())
    digest = fingerprint_of(settings, pictures, shas, base).digest
    for folder in reversed(project.numbered(project.runs)):
        try:
            run = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError):
            continue
        if run.get("run", {}).get("fingerprint") == digest:
            return folder
    return _unused(project.numbered(project.runs)) or project.next_numbered(project.runs)


def _unused(folders: list[Path]) -> Path | None:
    """Gives the last run folder when a process was killed before it wrote anything that says what the run is."""
    return folders[-1] if folders and not (folders[-1] / "run.toml").exists() else None
