"""Trains the demo's VAE on the drawn world: first on crops of 64 px, then on whole pictures of 128 px."""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from lorasmith.demo.abstract import abstract_picture
from lorasmith.demo.muon import MuonAdam
from lorasmith.demo.tiny_sd import SCALING_FACTOR, build_vae
from lorasmith.demo.vae_start import fresh_vae
from lorasmith.demo.world import training_scene

BUCKETS = ((128, 128), (96, 160), (160, 96))
KL_WEIGHT = 1e-4
PEAK_RATE = 8e-4


def to_tensor(arrays: list[np.ndarray]) -> torch.Tensor:
    """Turns H x W x 3 arrays of 0..255 into N x 3 x H x W in -1..1."""
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def _edges(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return pictures[..., :, 1:] - pictures[..., :, :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


def picture_loss(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """L1 and L2 of the pixels plus L1 of their horizontal and vertical differences, at two sizes."""
    loss = (drawn - wanted).abs().mean() + (drawn - wanted).square().mean()
    for factor in (1, 2):
        if factor > 1:
            drawn, wanted = (torch.nn.functional.avg_pool2d(x, factor) for x in (drawn, wanted))
        for got, want in zip(_edges(drawn), _edges(wanted), strict=True):
            loss = loss + 0.5 * (got - want).abs().mean()
    return loss


def _crops(rng: random.Random, count: int) -> torch.Tensor:
    """Draws pictures of 128 px and cuts two crops of 64 px out of each, the second from its middle half."""
    crops: list[np.ndarray] = []
    while len(crops) < count:
        scene = _picture(rng, *rng.choice(BUCKETS))
        height, width = scene.shape[:2]
        for margin in (0, 12):
            x, y = rng.randint(margin, width - 64 - margin), rng.randint(margin, height - 64 - margin)
            crops.append(scene[y : y + 64, x : x + 64])
    return to_tensor(crops[:count])


def _picture(rng: random.Random, width: int, height: int) -> np.ndarray:
    """Draws a scene of the base's world, now and then in wrong colours, or an abstract picture."""
    lot = rng.random()
    if lot < 0.2:
        return abstract_picture(rng, width, height)
    pixels = training_scene(rng, held_out=False).draw_array(width, height)
    if lot < 0.4:
        return pixels[:, :, rng.sample(range(3), 3)]
    return pixels


def _wholes(rng: random.Random, count: int) -> torch.Tensor:
    bucket = rng.choice(BUCKETS)
    return to_tensor([_picture(rng, *bucket) for _ in range(count)])


def train_vae(work: Path, minutes: float, whole_share: float = 0.3) -> AutoencoderKL:
    """Trains until the minutes are spent; goes on from `work/vae.pt` where there is one."""
    state_file = work / "vae.pt"
    torch.manual_seed(0)
    vae = fresh_vae(_wholes(random.Random("first pictures"), 24))
    average = build_vae().requires_grad_(False)
    optimiser = MuonAdam(vae.named_parameters(), lr=PEAK_RATE, adam_share=0.5)
    spent, step = 0.0, 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        vae.load_state_dict(state["vae"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        spent, step = state["spent"], state["step"]
    else:
        average.load_state_dict(vae.state_dict())
    rng = random.Random(f"vae {step}")
    torch.manual_seed(step)
    mark = time.monotonic()
    while spent < minutes * 60:
        part = spent / (minutes * 60)
        whole = part > 1.0 - whole_share
        set_rate(optimiser, PEAK_RATE * min(1.0, (step + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * part)) + 1e-5)
        pictures = _wholes(rng, 2) if whole else _crops(rng, 4 if part < 0.35 else 6)
        losses = _vae_step(vae, optimiser, pictures)
        follow(average, vae, min(0.99, (1 + step) / (10 + step)))
        step += 1
        now = time.monotonic()
        spent, mark = spent + now - mark, now
        if step % 10 == 0:
            log(work / "vae.jsonl", {"step": step, "minutes": round(spent / 60, 2), "whole": whole, **losses})
        if step % 100 == 0:
            _save(state_file, vae, average, optimiser, {"spent": spent, "step": step})
    _save(state_file, vae, average, optimiser, {"spent": spent, "step": step})
    return average


def _vae_step(vae: AutoencoderKL, optimiser: torch.optim.Optimizer, pictures: torch.Tensor) -> dict[str, float]:
    with torch.autocast("cpu", torch.bfloat16):
        posterior = vae.encode(pictures).latent_dist
        drawn = vae.decode(posterior.sample()).sample
    seen = picture_loss(drawn.float(), pictures)
    divergence = posterior.kl().mean() / posterior.mean[0].numel()
    (seen + KL_WEIGHT * divergence).backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    pixels = (drawn.detach().float() - pictures).abs().mean()
    return {"loss": round(seen.item(), 5), "l1": round(pixels.item(), 5), "kl": round(divergence.item(), 4)}


def train_decoder(work: Path, vae: AutoencoderKL, minutes: float) -> None:
    """Trains the decoder alone on whole pictures, so that the latents stay as they are; writes `decoder_done.pt`."""
    state_file = work / "decoder.pt"
    average = build_vae().requires_grad_(False)
    average.load_state_dict(vae.state_dict())
    vae.requires_grad_(False)
    parts = [vae.decoder, vae.post_quant_conv]
    named = [(name, weight.requires_grad_(True)) for part in parts for name, weight in part.named_parameters()]
    optimiser = MuonAdam(named, lr=PEAK_RATE / 2, adam_share=0.5)
    spent, step = 0.0, 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        vae.load_state_dict(state["vae"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        spent, step = state["spent"], state["step"]
    rng = random.Random(f"decoder {step}")
    torch.manual_seed(step)
    mark = time.monotonic()
    while spent < minutes * 60:
        set_rate(optimiser, PEAK_RATE / 2 * (0.5 + 0.5 * math.cos(math.pi * spent / minutes / 60)) + 1e-5)
        losses = _decoder_step(vae, optimiser, _crops(rng, 6) if step % 3 else _wholes(rng, 2))
        follow(average, vae, 0.98)
        step += 1
        now = time.monotonic()
        spent, mark = spent + now - mark, now
        if step % 10 == 0:
            log(work / "decoder.jsonl", {"step": step, "minutes": round(spent / 60, 2), **losses})
        if step % 100 == 0:
            _save(state_file, vae, average, optimiser, {"spent": spent, "step": step})
            save_vae(work / "decoder_done.pt", average)
    save_vae(work / "decoder_done.pt", average)


def save_vae(path: Path, vae: AutoencoderKL) -> None:
    """Writes a VAE's weights, complete or not at all."""
    part = path.with_suffix(".part")
    torch.save(vae.state_dict(), part)
    part.replace(path)


def _decoder_step(vae: AutoencoderKL, optimiser: torch.optim.Optimizer, pictures: torch.Tensor) -> dict[str, float]:
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            latents = vae.encode(pictures).latent_dist.sample()
        drawn = vae.decode(latents).sample
    seen = picture_loss(drawn.float(), pictures)
    seen.backward()
    torch.nn.utils.clip_grad_norm_([weight for weight in vae.parameters() if weight.requires_grad], 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    pixels = (drawn.detach().float() - pictures).abs().mean()
    return {"loss": round(seen.item(), 5), "l1": round(pixels.item(), 5)}


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Makes latents times 0.18215 have mean 0 and deviation 1 per channel, by changing the two 1x1 convolutions."""
    mean = vae.encode(pictures).latent_dist.mean
    shift, width = mean.mean(dim=(0, 2, 3)), mean.std(dim=(0, 2, 3))
    gain = 1.0 / (width * SCALING_FACTOR)
    before, after = vae.quant_conv, vae.post_quant_conv
    channels = shift.numel()
    before.weight[:channels] *= gain.view(-1, 1, 1, 1)
    before.bias[:channels] = (before.bias[:channels] - shift) * gain
    before.bias[channels:] += 2.0 * gain.log()
    after.bias += (after.weight[:, :, 0, 0] * shift).sum(dim=1)
    after.weight /= gain.view(1, -1, 1, 1)


@torch.no_grad()
def follow(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1.0 - decay)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _save(
    path: Path, vae: AutoencoderKL, average: AutoencoderKL, optimiser: torch.optim.Optimizer, counters: dict[str, Any]
) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {"vae": vae.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(), **counters},
        part,
    )
    part.replace(path)


def log(path: Path, row: dict[str, Any]) -> None:
    """Adds one row to a JSONL file."""
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")
