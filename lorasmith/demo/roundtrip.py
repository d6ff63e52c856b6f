"""Passes pictures through the VAE of a checkpoint, so that they look as renders look."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from lorasmith.checkpoints.load import load_sd1
from lorasmith.demo.drawing import Pixels

_BATCH = 16


class Roundtrip:
    """Encodes and decodes square pictures at the side that the base model renders at."""

    def __init__(self, checkpoint: Path, side: int = 128) -> None:
        self._vae = load_sd1(checkpoint, parts=("vae",)).vae
        self._side = side

    @torch.no_grad()
    def through(self, pictures: Pixels) -> Pixels:
        """Gives N x S x S x 3 RGB pictures as the VAE gives them back, at the size they came in."""
        size = (pictures.shape[2], pictures.shape[1])
        result = np.empty_like(pictures)
        for start in range(0, len(pictures), _BATCH):
            small = np.stack([cv2.resize(pixels, (self._side, self._side), interpolation=cv2.INTER_AREA)
                              for pixels in pictures[start: start + _BATCH]])
            signal = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1.0
            back = self._vae.decode(self._vae.encode(signal).latent_dist.sample()).sample
            pixels = ((back.clamp(-1, 1) + 1.0) * 127.5).round().permute(0, 2, 3, 1).byte().numpy()
            for place, decoded in enumerate(pixels):
                result[start + place] = cv2.resize(decoded, size, interpolation=cv2.INTER_CUBIC)
        return result
