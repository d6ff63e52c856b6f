"""The demo's base model: the sizes of a thin SD1.x, its parts, and the folder of configs that loads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

# Norm groups of 4 channels: the full model's 32 groups would be one channel each here, which forgets every mean.
UNET: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": [32, 64, 128, 128],
    "cross_attention_dim": 64,
    "attention_head_dim": 8,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "norm_num_groups": 8,
}
VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "sample_size": 128,
    "block_out_channels": [32, 64, 96, 96],
    "norm_num_groups": 8,
    "scaling_factor": 0.18215,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 12,
    "num_attention_heads": 1,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "projection_dim": 64,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 1,
}
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class TinyModel:
    """The three networks of the base model."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel


def build() -> TinyModel:
    """Makes the three networks with random weights."""
    return TinyModel(UNet2DConditionModel(**UNET), build_vae(), CLIPTextModel(CLIPTextConfig(**TEXT)))


def build_vae() -> AutoencoderKL:
    """Makes the VAE alone, with random weights."""
    return AutoencoderKL(**VAE)


def noise_schedule() -> DDIMScheduler:
    """Gives SD1.x's noise schedule."""
    return DDIMScheduler(**SCHEDULER)


def write_config_folder(folder: Path) -> None:
    """Writes the diffusers configs (all but the tokenizer) with which `from_single_file` reads the base model."""
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.36.0",
        "feature_extractor": [None, None],
        "safety_checker": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    configs = {
        "model_index.json": index,
        "unet/config.json": {"_class_name": "UNet2DConditionModel", **UNET},
        "vae/config.json": {"_class_name": "AutoencoderKL", **VAE},
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **TEXT},
        "scheduler/scheduler_config.json": {"_class_name": "DDIMScheduler", **SCHEDULER},
    }
    for name, config in configs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
