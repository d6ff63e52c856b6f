"""test-grid: a finished LoRA at once on a WebUI's loaded model: a few prompts, a few weights, and the base alone."""

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import TaggerError, UsageError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.safety import is_seen, refused_places
from lorasmith.settings.tables import NO_TAGGER, EvaluateSettings, TagSettings
from lorasmith.stages.evaluate.publish import run_of
from lorasmith.stages.evaluate.renders import common_prompt
from lorasmith.stages.evaluate.training_looks import habits, sought

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.rendering.prompt import Prompt, Renderer

FOLDER = "grids"
_BASE = 0.0
_MOST_WEIGHTS = 3
_KINDS = ("likeness", "pose", "framing", "background", "plain")  # one prompt of each
_OF_SEVERAL = ("blend", "group")  # all of these, where the LoRA holds several characters
_CELL = 256  # pixels


@dataclass(frozen=True)
class TestGrid:
    """What was drawn."""

    __test__ = False  # pytest: this is no test

    file: Path
    prompts: tuple[str, ...]
    weights: tuple[float, ...]  # 0 is the base alone
    seconds: float


def test_grid(project: Project, lora: Path, renderer: "Renderer", report: Report = silent) -> TestGrid:
    """Draws the grid of a published LoRA into its run's folder; nothing else of the project is changed."""
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import labelled_grid

    began = time.monotonic()
    run = run_of(project, lora)
    if run is None:
        raise UsageError(f"{lora} comes from none of the runs of {project.folder}; its grid has no place there.")
    settings = project.settings(EvaluateSettings)
    texts = _texts(project)
    weights = (_BASE, *sorted(settings.weights)[-_MOST_WEIGHTS:])
    common = replace(common_prompt(settings, _clip_skip(run)), seed=settings.seeds[0])
    asked = {(text, weight): _prompt(common, text, lora, weight) for text in texts for weight in weights}
    pictures = renderer.render(list(asked.values()), _renamed(report))
    shown = without_refused(project, dict(zip(asked, pictures, strict=True)))
    cells = {(text, _title(weight)): picture for (text, weight), picture in shown.items()}
    file = run / FOLDER / f"{lora.stem}.png"
    columns = [_title(weight) for weight in weights]
    save_png(labelled_grid(columns, texts, cells, min(_CELL, max(settings.width, settings.height))), file)
    report(Progress("test-grid", len(asked), len(asked), "done"))
    return TestGrid(file, tuple(texts), weights, round(time.monotonic() - began, 1))


def _texts(project: Project) -> list[str]:
    """Gives one prompt of each kind, of what the training set knows."""
    from lorasmith.judging.plan import Wishes, evaluation_prompts

    core = tuple(project.fact("core_tags") or ())
    shares = habits(project)
    wishes = Wishes(core, shares, {*core, *shares}, most=1, cast=sought(project, {}))
    planned = evaluation_prompts(project.trigger, wishes)
    found: dict[str, str] = {prompt.kind: prompt.text for prompt in reversed(planned)}
    apart = [prompt.text for prompt in planned if prompt.kind in _OF_SEVERAL]
    return list(dict.fromkeys([*apart, *(found[kind] for kind in _KINDS if found.get(kind))]))


def _prompt(common: "Prompt", text: str, lora: Path, weight: float) -> "Prompt":
    from lorasmith.rendering.prompt import LoraUse

    return replace(common, text=text, loras=() if weight == _BASE else (LoraUse(lora, weight),))


def _title(weight: float) -> str:
    return "without LoRA" if weight == _BASE else f"weight {weight:g}"


def _clip_skip(run: Path) -> int:
    document = tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))
    return int(document.get("settings", {}).get("clip_skip", 1))


def _renamed(report: Report) -> Report:
    return lambda progress: report(replace(progress, stage="test-grid"))


def without_refused(
    project: Project, renders: "Mapping[tuple[str, float], PIL.Image.Image]"
) -> "dict[tuple[str, float], PIL.Image.Image]":
    """Leaves out the renders on which the project's tagger sees what marks minors: nobody is shown them."""
    settings = project.settings(TagSettings)
    if settings.tagger == NO_TAGGER:
        return dict(renders)
    from lorasmith.taggers.open import open_tagger

    try:
        tagger = open_tagger(settings.tagger, models_folder=None, providers=tuple(settings.providers))
    except TaggerError:  # it was never fetched: then nothing here was tagged by it either
        return dict(renders)
    places = refused_places(label.name for label in tagger.labels)
    if not places:
        return dict(renders)
    vectors = tagger.score(list(renders.values()))
    return {
        key: picture
        for (key, picture), vector in zip(renders.items(), vectors, strict=True)
        if not is_seen(vector, places)
    }
