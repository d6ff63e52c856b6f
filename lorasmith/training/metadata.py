"""A LoRA file's metadata: kohya's keys in their folder style, Stability's modelspec 1.0.1, and a few of our own.

WebUIs read from it the version of the base model (a file without it is hidden), the tags, the date, the resolutions and
the alias, which is `ss_output_name`: it equals the file's stem here, so epochs are told apart. All values are strings;
what is not known is left out, never written as "None". The hashes (sshs_*, modelspec.hash_sha256) are added by the
writer of the file.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lorasmith.checkpoints.lora_keys import BLOCKS
from lorasmith.checkpoints.topology import Base
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import Fit, Size, bounds_of
from lorasmith.training.captions import split_tags
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.optimizer_table import in_words
from lorasmith.training.plan import Plan


@dataclass(frozen=True)
class BaseFacts:
    """The base model: file name, sha256, its "old" 8-digit hash, and what it predicts (`epsilon`, `v_prediction`)."""

    file: str
    sha256: str
    old_hash: str
    prediction_type: str
    zero_terminal_snr: bool
    base: Base = "sd1"


@dataclass(frozen=True)
class RunFacts:
    """All that the files of one run share."""

    trigger: str
    settings: TrainSettings
    plan: Plan
    pictures: list[TrainingPicture]
    fits: Mapping[str, Fit]
    base: BaseFacts
    fingerprint: str
    started_at: float
    precision: str  # fp32, bf16 or fp16, as computed in
    triggers: tuple[str, ...] = ()  # where the LoRA holds several characters


@dataclass(frozen=True)
class SaveFacts:
    """One file of the run."""

    stem: str
    epoch: int
    step: int
    finished_at: float
    loss: float


def lora_metadata(run: RunFacts, save: SaveFacts) -> dict[str, str]:
    """Gives the whole metadata of one file."""
    facts = {
        **_run_keys(run, save),
        **_training_keys(run),
        **_text_and_noise_keys(run),
        **_model_keys(run),
        **_dataset_keys(run),
        **_modelspec(run, save),
        **_own_keys(run, save),
    }
    return {key: _text(value) for key, value in facts.items() if value is not None}


def _text(value: Any) -> str:
    """Writes a value as kohya does: str(), and JSON for lists and tables."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _run_keys(run: RunFacts, save: SaveFacts) -> dict[str, Any]:
    return {
        "ss_session_id": int(run.fingerprint[:8], 16),
        "ss_training_started_at": float(run.started_at),
        "ss_training_finished_at": float(save.finished_at),
        "ss_output_name": save.stem,
        "ss_epoch": save.epoch,
        "ss_steps": save.step,
        "ss_seed": run.settings.seed,
        "ss_lowram": False,
    }


def _training_keys(run: RunFacts) -> dict[str, Any]:
    settings, plan = run.settings, run.plan
    return {
        "ss_learning_rate": plan.unet_lr,
        "ss_unet_lr": plan.unet_lr,
        "ss_text_encoder_lr": (
            [plan.text_encoder_lr, plan.text_encoder_2_lr] if run.base.base == "sdxl" else plan.text_encoder_lr
        ),
        "ss_lr_scheduler": settings.lr_scheduler,
        "ss_lr_warmup_steps": round(settings.warmup * plan.steps),
        "ss_optimizer": in_words(settings),
        "ss_max_grad_norm": settings.max_grad_norm,
        "ss_num_train_images": sum(picture.repeats for picture in run.pictures if not picture.regularisation),
        "ss_num_validation_images": len(plan.held_out),
        "ss_num_reg_images": sum(picture.repeats for picture in run.pictures if picture.regularisation),
        "ss_num_batches_per_epoch": plan.steps_per_epoch,
        "ss_num_epochs": settings.epochs,
        "ss_max_train_steps": plan.steps,
        "ss_gradient_checkpointing": settings.gradient_checkpointing != "none",
        "ss_gradient_accumulation_steps": settings.gradient_accumulation,
        "ss_network_module": "networks.lora",
        "ss_network_dim": settings.rank,
        "ss_network_alpha": settings.network_alpha,
        "ss_network_dropout": settings.dropout or None,
        "ss_network_args": _network_args(settings, run.base.base),
        "ss_scale_weight_norms": settings.scale_weight_norms or None,
        "ss_mixed_precision": "no" if run.precision == "fp32" else run.precision,
        "ss_full_fp16": False,
        "ss_fp8_base": False,
        "ss_fp8_base_unet": False,
    }


def _text_and_noise_keys(run: RunFacts) -> dict[str, Any]:
    settings, base = run.settings, run.base
    huber = settings.loss in ("huber", "smooth_l1")
    priors = {picture.weight for picture in run.pictures if picture.regularisation}
    return {
        "ss_clip_skip": settings.clip_skip if base.base == "sd1" else None,
        "ss_caption_dropout_rate": settings.caption_dropout,
        "ss_caption_dropout_every_n_epochs": 0,
        "ss_caption_tag_dropout_rate": settings.tag_dropout,
        "ss_noise_offset": settings.noise_offset or None,
        "ss_multires_noise_iterations": settings.multires_iterations or None,
        "ss_multires_noise_discount": settings.multires_discount if settings.multires_iterations else None,
        "ss_ip_noise_gamma": settings.ip_noise_gamma or None,
        "ss_min_snr_gamma": None if settings.debiased else settings.min_snr_gamma or None,
        "ss_zero_terminal_snr": base.zero_terminal_snr,
        "ss_debiased_estimation": settings.debiased,
        "ss_loss_type": settings.loss,
        "ss_huber_schedule": settings.huber_schedule if huber else None,
        "ss_huber_c": settings.huber_c if huber else None,
        "ss_prior_loss_weight": max(priors, default=1.0),
        "ss_cache_latents": True,
        "ss_resize_interpolation": "lanczos",
        "ss_validation_split": settings.validation_share or None,
    }


