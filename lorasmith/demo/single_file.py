"""Writes the demo's base model as one file in the layout of Stable Diffusion 1.x."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from lorasmith.checkpoints.layout_sd1 import to_single_file
from lorasmith.demo.tiny_sd import TinyModel, noise_schedule

METADATA = {
    "format": "pt",
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
    "modelspec.title": "lorasmith demo base",
    "modelspec.author": "lorasmith",
    "modelspec.date": "2026-11-21",
    "modelspec.license": "Apache-2.0",
    "modelspec.resolution": "128x128",
    "modelspec.prediction_type": "epsilon",
    "modelspec.description": "A thin SD1.x of a drawn world; it never saw purple fur, curled horns or stripes.",
}


def write_base(path: Path, model: TinyModel) -> None:
    """Writes the three networks in fp16 and the noise schedule's buffers in fp32, complete or not at all."""
    tensors = to_single_file(model.unet.state_dict(), model.vae.state_dict(), model.text_encoder.state_dict())
    stored = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    stored |= schedule_buffers()
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in stored.items()}, part, METADATA)
    os.replace(part, path)


def schedule_buffers() -> dict[str, torch.Tensor]:
    """Gives the buffers that the original LatentDiffusion class keeps in its files (Ho et al., 2020, section 3)."""
    schedule = noise_schedule()
    betas, alphas, kept = schedule.betas.double(), schedule.alphas.double(), schedule.alphas_cumprod.double()
    before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
    variance = betas * (1 - before) / (1 - kept)
    buffers = {
        "betas": betas,
        "alphas_cumprod": kept,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": kept.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - kept).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - kept).log(),
        "sqrt_recip_alphas_cumprod": (1 / kept).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / kept - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - kept),
        "posterior_mean_coef2": (1 - before) * alphas.sqrt() / (1 - kept),
    }
    return {name: value.float() for name, value in buffers.items()}
