"""How a plain WebUI is asked: /sdapi/v1, which `--api` opens (AUTOMATIC1111, Forge and their forks; older ones too)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.checkpoints.family import identify
from lorasmith.checkpoints.header import read_header
from lorasmith.errors import CheckpointError
from lorasmith.rendering.prompt import LoraUse
from lorasmith.rendering.webui_http import Connection, WebuiError, packed, unpacked
from lorasmith.rendering.webui_order import Drawn, Inpainting, Order, Table, Under, is_named

_API = "/sdapi/v1"
_AUTOMATIC = "Automatic"
# Each is sent only where the WebUI has it: an unknown setting is an error there.
_SETTINGS: Mapping[str, Any] = {
    "add_model_hash_to_info": True,
    "add_model_name_to_info": True,
    "lora_add_hashes_to_infotext": True,
    "sd_lora": "None",
    "save_init_img": False,
    "img2img_color_correction": False,
    "overlay_inpaint": True,
    "return_mask": False,
    "return_mask_composite": False,
}


class Api:
    """A WebUI somewhere, started with `--api`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._samplers: tuple[list[str], list[str]] | None = None
        self._seen: dict[str, Table] = {}

    def status(self) -> Table:
        """Gives what can be found out about the WebUI from outside, in the words of the bridge."""
        samplers, schedulers = self._names()
        job = str((self._optional("/progress?skip_current_image=true") or {}).get("state", {}).get("job", ""))
        return {
            "host": "unknown",
            "version": "",
            "busy": bool(job),
            "job": job,
            "gpu": "here",
            "checkpoint": self.checkpoint(),
            "lora_dir": self._lora_dir(),
            "samplers": samplers,
            "schedulers": schedulers,
        }

    def checkpoint(self) -> Table | None:
        """Gives the checkpoint that is selected; where its file lies on this machine, its family too."""
        title = str(self._options().get("sd_model_checkpoint") or "")
        found = [row for row in self.checkpoints() if title and is_named(row, title)]
        if not found:
            return None
        return {**found[0], **_facts(str(found[0]["path"])), "loaded": True}

    def checkpoints(self) -> list[Table]:
        """Lists the checkpoints."""
        rows = self.connection.get(f"{_API}/sd-models")
        return [
            {
                "title": str(row.get("title", "")),
                "name": str(row.get("model_name", "")),
                "path": str(row.get("filename", "")),
                "sha256": row.get("sha256") or row.get("hash"),
            }
            for row in _rows(rows)
        ]

    def switch(self, title: str) -> Table:
        """Selects a checkpoint; some hosts load it only with the next picture."""
        found = [row for row in self.checkpoints() if is_named(row, title)]
        if not found:
            raise WebuiError(f"The WebUI at {self.connection.url} has no checkpoint '{title}'.", "unknown")
        self.connection.post(f"{_API}/options", {"sd_model_checkpoint": found[0]["title"]})
        return self.checkpoint() or {}

    def loras(self) -> Table:
        """Lists the LoRAs and names their folder."""
        rows = _rows(self.connection.get(f"{_API}/loras"))
        self._seen = {str(row["name"]): row for row in rows if "name" in row}
        listed = [
            {"name": name, "alias": str(row.get("alias", name)), "path": str(row.get("path", "")), "version": "Unknown"}
            for name, row in self._seen.items()
        ]
        return {"lora_dir": self._lora_dir(), "loras": listed}

    def refresh_loras(self) -> Table:
        """Lists the LoRAs anew."""
        self.connection.post(f"{_API}/refresh-loras")
        return self.loras()

    def release_gpu(self) -> None:
        """Has the GPU's memory freed."""
        self.connection.post(f"{_API}/unload-checkpoint")

    def restore_gpu(self) -> None:
        """Has the model brought back."""
        self.connection.post(f"{_API}/reload-checkpoint")

    def interrupt(self, task: str) -> bool:
        """Stops a task of ours where it is the one being drawn; the host's own words would stop anybody's."""
        if self.progress(task).state != "running":
            return False
        self.connection.post(f"{_API}/interrupt")
        return True

    def progress(self, task: str) -> Under:
        """Tells how far a task is; the route is the WebUI's own page's, and is there without `--api` too."""
        told = self.connection.post("/internal/progress", {"id_task": task, "live_preview": False}) or {}
        if told.get("active"):
            return Under("running", round(100 * float(told.get("progress") or 0.0)), 100)
        return Under("waiting" if told.get("queued") else "done" if told.get("completed") else "unknown")

    def draw(self, order: Order, task: str) -> Drawn:
        """Has one picture drawn."""
        self._demand_loras(order.prompt.loras)
        path = "txt2img" if order.inpainting is None else "img2img"
        answer = self.connection.post(f"{_API}/{path}", self._payload(order, task))
        images = answer.get("images") if isinstance(answer, dict) else None
        if not images:
            raise WebuiError(f"The WebUI at {self.connection.url} answered without a picture; look at its own console.")
        return Drawn(unpacked(str(images[0]), self.connection.url), _infotext(answer.get("info")))

    def _payload(self, order: Order, task: str) -> dict[str, Any]:
        prompt = order.prompt
        payload = {
            "prompt": prompt.text_with_loras,
            "negative_prompt": prompt.negative,
            "width": prompt.width,
            "height": prompt.height,
            "steps": prompt.steps,
            "cfg_scale": prompt.guidance,
            "seed": prompt.seed,
            "batch_size": 1,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
            "force_task_id": task,
            "override_settings": self._settings(order),
            "override_settings_restore_afterwards": True,
            **self._sampler(order),
        }
        return payload if order.inpainting is None else payload | _inpainting(order.inpainting)

    def _settings(self, order: Order) -> dict[str, Any]:
        there = self._options()
        settings = {name: value for name, value in _SETTINGS.items() if name in there}
        settings["CLIP_stop_at_last_layers"] = order.prompt.clip_skip
        return settings | ({"sd_model_checkpoint": order.checkpoint} if order.checkpoint else {})

    def _sampler(self, order: Order) -> dict[str, str]:
        """Names sampler and scheduler; before 1.9 they were one name ("DPM++ 2M Karras")."""
        samplers, schedulers = self._names()
        joined = f"{order.sampler} {order.scheduler}"
        if not schedulers:
            return {"sampler_name": joined if joined in samplers else order.sampler}
        return {"sampler_name": order.sampler, "scheduler": order.scheduler or _AUTOMATIC}

    def _names(self) -> tuple[list[str], list[str]]:
        if self._samplers is None:
            samplers = _rows(self._optional("/samplers"))
            schedulers = _rows(self._optional("/schedulers"))
            self._samplers = (
                [str(row.get("name")) for row in samplers],
                [str(row.get("label") or row.get("name")) for row in schedulers],
            )
        return self._samplers

    def _options(self) -> Table:
        found = self.connection.get(f"{_API}/options")
        return found if isinstance(found, dict) else {}

    def _lora_dir(self) -> str:
        return str((self._optional("/cmd-flags") or {}).get("lora_dir") or "")

    def _optional(self, path: str) -> Any:
        """Asks for what older hosts have not, and some fail at (Forge's `cmd-flags` with a --port); None there."""
        try:
            return self.connection.get(_API + path)
        except WebuiError as error:
            if error.kind in ("old", "failed"):
                return None
            raise

    def _demand_loras(self, loras: Sequence[LoraUse]) -> None:
        """Makes sure that the WebUI sees each LoRA: an unknown one would be left out without a word."""
        wanted = {lora.path.stem for lora in loras}
        if not wanted <= self._seen.keys():
            self.refresh_loras()
        if missing := sorted(wanted - self._seen.keys()):
            raise WebuiError(
                f"The WebUI at {self.connection.url} has no LoRA named '{missing[0]}'; "
                "copy the file into its models/Lora folder.",
                "missing_lora",
            )


