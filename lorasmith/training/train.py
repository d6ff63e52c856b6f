"""Trains a LoRA: from pictures, captions and a base model to files that WebUIs read."""

import gc
import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL
from torch import nn

from lorasmith.checkpoints.checkpoint import detect_at
from lorasmith.checkpoints.family import Family, chosen
from lorasmith.checkpoints.hashes import model_sha
from lorasmith.checkpoints.load import TEXT_ENCODERS, BaseModel, PartName, device_of, dtype_of, load_base
from lorasmith.errors import TrainingError
from lorasmith.files import sha256_of
from lorasmith.model_imports import uncollected
from lorasmith.progress import Report, silent
from lorasmith.safety import demand_safe_text
from lorasmith.training import events
from lorasmith.training.buckets import Fit, Size, fits_of
from lorasmith.training.caches import Latent, LatentCache, TextCache, all_latents, weights_known
from lorasmith.training.card_probe import (
    CudaMeter,
    decided_before,
    demands_trial,
    fit_to_card,
    trial_lessons,
    with_choice,
)
from lorasmith.training.dataset import demand_trainable
from lorasmith.training.fingerprint import fingerprint_of
from lorasmith.training.learner import Learner, Lessons
from lorasmith.training.loop import EVENTS, Course, Loop
from lorasmith.training.masks import masks_of
from lorasmith.training.metadata import BaseFacts, RunFacts
from lorasmith.training.pictures import size_of
from lorasmith.training.plan import draws_of, plan
from lorasmith.training.quantised import hold_base
from lorasmith.training.request import SavedLora, Trained, TrainRequest
from lorasmith.training.run_file import Run, begin, read_end, write_end
from lorasmith.training.state import drop_states
from lorasmith.training.store import Store
from lorasmith.training.team import ALONE, Team, own_device, team_of
from lorasmith.training.texts import Kept, Texts, hold_texts

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
    sizes = {picture.name: size_of(picture.path) for picture in request.pictures}
    shas = {picture.name: sha256_of(picture.path) for picture in request.pictures}
    family = chosen(detect_at(request.checkpoint), request.settings.prediction_type, request.settings.zero_terminal_snr)
    base = _base_facts(request.checkpoint, family)
    fingerprint = fingerprint_of(request.settings, request.pictures, shas, base.sha256)
    place = Place(device, dtype_of(request.settings.precision, device), team)

    def course(request: TrainRequest, run: Run, fitted: Mapping[str, Any]) -> Course:
        outline, fits = plan(request.settings, request.pictures, sizes, family.base), fits_of(request.settings, sizes)
        seen = [picture for picture in request.pictures if picture.name not in outline.held_out]
        facts = RunFacts(
            request.trigger, request.settings, outline, seen, {each.name: fits[each.name] for each in seen}, base,
            run.digest, run.started_at, _name_of(place.dtype), request.triggers,
        )  # fmt: skip
        return Course(request, facts, draws_of(seen, fits), outline.held_out, fitted)

    with _steady(), _memory_is_a_sentence():
        with team.first_alone():
            fitted = _fitted(course(request, Run(0.0, ""), {}), sizes, place, report)
            decided = replace(request, settings=with_choice(request.settings, fitted, request.run_folder))
            run = begin(request, fingerprint, plan(decided.settings, decided.pictures, sizes, family.base), fitted)
        ended = read_end(request.run_folder, run, request.lora_folder)
        if ended:
            drop_states(request.run_folder / "checkpoints")
            return ended
        trained = _trained(course(decided, run, fitted), shas, fits_of(decided.settings, sizes), place, report)
    _give_back(device)
    if team.first:
        write_end(request.run_folder, run, trained)
        _note_end(request.run_folder / EVENTS, trained)
        drop_states(request.run_folder / "checkpoints")
    return trained


def _trained(course: Course, shas: dict[str, str], fits: dict[str, Fit], place: "Place", report: Report) -> Trained:
    """Encodes, loads and runs; all that is large is let go of at the end."""
    request, pictures = course.request, course.request.pictures
    store = Store(request.cache_folder, round(request.settings.cache_gb * 1e9))
    with place.team.first_alone():
        latents = _latents(course, store, shas, fits, place.device, report)
    lessons = Lessons(
        {picture.name: picture.caption for picture in pictures}, latents, masks=masks_of(pictures, fits, request.settings),
        weights={picture.name: picture.weight for picture in pictures if picture.weight != 1},
    )  # fmt: skip
    with uncollected():
        learner = _learner(course, lessons, place, store)
    with store.in_use():
        return Loop(course, learner, report).run()


