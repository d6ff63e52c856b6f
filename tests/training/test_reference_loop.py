"""The first losses held against a loop of the tests' own, in float64: other code for the adapters, process, loss and update.

What the two share is what defines a run and not how it is done: the base model's modules, the cached latents, the drawn
captions and the random numbers of a step. The reference computes in float64 from the same fp32 base weights.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from lorasmith.checkpoints.family import chosen
from lorasmith.checkpoints.load import BaseModel, load_base
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.training.buckets import Draws, epoch_steps, fits_of
from lorasmith.training.caches import LatentCache, all_latents, weights_hash
from lorasmith.training.captions import CaptionRules, draw_caption
from lorasmith.training.learner import Learner, Lessons
from lorasmith.training.masks import masks_of
from lorasmith.training.noise import NoiseRules, draw_step
from lorasmith.training.pictures import size_of
from lorasmith.training.plan import draws_of, plan
from lorasmith.training.request import TrainRequest
from lorasmith.training.store import Store

STEPS = {"eps": 50}  # updates; in the other cases, what differs is seen in fewer
FEWER = 50 if os.environ.get("LORASMITH_LONG") else 16
TOLERANCE = 2e-4  # of a loss, relative: fp32 against float64 over 50 updates

CASES: dict[str, dict[str, Any]] = {
    "eps": {"min_snr_gamma": 0.0},
    "min_snr": {"min_snr_gamma": 5.0},
    "v_prediction": {"min_snr_gamma": 0.0, "prediction_type": "v_prediction"},
    "v_prediction_ztsnr": {"min_snr_gamma": 5.0, "prediction_type": "v_prediction", "zero_terminal_snr": "on"},
    "masked": {"min_snr_gamma": 0.0, "masked_loss": "character", "unmasked_weight": 0.1},
    "locon": {"min_snr_gamma": 0.0, "conv_rank": 2, "conv_alpha": 1.0},
    "huber_accumulated": {"min_snr_gamma": 0.0, "loss": "huber", "gradient_accumulation": 2},
}


class Adapted(nn.Module):
    """W x + alpha / rank * up (down x), written down plainly."""

    def __init__(self, base: nn.Module, down: torch.Tensor, alpha: float) -> None:
        super().__init__()
        self.base = base
        rank = down.shape[0]
        outputs = base.weight.shape[0]
        self.down = nn.Parameter(down.double())
        shape = (outputs, rank, 1, 1) if down.ndim == 4 else (outputs, rank)
        self.up = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
        self.scale = alpha / rank

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        if self.down.ndim == 4:
            inner = nn.functional.conv2d(x, self.down, stride=self.base.stride, padding=self.base.padding)
            return self.base(x) + self.scale * nn.functional.conv2d(inner, self.up)
        return self.base(x) + self.scale * nn.functional.linear(nn.functional.linear(x, self.down), self.up)


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def lessons_of(request: TrainRequest, path: Any) -> tuple[Lessons, dict[str, Draws]]:
    pictures, settings = request.pictures, request.settings
    fits = fits_of(settings, {each.name: size_of(each.path) for each in pictures})
    vae = load_base(path, parts=("vae",)).vae
    cache = LatentCache(Store(request.cache_folder), lambda: vae, weights_hash(vae))
    shas = {each.name: f"{each.name:0>64}" for each in pictures}
    latents = all_latents(cache, pictures, shas, fits, False)
    captions = {each.name: each.caption for each in pictures}
    return Lessons(captions, latents, masks=masks_of(pictures, fits, settings)), draws_of(pictures, fits)


def texts(model: BaseModel, captions: list[str], clip_skip: int) -> torch.Tensor:
    """Short captions, one chunk each, through the encoder as CLIP's own paper has it."""
    ids = [model.tokenizer(text, padding="max_length", max_length=77)["input_ids"] for text in captions]
    encoder = model.modules["text_encoder"]
    states = encoder(torch.tensor(ids), output_hidden_states=True).hidden_states
    return encoder.final_layer_norm(states[-clip_skip])


