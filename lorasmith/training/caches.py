"""Latents of the training pictures and states of their captions, encoded once and kept by content, never beside the pictures.

What is kept is the VAE's mean and standard deviation, so each step draws a fresh sample. The name of a cache file is a
hash of all that decides its content (file bytes, geometry, flip, VAE weights): a changed picture or resolution misses
the cache, a stale file is never read.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
from diffusers import AutoencoderKL

from lorasmith.checkpoints.conditioning import Conditioning
from lorasmith.errors import TrainingError
from lorasmith.progress import Progress, Report, silent
from lorasmith.training.buckets import Fit
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.pictures import read_fitted
from lorasmith.training.store import Store

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
    """Latents of one VAE, which is loaded when the first one is missing."""

    store: Store
    vae: Callable[[], AutoencoderKL]
    vae_sha: str

    def latent(self, picture: TrainingPicture, picture_sha: str, fit: Fit, flip: bool) -> Latent:
        """Gives a picture's latent, kept or newly encoded; `TrainingError` when it is not finite."""
        key = cache_key(picture_sha, fit, flip, self.vae_sha)
        kept = self.store.read(key) or {}
        if {"mean", "std"} <= kept.keys():
            return Latent(kept["mean"], kept["std"])
        found = self._encode(_pixels(picture, fit), flip)
        if not (torch.isfinite(found.mean).all() and torch.isfinite(found.std).all()):
            raise TrainingError(
                f"The VAE makes no finite latents of {picture.name}: "
                "the base model's VAE is damaged, choose another base model."
            )
        self.store.write(key, {"mean": found.mean, "std": found.std})
        return found

    @torch.no_grad()
    def _encode(self, pixels: torch.Tensor, flip: bool) -> Latent:
        """Encodes one picture alone, so that the result never depends on what else was missing from the cache."""
        if flip:
            pixels = pixels.flip(-1)
        vae = self.vae()
        weight = next(vae.parameters())
        distribution = vae.encode(pixels[None].to(weight.device, weight.dtype)).latent_dist
        return Latent(distribution.mean[0].float().cpu().contiguous(), distribution.std[0].float().cpu().contiguous())


def _pixels(picture: TrainingPicture, fit: Fit) -> torch.Tensor:
    """Reads a picture; one that went away since the run was planned is told by its own name."""
    if not picture.path.is_file():
        raise TrainingError(
            f"{picture.path} is gone since the run began: put it back and run the same command again, or leave it out (drop)."
        )
    return read_fitted(picture.path, fit)


@dataclass(frozen=True)
class TextCache:
    """What text encoders say to texts, by their weights and the precision that they compute in."""

    store: Store
    encoders_sha: str

    def key(self, text: str, clip_skip: int, dtype: torch.dtype) -> str:
        """Gives the name under which a text's states are kept."""
        facts = [FORMAT, "text", text, clip_skip, str(dtype), tokenizer_sha(), self.encoders_sha]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]

    def read(self, key: str) -> Conditioning | None:
        """Gives what is kept, else None."""
        kept = self.store.read(key) or {}
        return Conditioning(kept["context"], kept.get("pooled")) if "context" in kept else None

    def write(self, key: str, said: Conditioning) -> None:
        """Keeps what was said."""
        self.store.write(key, {"context": said.context} | ({} if said.pooled is None else {"pooled": said.pooled}))


@cache
def tokenizer_sha() -> str:
    """Gives the sha256 of the vocabulary by which captions become tokens."""
    packed = files("lorasmith.checkpoints.clip").joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    return hashlib.sha256(packed).hexdigest()


def weights_known(store: Store, kind: str, model_sha: str, load: Callable[[], list[torch.nn.Module]]) -> str:
    """Gives the hash of modules of a model file: what was noted of that file, else that of the loaded modules."""
    name = f"{kind}-{model_sha}"
    known = store.fact(name)
    if known is None:
        known = hashlib.sha256("".join(map(weights_hash, load())).encode()).hexdigest()
        store.note(name, known)
    return known


def all_latents(
    kept: LatentCache,
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
            latents[picture.name, mirrored] = kept.latent(picture, shas[picture.name], fits[picture.name], mirrored)
    return latents
