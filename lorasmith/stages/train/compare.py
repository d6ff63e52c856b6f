"""inspect --project: the training settings that a LoRA file tells of, beside those of a project."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.trainer_plan import shown

if TYPE_CHECKING:
    from lorasmith.checkpoints.header import Header

_BY_RULE = ("unet_lr", "text_encoder_lr", "min_bucket", "max_bucket")  # unset ones follow from others


@dataclass(frozen=True)
class SettingBeside:
    """One setting of [train] that differs: in the file, and in the project."""

    setting: str
    file: str
    project: str


@dataclass(frozen=True)
class Compared:
    """A LoRA's settings beside a project's."""

    file: Path
    project: Path
    differ: tuple[SettingBeside, ...]
    same: tuple[str, ...]
    not_in_the_file: tuple[str, ...]  # settings that differ from their default in the project, and that the file is silent on


def compare_with_project(project: Project, source: "Path | Header") -> Compared:
    """Compares the training settings in a LoRA file, or in its header, with those that a project would train with."""
    from lorasmith.checkpoints.inspection import open_header, plan_in

    header = open_header(source)
    file, theirs = header.path, dict(plan_in(header).settings)
    if not theirs:
        raise UsageError(f"{file.name} tells nothing of its training: it has no settings to compare with.")
    settings = project.settings(TrainSettings)
    ours = settings.model_dump() | {"alpha": settings.network_alpha, "conv_alpha": settings.network_conv_alpha}
    differ = [name for name, value in theirs.items() if not _alike(value, ours.get(name))]
    plain, chosen = TrainSettings().model_dump(), settings.model_dump()
    silent = [name for name in chosen if name not in theirs and name != "checkpoint" and chosen[name] != plain[name]]
    return Compared(
        file,
        project.folder,
        tuple(SettingBeside(name, shown(theirs[name]), _ours(name, ours.get(name))) for name in differ),
        tuple(name for name in theirs if name not in differ),
        tuple(f"{name} = {shown(ours[name])}" for name in silent),
    )


def _ours(name: str, value: Any) -> str:
    return "by the rule" if value is None and name in _BY_RULE else shown(value)


def _alike(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, int | float):
        return abs(one - two) <= 1e-6 * max(abs(one), abs(two))
    return bool(one == two)