def _inpainting(part: Inpainting) -> dict[str, Any]:
    """Gives the fields of "only masked": the mask's surroundings are drawn at the prompt's size and put back."""
    return {
        "init_images": [packed(part.picture.convert("RGB"))],
        "mask": packed(part.mask.convert("L")),
        "denoising_strength": part.strength,
        "inpainting_fill": part.fill,
        "inpaint_full_res": True,
        "inpaint_full_res_padding": part.edges.padding,
        "inpainting_mask_invert": 0,
        "mask_blur": part.edges.blur,
        "initial_noise_multiplier": 1.0,
        "resize_mode": 0,
    }


def _facts(path: str) -> Table:
    """Tells what kind of model a checkpoint is, where its file can be read from here."""
    unknown: Table = {"family": "unknown", "v_prediction": False, "inpainting": False}
    if not path or not Path(path).is_file():
        return unknown
    try:
        family = identify(read_header(Path(path)))
    except (CheckpointError, OSError):
        return unknown
    kind = family.kind.removesuffix("_inpainting")
    return {
        "family": kind if kind in ("sd1", "sd2", "sdxl") else "unknown",
        "v_prediction": family.prediction_type == "v_prediction",
        "inpainting": family.kind.endswith("_inpainting"),
    }


def _infotext(info: Any) -> str:
    """Takes the infotext out of an answer's `info`, which is JSON in a string."""
    try:
        told = json.loads(info) if isinstance(info, str) else {}
    except ValueError:
        return ""
    texts = told.get("infotexts") if isinstance(told, dict) else None
    return str(texts[0]) if texts else ""


def _rows(answer: Any) -> list[Table]:
    return [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
