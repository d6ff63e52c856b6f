"""Trains the demo's U-Net and text encoder on latents of the drawn world: first at 64 px, then at 128 px."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from torch.nn import functional
from transformers import CLIPTextModel

from lorasmith.demo.captions import NAMED
from lorasmith.demo.latents import Batch, LatentCache, Size
from lorasmith.demo.muon import MuonAdam
from lorasmith.demo.tiny_sd import TEXT, build, noise_schedule
from lorasmith.demo.train_vae import follow, log, set_rate

PEAK_RATE = 4e-3
EMA = 0.995
SNR_CAP = 5.0
SAVE_EVERY_S = 100.0


@dataclass(frozen=True)
class Phase:
    """A part of the training: up to which share of the time, pictures held per size, batch, new pictures per step.

    Captions are cut at `places` tokens; `text` says whether the text encoder still learns.
    """

    until: float
    sizes: dict[Size, int]
    batch: int
    fresh: int
    places: int
    text: bool


PHASES = (
    Phase(0.27, {(64, 64): 2500}, 64, 3, 52, True),
    Phase(0.51, {(96, 96): 1200, (64, 128): 500, (128, 64): 500}, 40, 2, 60, True),
    Phase(1.0, {(128, 128): 500, (96, 160): 250, (160, 96): 250}, 32, 3, 77, False),
)


class _PlainAttention:
    """Attention as two matrix products: three times as fast on a CPU as the fused kernel for heads this narrow."""

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None, **_: Any
    ) -> torch.Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            layer(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for layer, x in ((attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context))
        )
        weights = torch.matmul(query * attn.scale, key.transpose(-1, -2)).softmax(dim=-1, dtype=query.dtype)
        return attn.to_out[0](torch.matmul(weights.to(value.dtype), value).transpose(1, 2).flatten(2))


class Networks(nn.Module):
    """The U-Net, the text encoder, and a head that names tags from the text encoder's states (training only)."""

    def __init__(self) -> None:
        super().__init__()
        model = build()
        self.unet: UNet2DConditionModel = model.unet
        self.text_encoder: CLIPTextModel = model.text_encoder
        self.text_encoder.config._attn_implementation = "eager"
        self.unet.set_attn_processor(_PlainAttention())
        self.naming = nn.Linear(TEXT["hidden_size"], len(NAMED))
        nn.init.normal_(self.text_encoder.get_input_embeddings().weight, std=0.05)


class UnetTraining:
    """The state of one training run, which a file keeps."""

    def __init__(self, work: Path, vae: AutoencoderKL, minutes: float) -> None:
        self.work, self.vae, self.seconds = work, vae, minutes * 60
        torch.manual_seed(1)
        self.networks, self.average = Networks(), Networks().requires_grad_(False)
        self.average.load_state_dict(self.networks.state_dict())
        self.optimiser = MuonAdam(self.networks.named_parameters(), lr=PEAK_RATE, adam_share=0.3)
        self.spent, self.step = 0.0, 0
        self.alphas = noise_schedule().alphas_cumprod

    @property
    def file(self) -> Path:
        """Names the state's file."""
        return self.work / "unet.pt"

    def load(self) -> None:
        """Goes on from the state's file where there is one."""
        if not self.file.exists():
            return
        state = torch.load(self.file, weights_only=True)
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.spent, self.step = state["spent"], state["step"]

    def save(self) -> None:
        """Writes the state, complete or not at all."""
        part = self.file.with_suffix(".part")
        torch.save(
            {
                "networks": self.networks.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "spent": self.spent,
                "step": self.step,
            },
            part,
        )
        part.replace(self.file)

    def run(self) -> None:
        """Trains until the time is spent."""
        torch.manual_seed(self.step + 1)
        for phase in PHASES:
            if self.spent < phase.until * self.seconds:
                self._run_phase(phase)
        self.save()

    def _run_phase(self, phase: Phase) -> None:
        mark = saved = time.monotonic()
        cache = LatentCache(self.vae, phase.sizes, random.Random(f"latents {self.step}"))
        cache.fill()
        self.networks.text_encoder.requires_grad_(phase.text)
        self.networks.naming.requires_grad_(phase.text)
        sums = [0.0, 0.0]
        while self.spent < phase.until * self.seconds:
            cache.refresh(phase.fresh)
            loss, naming = self._take_step(cache.batch(phase.batch).cut(phase.places))
            sums = [sums[0] + loss, sums[1] + naming]
            now = time.monotonic()
            self.spent, mark = self.spent + now - mark, now
            if self.step % 20 == 0:
                log(
                    self.work / "unet.jsonl",
                    {
                        "step": self.step,
                        "minutes": round(self.spent / 60, 2),
                        "loss": round(sums[0] / 20, 5),
                        "naming": round(sums[1] / 20, 4),
                    },
                )
                sums = [0.0, 0.0]
            if now - saved > SAVE_EVERY_S:
                self.save()
                saved = now
        self.save()

    def _rate(self) -> float:
        part = min(1.0, self.spent / self.seconds)
        return PEAK_RATE * min(1.0, (self.step + 1) / 60) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * part)))

    def _take_step(self, batch: Batch) -> tuple[float, float]:
        set_rate(self.optimiser, self._rate())
        eps, naming = self._losses(batch)
        (eps["weighted"] + 0.05 * naming).backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        follow(self.average, self.networks, min(EMA, (1 + self.step) / (10 + self.step)))
        return float(eps["plain"].detach()), float(naming.detach())

    def _losses(self, batch: Batch) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Gives the eps loss, plain and min-SNR weighted (Hang et al., 2023), and the tag naming loss."""
        count = len(batch.latents)
        times = ((torch.arange(count) + torch.rand(count)) / count * len(self.alphas)).long()
        alpha = self.alphas[times].view(-1, 1, 1, 1)
        noise = torch.randn_like(batch.latents)
        noisy = alpha.sqrt() * batch.latents + (1 - alpha).sqrt() * noise
        with torch.autocast("cpu", torch.bfloat16):
            states = self.networks.text_encoder(batch.ids).last_hidden_state
            guess = self.networks.unet(noisy, times, states).sample
        errors = (guess.float() - noise).square().mean(dim=(1, 2, 3))
        snr = (alpha / (1 - alpha)).flatten()
        weights = snr.clamp(max=SNR_CAP) / snr
        named = self.networks.naming(states.float())
        naming = functional.cross_entropy(named.flatten(0, 1), batch.ends.flatten(), ignore_index=-100)
        return {"plain": errors.mean(), "weighted": (weights * errors).mean() / weights.mean()}, naming
