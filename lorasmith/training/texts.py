"""The captions of a step as the U-Net hears them: encoded anew each time, or once with a few variants and then held.

While the text encoders learn, every draw is encoded. Where they do not, each caption is encoded a few times over, shuffled
and thinned in different ways, and the text encoders leave memory; a step then takes one of the variants.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from lorasmith.checkpoints.conditioning import Conditioning, joined
from lorasmith.checkpoints.load import BaseModel, PartName
from lorasmith.checkpoints.prompts import encode
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.caches import TextCache
from lorasmith.training.captions import CaptionRules, draw_caption


@dataclass(frozen=True)
class Kept:
    """Texts that were encoded before, and how the text encoders are loaded when one is missing."""

    cache: TextCache
    load: Callable[[], Mapping[PartName, torch.nn.Module]]


Rows = Sequence[tuple[int, str]]  # places in a batch, and the pictures' names


class Texts(Protocol):
    """Gives what a batch's captions say, and what a sample's prompt says."""

    def of_step(self, number: int, rows: Rows, shown: float = 1.0) -> Conditioning:
        """Gives the captions of a batch; `shown` is the share of free tags that warm-up lets in, while encoders learn."""
        ...

    def of_sample(self, prompt: str) -> Conditioning:
        """Gives two rows: what guidance leads away from, and the prompt."""
        ...


def rules_of(settings: TrainSettings) -> CaptionRules:
    """Gives the rules by which captions vary."""
    return CaptionRules(
        settings.shuffle, settings.keep_tokens, settings.tag_dropout, settings.caption_dropout, settings.wildcards
    )


def sample_conditioning(model: BaseModel, prompt: str, clip_skip: int) -> Conditioning:
    """Encodes the empty prompt and a prompt; SDXL takes zeros for the first, as the WebUIs do."""
    both = encode(model, ["", prompt], clip_skip)
    return both.zeroed([True, False]) if model.is_sdxl else both


@dataclass(frozen=True)
class LiveTexts:
    """Captions encoded at every step by text encoders that learn."""

    model: BaseModel
    captions: Mapping[str, str]
    settings: TrainSettings

    def of_step(self, number: int, rows: Rows, shown: float = 1.0) -> Conditioning:
        """Encodes the captions of a batch, with gradients."""
        rules, seed = rules_of(self.settings), self.settings.seed
        texts = [
            draw_caption(self.captions[name], rules, f"{seed}:{number}:{place}:{name}", shown) for place, name in rows
        ]
        return encode(self.model, texts, self.settings.clip_skip, grad=torch.is_grad_enabled())

    def of_sample(self, prompt: str) -> Conditioning:
        """Encodes a sample's prompt with the weights of this moment."""
        return sample_conditioning(self.model, prompt, self.settings.clip_skip)


@dataclass(frozen=True)
class HeldTexts:
    """Captions encoded once; they lie in main memory and go to the device a batch at a time."""

    settings: TrainSettings
    device: torch.device
    variants: Mapping[str, tuple[Conditioning, ...]]
    samples: Mapping[str, Conditioning]
    empty: Conditioning

    def of_step(self, number: int, rows: Rows, shown: float = 1.0) -> Conditioning:
        """Takes a variant of each caption, or the empty one where the caption is dropped."""
        drawn = [self._drawn(name, f"{self.settings.seed}:{number}:{place}:{name}") for place, name in rows]
        return joined(drawn, self.empty).to(self.device)

    def of_sample(self, prompt: str) -> Conditioning:
        """Gives a sample's prompt as it was encoded at the start."""
        return self.samples[prompt].to(self.device)

    def _drawn(self, name: str, key: str) -> Conditioning:
        chance = random.Random(key)
        if chance.random() < self.settings.caption_dropout:
            return self.empty
        return chance.choice(self.variants[name])


def hold_texts(
    model: BaseModel, captions: Mapping[str, str], settings: TrainSettings, prompts: Sequence[str], kept: Kept | None = None
) -> HeldTexts:
    """Encodes `caption_variants` draws of every caption, and the samples' prompts; equal texts are encoded once.

    Each is encoded alone, so that a result never depends on what is encoded beside it. With `kept`, what was encoded
    before is read from the disk, and the text encoders are loaded when the first text is missing.
    """
    held: dict[str, Conditioning] = {}
    cpu = torch.device("cpu")

    def said(text: str) -> Conditioning:
        if text not in held:
            key = kept.cache.key(text, settings.clip_skip, model.dtype) if kept else ""
            found = kept.cache.read(key) if kept else None
            if found is None:
                if kept and not model.modules:
                    model.modules.update(kept.load())
                found = encode(model, [text], settings.clip_skip).to(cpu)
                if kept:
                    kept.cache.write(key, found)
            held[text] = found
        return held[text]

    def sample(prompt: str) -> Conditioning:
        both = joined([said(""), said(prompt)], said(""))
        return both.zeroed([True, False]) if model.is_sdxl else both

    rules = CaptionRules(settings.shuffle, settings.keep_tokens, settings.tag_dropout, 0.0, settings.wildcards)
    variants: dict[str, tuple[Conditioning, ...]] = {}
    with torch.autocast(model.device.type, model.dtype, enabled=model.dtype != torch.float32):
        for name, caption in captions.items():
            drawn = [
                draw_caption(caption, rules, f"{settings.seed}:variant:{number}:{name}")
                for number in range(settings.caption_variants)
            ]
            variants[name] = tuple(said(text) for text in drawn)
        samples = {prompt: sample(prompt) for prompt in prompts}
        return HeldTexts(settings, model.device, variants, samples, said(""))
