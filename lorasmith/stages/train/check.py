"""check: everything that would stop or spoil a training, said before it starts."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import CheckpointError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import FILE_NAME
from lorasmith.stages.prune.spoilt import spoilt
from lorasmith.stages.refine.lineage import lineage_faults
from lorasmith.stages.refine.sparse import sparse_notes
from lorasmith.stages.train.outlook import seconds_per_step
from lorasmith.stages.train.training_set import training_set

if TYPE_CHECKING:
    from lorasmith.training.dataset import TrainingPicture
    from lorasmith.training.plan import BucketRow, Plan

_SPARE_BYTES = 500e6  # a run's states, samples and LoRA files


@dataclass(frozen=True)
class Checked:
    """What check found: errors stop a training, warnings do not."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    pictures: int
    unet_lr: float | None
    text_encoder_lr: float | None
    steps: int | None
    images_seen: int | None
    minutes: float | None  # as the last run of this base and size took for its steps; None where there was none
    buckets: "tuple[BucketRow, ...]"
    captions: tuple[str, ...]  # three of them, as they will be trained
    base: str = ""  # family of the base model, and what it predicts

    @property
    def exit_code(self) -> int:
        """1 when something would stop a training."""
        return 1 if self.errors else 0


def check(project: Project, settings: TrainSettings | None = None) -> Checked:
    """Looks at pictures, captions, base model, buckets, learning rates and disk; changes nothing."""
    settings = settings or project.settings(TrainSettings)
    errors: list[str] = []
    warnings: list[str] = []
    errors += checkpoint_faults(settings.checkpoint)
    chosen = training_set(project, settings)
    pictures = chosen.pictures
    warnings += [*chosen.notes, *sparse_notes(project, settings, pictures)]
    errors += picture_faults(project, pictures)
    errors += lineage_faults(project, project.pictures.trained())
    if shutil.disk_usage(project.folder).free < _SPARE_BYTES:
        warnings.append(f"Less than {_SPARE_BYTES / 1e6:.0f} MB are free on the disk of {project.folder}.")
    errors += [] if errors else block_faults(settings)
    plan, base, minutes = None, "", None
    if pictures and not errors:
        plan = plan_of(project, settings, pictures)
        base, notes = base_model(settings)
        warnings += [*notes, *plan.notes]
        pace = seconds_per_step(project, settings)
        minutes = None if pace is None else round(plan.steps * pace / 60, 1)
    return replace(_checked(errors, warnings, pictures, plan), base=base, minutes=minutes)


def _checked(errors: list[str], warnings: list[str], pictures: "list[TrainingPicture]", plan: "Plan | None") -> Checked:
    return Checked(
        tuple(errors),
        tuple(warnings),
        len(pictures),
        None if plan is None else plan.unet_lr,
        None if plan is None else plan.text_encoder_lr,
        None if plan is None else plan.steps,
        None if plan is None else plan.images_seen,
        None,
        () if plan is None else plan.table,
        tuple(picture.caption for picture in pictures[:3]),
    )


def base_model(settings: TrainSettings) -> tuple[str, list[str]]:
    """Gives what the base model is, in words, and what a person should know of it."""
    from lorasmith.checkpoints.checkpoint import detect_at
    from lorasmith.checkpoints.family import chosen
    from lorasmith.checkpoints.foundation import notes_on

    path = Path(settings.checkpoint).expanduser()
    family = chosen(detect_at(path), settings.prediction_type, settings.zero_terminal_snr)
    return family.words, notes_on(path, family)


def block_faults(settings: TrainSettings) -> list[str]:
    """Says when the list of block weights is not one for this family of base model."""
    from lorasmith.checkpoints.checkpoint import detect_at
    from lorasmith.checkpoints.lora_keys import BLOCKS

    if not settings.block_weights:
        return []
    down, middle, up = BLOCKS[detect_at(settings.checkpoint).base]
    given, needed = len(settings.block_weights), down + middle + up
    if given == needed:
        return []
    return [f"block_weights has {given} numbers; this base model needs {needed}: {down} down, {middle} middle, {up} up."]


def checkpoint_faults(checkpoint: str) -> list[str]:
    """Says what is wrong with the base model; nothing when it can be trained on."""
    from lorasmith.checkpoints.checkpoint import detect_at

    if not checkpoint:
        return [
            f"No base model is set: write checkpoint = '...safetensors' (in single quotes) under [train] in {FILE_NAME}, "
            "or give --checkpoint to train."
        ]
    try:
        detect_at(checkpoint)
    except CheckpointError as error:
        return [str(error)]
    return []


def picture_faults(project: Project, pictures: "list[TrainingPicture]") -> list[str]:
    """Says what is wrong with the pictures and captions as a whole."""
    kept = project.pictures.trained()
    if not kept:
        return [_without_any(project)]
    if gone := sorted(spoilt(project, kept)):
        made = any(picture.name in gone and picture.parent is not None for picture in kept)
        way = "`lorasmith prepare`, which makes edits anew" if made else "`lorasmith prune`, which leaves it out"
        return [f"{_counted(len(gone), 'picture')} cannot be read any more ({', '.join(gone[:3])}): put the file back, or run {way}."]
    if not pictures:
        return ["No picture has a caption yet; run `lorasmith tag` first."]
    faults = []
    if without := sorted({picture.name for picture in kept} - {picture.name for picture in pictures}):
        has = "has" if len(without) == 1 else "have"
        faults.append(f"{_counted(len(without), 'picture')} {has} no caption ({', '.join(without[:3])}); run `lorasmith tag` again.")
    if missing := [picture.path.name for picture in pictures if not picture.path.is_file()]:
        are = "is" if len(missing) == 1 else "are"
        faults.append(f"{_counted(len(missing), 'picture file')} {are} missing ({', '.join(missing[:3])}); put the file back.")
    return faults


def _without_any(project: Project) -> str:
    dropped = sum(decision.verdict == "drop" for decision in project.pictures.decisions().values())
    if not dropped:
        return "The project has no pictures to train on; run download, or `lorasmith add`, first."
    return (
        f"The project has no pictures to train on: {_counted(dropped, 'picture')} dropped. `lorasmith prune DIR --list` says why; "
        "`lorasmith keep DIR NAME` takes one back."
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def plan_of(project: Project, settings: TrainSettings, pictures: "list[TrainingPicture]") -> "Plan":
    """Works out learning rates, steps and buckets."""
    from lorasmith.checkpoints.checkpoint import detect_at
    from lorasmith.training.plan import plan

    known = {picture.name: (picture.width, picture.height) for picture in project.pictures.all()}
    strange = [each for each in pictures if each.name not in known]
    if strange:
        from lorasmith.training.pictures import size_of  # torch comes along: only where a subset has a folder

        known |= {each.name: size_of(each.path) for each in strange}
    base = detect_at(settings.checkpoint).base
    return plan(settings, pictures, {each.name: known[each.name] for each in pictures}, base)
