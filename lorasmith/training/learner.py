"""The model that learns: one step's gradients, one step's update, and its state as plain tensors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from lorasmith.checkpoints.conditioning import Conditioning
from lorasmith.checkpoints.load import BaseModel, PartName
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.adapters import AdapterRecipe, Adapters, put_in
from lorasmith.training.caches import Latent
from lorasmith.training.checkpointing import checkpoint_gradients
from lorasmith.training.masks import Masks
from lorasmith.training.noise import NoiseRules, draw_step, generator_for
from lorasmith.training.objective import Noised, Objective
from lorasmith.training.optimizer_table import WANTS_MATRICES
from lorasmith.training.optimizers import give_back, held_by, make_optimizer, weights_to_use
from lorasmith.training.plan import Plan
from lorasmith.training.schedule import Schedule
from lorasmith.training.team import ALONE, Team
from lorasmith.training.texts import LiveTexts, Texts, hold_texts
from lorasmith.training.validation import TIMESTEPS


@dataclass(frozen=True)
class Lessons:
    """What is learnt from: captions by picture name, latents by name and mirroring (on the device).

    `texts` are captions that were encoded before; without them the model's own text encoders are asked.
    """

    captions: Mapping[str, str]
    latents: Mapping[tuple[str, bool], Latent]
    texts: Texts | None = None
    masks: Masks = field(default_factory=dict)  # empty where all of each picture is learnt
    weights: Mapping[str, float] = field(default_factory=dict)  # of a picture's loss, where it is not 1


def rates_of(outline: Plan, model: BaseModel) -> dict[PartName, float]:
    """Gives the learning rate of each part that is trained: the U-Net, and the text encoders whose rate is not 0."""
    rates: dict[PartName, float] = {"unet": outline.unet_lr}
    if outline.text_encoder_lr:
        rates["text_encoder"] = outline.text_encoder_lr
    if outline.text_encoder_2_lr and model.is_sdxl:
        rates["text_encoder_2"] = outline.text_encoder_2_lr
    return rates


class Learner:
    """A base model with adapters in training, by itself or in a team."""

    def __init__(
        self, model: BaseModel, lessons: Lessons, settings: TrainSettings, outline: Plan, team: Team = ALONE
    ) -> None:
        self.model, self.lessons, self.settings, self.outline, self.team = model, lessons, settings, outline, team
        self.parts = rates_of(outline, model)
        self.adapters: Adapters = put_in(model, AdapterRecipe.of(settings), tuple(self.parts), settings.seed)
        self.rates = {name: self.parts[group.part] * group.factor for name, group in self.adapters.groups.items()}
        self.flats = [group.flat for group in self.adapters.groups.values()]
        whole = settings.optimizer in WANTS_MATRICES
        groups = [
            {"params": flat.weights if whole else [flat.values], "lr": rate}
            for flat, rate in zip(self.flats, self.rates.values(), strict=True)
        ]
        self.optimizer = make_optimizer(groups, settings, model.device)
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=model.dtype == torch.float16)
        self.objective = Objective(model, settings)
        self.schedule = Schedule.of(settings)
        self.noise = NoiseRules.of(settings)
        self.texts = lessons.texts or self._own_texts()
        checkpoint_gradients(model, tuple(self.parts), settings.gradient_checkpointing)

    def gradients(self, step: int, batches: Sequence[Sequence[str]]) -> torch.Tensor:
        """Adds up the gradients of a step's batches and gives its loss, still on the device; changes no weight.

        The loss is the mean over all pictures of the step, in whichever process and batch they are.
        """
        for flat in self.flats:
            assert flat.values.grad is not None
            flat.values.grad.zero_()
        everyone = sum(map(len, batches))
        loss = torch.zeros((), device=self.model.device)
        for place, names in enumerate(batches):
            losses = self._losses(step, step * self.settings.gradient_accumulation + place, names)
            if losses is not None:
                part = losses.sum() / everyone
                self.scaler.scale(part).backward()
                loss += part.detach()
        self.team.add_up(loss, *(flat.values.grad for flat in self.flats if flat.values.grad is not None))
        return loss

    def _losses(self, step: int, number: int, names: Sequence[str]) -> torch.Tensor | None:
        """Gives the losses of this process's rows of a batch, None where it has none; `number` names the batch's draw."""
        first = self.lessons.latents[names[0], False].mean
        draw = draw_step(self.settings.seed, number, (len(names), *first.shape), self.noise)
        rows = self.team.own(range(len(names)))
        if not rows:
            return None
        own = [(names[row], bool(self.settings.flip and draw.flips[row])) for row in rows]
        device = self.model.device
        batch = Noised(
            self._sample(own, draw.latent_noise[rows]), draw.noise[rows].to(device),
            draw.input_noise[rows].to(device), draw.timesteps[rows].to(device),
        )  # fmt: skip
        with self._chance(number), torch.autocast(device.type, self.model.dtype, enabled=self.mixed):
            conditioning = self.texts.of_step(number, [(row, names[row]) for row in rows], self._shown(step))
            losses = self.objective.losses(batch, conditioning, self._masks(own))
        weights = [self.lessons.weights.get(name, 1.0) for name, _ in own]
        return losses if set(weights) == {1.0} else losses * torch.tensor(weights, device=device)

    def _masks(self, own: Sequence[tuple[str, bool]]) -> torch.Tensor | None:
        return torch.stack([self.lessons.masks[key] for key in own]).to(self.model.device) if self.lessons.masks else None

    def _shown(self, step: int) -> float:
        """Gives the share of the free tags that warm-up lets in at a step."""
        warming = self.settings.token_warmup * self.outline.steps
        return 1.0 if step + 1 >= warming else (step + 1) / warming

    def update(self, step: int) -> None:
        """Changes the weights by the gradients, at the learning rates of `step`."""
        factor = self.schedule.factor(step, self.outline.steps)
        for group, rate in zip(self.optimizer.param_groups, self.rates.values(), strict=True):
            group["lr"] = rate * factor
        if self.settings.max_grad_norm:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_([flat.values for flat in self.flats], self.settings.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.settings.scale_weight_norms:
            self.adapters.limit_norms(self.settings.scale_weight_norms)

    @torch.no_grad()
    def validation_loss(self, names: Sequence[str]) -> float:
        """Gives the mean squared error on pictures that are not trained on, with noise that is the same each time."""
        device, losses = self.model.device, []
        with torch.autocast(device.type, self.model.dtype, enabled=self.mixed):
            for name in names:
                latents = (self.lessons.latents[name, False].mean * self.model.scaling_factor)[None]
                conditioning = self.texts.of_step(0, [(0, name)])
                for timestep in TIMESTEPS:
                    chance = generator_for("validation", name, timestep)
                    noise = torch.randn(latents.shape, generator=chance).to(device)
                    batch = Noised(latents, noise, noise, torch.tensor([timestep], device=device))
                    losses.append(self.objective.errors(batch, conditioning).square().mean())
        return float(torch.stack(losses).mean())

    @contextmanager
    def as_saved(self) -> Iterator[None]:
        """While this lasts, the weights are those that are saved, drawn with and validated."""
        with weights_to_use(self.optimizer):
            yield

    @property
    def mixed(self) -> bool:
        """Whether the model computes in another precision than the LoRA's weights are held in."""
        return self.model.dtype != torch.float32

    @property
    def rate(self) -> float:
        """The U-Net's learning rate of the last update."""
        return float(self.optimizer.param_groups[0]["lr"])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Gives weights and what the optimizer holds; raises `TrainingError` when a weight is not finite."""
        held = {}
        for name, group in self.adapters.groups.items():
            if not torch.isfinite(group.flat.values).all():
                raise TrainingError("The LoRA's weights are no longer finite: lower unet_lr or strength, start anew.")
            held[f"{name}.values"] = group.flat.values.detach()
        return held | {f"optimizer.{name}": tensor for name, tensor in held_by(self.optimizer).items()}

    def restore(self, tensors: Mapping[str, torch.Tensor], scaler: dict[str, Any]) -> None:
        """Takes back what `tensors` gave, exactly."""
        with torch.no_grad():
            for name, group in self.adapters.groups.items():
                group.flat.values.copy_(tensors[f"{name}.values"])
        own = {name: tensor for name, tensor in tensors.items() if name.startswith("optimizer.")}
        give_back(self.optimizer, {name.removeprefix("optimizer."): tensor for name, tensor in own.items()})
        if scaler:
            self.scaler.load_state_dict(scaler)

    def _sample(self, own: Sequence[tuple[str, bool]], noise: torch.Tensor) -> torch.Tensor:
        """Draws latents [b, 4, h, w] out of the cached distributions, scaled as the U-Net knows them."""
        rows = [self.lessons.latents[key] for key in own]
        mean, std = torch.stack([row.mean for row in rows]), torch.stack([row.std for row in rows])
        return (mean + std * noise.to(mean.device)) * self.model.scaling_factor

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
