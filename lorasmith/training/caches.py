"""Latents of the training pictures, encoded once and kept by content, never beside the pictures.

What is kept is the VAE's mean and standard deviation, so each step draws a fresh sample. The name of a cache file is a
hash of all that decides its content (file bytes, geometry, flip, VAE weights): a changed picture or resolution misses
the cache, a stale file is never read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import load, save

from lorasmith.errors import TrainingError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.training.buckets import Fit
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.pictures import read_fitted

FORMAT = 1  # raised when what is written under a name changes


@dataclass(frozen=True)
class Latent:
    """A picture's distribution under the VAE, unscaled: mean and standard deviation [4, h/8, w/8] in fp32."""

    mean: torch.Tensor
    std: torch.Tensor

    def to(self, device: torch.device) -> "Latent":
        """Gives the same on another device."""
        return Latent(self.mean.to(device), self.std.to(device))


Latents = Mapping[tuple[str, bool], Latent]  # by picture name and whether it is mirrored


def weights_hash(module: torch.nn.Module) -> str:
    """Gives the sha256 of a module's weights: names, types and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def cache_key(picture_sha: str, fit: Fit, flip: bool, vae_sha: str) -> str:
    """Gives the name of a latent's cache file, without its suffix."""
    facts = [FORMAT, picture_sha, fit.bucket, fit.resized, fit.offset, flip, vae_sha]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class LatentCache:
    """A folder of latents of one VAE."""

    folder: Path
    vae: AutoencoderKL
    vae_sha: str

    def latent(self, picture: TrainingPicture, picture_sha: str, fit: Fit, flip: bool) -> Latent:
        """Gives a picture's latent, out of the folder or newly encoded; `TrainingError` when it is not finite."""
        key = cache_key(picture_sha, fit, flip, self.vae_sha)
        path = self.folder / key[:2] / f"{key}.safetensors"
        kept = _read(path)
        if kept is None:
            kept = self._encode(read_fitted(picture.path, fit), flip)
            if not (torch.isfinite(kept.mean).all() and torch.isfinite(kept.std).all()):
                raise TrainingError(
                    f"The VAE makes no finite latents of {picture.name}: "
                    "the base model's VAE is damaged, choose another base model."
                )
            write_atomic(path, save({"mean": kept.mean, "std": kept.std}))
        return kept

    @torch.no_grad()
    def _encode(self, pixels: torch.Tensor, flip: bool) -> Latent:
        """Encodes one picture alone, so that the result never depends on what else was missing from the cache."""
        if flip:
            pixels = pixels.flip(-1)
        weight = next(self.vae.parameters())
        distribution = self.vae.encode(pixels[None].to(weight.device, weight.dtype)).latent_dist
        return Latent(distribution.mean[0].float().cpu().contiguous(), distribution.std[0].float().cpu().contiguous())


def _read(path: Path) -> Latent | None:
    """Reads a cached latent; a missing or damaged file is None and is written anew."""
    try:
        tensors = load(path.read_bytes())
        return Latent(tensors["mean"], tensors["std"])
    except (OSError, SafetensorError, KeyError):
        return None


def all_latents(
    cache: LatentCache,
    pictures: list[TrainingPicture],
    shas: Mapping[str, str],
    fits: Mapping[str, Fit],
    flip: bool,
    report: Report = silent,
) -> dict[tuple[str, bool], Latent]:
    """Gives the latents of all pictures on the CPU, mirrored ones too where `flip`."""
    latents = {}
    for done, picture in enumerate(pictures):
        report(Progress("train", done, len(pictures), f"encoding {picture.name}"))
        for mirrored in (False, True) if flip else (False,):
            latents[picture.name, mirrored] = cache.latent(picture, shas[picture.name], fits[picture.name], mirrored)
    return latents
