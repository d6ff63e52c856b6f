"""Renders in this process: one loaded base model, LoRAs put in and taken out, each picture made of its prompt alone."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lorasmith.checkpoints import emphasis
from lorasmith.checkpoints.family import chosen
from lorasmith.checkpoints.load import BaseModel, device_of, dtype_of, load_base
from lorasmith.checkpoints.prompts import WeightedChunk, cut, encode_chunks
from lorasmith.progress import Progress, Report
from lorasmith.rendering.denoise import NAMES, Conditions, Sampler, denoise, noise_for, scheduler_for
from lorasmith.rendering.lora_switch import LoraSwitch
from lorasmith.rendering.prompt import (
    STRENGTH,
    Edges,
    Prompt,
    RenderingError,
    demand_inpaintable,
    demand_renderable,
    infotext,
)
from lorasmith.rendering.region import latent_mask, put_back, region_of

_Chunks = tuple[WeightedChunk, ...]


class DiffusersRenderer:
    """The `Renderer` of our own process."""

    def __init__(
        self,
        checkpoint: Path | BaseModel,
        device: str = "auto",
        precision: str = "auto",
        sampler: Sampler = "ddim",
        batch_size: int = 4,
    ) -> None:
        """Loads the checkpoint, or borrows a loaded one, which is as before after each call."""
        self._borrowed = isinstance(checkpoint, BaseModel)
        if isinstance(checkpoint, BaseModel):
            self.model = checkpoint
        else:
            place = device_of(device)
            self.model = load_base(checkpoint, device=place, dtype=dtype_of(precision, place))
        self.sampler = sampler
        self.batch_size = batch_size
        self._switch = LoraSwitch(self.model)

    def render(self, prompts: Sequence[Prompt], report: Report | None = None) -> list[Image.Image]:
        """Renders one picture per prompt, in their order; equal sizes, steps and LoRAs are rendered together."""
        for prompt in prompts:
            demand_renderable(prompt)
        pictures: dict[int, Image.Image] = {}
        try:
            for indices in self._batches(prompts):
                batch = self._render_batch([prompts[index] for index in indices])
                pictures.update(zip(indices, batch, strict=True))
                if report:
                    report(Progress("render", len(pictures), len(prompts), prompts[indices[-1]].text))
        finally:
            self._give_back()
        return [pictures[index] for index in range(len(prompts))]

    def inpaint(
        self,
        picture: Image.Image,
        mask: Image.Image,
        prompt: Prompt,
        strength: float = STRENGTH,
        edges: Edges = Edges(),  # noqa: B008 - it is frozen
    ) -> Image.Image:
        """Draws anew what is white in `mask`; every pixel where the mask is black stays exactly as it was.

        The part round the mask is drawn at the prompt's size. `strength` in (0, 1] says how far it may go from it.
        """
        demand_renderable(prompt)
        demand_inpaintable(picture, mask, strength)
        box = region_of(mask, prompt.width, prompt.height, edges.padding)
        if box is None:
            return picture.copy()
        size = (prompt.width, prompt.height)
        part = picture.convert("RGB").crop(box).resize(size, Image.Resampling.LANCZOS)
        try:
            drawn = self._redraw(part, latent_mask(mask.crop(box), *size), prompt, strength)
        finally:
            self._give_back()
        return put_back(picture, drawn, mask, box, edges.blur)

    def infotext(self, prompt: Prompt) -> str:
        """Writes the `parameters` text for a render of this renderer."""
        return infotext(prompt, self.model.path, NAMES[self.sampler])

    def _give_back(self) -> None:
        """Takes the LoRAs out of a borrowed model; in one of our own they wait for the next call."""
        if self._borrowed:
            self._switch.use(())

    def _batches(self, prompts: Sequence[Prompt]) -> Iterator[list[int]]:
        """Groups prompts that can go through the U-Net together, without which none would change."""
        groups: dict[Any, list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            lengths = (len(self._cut(prompt.text)), len(self._cut(prompt.negative)))
            size = (prompt.width, prompt.height, prompt.steps, prompt.guidance, prompt.clip_skip)
            groups[(prompt.loras, size, lengths)].append(index)
        for group in groups.values():
            for start in range(0, len(group), self.batch_size):
                yield group[start : start + self.batch_size]

    def _cut(self, text: str) -> _Chunks:
        return tuple(cut(self.model.tokenizer, emphasis.parse(text)))

    @torch.no_grad()
    def _render_batch(self, prompts: Sequence[Prompt]) -> list[Image.Image]:
        first = prompts[0]
        self._switch.use(first.loras)
        scheduler = self._scheduler(first.steps)
        noise = torch.cat([noise_for(prompt.seed, prompt.height, prompt.width) for prompt in prompts])
        start = noise.to(self.model.device) * scheduler.init_noise_sigma
        latents = denoise(self.model, scheduler, start, self._conditions(prompts))
        return [self._decoded(row) for row in latents]

    @torch.no_grad()
    def _redraw(self, part: Image.Image, mask: np.ndarray, prompt: Prompt, strength: float) -> Image.Image:
        """Denoises a noised picture, holding what is not masked to the picture's own latents after each step."""
        self._switch.use(prompt.loras)
        scheduler = self._scheduler(prompt.steps)
        steps = scheduler.timesteps
        first = len(steps) - max(1, min(len(steps), round(len(steps) * strength)))
        if self.sampler == "euler":  # it counts its own steps
            scheduler.set_begin_index(first)
        original = self._encoded(part)
        noise = noise_for(prompt.seed, prompt.height, prompt.width).to(self.model.device)
        drawn = torch.from_numpy(mask).to(self.model.device)[None, None]

        def keep(latents: torch.Tensor, index: int) -> torch.Tensor:
            known = (
                original
                if index + 1 == len(steps)
                else scheduler.add_noise(original, noise, steps[index + 1 : index + 2])
            )
            return drawn * latents + (1 - drawn) * known

        start = scheduler.add_noise(original, noise, steps[first : first + 1])
        latents = denoise(self.model, scheduler, start, self._conditions([prompt]), keep, first)
        return self._decoded(latents[0])

    def _scheduler(self, steps: int) -> Any:
        scheduler = scheduler_for(self.model, self.sampler)
        scheduler.set_timesteps(steps, device=self.model.device)
        return scheduler

    def _conditions(self, prompts: Sequence[Prompt]) -> Conditions:
        first = prompts[0]
        positive = encode_chunks(self.model, [self._cut(prompt.text) for prompt in prompts], first.clip_skip)
        negative = encode_chunks(self.model, [self._cut(prompt.negative) for prompt in prompts], first.clip_skip)
        if self.model.is_sdxl:  # an empty negative prompt is zeros there, as in the WebUIs
            negative = negative.zeroed([not prompt.negative.strip() for prompt in prompts])
        return Conditions(positive, negative, first.guidance)

    def _encoded(self, picture: Image.Image) -> torch.Tensor:
        """Encodes a picture to latents [1, 4, h/8, w/8], the mean of the VAE's distribution."""
        vae = self.model.vae
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        mean: torch.Tensor = vae.encode(pixels.to(self.model.device, vae.dtype)).latent_dist.mean
        return mean.float() * self.model.scaling_factor

    def _decoded(self, latents: torch.Tensor) -> Image.Image:
        """Decodes latents [4, h, w] to a picture; alone, so that memory does not grow with the batch."""
        vae = self.model.vae
        pixels = vae.decode((latents[None] / self.model.scaling_factor).to(vae.dtype)).sample[0].float()
        if not torch.isfinite(pixels).all():
            raise RenderingError(
                "The render is not finite (it would be black): use precision fp32, another base model or LoRA weight."
            )
        array = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return Image.fromarray(array)


def renderer_as_trained(
    checkpoint: Path, trained: Mapping[str, Any], device: str = "auto", batch_size: int = 4
) -> DiffusersRenderer:
    """Makes a renderer that takes the base model as a run took it: what was set by hand there holds here too.

    `trained` are the run's settings, as `run.toml` has them.
    """
    made = DiffusersRenderer(checkpoint, device, batch_size=batch_size)
    by_hand = (str(trained.get(name, "auto")) for name in ("prediction_type", "zero_terminal_snr"))
    made.model.family = chosen(made.model.family, *by_hand)
    return made
