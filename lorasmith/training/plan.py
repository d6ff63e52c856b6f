"""What a run will do, worked out before anything heavy is loaded: learning rates, steps, buckets, and what to know."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lorasmith.checkpoints.topology import Base
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import Draws, Fit, Size, draws_per_bucket, fits_of, steps_per_epoch
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.optimizer_table import OWN_RATE
from lorasmith.training.validation import hold_out

HEAVY_CUT = 0.2  # share of a picture's area from which a crop is worth a sentence
ENLARGED = 1.25  # scale from which an enlargement is worth a sentence
FEW = 15  # pictures under which a character is seldom learnt well
NAMED = 5  # names told in a sentence before "and n more"


@dataclass(frozen=True)
class BucketRow:
    """One bucket of a run: how many pictures fall into it, how often they are drawn in an epoch, and what that costs them."""

    bucket: str  # width x height
    pictures: int
    draws: int
    cut: float  # mean share of their area that is cut off
    most_cut: float
    enlarged: float  # the most that one is enlarged; 1 where none is


@dataclass(frozen=True)
class Plan:
    """A run in numbers; `buckets` counts the draws of an epoch, `notes` are sentences for a person."""

    unet_lr: float
    text_encoder_lr: float
    steps_per_epoch: int
    steps: int
    images_seen: int
    buckets: dict[Size, int]
    notes: list[str]
    text_encoder_2_lr: float = 0.0
    held_out: tuple[str, ...] = ()  # pictures that are not trained on: their loss is told
    table: tuple[BucketRow, ...] = ()


def learning_rate(strength: float, repeats: float, epochs: int, images: float) -> float:
    """Gives L = S / (R*E*I); with mixed repeats, R*I is the pictures counted by their repeats (R their mean)."""
    return strength / (repeats * epochs * images)


def learning_rates(
    settings: TrainSettings, pictures: Iterable[TrainingPicture], base: Base = "sd1"
) -> tuple[float, float]:
    """Gives the learning rates of U-Net and text encoder: as set, else by the rule and a share of the U-Net's.

    SDXL's text encoders are left alone unless a rate is set. I counts the pictures of the character alone, and where several
    share the training those of one of them on the mean: S is what one is to learn. An optimizer that finds its own rate has 1
    for both, unless set.
    """
    if settings.optimizer in OWN_RATE:
        unet = share = settings.unet_lr or 1.0
    else:
        own = [picture for picture in pictures if not picture.regularisation]
        weighted = sum(picture.repeats for picture in own) / max(picture.characters for picture in own)
        unet = settings.unet_lr or learning_rate(settings.strength, 1, settings.epochs, weighted)
        share = unet * settings.text_encoder_share
    if settings.text_encoder_lr is not None:
        return unet, settings.text_encoder_lr
    return unet, 0.0 if base == "sdxl" else share


def draws_of(pictures: Iterable[TrainingPicture], fits: Mapping[str, Fit]) -> dict[str, Draws]:
    """Gives every picture's part in an epoch, by name."""
    return {picture.name: Draws(fits[picture.name].bucket, picture.repeats) for picture in pictures}


def total_steps(settings: TrainSettings, each_epoch: int) -> int:
    """Gives the steps of the run: all epochs, or `max_steps` when that is set and less."""
    steps = each_epoch * settings.epochs
    return min(steps, settings.max_steps) if settings.max_steps else steps


def plan(
    settings: TrainSettings, pictures: list[TrainingPicture], sizes: Mapping[str, Size], base: Base = "sd1"
) -> Plan:
    """Works out a run; `sizes` holds each picture's upright width and height by name, `base` is the model's family.

    Raises `TrainingError` when there is nothing to train on or the size of a picture is not known.
    """
    if not pictures:
        raise TrainingError("There are no pictures to train on: run the stages before train, or add pictures.")
    if all(picture.regularisation for picture in pictures):
        raise TrainingError("All pictures are regularisation; the set needs pictures of the character.")
    if unknown := [picture.name for picture in pictures if picture.name not in sizes]:
        raise TrainingError(f"The size of {_names(unknown)} is not known: the picture cannot be read.")
    pictures, held_out = hold_out(pictures, settings.validation_share)
    fits = fits_of(settings, {picture.name: sizes[picture.name] for picture in pictures})
    draws = draws_of(pictures, fits)
    each_epoch = steps_per_epoch(draws, settings.batch_size, settings.gradient_accumulation)
    steps = total_steps(settings, each_epoch)
    weighted = sum(picture.repeats for picture in pictures)
    unet_lr, text_encoder_lr = learning_rates(settings, pictures, base)
    return Plan(
        unet_lr=unet_lr,
        text_encoder_lr=text_encoder_lr,
        steps_per_epoch=each_epoch,
        steps=steps,
        images_seen=round(weighted * steps / each_epoch),
        buckets=draws_per_bucket(draws),
        notes=[
            *_picture_notes(pictures, fits),
            *_run_notes(settings, each_epoch, steps),
            *_rate_notes(settings, unet_lr, text_encoder_lr),
            *_base_notes(settings, base),
        ],
        held_out=tuple(picture.name for picture in held_out),
        table=tuple(_table(fits, draws)),
        text_encoder_2_lr=(settings.text_encoder_2_lr or 0.0) if base == "sdxl" else 0.0,
    )


