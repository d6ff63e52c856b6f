"""Sample pictures during a run, drawn with the model that is being trained (DDIM, arXiv:2010.02502, eta 0)."""

import io
from collections.abc import Sequence

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lorasmith.checkpoints.conditioning import Conditioning, guide, predict
from lorasmith.checkpoints.load import BaseModel, load_base
from lorasmith.training.noise import STEPS, alphas_cumprod, generator_for

GUIDANCE = 7.0


def sample_timesteps(steps: int, zero_terminal_snr: bool) -> list[int]:
    """Lists the timesteps, noisy to clean: SD's leading spacing, or trailing for zero terminal SNR."""
    if zero_terminal_snr:
        return [round(STEPS - index * STEPS / steps) - 1 for index in range(steps)]
    return [index * (STEPS // steps) + 1 for index in reversed(range(steps))]


@torch.no_grad()
def sample_latents(model: BaseModel, conditioning: Conditioning, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """Denoises [b, 4, h, w]; `conditioning` [2 b] holds the empty prompt's states first, then the prompts'."""
    alphas = alphas_cumprod(model.family.zero_terminal_snr)
    timesteps = sample_timesteps(steps, model.family.zero_terminal_snr)
    latents = noise
    for timestep, following in zip(timesteps, [*timesteps[1:], 0], strict=True):
        now, then = float(alphas[timestep]), float(alphas[following])
        said = predict(model, latents.repeat(2, 1, 1, 1).to(model.dtype), timestep, conditioning).float()
        without, with_prompt = said.chunk(2)
        said = guide(model, without, with_prompt, GUIDANCE)
        clean, noisy = _split(latents, said, now, model.prediction_type)
        latents = then**0.5 * clean + (1 - then) ** 0.5 * noisy
    return clean


def _split(
    latents: torch.Tensor, said: torch.Tensor, alpha: float, prediction_type: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives the clean latents and the noise that the model sees in noisy latents."""
    share, rest = alpha**0.5, (1 - alpha) ** 0.5
    if prediction_type == "epsilon":
        return (latents - rest * said) / share, said
    return share * latents - rest * said, share * said + rest * latents


@torch.no_grad()
def draw_samples(
    model: BaseModel, conditionings: Sequence[Conditioning], size: int, steps: int, seed: int
) -> list[Image.Image]:
    """Draws one square picture per prompt, one at a time, from noise that is the same in every epoch of a run.

    Each conditioning holds two rows: what guidance leads away from, and the prompt.
    """
    latents = []
    side = max(64, size // 64 * 64)
    for index, conditioning in enumerate(conditionings):
        generator = generator_for(seed, "sample", index)
        noise = torch.randn((1, 4, side // 8, side // 8), generator=generator).to(model.device)
        with torch.autocast(model.device.type, model.dtype, enabled=model.dtype != torch.float32):
            latents.append(sample_latents(model, conditioning, noise, steps))
    vae = load_base(model.path, device=model.device, parts=("vae",)).vae  # only for these moments: it is large
    return [_picture(vae.decode(each / model.scaling_factor).sample[0]) for each in latents]


def _picture(values: torch.Tensor) -> Image.Image:
    """Turns [3, h, w] from -1 to 1 into a picture."""
    pixels = ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def png_bytes(picture: Image.Image, prompt: str) -> bytes:
    """Packs a sample as PNG with its prompt inside, where WebUIs look for it."""
    info = PngInfo()
    info.add_text("parameters", prompt)
    stream = io.BytesIO()
    picture.save(stream, "PNG", pnginfo=info)
    return stream.getvalue()
