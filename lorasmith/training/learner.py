"""The model that learns: one step's gradients, one step's update, and its state as plain tensors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from lorasmith.checkpoints.conditioning import Conditioning, predict
from lorasmith.checkpoints.load import TEXT_ENCODERS, BaseModel, PartName
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.adapters import AdapterRecipe, Adapters, put_in
from lorasmith.training.caches import Latent
from lorasmith.training.loss import PixelLoss, Weighting, weighted_loss
from lorasmith.training.noise import StepDraw, alphas_cumprod, draw_step, generator_for, noised, target
from lorasmith.training.plan import Plan
from lorasmith.training.schedule import Schedule
from lorasmith.training.texts import LiveTexts, Texts, hold_texts


@dataclass(frozen=True)
class Lessons:
    """What is learnt from: captions by picture name, latents by name and mirroring (on the device).

    `texts` are captions that were encoded before; without them the model's own text encoders are asked.
    """

    captions: Mapping[str, str]
    latents: Mapping[tuple[str, bool], Latent]
    texts: Texts | None = None


def rates_of(outline: Plan, model: BaseModel) -> dict[PartName, float]:
    """Gives the learning rate of each part that is trained: the U-Net, and the text encoders whose rate is not 0."""
    rates: dict[PartName, float] = {"unet": outline.unet_lr}
    if outline.text_encoder_lr:
        rates["text_encoder"] = outline.text_encoder_lr
    if outline.text_encoder_2_lr and model.is_sdxl:
        rates["text_encoder_2"] = outline.text_encoder_2_lr
    return rates


class Learner:
    """A base model with adapters in training."""

    def __init__(self, model: BaseModel, lessons: Lessons, settings: TrainSettings, outline: Plan) -> None:
        self.model, self.lessons, self.settings, self.outline = model, lessons, settings, outline
        self.parts = rates_of(outline, model)
        self.adapters: Adapters = put_in(model, AdapterRecipe.of(settings), tuple(self.parts), settings.seed)
        self.rates = {name: self.parts[group.part] * group.factor for name, group in self.adapters.groups.items()}
        groups = [
            {"params": [group.flat.values], "lr": self.rates[name]} for name, group in self.adapters.groups.items()
        ]
        fused = model.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=fused)
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=model.dtype == torch.float16)
        alphas = alphas_cumprod(model.family.zero_terminal_snr)
        self.alphas = alphas.to(model.device)
        self.weights = Weighting.of(settings).table(alphas, model.prediction_type).to(model.device)
        self.cost = PixelLoss.of(settings)
        self.schedule = Schedule(
            settings.lr_scheduler, settings.warmup, settings.lr_cycles, settings.lr_power, settings.lr_min
        )
        self.texts = lessons.texts or self._own_texts()
        if settings.gradient_checkpointing:
            _checkpoint_gradients(model, tuple(self.parts))

    def gradients(self, step: int, names: Sequence[str]) -> torch.Tensor:
        """Computes the gradients of one batch and gives its loss, still on the device; changes no weight."""
        first = self.lessons.latents[names[0], False].mean
        draw = draw_step(self.settings.seed, step, (len(names), *first.shape), self.settings.noise_offset)
        device = self.model.device
        latents = self._sample(names, draw)
        noise, timesteps = draw.noise.to(device), draw.timesteps.to(device)
        alphas = self.alphas[timesteps]
        for group in self.adapters.groups.values():
            assert group.flat.values.grad is not None
            group.flat.values.grad.zero_()
        with self._chance(step), torch.autocast(device.type, self.model.dtype, enabled=self.mixed):
            conditioning = self.texts.of_step(step, names)
            noisy = noised(latents, noise, alphas).to(self.model.dtype)  # wants no gradient: blocks without LoRA are free
            prediction = predict(self.model, noisy, timesteps, conditioning)
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
            values = [group.flat.values for group in self.adapters.groups.values()]
            torch.nn.utils.clip_grad_norm_(values, self.settings.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.settings.scale_weight_norms:
            self.adapters.limit_norms(self.settings.scale_weight_norms)

    @property
    def mixed(self) -> bool:
        """Whether the model computes in another precision than the LoRA's weights are held in."""
        return self.model.dtype != torch.float32

    @property
    def rate(self) -> float:
        """The U-Net's learning rate of the last update."""
        return float(self.optimizer.param_groups[0]["lr"])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Gives weights and AdamW moments; raises `TrainingError` when a weight is not finite."""
        held = {}
        for part, group in self.adapters.groups.items():
            flat = group.flat
            if not torch.isfinite(flat.values).all():
                raise TrainingError("The LoRA's weights are no longer finite: lower unet_lr or strength, start anew.")
            held[f"{part}.values"] = flat.values.detach()
            for name in ("exp_avg", "exp_avg_sq", "step"):
                if name in (moments := self.optimizer.state[flat.values]):
                    held[f"{part}.{name}"] = moments[name]
        return held

    def restore(self, tensors: Mapping[str, torch.Tensor], scaler: dict[str, Any]) -> None:
        """Takes back what `tensors` gave, exactly."""
        for part, group in self.adapters.groups.items():
            flat = group.flat
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

    @torch.no_grad()
    def of_samples(self, prompts: Sequence[str]) -> list[Conditioning]:
        """Gives what samples are drawn from: two rows for each prompt, with the weights of this moment."""
        with torch.autocast(self.model.device.type, self.model.dtype, enabled=self.mixed):
            return [self.texts.of_sample(prompt) for prompt in prompts]

    def _own_texts(self) -> Texts:
        """Encodes anew at every step while a text encoder learns, once with a few variants otherwise."""
        captions, settings = self.lessons.captions, self.settings
        if len(self.parts) > 1:
            return LiveTexts(self.model, captions, settings)
        return hold_texts(self.model, captions, settings, settings.sample_prompts)

    @contextmanager
    def _chance(self, step: int) -> Iterator[None]:
        """Makes dropout a function of seed and step, and leaves the generators of torch as they were."""
        if not self.settings.dropout:
            yield
            return
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(generator_for(self.settings.seed, step, "dropout").initial_seed())
            yield


def _checkpoint_gradients(model: BaseModel, parts: Sequence[PartName]) -> None:
    """Trades time for memory; the modules must be in training mode for it, which changes nothing else here."""
    model.unet.train()
    model.unet.enable_gradient_checkpointing()
    for part in TEXT_ENCODERS:
        if part in parts:
            encoder: Any = model.modules[part]
            encoder.train()
            newer = getattr(encoder, "activation_checkpointing_enable", None)  # the name from transformers 6 on
            (newer or encoder.gradient_checkpointing_enable)({"use_reentrant": False})
