"""How the tab's bridge is asked: /lorasmith-host/ on the WebUI's own server, with a token."""

from collections.abc import Mapping
from typing import Any, cast

from lorasmith.rendering.webui_http import Connection, WebuiError, packed, unpacked
from lorasmith.rendering.webui_order import Drawn, Order, State, Table, Under

_PATIENCE = 2 / 3  # of the timeout, in the host's line; the rest is for the drawing


class Bridge:
    """The WebUI that lorasmith runs inside."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def status(self) -> Table:
        """Gives what the WebUI is and does."""
        return _table(self.connection.get("/status"))

    def checkpoint(self) -> Table | None:
        """Gives the checkpoint that the next picture is drawn with."""
        return cast(Table | None, self.status().get("checkpoint"))

    def checkpoints(self) -> list[Table]:
        """Lists the checkpoints."""
        return list(_table(self.connection.get("/checkpoints")).get("checkpoints", []))

    def switch(self, title: str) -> Table:
        """Selects and loads a checkpoint."""
        return _table(_table(self.connection.post("/checkpoint", {"title": title})).get("checkpoint"))

    def loras(self) -> Table:
        """Lists the LoRAs and names their folder."""
        return _table(self.connection.get("/loras"))

    def refresh_loras(self) -> Table:
        """Lists the LoRAs anew."""
        return _table(self.connection.post("/loras/refresh"))

    def release_gpu(self) -> None:
        """Has the GPU's memory freed."""
        self.connection.post("/gpu/release")

    def restore_gpu(self) -> None:
        """Has the model brought back."""
        self.connection.post("/gpu/restore")

    def interrupt(self, task: str) -> bool:
        """Stops a task of ours."""
        return bool(_table(self.connection.post("/interrupt", {"task": task})).get("interrupted"))

    def progress(self, task: str) -> Under:
        """Tells how far a task is."""
        told = _table(self.connection.get("/progress", {"task": task}))
        return Under(cast(State, told.get("state", "unknown")), int(told.get("step", 0)), int(told.get("steps", 0)))

    def draw(self, order: Order, task: str) -> Drawn:
        """Has one picture drawn; a missing LoRA is refused by the bridge, before and after."""
        path = "/render" if order.inpainting is None else "/inpaint"
        answer = _table(self.connection.post(path, _payload(order, task) | {"patience": _PATIENCE * self.connection.timeout}))
        return Drawn(
            unpacked(str(answer.get("image", "")), self.connection.url), str(answer.get("infotext", ""))
        )  # fmt: skip


def _payload(order: Order, task: str) -> dict[str, Any]:
    prompt = order.prompt
    payload: dict[str, Any] = {
        "task": task,
        "prompt": prompt.text,
        "negative": prompt.negative,
        "width": prompt.width,
        "height": prompt.height,
        "steps": prompt.steps,
        "sampler": order.sampler,
        "scheduler": order.scheduler,
        "guidance": prompt.guidance,
        "clip_skip": prompt.clip_skip,
        "seed": prompt.seed,
        "checkpoint": order.checkpoint,
        "loras": [
            {"name": lora.path.stem, "weight": lora.weight, "text_encoder_weight": lora.text_encoder_weight}
            for lora in prompt.loras
        ],
    }
    if order.inpainting is not None:
        payload |= {
            "image": packed(order.inpainting.picture.convert("RGB")),
            "mask": packed(order.inpainting.mask.convert("L")),
            "blur": order.inpainting.edges.blur,
            "fill": order.inpainting.fill,
            "only_masked": True,
            "padding": order.inpainting.edges.padding,
            "denoise": order.inpainting.strength,
        }
    return payload


def _table(answer: Any) -> Table:
    if not isinstance(answer, Mapping):
        raise WebuiError("The WebUI's bridge answered with something else than a table; update the extension.")
    return dict(answer)
