"""The baseline of `train.py`: LoRA training as diffusers' example scripts do it, with peft, beside our learner.

Nothing here is lorasmith's but the reading of the checkpoint, the table of modules, and the random draws, which both arms
share so that their losses can be compared. Text: one chunk of 77 tokens. Loss: mean squared error. Optimizer: AdamW as torch
makes it by default, over one tensor per matrix. The text encoder's outputs are cached where it is not trained.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as functional
from diffusers import DDPMScheduler
from peft import LoraConfig, inject_adapter_in_model
from PIL import Image, ImageDraw

from lorasmith.checkpoints.checkpoint import open_checkpoint
from lorasmith.checkpoints.load import BaseModel, PartName, load_base
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.files import sha256_of
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import fit
from lorasmith.training.caches import Latent, LatentCache, all_latents, weights_hash
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.learner import Learner, Lessons
from lorasmith.training.noise import draw_step, generator_for
from lorasmith.training.plan import plan
from lorasmith.training.quantised import hold_base
from lorasmith.training.store import Store
from lorasmith.training.texts import hold_texts

CAPTION = "mia, red body, meadow, standing, smile, looking at viewer"
RANK = 16
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass
class Twin:
    """Our learner, stepped as the plain loop is."""

    learner: Learner
    names: tuple[str, ...]

    def step(self, number: int) -> float:
        """One step; gives its loss."""
        loss = self.learner.gradients(number, [self.names])
        self.learner.update(number)
        return float(loss)


def latent_of(name: str, size: int) -> Latent:
    """Gives a made-up distribution of a picture."""
    mean = torch.randn(4, size // 8, size // 8, generator=generator_for(name, "latent")) * 4
    return Latent(mean, torch.full_like(mean, 0.1))


def twin_learner(path: Path, arguments: argparse.Namespace, device: str) -> Twin:
    """Makes our learner with settings that mean what the plain loop does."""
    words = {
        "resolution": arguments.size, "rank": RANK, "batch_size": arguments.batch, "unet_lr": 1e-4, "shuffle": False,
        "tag_dropout": 0.0, "min_snr_gamma": 0.0, "lr_scheduler": "constant", "warmup": 0.0, "precision": arguments.ours,
        "min_bucket": min(256, arguments.size), "caption_variants": 1, "device": device,
        "text_encoder_lr": 0.0 if arguments.frozen_text else 5e-5,
        "gradient_checkpointing": arguments.checkpointing, "base_precision": arguments.base_precision,
    }  # fmt: skip
    settings = TrainSettings(**{name: value for name, value in words.items() if name in TrainSettings.model_fields})
    names = tuple(f"p{number}" for number in range(arguments.batch))
    rows = [TrainingPicture(name, Path(name), CAPTION, 50, "50_mia") for name in names]
    outline = plan(settings, rows, dict.fromkeys(names, (arguments.size, arguments.size)), open_checkpoint(path).family.base)
    latents = {(name, False): latent_of(name, arguments.size).to(torch.device(device)) for name in names}
    texts = None
    if arguments.frozen_text:
        encoders = load_base(path, device=device, dtype=DTYPES[arguments.ours], parts=("text_encoder", "text_encoder_2"))
        texts = hold_texts(encoders, dict.fromkeys(names, CAPTION), settings, [])
    parts: tuple[PartName, ...] = ("unet",) if arguments.frozen_text else ("unet", "text_encoder")
    model = load_base(path, device=device, dtype=DTYPES[arguments.ours], parts=parts)
    return Twin(Learner(model, Lessons(dict.fromkeys(names, CAPTION), latents, texts), settings, outline), names)


class PlainLoop:
    """A U-Net and a text encoder with peft's adapters, trained as the examples do."""

    def __init__(self, path: Path, arguments: argparse.Namespace, ours: Twin, device: str) -> None:
        parts: tuple[PartName, ...] = ("unet", "text_encoder", "text_encoder_2")
        dtype = DTYPES[arguments.plain]
        self.model: BaseModel = load_base(path, device=device, dtype=dtype, parts=parts)
        self.mixed, self.names, self.latents = dtype != torch.float32, ours.names, ours.learner.lessons.latents
        self.trained: list[PartName] = ["unet"] if arguments.frozen_text else ["unet", "text_encoder"]
        table = {name: each for name, each in lora_modules(self.model.topology).items() if each.part in self.trained}
        for part in self.trained:
            config = LoraConfig(
                r=RANK, lora_alpha=RANK, target_modules=[each.path for each in table.values() if each.part == part]
            )
            inject_adapter_in_model(config, self.model.modules[part])
            if arguments.checkpointing != "none":
                self.model.modules[part].train()
                self.model.unet.enable_gradient_checkpointing()
        self._start_as(ours.learner, table)
        groups = []
        for part, rate in zip(self.trained, (1e-4, 5e-5), strict=False):
            weights = [each for name, each in self.model.modules[part].named_parameters() if "lora_" in name]
            groups.append({"params": weights, "lr": rate})
        self.weights = [weight for group in groups for weight in group["params"]]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        self.scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
        self.texts = None
        if arguments.frozen_text:
            drawn = ours.learner.texts.of_step(0, list(enumerate(self.names)))
            self.texts = drawn
            for encoder in parts[1:]:
                self.model.modules.pop(encoder, None)

    def _start_as(self, learner: Learner, table: dict[str, object]) -> None:
        """Takes our adapters' first weights, in fp32."""
        for name, weights in learner.adapters.weights().items():
            layer = self.model.modules[table[name].part].get_submodule(table[name].path)  # type: ignore[attr-defined]
            for side, value in (("lora_A", weights.down), ("lora_B", weights.up)):
                matrix = getattr(layer, side)["default"]
                matrix.weight.data = value.float().to(self.model.device).reshape(matrix.weight.shape)
                matrix.weight.requires_grad_(True)

    def step(self, number: int) -> float:
        """One step; gives its loss."""
        device = self.model.device
        rows = [self.latents[name, False] for name in self.names]
        draw = draw_step(1, number, (len(rows), *rows[0].mean.shape))
        mean, std = torch.stack([row.mean for row in rows]), torch.stack([row.std for row in rows])
        latents = (mean + std * draw.latent_noise.to(device)) * self.model.scaling_factor
        noise, timesteps = draw.noise.to(device), draw.timesteps.to(device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        with torch.autocast(device.type, self.model.dtype, enabled=self.mixed):
            added = {}
            if self.texts is None:
                ids = self.model.tokenizer(
                    [CAPTION] * len(rows), padding="max_length", max_length=77, truncation=True, return_tensors="pt"
                ).input_ids.to(device)
                states = self.model.text_encoder(ids).last_hidden_state
            else:
                states = self.texts.context
                if self.texts.pooled is not None:
                    side = float(latents.shape[-1] * 8)
                    sizes = torch.tensor([side, side, 0, 0, side, side], device=device).expand(len(rows), 6)
                    added = {"text_embeds": self.texts.pooled, "time_ids": sizes}
            guess = self.model.unet(noisy, timesteps, states, added_cond_kwargs=added).sample
            loss = functional.mse_loss(guess.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach().item()


def curve_of(path: Path, precision: str, seed: int, steps: int, base: str = "auto") -> tuple[list[float], float, float]:
    """Trains on eight drawn pictures of the demo's world; gives each step's loss, and the held-out loss after and before."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _drawn(Path(folder))
        settings = TrainSettings(
            resolution=64, min_bucket=64, max_bucket=64, rank=RANK, batch_size=2, unet_lr=5e-4, min_snr_gamma=0.0, repeats=50,
            precision=precision, seed=seed, device="cpu", base_precision=base, text_encoder_lr=2.5e-4, warmup=0.0,
        )  # fmt: skip
        sizes = {row.name: (64, 64) for row in rows}
        vae = load_base(path, parts=("vae",)).vae
        cache = LatentCache(Store(Path(folder) / "cache"), lambda: vae, weights_hash(vae))
        fits = {row.name: fit((64, 64), (64, 64)) for row in rows}
        latents = all_latents(cache, rows, {row.name: sha256_of(row.path) for row in rows}, fits, flip=False)
    model = load_base(path, dtype=DTYPES[precision], parts=("unet", "text_encoder"))
    if base != "auto":
        hold_base(model, base, model.device)
    learner = Learner(model, Lessons({row.name: row.caption for row in rows}, latents), settings, plan(settings, rows, sizes))
    names = [row.name for row in rows]
    before = learner.validation_loss(names)
    losses = []
    for step in range(steps):
        first = 2 * step % len(names)
        losses.append(float(learner.gradients(step, [names[first : first + 2]])))
        learner.update(step)
    return losses, learner.validation_loss(names), before


def _drawn(folder: Path) -> list[TrainingPicture]:
    rows = []
    for number in range(8):
        picture = Image.new("RGB", (64, 64), (90, 160 + 8 * number, 90))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((12 + number, 16, 50, 60), fill=(200, 60, 160))
        pen.ellipse((22 + number, 26, 30 + number, 34), fill=(255, 255, 255))
        picture.save(folder / f"p{number}.png")
        rows.append(TrainingPicture(f"p{number}", folder / f"p{number}.png", "zorvex, pink body, meadow, standing", 50, "50_zorvex"))
    return rows