def _table(fits: Mapping[str, Fit], draws: Mapping[str, Draws]) -> Iterator[BucketRow]:
    """Gives a row for each bucket, in order of size."""
    for size in sorted({each.bucket for each in fits.values()}):
        own = {name: each for name, each in fits.items() if each.bucket == size}
        cuts = [each.loss for each in own.values()]
        yield BucketRow(
            f"{size[0]}x{size[1]}", len(own), sum(draws[name].repeats for name in own), round(sum(cuts) / len(cuts), 3),
            round(max(cuts), 3), round(max(1.0, *(each.scale for each in own.values())), 2),
        )  # fmt: skip


def _picture_notes(pictures: list[TrainingPicture], fits: Mapping[str, Fit]) -> list[str]:
    """Words what a person should know of the pictures."""
    notes = []
    if len(pictures) < FEW:
        notes.append(f"There are only {len(pictures)} pictures; from about {FEW} on a character is learnt more surely.")
    if enlarged := [name for name, each in fits.items() if each.scale > ENLARGED]:
        worst = max(fits[name].scale for name in enlarged)
        notes.append(f"Smaller than their bucket, so enlarged up to {worst:.1f} times: {_names(enlarged)}.")
    if heavy := [name for name, each in fits.items() if each.loss > HEAVY_CUT]:
        worst = max(fits[name].loss for name in heavy)
        notes.append(f"No bucket has their shape, so up to {worst:.0%} of their area is cut off: {_names(heavy)}.")
    if empty := [picture.name for picture in pictures if not picture.caption.strip()]:
        notes.append(f"Without a caption: {_names(empty)}.")
    return notes


def _run_notes(settings: TrainSettings, each_epoch: int, steps: int) -> list[str]:
    """Words what is special about the length of the run."""
    if steps == each_epoch * settings.epochs:
        return []
    return [f"max_steps ends the run after {steps} of {each_epoch * settings.epochs} steps."]


def _rate_notes(settings: TrainSettings, unet_lr: float, text_encoder_lr: float) -> list[str]:
    """Words what is special about the learning rates."""
    notes = []
    if text_encoder_lr == 0:
        notes.append("The text encoder is not trained (text_encoder_lr = 0).")
    if unet_lr > 5e-3 and settings.optimizer not in OWN_RATE:
        notes.append(
            f"The U-Net learns at {unet_lr:.2g}, which is very high: use more repeats or epochs, or set unet_lr."
        )
    if settings.network_alpha > 2 * settings.rank:
        notes.append(f"alpha {settings.network_alpha:g} is more than twice the rank {settings.rank}: steps are large.")
    return notes


def _base_notes(settings: TrainSettings, base: Base) -> list[str]:
    """Words what of the settings has no effect on this family of base model, or fits it badly."""
    if base == "sd1":
        notes = []
        if settings.text_encoder_2_lr:
            notes.append("text_encoder_2_lr has no effect: an SD1.x base model has one text encoder.")
        if settings.resolution > 768:
            notes.append(
                f"SD1.x was made for 512 pixels and learns up to 768; {settings.resolution} is for SDXL. If a preset for SDXL was "
                "chosen, choose one for SD1.x (character_sd15), or a base model of SDXL."
            )
        return notes
    notes = []
    if settings.clip_skip != 1:
        notes.append("clip_skip has no effect: SDXL has one layer of its text encoders that counts.")
    if settings.resolution < 768:
        notes.append(f"SDXL was made for 1024 pixels; at {settings.resolution} it learns a character badly.")
    return notes


def _names(names: list[str]) -> str:
    """Lists some names and counts the rest."""
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
