"""What is asked of a renderer, and what every renderer does: the same words for our own process and for a WebUI."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lorasmith.checkpoints.hashes import lora_hash, model_sha
from lorasmith.errors import LorasmithError, UsageError
from lorasmith.progress import Report
from lorasmith.safety import demand_safe_text

if TYPE_CHECKING:
    from PIL import Image

STRENGTH = 0.75  # how much of the noise schedule an inpainting goes through


class RenderingError(LorasmithError):
    """A picture could not be rendered: no WebUI there, out of memory, an answer that cannot be used."""


@dataclass(frozen=True)
class LoraUse:
    """A LoRA file and how strongly it is applied; the text encoder follows `weight` unless it has its own."""

    path: Path
    weight: float = 1.0
    text_encoder_weight: float | None = None

    @property
    def tag(self) -> str:
        """The words a WebUI applies it by."""
        own = "" if self.text_encoder_weight is None else f"{self.text_encoder_weight:g}:"
        return f"<lora:{self.path.stem}:{own}{self.weight:g}>"


@dataclass(frozen=True)
class Prompt:
    """One picture to render: text in the WebUIs' prompt language, sizes in pixels, the guidance scale."""

    text: str
    negative: str = ""
    width: int = 512
    height: int = 512
    steps: int = 20
    guidance: float = 7.0
    seed: int = 0
    clip_skip: int = 1
    loras: tuple[LoraUse, ...] = ()

    @property
    def text_with_loras(self) -> str:
        """The prompt as one types it into a WebUI."""
        return " ".join([self.text, *(lora.tag for lora in self.loras)]).strip()


@dataclass(frozen=True)
class Edges:
    """How an inpainting meets its surroundings, in pixels: how much of them the model sees, how softly it fades in."""

    padding: int = 32
    blur: int = 4


class Renderer(Protocol):
    """Makes pictures of prompts; each picture depends on its prompt alone, not on the others asked with it."""

    def render(self, prompts: Sequence[Prompt], report: Report | None = None) -> "list[Image.Image]":
        """Renders one picture per prompt, in their order."""
        ...

    def inpaint(
        self,
        picture: "Image.Image",
        mask: "Image.Image",
        prompt: Prompt,
        strength: float = STRENGTH,
        edges: Edges = Edges(),  # noqa: B008 - it is frozen
    ) -> "Image.Image":
        """Draws anew what is white in `mask`; every pixel where the mask is black stays exactly as it was."""
        ...


def demand_renderable(prompt: Prompt) -> None:
    """Refuses a prompt that must not be rendered (`RefusedError`) or cannot be (`UsageError`)."""
    demand_safe_text(prompt.text, "prompt")
    demand_safe_text(prompt.negative, "negative prompt")  # a negative weight in it would turn it round
    if "<lora:" in prompt.text:
        raise UsageError("The prompt has <lora:...> in its text; name the LoRA as a file of its own instead.")
    for name, value in (("width", prompt.width), ("height", prompt.height)):
        if value < 64 or value % 8:
            raise UsageError(f"The {name} of a render is {value}; it must be a multiple of 8 and at least 64 pixels.")
    if prompt.steps < 1 or prompt.guidance < 1 or prompt.seed < 0 or not 1 <= prompt.clip_skip <= 12:
        raise UsageError(
            f"A render needs steps and guidance of 1 or more, a seed of 0 or more and clip_skip of 1 to 12, "
            f"not {prompt.steps}, {prompt.guidance:g}, {prompt.seed} and {prompt.clip_skip}."
        )


def demand_inpaintable(picture: "Image.Image", mask: "Image.Image", strength: float) -> None:
    """Refuses a mask of another size than the picture's, and a strength out of bounds (`UsageError`)."""
    if mask.size != picture.size:
        raise UsageError(f"The mask is {mask.size} and the picture {picture.size}; both must have one size.")
    if not 0 < strength <= 1:
        raise UsageError(f"The strength of an inpainting is {strength:g}; it must be above 0 and at most 1.")


def infotext(prompt: Prompt, checkpoint: Path, sampler: str = "DDIM") -> str:
    """Writes the `parameters` text of a PNG, which WebUIs read back into their form and Civitai into its page."""
    values = {
        "Steps": f"{prompt.steps}",
        "Sampler": sampler,
        "CFG scale": f"{prompt.guidance:g}",
        "Seed": f"{prompt.seed}",
        "Size": f"{prompt.width}x{prompt.height}",
        "Model hash": model_sha(checkpoint)[:10],
        "Model": _quoted(checkpoint.stem),
    }
    if prompt.clip_skip > 1:
        values["Clip skip"] = f"{prompt.clip_skip}"
    if prompt.loras:
        hashes = ", ".join(f"{lora.path.stem}: {lora_hash(lora.path)[:12]}" for lora in prompt.loras)
        values["Lora hashes"] = json.dumps(hashes, ensure_ascii=False)
    lines = [prompt.text_with_loras]
    if prompt.negative:
        lines.append(f"Negative prompt: {prompt.negative}")
    lines.append(", ".join(f"{name}: {value}" for name, value in values.items()))
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Quotes a value that would break the line of values."""
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text