def _network_args(settings: TrainSettings, base: Base) -> dict[str, str] | None:
    """Gives kohya's further arguments of the network, values as text; None where there are none."""
    found = {}
    if settings.conv_rank:
        found = {"conv_dim": str(settings.conv_rank), "conv_alpha": str(settings.network_conv_alpha)}
    if weights := settings.block_weights:
        down, middle, _ = BLOCKS[base]
        parts = {"down": weights[:down], "mid": weights[down : down + middle], "up": weights[down + middle :]}
        found |= {f"{name}_lr_weight": ",".join(f"{each:g}" for each in part) for name, part in parts.items()}
    return found or None


def _version(base: BaseFacts) -> str:
    """Gives the version by which WebUIs decide whether a LoRA fits the loaded model."""
    if base.base == "sdxl":
        return "sdxl_base_v1-0"
    return "sd_v1_v" if base.prediction_type == "v_prediction" else "sd_v1"


def _model_keys(run: RunFacts) -> dict[str, Any]:
    return {
        "ss_v2": False,
        "ss_base_model_version": _version(run.base),
        "ss_sd_model_name": run.base.file,
        "ss_sd_model_hash": run.base.old_hash or None,
        "ss_new_sd_model_hash": run.base.sha256,
    }


def _dataset_keys(run: RunFacts) -> dict[str, Any]:
    settings, side = run.settings, run.settings.resolution
    shortest, longest = bounds_of(settings)
    return {
        "ss_batch_size_per_device": settings.batch_size,
        "ss_total_batch_size": settings.batch_size,
        "ss_resolution": f"({side}, {side})",
        "ss_color_aug": False,
        "ss_flip_aug": settings.flip,
        "ss_random_crop": False,
        "ss_shuffle_caption": settings.shuffle,
        "ss_keep_tokens": settings.keep_tokens,
        "ss_enable_bucket": True,
        "ss_bucket_no_upscale": settings.bucket_no_upscale,
        "ss_min_bucket_reso": shortest,
        "ss_max_bucket_reso": longest,
        "ss_dataset_dirs": dataset_dirs(picture for picture in run.pictures if not picture.regularisation),
        "ss_reg_dataset_dirs": dataset_dirs(picture for picture in run.pictures if picture.regularisation),
        "ss_tag_frequency": tag_frequency(run.pictures),
        "ss_bucket_info": bucket_info(run.plan.buckets, run.fits),
    }


def tag_frequency(pictures: Iterable[TrainingPicture]) -> dict[str, dict[str, int]]:
    """Counts the tags of each folder, lower-case, every picture once whatever its repeats."""
    counts: dict[str, dict[str, int]] = {}
    for picture in pictures:
        folder = counts.setdefault(picture.folder, {})
        for tag in split_tags(picture.caption.replace("|||", ",").lower()):
            folder[tag] = folder.get(tag, 0) + 1
    return counts


def dataset_dirs(pictures: Iterable[TrainingPicture]) -> dict[str, dict[str, int]]:
    """Counts each folder's pictures; its repeats are the most that one of them has."""
    folders: dict[str, dict[str, int]] = {}
    for picture in pictures:
        folder = folders.setdefault(picture.folder, {"n_repeats": 0, "img_count": 0})
        folder["n_repeats"] = max(folder["n_repeats"], picture.repeats)
        folder["img_count"] += 1
    return folders


def bucket_info(buckets: Mapping[Size, int], fits: Mapping[str, Fit]) -> dict[str, Any]:
    """Lists the buckets with their draws, and the mean difference of the pictures' aspect ratios to their buckets'."""
    errors = [abs(_ratio(each.bucket) - _ratio(each.resized)) for _, each in sorted(fits.items())]
    rows = {
        str(index): {"resolution": list(size), "count": count} for index, (size, count) in enumerate(buckets.items())
    }
    return {"buckets": rows, "mean_img_ar_error": math.fsum(errors) / max(1, len(errors))}


def _ratio(size: Size) -> float:
    return size[0] / size[1]


def _modelspec(run: RunFacts, save: SaveFacts) -> dict[str, Any]:
    side, xl = run.settings.resolution, run.base.base == "sdxl"
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora" if xl else "stable-diffusion-v1/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models" if xl else "diffusers",
        "modelspec.title": save.stem,
        "modelspec.resolution": f"{side}x{side}",
        "modelspec.date": datetime.fromtimestamp(int(save.finished_at), UTC).isoformat(),
        "modelspec.trigger_phrase": run.trigger or None,
        "modelspec.prediction_type": "v" if run.base.prediction_type == "v_prediction" else "epsilon",
        "modelspec.encoder_layer": None if xl else run.settings.clip_skip,
    }


def _own_keys(run: RunFacts, save: SaveFacts) -> dict[str, Any]:
    return {
        "lorasmith_fingerprint": run.fingerprint,
        "lorasmith_trigger": run.trigger,
        "lorasmith_triggers": list(run.triggers) or None,
        "lorasmith_loss": f"{save.loss:.6f}",
        "lorasmith_images_seen": run.plan.images_seen,
    }
