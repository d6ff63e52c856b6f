"""A cache of drawn scenes as latents, a part of which is drawn anew at every step."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL

from lorasmith.demo.captions import Tokens, caption_tags, tokens
from lorasmith.demo.tiny_sd import SCALING_FACTOR
from lorasmith.demo.train_vae import to_tensor
from lorasmith.demo.world import Scene, training_scene

Size = tuple[int, int]


@dataclass(frozen=True)
class Batch:
    """Scaled latents [n, 4, h, w] with their captions' ids [n, 77] and tag ends [n, 77]."""

    latents: torch.Tensor
    ids: torch.Tensor
    ends: torch.Tensor

    def cut(self, places: int) -> Batch:
        """Gives the batch with shorter captions."""
        return Batch(self.latents, self.ids[:, :places], self.ends[:, :places])


class LatentCache:
    """Holds scenes of one or more picture sizes (width, height) with their latents."""

    def __init__(self, vae: AutoencoderKL, sizes: dict[Size, int], rng: random.Random) -> None:
        self._vae = vae
        self._rng = rng
        self._sizes = sizes
        self._items: dict[Size, list[tuple[Scene, torch.Tensor]]] = {size: [] for size in sizes}

    @torch.no_grad()
    def draw(self, size: Size, count: int) -> None:
        """Draws and encodes scenes; they take the place of the oldest where the size is full."""
        scenes = [training_scene(self._rng, held_out=False) for _ in range(count)]
        pictures = to_tensor([scene.draw_array(*size) for scene in scenes])
        with torch.autocast("cpu", torch.bfloat16):
            encoded = self._vae.encode(pictures).latent_dist.sample()
        held = self._items[size]
        held.extend(zip(scenes, (encoded.float() * SCALING_FACTOR).unbind(), strict=True))
        del held[: max(0, len(held) - self._sizes[size])]

    def fill(self) -> None:
        """Draws scenes until every size is full."""
        for size, wanted in self._sizes.items():
            while len(self._items[size]) < wanted:
                self.draw(size, min(16, wanted - len(self._items[size])))

    def batch(self, count: int) -> Batch:
        """Picks one size by its share of the cache, and scenes of that size, with new captions for them."""
        size = self._rng.choices(list(self._sizes), list(self._sizes.values()))[0]
        picked = self._rng.sample(self._items[size], count)
        captions: list[Tokens] = [tokens(caption_tags(scene, self._rng)) for scene, _ in picked]
        return Batch(
            torch.stack([latent for _, latent in picked]),
            torch.stack([item.ids for item in captions]),
            torch.stack([item.ends for item in captions]),
        )

    def refresh(self, count: int) -> None:
        """Draws some new scenes of one size."""
        self.draw(self._rng.choices(list(self._sizes), list(self._sizes.values()))[0], count)
