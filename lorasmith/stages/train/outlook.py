"""outlook: what a training would come to in numbers (rates by the rule, steps, time), for values that are only tried."""

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from lorasmith.errors import CheckpointError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings

if TYPE_CHECKING:
    from lorasmith.training.plan import BucketRow, Plan

DECIDE_TIME = ("resolution", "batch_size", "gradient_accumulation", "precision", "device")
# What the calculator tries; a name in `unset_follows` may be left empty, and follows the rule then.
TRIED = ("strength", "repeats", "epochs", "batch_size", "unet_lr", "text_encoder_lr", "text_encoder_share")
UNSET_FOLLOWS = ("unet_lr", "text_encoder_lr")


@dataclass(frozen=True)
class Outlook:
    """A training in numbers; the rule is L = S / (R*E*I)."""

    pictures: int  # trained on
    held_out: int
    repeats: float  # R: the mean over the pictures of the character
    epochs: int
    images: int  # I: pictures of the character
    strength: float  # S as set
    strength_meant: float | None  # the S that a set unet_lr comes to; None where the rule gives the rate
    unet_lr: float
    text_encoder_lr: float
    steps_per_epoch: int
    steps: int
    images_seen: int
    minutes: float | None  # as the last run of this base and size took for its steps; None where there was none
    own_rate: bool  # the optimizer finds its own: the rule is not asked
    heavy_cut: float  # share of a picture's area from which a cut is much
    much_enlarged: float
    buckets: "tuple[BucketRow, ...]" = ()


def tried(project: Project, given: Mapping[str, str]) -> TrainSettings:
    """Gives the settings with what a person tries, typed as text; raises `UsageError` for what is no number or cannot be."""
    wished: dict[str, Any] = {}
    for name in TRIED:
        if name not in given:
            continue
        text = given[name].strip().replace(",", ".")
        if not text:
            if name not in UNSET_FOLLOWS:
                raise UsageError(f"'{name.replace('_', ' ')}' is empty; give a number.")
            wished[name] = None
            continue
        whole = TrainSettings.model_fields[name].annotation is int
        try:
            wished[name] = int(text) if whole else float(text)
        except ValueError as error:
            what = "a whole number" if whole else "a number, such as 0.0001 or 1e-4"
            raise UsageError(f"'{name.replace('_', ' ')}' has '{given[name]}'; give {what}.") from error
    return project.settings(TrainSettings, wished)


def outlook(project: Project, settings: TrainSettings) -> Outlook:
    """Works the numbers out from the pictures as they are; raises `TrainingError` where there is nothing to train on."""
    return _told(project, settings, _plan(project, settings))


def _plan(project: Project, settings: TrainSettings) -> "tuple[Plan, list[int]]":
    from lorasmith.stages.train.training_set import training_set
    from lorasmith.training.plan import plan

    pictures = training_set(project, settings).pictures
    known = {one.name: (one.width, one.height) for one in project.pictures.all()}
    if any(each.name not in known for each in pictures):
        from lorasmith.training.pictures import size_of  # torch comes along: only where a subset has a folder

        known |= {each.name: size_of(each.path) for each in pictures if each.name not in known}
    found = plan(settings, pictures, {each.name: known[each.name] for each in pictures}, _base_of(settings.checkpoint))
    out = set(found.held_out)
    return found, [each.repeats for each in pictures if each.name not in out and not each.regularisation]


def _base_of(checkpoint: str) -> Any:
    """Gives the family of the base model; SD1.x where it is not set or cannot be read, which `check` tells."""
    from lorasmith.checkpoints.checkpoint import detect_at

    if checkpoint:
        with suppress(CheckpointError):
            return detect_at(checkpoint).base
    return "sd1"


def _told(project: Project, settings: TrainSettings, planned: "tuple[Plan, list[int]]") -> Outlook:
    from lorasmith.training.optimizer_table import OWN_RATE
    from lorasmith.training.plan import ENLARGED, HEAVY_CUT

    found, repeats = planned
    pace = seconds_per_step(project, settings)
    weighted = sum(repeats)
    meant = settings.unet_lr * weighted * settings.epochs if settings.unet_lr else None
    return Outlook(
        pictures=sum(row.pictures for row in found.table), held_out=len(found.held_out), repeats=weighted / len(repeats),
        epochs=settings.epochs, images=len(repeats), strength=settings.strength, strength_meant=meant,
        unet_lr=found.unet_lr, text_encoder_lr=found.text_encoder_lr, steps_per_epoch=found.steps_per_epoch,
        steps=found.steps, images_seen=found.images_seen, minutes=None if pace is None else round(found.steps * pace / 60, 1),
        own_rate=settings.optimizer in OWN_RATE, heavy_cut=HEAVY_CUT, much_enlarged=ENLARGED, buckets=found.table,
    )  # fmt: skip


def seconds_per_step(project: Project, settings: TrainSettings) -> float | None:
    """Gives how long a step took in the last run of the same base, size and batch; None where there was none."""
    from lorasmith.training.events import read_events

    for folder in reversed(project.numbered(project.runs)):
        with suppress(OSError, ValueError, KeyError, TypeError):
            run = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))
            then = run["settings"]
            if run["base"]["file"] != Path(settings.checkpoint).name or any(
                then.get(name) != getattr(settings, name) for name in DECIDE_TIME
            ):
                continue
            times = [(event["step"], event["time"]) for event in read_events(folder / "events.jsonl") if event["event"] == "step"]
            paces = [(after - before) / (high - low) for (low, before), (high, after) in pairwise(times) if high > low]
            if paces:
                return median(paces)
    return None
