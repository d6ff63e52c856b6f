"""Renders in a Stable Diffusion WebUI (AUTOMATIC1111, Forge and their forks) over HTTP, started with `--api`."""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.progress import Progress, Report
from lorasmith.rendering.prompt import STRENGTH, LoraUse, Prompt, RenderingError, demand_renderable
from lorasmith.rendering.region import FEATHER, PADDING, put_back

_MAX_PIXELS = 4096 * 4096


class WebuiRenderer:
    """The `Renderer` that asks a WebUI; LoRAs must lie in its LoRA folder and are named by their file's stem."""

    def __init__(
        self,
        url: str,
        login: tuple[str, str] | None = None,
        checkpoint: str | None = None,
        sampler: str = "DDIM",
        timeout: float = 900,
    ) -> None:
        """Takes the WebUI's address, its `--api-auth` login, and a checkpoint's title if not the loaded one."""
        self.url = url.rstrip("/")
        self.checkpoint = checkpoint
        self.sampler = sampler
        self.timeout = timeout
        self._session = requests.Session()
        self._session.auth = login
        self._known: set[str] = set()

    def render(self, prompts: Sequence[Prompt], report: Report | None = None) -> list[Image.Image]:
        """Renders one picture per prompt, one request each."""
        for prompt in prompts:
            demand_renderable(prompt)
        pictures: list[Image.Image] = []
        for prompt in prompts:
            self._demand_loras(prompt.loras)
            pictures.append(self._picture("/sdapi/v1/txt2img", self._payload(prompt)))
            if report:
                report(Progress("render", len(pictures), len(prompts), prompt.text))
        return pictures

    def inpaint(
        self, picture: Image.Image, mask: Image.Image, prompt: Prompt, strength: float = STRENGTH
    ) -> Image.Image:
        """Draws anew what is white in `mask` ("only masked" of the WebUI); black mask pixels keep their exact value."""
        demand_renderable(prompt)
        if mask.size != picture.size:
            raise UsageError(f"The mask is {mask.size} and the picture {picture.size}; both must have one size.")
        if not 0 < strength <= 1:
            raise UsageError(f"The strength of an inpainting is {strength:g}; it must be above 0 and at most 1.")
        if mask.convert("L").getbbox() is None:
            return picture.copy()
        self._demand_loras(prompt.loras)
        payload = self._payload(prompt) | {
            "init_images": [_packed(picture.convert("RGB"))],
            "mask": _packed(mask.convert("L")),
            "denoising_strength": strength,
            "inpainting_fill": 1,  # start from the original
            "inpaint_full_res": True,
            "inpaint_full_res_padding": PADDING,
            "inpainting_mask_invert": 0,
            "mask_blur": FEATHER,
            "resize_mode": 0,
        }
        drawn = self._picture("/sdapi/v1/img2img", payload)
        return put_back(picture, drawn, mask, (0, 0, *picture.size))

    def _payload(self, prompt: Prompt) -> dict[str, Any]:
        settings: dict[str, Any] = {"CLIP_stop_at_last_layers": prompt.clip_skip}
        if self.checkpoint:
            settings["sd_model_checkpoint"] = self.checkpoint
        return {
            "prompt": prompt.text_with_loras,
            "negative_prompt": prompt.negative,
            "width": prompt.width,
            "height": prompt.height,
            "steps": prompt.steps,
            "cfg_scale": prompt.guidance,
            "seed": prompt.seed,
            "sampler_name": self.sampler,
            "batch_size": 1,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
            "override_settings": settings,
            "override_settings_restore_afterwards": True,
        }

    def _demand_loras(self, loras: Sequence[LoraUse]) -> None:
        """Makes sure that the WebUI sees each LoRA: an unknown one would be left out without a word."""
        wanted = {lora.path.stem for lora in loras}
        if wanted <= self._known:
            return
        self._ask("POST", "/sdapi/v1/refresh-loras", {})
        listed = self._ask("GET", "/sdapi/v1/loras")
        self._known = {str(entry["name"]) for entry in listed or [] if isinstance(entry, dict) and "name" in entry}
        if missing := sorted(wanted - self._known):
            raise RenderingError(
                f"The WebUI at {self.url} has no LoRA named '{missing[0]}'; copy the file into its models/Lora folder."
            )

    def _picture(self, path: str, payload: Mapping[str, Any]) -> Image.Image:
        answer = self._ask("POST", path, payload)
        images = answer.get("images") if isinstance(answer, dict) else None
        if not images:
            raise RenderingError(f"The WebUI at {self.url} answered without a picture; look at its own console.")
        return self._unpacked(str(images[0]))

    def _unpacked(self, text: str) -> Image.Image:
        try:
            data = base64.b64decode(text.rpartition(",")[2], validate=True)
            with Image.open(io.BytesIO(data)) as opened:
                if opened.width * opened.height > _MAX_PIXELS:
                    raise RenderingError(
                        f"The WebUI at {self.url} sent a picture of {opened.size}, which is too large."
                    )
                return opened.convert("RGB")
        except (binascii.Error, OSError) as error:
            raise RenderingError(f"The WebUI at {self.url} sent a picture that cannot be read.") from error

    def _ask(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> Any:
        """Sends one request; every way it can fail is a `RenderingError` that says what to do."""
        try:
            answer = self._session.request(method, self.url + path, json=payload, timeout=(10, self.timeout))
        except requests.Timeout as error:
            raise RenderingError(f"The WebUI at {self.url} did not answer within {self.timeout:g} seconds.") from error
        except requests.RequestException as error:
            raise RenderingError(
                f"No WebUI answers at {self.url}; start it with --api, or correct the address."
            ) from error
        if answer.status_code != 200:
            raise RenderingError(self._fault(answer, path))
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise RenderingError(
                f"{self.url} did not answer as a WebUI does (no JSON); correct the address."
            ) from error

    def _fault(self, answer: requests.Response, path: str) -> str:
        """Words an error status for a person."""
        if answer.status_code in (401, 403):
            return f"The WebUI at {self.url} wants a login; give the name and password of its --api-auth."
        if answer.status_code == 404 and not _has_detail_beyond(answer, "Not Found"):
            return f"The WebUI at {self.url} has no {path}; start it with --api."
        told = _told(answer)
        if "OutOfMemory" in told or "out of memory" in told:
            return f"The WebUI at {self.url} is out of GPU memory; render smaller pictures, or close other programs."
        return f"The WebUI at {self.url} failed with status {answer.status_code}: {told[:300]}"


def _has_detail_beyond(answer: requests.Response, usual: str) -> bool:
    return _told(answer) not in ("", usual)


def _told(answer: requests.Response) -> str:
    """Finds the WebUI's own words in an error answer: `error`, `errors` and `detail` of its JSON."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason or ""
    if not isinstance(body, dict):
        return answer.reason or ""
    words = [str(body[name]) for name in ("error", "errors", "detail") if body.get(name)]
    return " ".join(words)


def _packed(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")