def _fitted(course: Course, sizes: dict[str, Size], place: "Place", report: Report) -> dict[str, Any]:
    """Gives what is decided for the card: in an earlier sitting, or now by trial; empty where nothing is."""
    request = course.request
    decided = decided_before(request.run_folder)
    if decided is not None or not demands_trial(request.settings, place.device):
        return decided or {}
    buckets = {each.bucket for each in fits_of(request.settings, sizes).values()}
    caption = max((picture.caption for picture in request.pictures), key=len)
    lessons = trial_lessons(max(buckets, key=math.prod), caption, request.settings.batch_size, place.device)
    meter = CudaMeter(place.device)

    def learner() -> Learner:
        return _learner(course, lessons, place._replace(team=ALONE), Store(request.cache_folder))

    fitted = fit_to_card(request.settings, learner, tuple(lessons.captions), report, meter)
    meter.start()
    return fitted.as_table()


class Place(NamedTuple):
    """Where and how precisely the model computes."""

    device: torch.device
    dtype: torch.dtype
    team: Team = ALONE


def _learner(course: Course, lessons: Lessons, place: Place, store: Store) -> Learner:
    """Loads what learns; text encoders that do not learn say what they have to and are gone before the U-Net comes."""
    request, outline, base = course.request, course.facts.plan, course.facts.base
    settings, frozen = request.settings, not (outline.text_encoder_lr or outline.text_encoder_2_lr)

    def load(*parts: PartName, kind: str = "auto") -> BaseModel:
        device = place.device if kind == "auto" else "cpu"
        model = load_base(request.checkpoint, device=device, dtype=place.dtype, parts=parts)
        model.family = chosen(model.family, settings.prediction_type, settings.zero_terminal_snr)
        if kind != "auto":
            hold_base(model, kind, place.device)
        return model

    if frozen:
        with place.team.first_alone():
            texts = _texts(request, lessons.captions, base.sha256, load(), store)
        lessons = replace(lessons, texts=texts)
        _give_back(place.device)
    learning: tuple[PartName, ...] = ("unet",) if frozen else ("unet", *TEXT_ENCODERS)
    return Learner(load(*learning, kind=settings.base_precision), lessons, settings, outline, place.team)


def _give_back(device: torch.device) -> None:
    """Gives the memory back to whoever comes next: adapted layers hold themselves, so only a collection frees them."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _demand_safe(request: TrainRequest) -> None:
    demand_trainable(request.pictures)
    for trigger in (request.trigger, *request.triggers):
        demand_safe_text(trigger, "trigger")
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
    course: Course, store: Store, shas: dict[str, str], fits: dict[str, Fit], device: torch.device, report: Report
) -> dict[tuple[str, bool], Latent]:
    """Encodes the pictures that are not kept; the VAE is loaded for these alone, and gone from memory afterwards."""
    request = course.request

    @cache
    def vae() -> AutoencoderKL:
        return load_base(request.checkpoint, device=device, parts=("vae",)).vae

    vae_sha = weights_known(store, "vae", course.facts.base.sha256, lambda: [vae()])
    kept = all_latents(LatentCache(store, vae, vae_sha), request.pictures, shas, fits, request.settings.flip, report)
    return {key: latent.to(device) for key, latent in kept.items()}


def _texts(request: TrainRequest, captions: Mapping[str, str], model_sha: str, model: BaseModel, store: Store) -> Texts:
    """Encodes the captions and prompts that are not kept; `model` has no modules, and gets the text encoders if need be."""

    @cache
    def load() -> dict[PartName, nn.Module]:
        return load_base(request.checkpoint, device=model.device, dtype=model.dtype, parts=TEXT_ENCODERS).modules

    encoders_sha = weights_known(store, "texts", f"{model_sha}-{_name_of(model.dtype)}", lambda: list(load().values()))
    kept = Kept(TextCache(store, encoders_sha), load)
    return hold_texts(model, captions, request.settings, request.sample_prompts, kept)


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
            "The GPU has not enough memory for this run: close what else uses it, lower batch_size or resolution, or set "
            "gradient_checkpointing = 'full'. The run goes on from its last state."
        ) from error
