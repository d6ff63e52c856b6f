"""What the U-Net is told besides noisy latents: the text encoders' states, and for SDXL the pooled text and the sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lorasmith.checkpoints.load import BaseModel

CELL = 8  # pixels of a cell of the latents
RESCALE = 0.7  # of guidance, for zero terminal SNR only (Lin et al. 2023, arXiv:2305.08891, section 3.4)


@dataclass(frozen=True)
class Conditioning:
    """States of texts [b, 77 n, d], and for SDXL the pooled state of their first chunk [b, p]."""

    context: torch.Tensor
    pooled: torch.Tensor | None = None

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> "Conditioning":
        """Gives the same on another device or in another dtype."""
        pooled = None if self.pooled is None else self.pooled.to(device, dtype, non_blocking=True)
        return Conditioning(self.context.to(device, dtype, non_blocking=True), pooled)

    def row(self, index: int) -> "Conditioning":
        """Gives one text's part, as a batch of one."""
        pooled = None if self.pooled is None else self.pooled[index : index + 1]
        return Conditioning(self.context[index : index + 1], pooled)

    def zeroed(self, rows: Sequence[bool]) -> "Conditioning":
        """Gives the same with the marked rows at 0."""
        keep = torch.tensor([not row for row in rows], device=self.context.device).to(self.context.dtype)
        pooled = None if self.pooled is None else self.pooled * keep[:, None]
        return Conditioning(self.context * keep[:, None, None], pooled)


def joined(rows: Sequence[Conditioning], filling: Conditioning | None = None) -> Conditioning:
    """Puts texts into one batch; shorter ones are filled up to the longest with the states of the empty text."""
    longest = max(row.context.shape[1] for row in rows)
    contexts = []
    for row in rows:
        missing = longest - row.context.shape[1]
        if missing and filling is None:
            raise ValueError("texts of different lengths need the states of the empty text")
        more = [] if filling is None else [filling.context] * (missing // filling.context.shape[1])
        contexts.append(torch.cat([row.context, *more], 1))
    pooled = [row.pooled for row in rows if row.pooled is not None]
    return Conditioning(torch.cat(contexts), torch.cat(pooled) if pooled else None)


def size_numbers(latents: torch.Tensor) -> torch.Tensor:
    """Gives SDXL's six numbers [b, 6] as the WebUIs pass them: original size, crop at 0, 0, target size = original."""
    height, width = (float(side * CELL) for side in latents.shape[-2:])
    numbers = latents.new_tensor([height, width, 0.0, 0.0, height, width], dtype=torch.float32)
    return numbers.expand(latents.shape[0], 6)


def predict(
    model: BaseModel, latents: torch.Tensor, timesteps: torch.Tensor | int, conditioning: Conditioning
) -> torch.Tensor:
    """Runs the U-Net over latents [b, 4, h, w] in the model's dtype and gives what it says, of the same shape."""
    added = {}
    if conditioning.pooled is not None:
        added = {"text_embeds": conditioning.pooled, "time_ids": size_numbers(latents)}
    said: torch.Tensor = model.unet(
        latents, timesteps, encoder_hidden_states=conditioning.context, added_cond_kwargs=added
    ).sample
    return said


def guide(model: BaseModel, without: torch.Tensor, wanted: torch.Tensor, scale: float) -> torch.Tensor:
    """Leads away from what is said without the prompt; zero terminal SNR needs the contrast that this adds taken back."""
    result = without + scale * (wanted - without)
    if not model.family.zero_terminal_snr:
        return result
    axes = tuple(range(1, result.ndim))
    matched = result * (wanted.std(axes, keepdim=True) / result.std(axes, keepdim=True))
    return RESCALE * matched + (1 - RESCALE) * result
