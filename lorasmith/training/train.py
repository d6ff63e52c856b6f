"""Trains a LoRA: from pictures, captions and a base model to files that WebUIs read."""

import gc
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from lorasmith.checkpoints.checkpoint import detect_at
from lorasmith.checkpoints.family import Family, chosen
from lorasmith.checkpoints.hashes import model_sha
from lorasmith.checkpoints.load import TEXT_ENCODERS, BaseModel, PartName, device_of, dtype_of, load_base
from lorasmith.errors import TrainingError
from lorasmith.files import sha256_of
from lorasmith.progress import Report, silent
from lorasmith.safety import demand_safe_text
from lorasmith.training import events
from lorasmith.training.buckets import Fit, fits_of
from lorasmith.training.caches import Latent, LatentCache, all_latents, weights_hash
from lorasmith.training.dataset import demand_trainable
from lorasmith.training.fingerprint import fingerprint_of
from lorasmith.training.learner import Learner, Lessons
from lorasmith.training.loop import EVENTS, Course, Loop
from lorasmith.training.masks import masks_of
from lorasmith.training.metadata import BaseFacts, RunFacts
from lorasmith.training.pictures import size_of
from lorasmith.training.plan import Plan, draws_of, plan
from lorasmith.training.request import SavedLora, Trained, TrainRequest
from lorasmith.training.run_file import begin, read_end, write_end
from lorasmith.training.state import drop_states
from lorasmith.training.team import ALONE, Team, own_device, team_of
from lorasmith.training.texts import hold_texts

__all__ = ["SavedLora", "Trained", "TrainRequest", "train"]

_OLD_START, _OLD_BYTES = 0x100000, 0x10000  # the part of a checkpoint that WebUIs' first hash covered


def train(request: TrainRequest, report: Report = silent) -> Trained:
    """Trains to the end, going on from where a stopped run of the same request was; a complete run returns at once.

    Two runs of one request on a CPU are byte-identical on one machine with one number of threads, whatever stopped them in
    between (times apart, unless SOURCE_DATE_EPOCH fixes them). Raises `TrainingError`, `CheckpointError` or
    `PictureError` when it cannot start or go on, `RefusedError` for a refused caption, trigger or prompt.
    """
    _demand_safe(request)
    device = own_device(device_of(request.settings.device))
    with team_of(device) as team:
        return _train(request, device, team, report if team.first else silent)


def _train(request: TrainRequest, device: torch.device, team: Team, report: Report) -> Trained:
    settings, pictures = request.settings, request.pictures
    sizes = {picture.name: size_of(picture.path) for picture in pictures}
    shas = {picture.name: sha256_of(picture.path) for picture in pictures}
    family = chosen(detect_at(request.checkpoint), settings.prediction_type, settings.zero_terminal_snr)
    outline = plan(settings, pictures, sizes, family.base)
    base = _base_facts(request.checkpoint, family)
    fingerprint = fingerprint_of(settings, pictures, shas, base.sha256)
    with team.first_alone():
        run = begin(request, fingerprint, outline)
    ended = read_end(request.run_folder, run, request.lora_folder)
    if ended:
        drop_states(request.run_folder / "checkpoints")
        return ended
    fits = fits_of(settings, sizes)
    place = Place(device, dtype_of(settings.precision, device), team)
    seen = [picture for picture in pictures if picture.name not in outline.held_out]
    facts = RunFacts(
        request.trigger, settings, outline, seen, {each.name: fits[each.name] for each in seen}, base, run.digest,
        run.started_at, _name_of(place.dtype),
    )  # fmt: skip
    with _steady(), _memory_is_a_sentence():
        with team.first_alone():
            latents = _latents(request, shas, fits, device, report)
        lessons = Lessons(
            {picture.name: picture.caption for picture in pictures}, latents, masks=masks_of(pictures, fits, settings),
            weights={picture.name: picture.weight for picture in pictures if picture.weight != 1},
        )  # fmt: skip
        learner = _learner(request, outline, family, lessons, place)
        trained = Loop(Course(request, facts, draws_of(seen, fits), outline.held_out), learner, report).run()
        del learner, lessons, latents
    _give_back(device)
    if team.first:
        write_end(request.run_folder, run, trained)
        _note_end(request.run_folder / EVENTS, trained)
        drop_states(request.run_folder / "checkpoints")
    return trained


class Place(NamedTuple):
    """Where and how precisely the model computes."""

    device: torch.device
    dtype: torch.dtype
    team: Team = ALONE


def _learner(
    request: TrainRequest,
    outline: Plan,
    family: Family,
    lessons: Lessons,
    place: Place,
) -> Learner:
    """Loads what learns; text encoders that do not learn say what they have to and are gone before the U-Net comes."""
    settings, frozen = request.settings, not (outline.text_encoder_lr or outline.text_encoder_2_lr)

    def load(*parts: PartName) -> BaseModel:
        model = load_base(request.checkpoint, device=place.device, dtype=place.dtype, parts=parts)
        model.family = family
        return model

    if frozen:
        prompts = request.sample_prompts
        lessons = replace(lessons, texts=hold_texts(load(*TEXT_ENCODERS), lessons.captions, settings, prompts))
        _give_back(place.device)
    model = load("unet") if frozen else load("unet", *TEXT_ENCODERS)
    return Learner(model, lessons, settings, outline, place.team)


def _give_back(device: torch.device) -> None:
    """Gives the memory back to whoever comes next: adapted layers hold themselves, so only a collection frees them."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _demand_safe(request: TrainRequest) -> None:
    demand_trainable(request.pictures)
    demand_safe_text(request.trigger, "trigger")
    demand_safe_text(request.name, "name of the LoRA")
    for prompt in request.settings.sample_prompts:
        demand_safe_text(prompt, "sample prompt")


def _base_facts(path: Path, family: Family) -> BaseFacts:
    """Reads what the metadata says of the base model; a folder has no hash of the old kind."""
    old = ""
    if path.is_file():
        with path.open("rb") as stream:
            stream.seek(_OLD_START)
            old = hashlib.sha256(stream.read(_OLD_BYTES)).hexdigest()[:8]
    return BaseFacts(
        path.name, model_sha(path), old, family.prediction_type, family.zero_terminal_snr, family.base
    )  # fmt: skip


def _latents(
    request: TrainRequest, shas: dict[str, str], fits: dict[str, Fit], device: torch.device, report: Report
) -> dict[tuple[str, bool], Latent]:
    """Encodes the pictures; the VAE is gone from memory afterwards."""
    vae = load_base(request.checkpoint, device=device, parts=("vae",)).vae
    cache = LatentCache(request.cache_folder, vae, weights_hash(vae))
    kept = all_latents(cache, request.pictures, shas, fits, request.settings.flip, report)
    return {key: latent.to(device) for key, latent in kept.items()}


def _note_end(path: Path, trained: Trained) -> None:
    log = events.EventLog(path, path.stat().st_size)
    log.write("done", step=trained.steps, loss=trained.loss, files=[saved.path.name for saved in trained.files])
    log.settle()
    log.close()


def _name_of(dtype: torch.dtype) -> str:
    return {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]


@contextmanager
def _steady() -> Iterator[None]:
    """Keeps cuDNN to algorithms that give the same result each time, and puts its switches back."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _memory_is_a_sentence() -> Iterator[None]:
    """Turns a full GPU into a sentence."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "The GPU has not enough memory for this run: lower batch_size or resolution, or turn "
            "gradient_checkpointing on. The run goes on from its last state."
        ) from error
