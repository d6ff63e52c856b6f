"""The `Renderer` that asks a WebUI; what comes back is checked: the right checkpoint, every LoRA, only the mask."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lorasmith.checkpoints.hashes import lora_hash
from lorasmith.progress import Progress, Report
from lorasmith.rendering.prompt import (
    STRENGTH,
    Edges,
    LoraUse,
    Prompt,
    RenderingError,
    demand_inpaintable,
    demand_renderable,
)
from lorasmith.rendering.region import put_back
from lorasmith.rendering.webui_client import Webui, WebuiError
from lorasmith.rendering.webui_order import (
    Drawn,
    Fill,
    Inpainting,
    Order,
    Table,
    Under,
    infotext_name,
    is_named,
    lora_hashes,
    told,
)

__all__ = ["Webui", "WebuiError", "WebuiRenderer"]

_ATTEMPTS = 2
_NATIVE = {"sdxl": 1024}  # the side of the squares that a family was trained on; others 512
_BUSY = "the WebUI is busy with another picture; waiting"


class WebuiRenderer:
    """Renders in a WebUI; LoRAs must lie in its LoRA folder and are named by their file's stem."""

    def __init__(
        self,
        webui: Webui,
        checkpoint: str | None = None,
        sampler: str = "DDIM",
        scheduler: str = "Automatic",
        fill: Fill = 1,
        report: Report | None = None,
    ) -> None:
        """Takes a checkpoint's title, if not the selected one; `fill` is what an inpainting starts from.

        `report` hears how far an inpainting is, and that it waits for the person's own pictures.
        """
        self.webui = webui
        self.checkpoint = checkpoint
        self.sampler = sampler
        self.scheduler = scheduler
        self.fill = fill
        self.report = report
        self._infotexts: dict[Prompt, str] = {}

    @property
    def side(self) -> int:
        """The side, in pixels, of the squares that the model draws best."""
        return _NATIVE.get(str((self._asked_for() or {}).get("family")), 512)

    def render(self, prompts: Sequence[Prompt], report: Report | None = None) -> list[Image.Image]:
        """Renders one picture per prompt, one request each: the person's own jobs get their turn in between."""
        for prompt in prompts:
            demand_renderable(prompt)
        checkpoint = self._asked_for() if prompts else None
        pictures: list[Image.Image] = []
        self._infotexts = {}
        for prompt in prompts:
            place = (len(pictures), len(prompts))
            drawn = self._drawn(self._order(prompt, checkpoint), checkpoint, _Teller(report, prompt, place))
            self._infotexts[prompt] = drawn.infotext
            pictures.append(drawn.picture)
            if report:
                report(Progress("render", len(pictures), len(prompts), prompt.text))
        return pictures

    def inpaint(
        self,
        picture: Image.Image,
        mask: Image.Image,
        prompt: Prompt,
        strength: float = STRENGTH,
        edges: Edges = Edges(),  # noqa: B008 - it is frozen
    ) -> Image.Image:
        """Draws anew what is white in `mask` ("only masked" of the WebUI); black mask pixels keep their exact value."""
        demand_renderable(prompt)
        demand_inpaintable(picture, mask, strength)
        # WebUIs round a mask, and draw the whole picture anew where nothing of it is left.
        hard = mask.convert("L").point(lambda value: 255 if value > 0 else 0)
        if hard.getbbox() is None:
            return picture.copy()
        checkpoint = self._asked_for()
        order = self._order(prompt, checkpoint, Inpainting(picture, hard, strength, edges, self.fill))
        drawn = self._drawn(order, checkpoint, _Teller(self.report, prompt, (0, 1))).picture
        if drawn.size != picture.size:
            raise RenderingError(f"The WebUI gave {drawn.size} pixels back for {picture.size}; nothing was changed.")
        return put_back(picture, drawn, mask, (0, 0, *picture.size), edges.blur)

    def infotext(self, prompt: Prompt) -> str:
        """Gives the WebUI's own `parameters` text of a prompt's last render."""
        return self._infotexts.get(prompt, prompt.text_with_loras)

    def _asked_for(self) -> Table | None:
        """Gives the checkpoint to draw with: looked up once for all pictures of a call, so that none is of another."""
        if self.checkpoint is None:
            return self.webui.checkpoint()
        for row in self.webui.checkpoints():
            if is_named(row, self.checkpoint):
                return row
        raise WebuiError(f"The WebUI at {self.webui.url} has no checkpoint '{self.checkpoint}'.", "unknown")

    def _order(self, prompt: Prompt, checkpoint: Table | None, inpainting: Inpainting | None = None) -> Order:
        title = None if checkpoint is None else str(checkpoint["title"])
        return Order(prompt, self.sampler, self.scheduler, title, inpainting)

    def _drawn(self, order: Order, checkpoint: Table | None, teller: "_Teller") -> Drawn:
        """Has a picture drawn; once more where the checkpoint was switched under way."""
        used = ""
        for _ in range(_ATTEMPTS):
            drawn = self.webui.draw(order, teller.tell)
            _demand_loras_used(order.prompt.loras, drawn.infotext, self.webui.url)
            if _is_of(drawn.infotext, checkpoint):
                return drawn
            used = told(drawn.infotext, "Model") or told(drawn.infotext, "Model hash")
        assert checkpoint is not None
        raise WebuiError(
            f"The WebUI at {self.webui.url} drew with the checkpoint '{used}' and not with '{checkpoint['title']}': it was "
            "switched under way. Select it again, and leave it until the pictures are made.",
            "checkpoint",
        )


class _Teller:
    """Puts a WebUI's progress into the words of a report."""

    def __init__(self, report: Report | None, prompt: Prompt, place: tuple[int, int]) -> None:
        self._report = report
        self._prompt = prompt
        self._done, self._total = place

    def tell(self, under: Under) -> None:
        """Reports that a picture waits, or how far it is."""
        if self._report is None or under.state not in ("waiting", "running"):
            return
        note = _BUSY
        if under.state == "running":
            share = f" ({under.step} of {under.steps})" if under.steps else ""
            note = f"{self._prompt.text}{share}"
        self._report(Progress("render", self._done, self._total, note))


def _is_of(infotext: str, checkpoint: Table | None) -> bool:
    """Tells whether a picture was drawn with that checkpoint, as far as its infotext and the list can say."""
    if checkpoint is None:
        return True
    digits, sha = told(infotext, "Model hash").lower(), str(checkpoint.get("sha256") or "").lower()
    if digits and sha:
        return sha.startswith(digits) or digits.startswith(sha)
    model = told(infotext, "Model")
    path = str(checkpoint.get("path") or checkpoint.get("name") or "").replace("\\", "/")
    return not model or not path or Path(path).stem == model or Path(path).name == model


def _demand_loras_used(loras: Sequence[LoraUse], infotext: str, url: str) -> None:
    """Refuses a picture that was drawn without one of its LoRAs, or with another file of the same name."""
    used = lora_hashes(infotext)
    for lora in loras:
        digits = used.get(infotext_name(lora.path.stem), "").lower()
        if not digits:
            raise WebuiError(
                f"The WebUI at {url} drew without the LoRA '{lora.path.stem}': it is not in its LoRA folder, or does not "
                "fit the checkpoint.",
                "missing_lora",
            )
        if lora.path.is_file() and not lora_hash(lora.path).startswith(digits):
            raise WebuiError(
                f"The WebUI at {url} has another file under the name of the LoRA '{lora.path.stem}'; give ours a name "
                "of its own.",
                "missing_lora",
            )