class Reference:
    """The same training in float64, written from the formulas."""

    def __init__(self, request: TrainRequest, start: dict[str, torch.Tensor], path: Any, lessons: Lessons) -> None:
        self.settings, self.lessons = request.settings, lessons
        self.model = load_base(path, parts=("unet", "text_encoder"))
        for module in self.model.modules.values():
            module.double()
        self.weights: dict[str, list[nn.Parameter]] = {"unet": [], "text_encoder": []}
        for name, row in lora_modules(self.model.topology, bool(self.settings.conv_rank)).items():
            owner_path, _, last = row.path.rpartition(".")
            owner = self.model.modules[row.part].get_submodule(owner_path)
            alpha = self.settings.conv_alpha if row.spatial else self.settings.alpha
            layer = Adapted(owner.get_submodule(last), start[name], float(alpha or 0))
            setattr(owner, last, layer)
            self.weights[row.part] += [layer.down, layer.up]
        for module in self.model.modules.values():
            for name, parameter in module.named_parameters():
                parameter.requires_grad_(name.endswith((".down", ".up")))
        self.outline = plan(self.settings, request.pictures, {each.name: size_of(each.path) for each in request.pictures})
        self.rates = {"unet": self.outline.unet_lr, "text_encoder": self.outline.text_encoder_lr}
        groups = [{"params": self.weights[part], "lr": rate} for part, rate in self.rates.items()]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=self.settings.weight_decay, foreach=False)
        self.bars = bars(self.settings.zero_terminal_snr == "on")
        self.velocity = self.settings.prediction_type == "v_prediction"

    def step(self, step: int, batches: list[tuple[str, ...]]) -> float:
        """Makes a step and gives its loss."""
        self.optimizer.zero_grad()
        losses = [loss for at, names in enumerate(batches) for loss in self.losses(step * len_of(self.settings) + at, names)]
        loss = torch.stack(losses).mean()
        loss.backward()
        nn.utils.clip_grad_norm_([each for part in self.weights.values() for each in part], self.settings.max_grad_norm)
        rising = round(self.settings.warmup * self.outline.steps)
        factor = (step + 1) / (rising + 1) if step < rising else 1.0
        for group, rate in zip(self.optimizer.param_groups, self.rates.values(), strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()
        return float(loss.detach())

    def losses(self, number: int, names: tuple[str, ...]) -> list[torch.Tensor]:
        """Gives the loss of each picture of a batch."""
        settings, rows = self.settings, [self.lessons.latents[name, False] for name in names]
        draw = draw_step(settings.seed, number, (len(names), *rows[0].mean.shape), NoiseRules())
        drawn = [(row.mean + row.std * extra).double() * 0.18215 for row, extra in zip(rows, draw.latent_noise, strict=True)]
        clean, noise = torch.stack(drawn), draw.noise.double()
        rules = CaptionRules(settings.shuffle, settings.keep_tokens, settings.tag_dropout, settings.caption_dropout)
        captions = [
            draw_caption(self.lessons.captions[name], rules, f"{settings.seed}:{number}:{at}:{name}")
            for at, name in enumerate(names)
        ]
        bar = self.bars[draw.timesteps][:, None, None, None]
        said = self.model.unet(
            bar.sqrt() * clean + (1 - bar).sqrt() * noise, draw.timesteps, texts(self.model, captions, settings.clip_skip)
        ).sample
        wanted = bar.sqrt() * noise - (1 - bar).sqrt() * clean if self.velocity else noise
        return [self.loss_of(said[at] - wanted[at], float(bar[at]), name) for at, name in enumerate(names)]

    def loss_of(self, error: torch.Tensor, bar: float, name: str) -> torch.Tensor:
        """Gives the loss of one picture."""
        settings, cost, snr = self.settings, error**2, bar / (1 - bar)
        if settings.loss == "huber":
            c = (1 - settings.huber_c) / (1 + math.sqrt((1 - bar) / bar)) ** 2 + settings.huber_c
            cost = 2 * c * ((error**2 + c * c).sqrt() - c)
        loss = cost.mean()
        if self.lessons.masks:
            mask = self.lessons.masks[name, False].double().expand_as(cost)
            loss = (cost * mask).sum() / mask.sum()
        if settings.min_snr_gamma:
            loss = loss * (min(snr, settings.min_snr_gamma) / (snr + 1 if self.velocity else snr))
        return loss


def bars(zero_terminal_snr: bool) -> torch.Tensor:
    """The cumulated alphas of Stable Diffusion, also rescaled so that the last is 0."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    roots = torch.cumprod(1 - betas, 0).sqrt()
    if zero_terminal_snr:
        roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return roots**2


def len_of(settings: Any) -> int:
    """How many batches a step has."""
    return int(settings.gradient_accumulation)


@pytest.mark.parametrize("case", CASES)
def test_the_first_losses_are_those_of_a_loop_written_from_the_formulas(
    case: str, make: Callable[..., TrainRequest], base: Any
) -> None:
    request = make(
        case, epochs=60, lr_scheduler="constant", warmup=0.05, clip_skip=2, unet_lr=2e-3, text_encoder_lr=1e-3, **CASES[case]
    )
    settings = request.settings
    with one_thread():
        lessons, draws = lessons_of(request, base)
        model = load_base(base, parts=("unet", "text_encoder"))
        model.family = chosen(model.family, settings.prediction_type, settings.zero_terminal_snr)
        outline = plan(settings, request.pictures, {each.name: size_of(each.path) for each in request.pictures})
        learner = Learner(model, lessons, settings, outline)
        start = {name: each.down.clone() for name, each in learner.adapters.weights().items()}
        reference = Reference(request, start, base, lessons)
        ours, theirs = [], []
        for step in range(STEPS.get(case, FEWER)):
            epoch, place = divmod(step, outline.steps_per_epoch)
            batches = epoch_steps(draws, settings, epoch)[place]
            ours.append(float(learner.gradients(step, batches)))
            learner.update(step)
            theirs.append(reference.step(step, batches))
    assert ours == pytest.approx(theirs, rel=TOLERANCE)
    assert any(float(each.up.abs().max()) > 1e-3 for each in learner.adapters.weights().values())
