"""The settings of [train] as kohya's scripts take them: a config file's keys, a dataset file's keys, and what has no counterpart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.settings.tables import TrainSettings

_OPTIMIZERS = {
    "adamw": "AdamW", "adamw8bit": "AdamW8bit", "prodigy": "Prodigy", "adafactor": "AdaFactor", "lion": "Lion",
    "adamw_schedule_free": "AdamWScheduleFree",
}  # fmt: skip
_PRECISIONS = {"fp32": "no", "fp16": "fp16", "bf16": "bf16"}
# Settings that say nothing to another trainer, or that are carried by other keys.
_CARRIED = frozenset(
    "checkpoint resolution bucket_step min_bucket max_bucket bucket_no_upscale rank alpha conv_rank conv_alpha block_weights dropout "
    "scale_weight_norms prediction_type zero_terminal_snr epochs repeats batch_size gradient_accumulation subsets strength unet_lr "
    "text_encoder_lr text_encoder_2_lr text_encoder_share optimizer optimizer_args lr_scheduler lr_cycles lr_power lr_min warmup "
    "clip_skip min_snr_gamma debiased scale_v_loss loss huber_c huber_schedule noise_offset multires_iterations multires_discount "
    "ip_noise_gamma shuffle keep_tokens caption_dropout tag_dropout wildcards token_warmup flip weight_decay max_grad_norm seed "
    "save_every checkpoint_every sample_every sample_prompts sample_steps precision gradient_checkpointing device max_steps processes "
    "caption_variants validation_share base_precision fit cache_gb".split()
)


@dataclass(frozen=True)
class Rates:
    """What a plan worked out: rates, steps, and the family of the base model."""

    unet_lr: float
    text_encoder_lr: float
    steps: int
    xl: bool
    velocity: bool  # the base model predicts v
    zero_terminal_snr: bool


def config_of(settings: TrainSettings, rates: Rates) -> dict[str, Any]:
    """Gives the keys of a config file; paths and names are not among them."""
    values: dict[str, Any] = {
        "network_module": "networks.lora", "network_dim": settings.rank, "network_alpha": settings.network_alpha,
        **_network(settings, rates),
        **_rates(settings, rates),
        **_loss(settings, rates),
        "max_train_steps" if settings.max_steps else "max_train_epochs": settings.max_steps or settings.epochs,
        "seed": settings.seed, "gradient_accumulation_steps": settings.gradient_accumulation,
        "mixed_precision": _PRECISIONS.get(settings.precision, "bf16"), "save_precision": "fp16", "save_model_as": "safetensors",
        "save_every_n_epochs": settings.save_every, "gradient_checkpointing": settings.gradient_checkpointing != "none",
        "max_grad_norm": settings.max_grad_norm, "cache_latents": True, "sdpa": True, "max_token_length": 225,
        "max_data_loader_n_workers": 2, "persistent_data_loader_workers": True,
    }  # fmt: skip
    if settings.sample_every:
        values["sample_every_n_epochs"] = settings.sample_every
    return {key: value for key, value in values.items() if value not in (None, [], "")}


def _network(settings: TrainSettings, rates: Rates) -> dict[str, Any]:
    words: list[str] = []
    if settings.conv_rank:
        words += [f"conv_dim={settings.conv_rank}", f"conv_alpha={settings.network_conv_alpha}"]
    if weights := settings.block_weights:
        outer = (len(weights) - (3 if rates.xl else 1)) // 2
        parts = (weights[:outer], weights[outer : len(weights) - outer], weights[len(weights) - outer :])
        for name, part in zip(("down", "mid", "up"), parts, strict=True):
            words.append(f"{name}_lr_weight={','.join(f'{weight:g}' for weight in part)}")
    found: dict[str, Any] = {"network_args": words, "network_dropout": settings.dropout or None}
    found["scale_weight_norms"] = settings.scale_weight_norms or None
    if rates.text_encoder_lr == 0 and not settings.text_encoder_2_lr:
        found["network_train_unet_only"] = True
    return found


def _rates(settings: TrainSettings, rates: Rates) -> dict[str, Any]:
    arguments = [f"weight_decay={settings.weight_decay}", *settings.optimizer_args]
    if settings.optimizer == "adafactor":
        arguments += ["relative_step=False", "scale_parameter=False", "warmup_init=False"]
    found: dict[str, Any] = {
        "unet_lr": rates.unet_lr, "learning_rate": rates.unet_lr, "text_encoder_lr": rates.text_encoder_lr or None,
        "optimizer_type": _OPTIMIZERS[settings.optimizer], "optimizer_args": arguments,
        "lr_scheduler": settings.lr_scheduler, "lr_warmup_steps": round(settings.warmup * rates.steps),
    }  # fmt: skip
    if settings.text_encoder_2_lr:
        found["text_encoder_lr"] = [rates.text_encoder_lr, settings.text_encoder_2_lr]
    if settings.lr_scheduler == "constant" and settings.warmup:
        found["lr_scheduler"] = "constant_with_warmup"
    own = {
        "cosine_with_restarts": ("lr_scheduler_num_cycles", settings.lr_cycles),
        "polynomial": ("lr_scheduler_power", settings.lr_power),
        "cosine_with_min_lr": ("lr_scheduler_min_lr_ratio", settings.lr_min),
    }
    if settings.lr_scheduler in own:
        key, value = own[settings.lr_scheduler]
        found[key] = value
    return found


def _loss(settings: TrainSettings, rates: Rates) -> dict[str, Any]:
    huber = settings.loss in ("huber", "smooth_l1")
    found: dict[str, Any] = {
        "min_snr_gamma": settings.min_snr_gamma or None, "debiased_estimation_loss": settings.debiased or None,
        "scale_v_pred_loss_like_noise_pred": (settings.scale_v_loss and rates.velocity) or None, "loss_type": settings.loss,
        "huber_c": settings.huber_c if huber else None, "huber_schedule": settings.huber_schedule if huber else None,
        "noise_offset": settings.noise_offset or None, "multires_noise_iterations": settings.multires_iterations or None,
        "multires_noise_discount": settings.multires_discount if settings.multires_iterations else None,
        "ip_noise_gamma": settings.ip_noise_gamma or None, "v_parameterization": rates.velocity or None,
        "zero_terminal_snr": rates.zero_terminal_snr or None, "masked_loss": settings.masked_loss == "alpha" or None,
    }  # fmt: skip
    if not rates.xl:
        found["clip_skip"] = settings.clip_skip
    else:
        found["no_half_vae"] = True
    return found


def dataset_of(settings: TrainSettings, subsets: list[dict[str, Any]], *, marks: bool, steps: int) -> dict[str, Any]:
    """Gives a dataset file; `marks` says that captions hold ||| or ;;;."""
    general: dict[str, Any] = {
        "caption_extension": ".txt", "shuffle_caption": settings.shuffle, "keep_tokens": settings.keep_tokens,
        "flip_aug": settings.flip, "caption_dropout_rate": settings.caption_dropout, "caption_tag_dropout_rate": settings.tag_dropout,
        "enable_wildcard": settings.wildcards,
    }  # fmt: skip
    if marks:
        general |= {"keep_tokens_separator": "|||", "secondary_separator": ";;;"}
    if settings.token_warmup:
        general |= {"token_warmup_min": 1, "token_warmup_step": round(settings.token_warmup * steps)}
    if settings.validation_share:
        general["validation_split"] = float(settings.validation_share)
    step = settings.bucket_step
    dataset = {
        "resolution": settings.resolution, "batch_size": settings.batch_size, "enable_bucket": True, "bucket_reso_steps": step,
        "min_bucket_reso": settings.min_bucket or max(step, round(settings.resolution * 0.625 / step) * step),
        "max_bucket_reso": settings.max_bucket or round(settings.resolution * 1.875 / step) * step,
        "bucket_no_upscale": settings.bucket_no_upscale, "subsets": subsets,
    }  # fmt: skip
    return {"general": general, "datasets": [dataset]}


def not_carried(settings: TrainSettings) -> list[str]:
    """Names the settings that differ from their default and that kohya's scripts have nothing for."""
    usual = TrainSettings().model_dump()
    chosen: Mapping[str, Any] = settings.model_dump()
    left = [f"{name} = {chosen[name]}" for name in chosen if name not in _CARRIED and chosen[name] != usual[name]]
    return [each for each in left if each != "masked_loss = alpha"]
