"""refine: chosen renders come back as candidate pictures of the project, marked as generated."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import RefineSettings
from lorasmith.stages.refine.bring import bring_back
from lorasmith.stages.refine.candidates import render_candidates
from lorasmith.stages.refine.lineage import Descent, generation_after, lineage

if TYPE_CHECKING:
    from lorasmith.rendering.prompt import Renderer

SCORES = "scores.json"
_WITHOUT_CHARACTER = ("described", "others", "plain")  # kinds of prompt that do not ask for the character


@dataclass(frozen=True)
class Refined:
    """What refine did."""

    evaluation: str  # the folder whose renders were looked at
    considered: int
    brought_back: tuple[str, ...]  # names of the new candidate pictures
    already: int
    too_deep: int  # renders of a generation that the settings do not allow
    advice: str
    lineage: tuple[Descent, ...]  # what of the training set a model drew, and after which LoRA


def refine(
    project: Project, settings: RefineSettings, report: Report = silent, renderer: "Renderer | None" = None
) -> Refined:
    """Copies the best renders into the project; none is trained on before a person keeps it.

    They are those of the last evaluation or, with `candidates`, newly drawn ones.
    """
    folder = latest_evaluation(project)
    told = json.loads((folder / SCORES).read_text(encoding="utf-8"))
    renders = told["renders"]
    if settings.candidates:
        folder, renders = render_candidates(project, settings, told, report, renderer)
    generations = {lora: generation_after(project, lora) for lora in {str(render["lora"]) for render in renders} if lora}
    allowed = [render for render in renders if generations.get(str(render["lora"]), 0) <= settings.max_generation]
    chosen = choose(allowed, settings)
    added: list[str] = []
    already = 0
    with project.change("refine", f"renders of {folder.name}"):
        for done, render in enumerate(chosen):
            report(Progress("refine", done, len(chosen), str(render["name"])))
            name = bring_back(project, folder, render, generations.get(str(render["lora"]), 1))
            if name is None:
                already += 1
            else:
                added.append(name)
    report(Progress("refine", len(chosen), len(chosen), "done"))
    return Refined(
        folder.relative_to(project.folder).as_posix(), len(renders), tuple(added), already, len(renders) - len(allowed),
        _advice(bool(chosen), len(renders) > len(allowed)), tuple(lineage(project, project.pictures.trained())),
    )  # fmt: skip


def _advice(came_back: bool, too_deep: bool) -> str:
    if came_back:
        return (
            "Look at them, then `lorasmith keep DIR NAME ...` trains on the good ones in the next round. To have them count "
            "less than hands' work, part them in [train]: subsets = ['drawn weight=1 where is:generated', 'own weight=3']."
        )
    if too_deep:
        return "The LoRA learnt from drawn pictures itself: refine.max_generation does not allow what it draws."
    return "No render was good enough to come back; lower refine.min_likeness, or improve the set and train again."


def latest_evaluation(project: Project) -> Path:
    """Gives the newest finished evaluation; raises when there is none."""
    finished = [folder for folder in project.numbered(project.evaluations) if (folder / SCORES).is_file()]
    if not finished:
        raise UsageError("Nothing was evaluated yet; run `lorasmith evaluate` first.")
    return finished[-1]


def choose(renders: list[dict[str, Any]], settings: RefineSettings) -> list[dict[str, Any]]:
    """Gives the renders a person named, then the best ones with a LoRA that pass both bars.

    One of each prompt, so that they differ; where there are fewer prompts than renders wanted, as many more of each as it takes.
    """
    named = [render for render in renders if render["name"] in settings.renders]
    unknown = set(settings.renders) - {render["name"] for render in renders}
    if unknown:
        raise UsageError(
            f"The last evaluation has no render named {', '.join(sorted(unknown))}; scores.json lists the names."
        )
    good = [
        render
        for render in renders
        if render["lora"] and render["prompt"]["kind"] not in _WITHOUT_CHARACTER and _passes(render, settings)
    ]
    good.sort(key=lambda render: (-render["likeness"], -_followed(render), render["name"]))
    chosen = {render["name"]: render for render in named}
    taken = Counter(str(render["prompt"]["text"]) for render in named)
    most = ceil(settings.top_n / max(1, len({render["prompt"]["text"] for render in renders})))
    for render in good:
        if len(chosen) >= max(settings.top_n, len(named)):
            break
        if taken[render["prompt"]["text"]] < most and render["name"] not in chosen:
            taken[render["prompt"]["text"]] += 1
            chosen[render["name"]] = render
    return list(chosen.values())


def _passes(render: Mapping[str, Any], settings: RefineSettings) -> bool:
    likeness = render["likeness"]
    near = likeness is not None and likeness >= settings.min_likeness
    return near and _followed(render) >= settings.min_followed and not render.get("copies")  # a copy teaches nothing new


def _followed(render: Mapping[str, Any]) -> float:
    """How much of the asked was drawn; where nothing was asked, nothing was missed."""
    return 1.0 if render["followed"] is None else float(render["followed"])
