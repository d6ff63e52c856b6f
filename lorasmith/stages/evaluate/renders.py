"""The renders of an evaluation: which are wanted, made once each, judged by the tagger."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.files import sha256_of, write_atomic
from lorasmith.progress import Progress, Report
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.rendering.prompt import Prompt, Renderer
    from lorasmith.taggers.onnx import Tagger

FOLDER = "renders"


@dataclass(frozen=True)
class Cell:
    """One column of the grid: a LoRA file at a weight, or the base alone (no file, weight 0).

    `mark` is a letter where LoRAs of several makers stand side by side.
    """

    epoch: int | None
    lora: Path | None
    weight: float
    mark: str = ""

    @property
    def name(self) -> str:
        """How its files begin, and what its column is called."""
        if self.mark:
            return f"{self.mark}-w{self.weight:g}"
        return "base" if self.epoch is None else f"e{self.epoch:02d}-w{self.weight:g}"

    @property
    def title(self) -> str:
        """The heading of its column."""
        if self.mark and self.lora is not None:
            return f"{self.mark}: {self.lora.stem}, weight {self.weight:g}"
        return "without LoRA" if self.epoch is None else f"epoch {self.epoch}, weight {self.weight:g}"


@dataclass(frozen=True)
class Wanted:
    """One render that is wanted: its column, its row, its seed, and whether its seed chose nothing."""

    cell: Cell
    row: int
    prompt: "PlannedPrompt"
    seed: int
    told: bool

    @property
    def name(self) -> str:
        """Its name in the evaluation."""
        return f"{self.cell.name}-p{self.row:02d}-s{self.seed}"

    @property
    def file(self) -> str:
        """Its file, relative to the evaluation folder."""
        return f"{FOLDER}/{self.name}.png"


def wanted(
    cells: Iterable[Cell], prompts: "Sequence[PlannedPrompt]", seeds: Sequence[int], *, told: bool
) -> list[Wanted]:
    """Lists the renders of every cell, prompt and seed."""
    return [
        Wanted(cell, row, prompt, seed, told) for cell in cells for row, prompt in enumerate(prompts) for seed in seeds
    ]


def render_missing(
    folder: Path, renders: Sequence[Wanted], renderer: "Renderer", prompt: "Prompt", report: Report, batch: int
) -> int:
    """Renders what has no file yet, each written whole with its WebUI parameters; `prompt` holds the common settings."""
    made = done = 0
    # Batches are the same whatever is there already: a picture may differ by a rounding in another company.
    for group in _batches(renders, batch):
        done += len(group)
        missing = [render for render in group if not (folder / render.file).is_file()]
        if not missing:
            continue
        report(Progress("evaluate", done - len(group), len(renders), f"rendering {group[0].cell.title}"))
        prompts = [_prompt(render, prompt) for render in group]
        for render, asked, image in zip(group, prompts, renderer.render(prompts), strict=True):
            if render in missing:
                write_atomic(folder / render.file, _png(image, renderer, asked))
        made += len(missing)
    report(Progress("evaluate", len(renders), len(renders), "rendered"))
    return made


def _batches(renders: Sequence[Wanted], size: int) -> Iterator[list[Wanted]]:
    """Groups renders of one cell, so that a LoRA is put in once."""
    group: list[Wanted] = []
    for render in renders:
        if group and (len(group) == size or render.cell != group[0].cell):
            yield group
            group = []
        group.append(render)
    if group:
        yield group


def _prompt(render: Wanted, common: "Prompt") -> "Prompt":
    from lorasmith.rendering.prompt import LoraUse

    loras = () if render.cell.lora is None else (LoraUse(render.cell.lora, render.cell.weight),)
    return replace(common, text=render.prompt.text, seed=render.seed, loras=(*loras, *common.loras))


def _png(image: "PIL.Image.Image", renderer: "Renderer", prompt: "Prompt") -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    written = getattr(renderer, "infotext", None)
    if written is not None:
        info.add_text("parameters", written(prompt))
    data = io.BytesIO()
    image.save(data, "PNG", pnginfo=info)
    return data.getvalue()


def common_prompt(settings: EvaluateSettings, clip_skip: int) -> "Prompt":
    """Gives what all prompts of an evaluation share."""
    from lorasmith.rendering.prompt import Prompt

    return Prompt(
        "", settings.negative, settings.width, settings.height, settings.steps, settings.guidance, clip_skip=clip_skip
    )


def scores_of(
    project: Project, tagger: "Tagger", folder: Path, renders: Sequence[Wanted], report: Report, batch: int = 8
) -> "dict[str, np.ndarray]":
    """Gives the tagger's scores of each render by name: float32, one per label; each file is looked at once."""
    import numpy as np

    from lorasmith.imaging.read import open_picture

    shas = {render.name: sha256_of(folder / render.file) for render in renders}
    missing = [render for render in renders if project.caches.scores(shas[render.name], tagger.id) is None]
    for start in range(0, len(missing), batch):
        group = missing[start : start + batch]
        report(Progress("evaluate", start, len(missing), "judging"))
        vectors = tagger.score([open_picture(folder / render.file) for render in group])
        with project.transaction():
            for render, vector in zip(group, vectors, strict=True):
                project.caches.keep_scores(shas[render.name], tagger.id, vector.astype("<f2").tobytes())
    found = {}
    for name, sha in shas.items():
        stored = project.caches.scores(sha, tagger.id)
        assert stored is not None
        found[name] = np.frombuffer(stored, dtype="<f2").astype(np.float32)
    return found
