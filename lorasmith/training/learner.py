"""The model that learns: one step's gradients, one step's update, and its state as plain tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lorasmith.checkpoints.load import PartName, Sd1
from lorasmith.checkpoints.prompts import encode
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.adapters import Adapters, put_in
from lorasmith.training.caches import Latent
from lorasmith.training.captions import CaptionRules, draw_caption
from lorasmith.training.loss import PixelLoss, Weighting, weighted_loss
from lorasmith.training.noise import StepDraw, alphas_cumprod, draw_step, noised, target
from lorasmith.training.plan import Plan
from lorasmith.training.schedule import Schedule

HELD_TEXTS = 128  # encoded captions kept when the text encoder is not trained


@dataclass(frozen=True)
class Lessons:
    """What is learnt from: captions by picture name, latents by name and mirroring (on the device)."""

    captions: Mapping[str, str]
    latents: Mapping[tuple[str, bool], Latent]


class Learner:
    """A base model with adapters in training; its parts are the U-Net, and the text encoder where its rate is not 0."""

    def __init__(self, model: Sd1, lessons: Lessons, settings: TrainSettings, outline: Plan) -> None:
        self.model, self.lessons, self.settings, self.outline = model, lessons, settings, outline
        self.rates: dict[PartName, float] = {"unet": outline.unet_lr}
        if outline.text_encoder_lr:
            self.rates["text_encoder"] = outline.text_encoder_lr
        self.adapters: Adapters = put_in(model, settings.rank, settings.alpha, tuple(self.rates), settings.seed)
        groups = [{"params": [flat.values], "lr": self.rates[part]} for part, flat in self.adapters.flat.items()]
        fused = model.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=fused)
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=model.dtype == torch.float16)
        self.rules = CaptionRules(
            settings.shuffle, settings.keep_tokens, settings.tag_dropout, settings.caption_dropout
        )
        alphas = alphas_cumprod(model.family.zero_terminal_snr)
        self.alphas = alphas.to(model.device)
        self.weights = Weighting.of(settings).table(alphas, model.prediction_type).to(model.device)
        self.cost = PixelLoss.of(settings)
        self.schedule = Schedule(
            settings.lr_scheduler, settings.warmup, settings.lr_cycles, settings.lr_power, settings.lr_min
        )
        self._texts: dict[str, torch.Tensor] = {}
        if settings.gradient_checkpointing:
            _checkpoint_gradients(model, tuple(self.rates))

    def gradients(self, step: int, names: Sequence[str]) -> torch.Tensor:
        """Computes the gradients of one batch and gives its loss, still on the device; changes no weight."""
        first = self.lessons.latents[names[0], False].mean
        draw = draw_step(self.settings.seed, step, (len(names), *first.shape), self.settings.noise_offset)
        device = self.model.device
        latents = self._sample(names, draw)
        noise, timesteps = draw.noise.to(device), draw.timesteps.to(device)
        alphas = self.alphas[timesteps]
        for flat in self.adapters.flat.values():
            assert flat.values.grad is not None
            flat.values.grad.zero_()
        with torch.autocast(device.type, self.model.dtype, enabled=self.model.dtype != torch.float32):
            context = self._context(step, names)
            noisy = noised(latents, noise, alphas).to(self.model.dtype)
            prediction = self.model.unet(noisy, timesteps, context).sample
        wanted = target(latents, noise, alphas, self.model.prediction_type)
        costs = self.cost(prediction.float() - wanted.float(), timesteps, alphas)
        loss = weighted_loss(costs, self.weights[timesteps])
        self.scaler.scale(loss).backward()
        return loss.detach()

    def update(self, step: int) -> None:
        """Changes the weights by the gradients, at the learning rates of `step`."""
        factor = self.schedule.factor(step, self.outline.steps)
        for group, rate in zip(self.optimizer.param_groups, self.rates.values(), strict=True):
            group["lr"] = rate * factor
        if self.settings.max_grad_norm:
            self.scaler.unscale_(self.optimizer)
            values = [flat.values for flat in self.adapters.flat.values()]
            torch.nn.utils.clip_grad_norm_(values, self.settings.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    @property
    def rate(self) -> float:
        """The U-Net's learning rate of the last update."""
        return float(self.optimizer.param_groups[0]["lr"])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Gives weights and AdamW moments; raises `TrainingError` when a weight is not finite."""
        held = {}
        for part, flat in self.adapters.flat.items():
            if not torch.isfinite(flat.values).all():
                raise TrainingError("The LoRA's weights are no longer finite: lower unet_lr or strength, start anew.")
            held[f"{part}.values"] = flat.values.detach()
            for name in ("exp_avg", "exp_avg_sq", "step"):
                if name in (moments := self.optimizer.state[flat.values]):
                    held[f"{part}.{name}"] = moments[name]
        return held

    def restore(self, tensors: Mapping[str, torch.Tensor], scaler: dict[str, Any]) -> None:
        """Takes back what `tensors` gave, exactly."""
        for part, flat in self.adapters.flat.items():
            with torch.no_grad():
                flat.values.copy_(tensors[f"{part}.values"])
            self.optimizer.state[flat.values] = {
                name: tensors[f"{part}.{name}"].to(flat.values.device)
                for name in ("step", "exp_avg", "exp_avg_sq")
                if f"{part}.{name}" in tensors
            }
        if scaler:
            self.scaler.load_state_dict(scaler)

    def _sample(self, names: Sequence[str], draw: StepDraw) -> torch.Tensor:
        """Draws latents [b, 4, h, w] out of the cached distributions, scaled as the U-Net knows them."""
        flips = draw.flips.tolist() if self.settings.flip else [False] * len(names)
        rows = [self.lessons.latents[name, flip] for name, flip in zip(names, flips, strict=True)]
        mean, std = torch.stack([row.mean for row in rows]), torch.stack([row.std for row in rows])
        return (mean + std * draw.latent_noise.to(mean.device)) * self.model.scaling_factor

    def _context(self, step: int, names: Sequence[str]) -> torch.Tensor:
        """Encodes the batch's captions of this step to [b, 77 n, d]."""
        seed = self.settings.seed
        texts = [
            draw_caption(self.lessons.captions[name], self.rules, f"{seed}:{step}:{place}:{name}")
            for place, name in enumerate(names)
        ]
        if "text_encoder" in self.rates:
            return encode(self.model, texts, self.settings.clip_skip, grad=True)
        states = [self._held(text) for text in texts]
        longest = max(each.shape[1] for each in states)
        return torch.cat([torch.cat([each, *self._filling(longest - each.shape[1])], 1) for each in states])

    def _held(self, text: str) -> torch.Tensor:
        """Encodes a caption once, alone, so that the result never depends on what was encoded before."""
        if text not in self._texts:
            if len(self._texts) >= HELD_TEXTS:
                self._texts.clear()
            self._texts[text] = encode(self.model, [text], self.settings.clip_skip)
        return self._texts[text]

    def _filling(self, missing: int) -> list[torch.Tensor]:
        """Gives the empty chunks that bring a shorter caption to the batch's length."""
        empty = self._held("") if missing else None
        return [] if empty is None else [empty] * (missing // empty.shape[1])


def _checkpoint_gradients(model: Sd1, parts: Sequence[PartName]) -> None:
    """Trades time for memory; the modules must be in training mode for it, which changes nothing else in SD1.x."""
    model.unet.train()
    model.unet.enable_gradient_checkpointing()
    if "text_encoder" in parts:
        model.text_encoder.train()
        encoder = model.text_encoder
        newer = getattr(encoder, "activation_checkpointing_enable", None)  # the name from transformers 6 on
        (newer or encoder.gradient_checkpointing_enable)({"use_reentrant": False})
