"""The diffusion process of SD1.x: its schedule, its targets, and the random numbers of one step.

Schedule: 1000 steps, betas from 0.00085 to 0.012, linear in their square roots (DDPM as Stable Diffusion uses it).
Zero terminal SNR: "Common Diffusion Noise Schedules and Sample Steps are Flawed", arXiv:2305.08891, section 3.1.
"""

import hashlib
from dataclasses import dataclass

import torch

STEPS = 1000
BETA_FIRST, BETA_LAST = 0.00085, 0.012


def alphas_cumprod(zero_terminal_snr: bool = False) -> torch.Tensor:
    """Gives the share of the picture's variance left at each timestep, [1000] in fp32, from nearly 1 to nearly 0."""
    betas = torch.linspace(BETA_FIRST**0.5, BETA_LAST**0.5, STEPS, dtype=torch.float64) ** 2
    roots = (1 - betas).cumprod(0).sqrt()
    if zero_terminal_snr:
        first, last = roots[0].clone(), roots[-1].clone()
        roots = (roots - last) * first / (first - last)
    return (roots**2).float()


def generator_for(*key: object) -> torch.Generator:
    """Gives a CPU generator that is a function of the key alone, such as seed and step."""
    digest = hashlib.sha256(":".join(map(str, key)).encode("utf-8")).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True)
class StepDraw:
    """The random numbers of one step, on the CPU: two noises [b, 4, h, w], timesteps [b], flips [b] of bools."""

    latent_noise: torch.Tensor  # draws the sample out of the VAE's distribution
    noise: torch.Tensor  # what is added to the latents
    timesteps: torch.Tensor
    flips: torch.Tensor


def draw_step(seed: int, step: int, shape: tuple[int, ...], noise_offset: float = 0.0) -> StepDraw:
    """Draws the random numbers of a step: the same for the same seed and step, whatever ran before.

    `noise_offset` adds one more normal number per sample and channel, times itself, to the noise.
    """
    generator = generator_for(seed, step)
    latent_noise = torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    timesteps = torch.randint(0, STEPS, shape[:1], generator=generator)
    flips = torch.rand(shape[:1], generator=generator) < 0.5
    if noise_offset:
        noise = noise + noise_offset * torch.randn((*shape[:2], 1, 1), generator=generator)
    return StepDraw(latent_noise, noise, timesteps, flips)


def noised(latents: torch.Tensor, noise: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """Mixes latents and noise [b, c, h, w]; `alphas` [b] is the cumulated alpha of each sample's timestep."""
    share = alphas[:, None, None, None]
    return share.sqrt() * latents + (1 - share).sqrt() * noise


def target(latents: torch.Tensor, noise: torch.Tensor, alphas: torch.Tensor, prediction_type: str) -> torch.Tensor:
    """Gives what the U-Net should say: the noise (`epsilon`), or the velocity of "v_prediction" (arXiv:2202.00512)."""
    if prediction_type == "epsilon":
        return noise
    share = alphas[:, None, None, None]
    return share.sqrt() * noise - (1 - share).sqrt() * latents
