"""The diffusion process of SD1.x and SDXL: its schedule, its targets, and the random numbers of one step.

Schedule: 1000 steps, betas from 0.00085 to 0.012, linear in their square roots (DDPM as Stable Diffusion uses it).
Zero terminal SNR: "Common Diffusion Noise Schedules and Sample Steps are Flawed", arXiv:2305.08891, section 3.1.
"""

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as functional

from lorasmith.settings.tables import TrainSettings

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
class NoiseRules:
    """What the noise is, besides plain: an offset, rounds of coarser noise, and noise that only the input has."""

    offset: float = 0.0
    rounds: int = 0  # of multires noise
    discount: float = 0.3  # what each round counts of the one before
    input_gamma: float = 0.0  # input perturbation, arXiv:2301.11706

    @classmethod
    def of(cls, settings: TrainSettings) -> "NoiseRules":
        """Reads them off the settings."""
        return cls(
            settings.noise_offset, settings.multires_iterations, settings.multires_discount, settings.ip_noise_gamma
        )


PLAIN = NoiseRules()


@dataclass(frozen=True)
class StepDraw:
    """The random numbers of one batch, on the CPU: noises [b, 4, h, w], timesteps [b], flips [b] of bools."""

    latent_noise: torch.Tensor  # draws the sample out of the VAE's distribution
    noise: torch.Tensor  # what the U-Net is to find
    timesteps: torch.Tensor
    flips: torch.Tensor
    input_noise: torch.Tensor  # what is added to the latents: the noise, and with input perturbation a little more


def draw_step(seed: int, step: int, shape: tuple[int, ...], rules: NoiseRules = PLAIN) -> StepDraw:
    """Draws the random numbers of a batch: the same for the same seed and step, whatever ran before."""
    generator = generator_for(seed, step)
    latent_noise = torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    timesteps = torch.randint(0, STEPS, shape[:1], generator=generator)
    flips = torch.rand(shape[:1], generator=generator) < 0.5
    if rules.offset:
        noise = noise + rules.offset * torch.randn((*shape[:2], 1, 1), generator=generator)
    if rules.rounds:
        noise = _with_coarser(noise, rules, generator)
    input_noise = noise
    if rules.input_gamma:
        input_noise = noise + rules.input_gamma * torch.randn(shape, generator=generator)
    return StepDraw(latent_noise, noise, timesteps, flips, input_noise)


def _with_coarser(noise: torch.Tensor, rules: NoiseRules, generator: torch.Generator) -> torch.Tensor:
    """Adds ever coarser noise and brings the sum back to a deviation of 1 (multires noise as kohya's trainer has it)."""
    height, width = noise.shape[-2:]
    for number in range(rules.rounds):
        shrink = float(2 + 2 * torch.rand(1, generator=generator)) ** number
        size = max(1, int(height / shrink)), max(1, int(width / shrink))
        coarse = torch.randn((*noise.shape[:2], *size), generator=generator)
        noise = noise + rules.discount**number * functional.interpolate(coarse, (height, width), mode="bilinear")
        if 1 in size:
            break
    return noise / noise.std()


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
