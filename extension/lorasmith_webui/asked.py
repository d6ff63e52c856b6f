"""What one request for a picture says, checked; and the error that every fault of the bridge becomes."""

from __future__ import annotations

import base64
import binascii
import io
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

_LARGEST_SIDE = 4096
_MOST_PIXELS = 64_000_000
_HALF = 128  # hosts round a mask: what is brighter is drawn anew


class HostError(Exception):
    """A fault as the client is told: HTTP status, one word for programs, one sentence for a person."""

    def __init__(self, status: int, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.kind = kind
        self.sentence = sentence


class Lora(NamedTuple):
    """A LoRA by its file's stem, with its weights."""

    name: str
    weight: float
    text_encoder_weight: float | None

    @property
    def tag(self) -> str:
        """The words that hosts apply it by."""
        own = "" if self.text_encoder_weight is None else f"{self.text_encoder_weight:g}:"
        return f"<lora:{self.name}:{own}{self.weight:g}>"


class Inpainting(NamedTuple):
    """How a part of a picture is drawn anew; the words are those of the WebUI's page."""

    blur: int
    fill: int
    only_masked: bool
    padding: int
    denoise: float


class Asked:
    """One picture that is asked for; raises `HostError` for what no host could draw."""

    def __init__(self, body: dict[str, Any], inpainting: bool) -> None:
        self.task = _text(body, "task", required=True)
        self.prompt = _text(body, "prompt")
        self.negative = _text(body, "negative")
        self.width = _side(body, "width")
        self.height = _side(body, "height")
        self.steps = _whole(body, "steps", 20, (1, 150))
        self.sampler = _text(body, "sampler", required=True)
        self.scheduler = _text(body, "scheduler")
        self.guidance = _number(body, "guidance", 7.0, (1.0, 30.0))
        self.clip_skip = _whole(body, "clip_skip", 1, (1, 12))
        self.seed = _whole(body, "seed", 0, (0, 2**32 - 1))
        self.loras = [_lora(each) for each in body.get("loras") or []]
        self.checkpoint = _text(body, "checkpoint") or None
        self.patience = _number(body, "patience", 600.0, (0.0, 86_400.0))  # seconds to wait for the host's queue
        self.image: Image.Image | None = None
        self.mask: Image.Image | None = None
        self.how: Inpainting | None = None
        if "<lora:" in self.prompt:
            raise _bad("The prompt has <lora:...> in its text; name LoRAs under 'loras', where they are checked.")
        if inpainting:
            self._read_inpainting(body)

    def _read_inpainting(self, body: dict[str, Any]) -> None:
        self.image = _picture(body, "image").convert("RGB")
        mask = _picture(body, "mask").convert("L")
        if mask.size != self.image.size:
            raise _bad(f"The mask is {mask.size} and the picture {self.image.size}; both must have one size.")
        self.mask = mask.point(lambda value: 255 if value > _HALF else 0)
        if self.mask.getbbox() is None:
            # A1111 and Forge fall back to plain img2img then, and draw the whole picture anew.
            raise HostError(422, "blank_mask", "The mask is blank; paint over what is to be drawn anew.")
        self.how = Inpainting(
            blur=_whole(body, "blur", 4, (0, 64)),
            fill=_whole(body, "fill", 1, (0, 3)),
            only_masked=bool(body.get("only_masked", True)),
            padding=_whole(body, "padding", 32, (0, 256)),
            denoise=_number(body, "denoise", 0.75, (0.0, 1.0)),
        )

    def fields(self) -> dict[str, Any]:
        """Gives the fields of the host's own request for a picture."""
        fields: dict[str, Any] = {
            "prompt": " ".join([self.prompt, *(each.tag for each in self.loras)]).strip(),
            "negative_prompt": self.negative,
            "seed": self.seed,
            "subseed": 0,
            "subseed_strength": 0,
            "sampler_name": self.sampler,
            "scheduler": self.scheduler or "Automatic",
            "batch_size": 1,
            "n_iter": 1,
            "steps": self.steps,
            "cfg_scale": self.guidance,
            "width": self.width,
            "height": self.height,
            "restore_faces": False,
            "tiling": False,
            "do_not_save_samples": True,
            "do_not_save_grid": True,
            "override_settings_restore_afterwards": True,
        }
        if self.how is not None:
            fields.update(
                init_images=[self.image],
                mask=self.mask,
                resize_mode=0,
                mask_blur=self.how.blur,
                inpainting_fill=self.how.fill,
                inpaint_full_res=self.how.only_masked,
                inpaint_full_res_padding=self.how.padding,
                inpainting_mask_invert=0,
                initial_noise_multiplier=1.0,
                denoising_strength=self.how.denoise,
            )
        return fields


def _bad(sentence: str) -> HostError:
    return HostError(400, "bad", sentence)


def _text(body: dict[str, Any], name: str, required: bool = False) -> str:
    value = body.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str) or (required and not value):
        raise _bad(f"'{name}' must be a text.")
    return value


def _number(body: dict[str, Any], name: str, otherwise: float, bounds: tuple[float, float]) -> float:
    value = body.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not bounds[0] <= value <= bounds[1]:
        raise _bad(f"'{name}' is {value!r}; it must be a number from {bounds[0]:g} to {bounds[1]:g}.")
    return float(value)


def _whole(body: dict[str, Any], name: str, otherwise: int, bounds: tuple[int, int]) -> int:
    value = _number(body, name, otherwise, bounds)
    if value != int(value):
        raise _bad(f"'{name}' is {value:g}; it must be a whole number.")
    return int(value)


def _side(body: dict[str, Any], name: str) -> int:
    value = _whole(body, name, 512, (64, _LARGEST_SIDE))
    if value % 8:
        raise _bad(f"'{name}' is {value}; it must be a multiple of 8.")
    return value


def _lora(row: Any) -> Lora:
    if not isinstance(row, dict):
        raise _bad("'loras' must be a list of {name, weight}.")
    name = _text(row, "name", required=True)
    if any(mark in name for mark in "<>:\n"):
        raise _bad(f"A LoRA cannot be named {name!r}: hosts read '<', '>' and ':' otherwise. Rename its file.")
    weight = _number(row, "weight", 1.0, (-10.0, 10.0))
    if row.get("text_encoder_weight") is None:
        return Lora(name, weight, None)
    return Lora(name, weight, _number(row, "text_encoder_weight", 1.0, (-10.0, 10.0)))


def _picture(body: dict[str, Any], name: str) -> Image.Image:
    """Reads a picture out of base64; size is looked at before anything is decoded."""
    from PIL import Image

    try:
        data = base64.b64decode(_text(body, name, required=True).rpartition(",")[2], validate=True)
        opened = Image.open(io.BytesIO(data), formats=["PNG"])
        if opened.width * opened.height > _MOST_PIXELS:
            raise _bad(f"'{name}' has {opened.width} x {opened.height} pixels; that is too many.")
        opened.load()
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _bad(f"'{name}' is not a PNG in base64.") from error
    return opened
