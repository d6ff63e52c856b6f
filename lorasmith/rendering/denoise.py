"""The denoising loop: classifier-free guidance over a diffusers scheduler set as the base model wants it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

from lorasmith.checkpoints.conditioning import Conditioning, guide, joined, predict
from lorasmith.checkpoints.load import BaseModel

Sampler = Literal["ddim", "euler"]
NAMES: dict[Sampler, str] = {"ddim": "DDIM", "euler": "Euler"}  # as WebUIs spell them


@dataclass(frozen=True)
class Conditions:
    """What prompts and negative prompts say (their lengths may differ), and the guidance scale."""

    positive: Conditioning
    negative: Conditioning
    guidance: float


def scheduler_for(model: BaseModel, sampler: Sampler) -> Any:
    """Makes the scheduler with the training betas of SD1.x and SDXL; zero terminal SNR needs trailing steps."""
    ztsnr = model.family.zero_terminal_snr
    common: dict[str, Any] = {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": model.prediction_type,
        "timestep_spacing": "trailing" if ztsnr else "leading",
        "steps_offset": 1,
        "rescale_betas_zero_snr": ztsnr,
    }
    if sampler == "euler":
        return EulerDiscreteScheduler(**common)
    return DDIMScheduler(**common, clip_sample=False, set_alpha_to_one=False)


def noise_for(seed: int, height: int, width: int) -> torch.Tensor:
    """Draws the noise of one picture [1, 4, h/8, w/8] on the CPU: the same for every device and every batch."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn((1, 4, height // 8, width // 8), generator=generator)


def guided(model: BaseModel, latents: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Runs the U-Net once and gives its guided prediction in fp32; one pass when both prompts are equally long."""

    def said(inputs: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        return predict(model, inputs.to(model.dtype), timestep, conditioning.to(model.device, model.dtype)).float()

    positive, negative = conditions.positive, conditions.negative
    if conditions.guidance == 1:
        return said(latents, positive)
    if positive.context.shape[1] == negative.context.shape[1]:
        without, wanted = said(torch.cat([latents] * 2), joined([negative, positive])).chunk(2)
    else:
        without, wanted = said(latents, negative), said(latents, positive)
    return guide(model, without, wanted, conditions.guidance)


def denoise(
    model: BaseModel,
    scheduler: Any,
    start: torch.Tensor,
    conditions: Conditions,
    keep: Callable[[torch.Tensor, int], torch.Tensor] | None = None,
    first: int = 0,
) -> torch.Tensor:
    """Denoises from step `first` on; `keep(latents, index)` may hold parts of the picture after each step."""
    latents = start
    for index, timestep in enumerate(scheduler.timesteps[first:], start=first):
        inputs = scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(guided(model, inputs, timestep, conditions), timestep, latents).prev_sample
        if keep is not None:
            latents = keep(latents, index)
    return latents
