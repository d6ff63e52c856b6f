"""Passes pictures through the VAE of a checkpoint, so that they look as renders look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lorasmith.checkpoints.load import load_base
from lorasmith.demo.drawing import Pixels

_BATCH = 16


class Roundtrip:
    """Encodes pictures, disturbs their latents as an imperfect denoiser does, and decodes them."""

    def __init__(self, checkpoint: Path, most_noise: float = 0.7) -> None:
        self._vae = load_base(checkpoint, parts=("vae",)).vae
        self._most_noise = most_noise

    @torch.no_grad()
    def through(self, pictures: Pixels, seed: int) -> Pixels:
        """Gives N x H x W x 3 RGB pictures (H and W multiples of 8) as the VAE gives them back.

        Each latent gets noise, fine and in patches, of up to `most_noise` of its own deviation.
        """
        chance = torch.Generator().manual_seed(seed)
        parts = []
        for start in range(0, len(pictures), _BATCH):
            signal = torch.from_numpy(pictures[start : start + _BATCH]).permute(0, 3, 1, 2).float() / 127.5 - 1.0
            with torch.autocast("cpu", torch.bfloat16):
                latents = self._vae.encode(signal).latent_dist.mean.float()
            share = torch.rand((len(latents), 1, 1, 1), generator=chance) ** 1.5 * self._most_noise
            width = latents.std(dim=(1, 2, 3), keepdim=True)
            latents = latents + _patchy(latents, chance) * share * width
            with torch.autocast("cpu", torch.bfloat16):
                back = self._vae.decode(latents).sample.float().clamp(-1, 1)
            parts.append(((back + 1.0) * 127.5).round().permute(0, 2, 3, 1).byte().numpy())
        return np.concatenate(parts)


def _patchy(latents: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Gives unit noise of the latents' shape, half of its power in patches of about four latent pixels."""
    fine = torch.randn(latents.shape, generator=chance)
    count, channels, height, width = latents.shape
    coarse = torch.randn((count, channels, height // 4 + 2, width // 4 + 2), generator=chance)
    coarse = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic")[:, :, 4 : 4 + height, 4 : 4 + width]
    return (fine + coarse / coarse.std()) * 0.5**0.5
