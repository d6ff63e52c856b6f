"""What a person starts from the Refine page: candidates drawn anew, the evaluation's best renders brought back, own prompts drawn."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text
from lorasmith.settings.tables import RefineSettings
from lorasmith.stages.evaluate.bench import last_finished_run
from lorasmith.stages.refine.stage import latest_evaluation
from lorasmith.ui.context import Context
from lorasmith.ui.refine.asking import count_of

_MOST_PROMPTS, _MOST_SEEDS = 100, 50


def change(context: Context, request: Request, body: Any) -> Response:
    """Puts what was asked for in the line."""
    what, folder = request.path_params["what"], context.open_folder(str(body.get("project", "")))
    if what not in _WORDS:
        raise UsageError(f"The Refine page cannot do '{what}'.")
    with Project.open(folder, writing=False) as project:
        words = _WORDS[what](project, body)
    return JSONResponse({"job": context.start(folder, words).id})


def _candidates(project: Project, body: Any) -> list[str]:
    """Reads how many candidates are drawn, and on which ground."""
    last_finished_run(project)
    latest_evaluation(project)
    count = count_of(body.get("candidates"))
    settings = project.settings(RefineSettings, {"candidates": count, "ground": body.get("ground", "grey")})
    return ["refine", str(project.folder), "--candidates", str(settings.candidates), "--ground", settings.ground]


def _best(project: Project, body: Any) -> list[str]:
    """Brings back what of the newest evaluation passes the bars of the settings."""
    latest_evaluation(project)
    return ["refine", str(project.folder), "--once", "--candidates", "0"]


def _draw(project: Project, body: Any) -> list[str]:
    """Reads a person's own prompts and seeds."""
    prompts = [line.strip() for line in str(body.get("prompts", "")).splitlines() if line.strip()]
    if not 0 < len(prompts) <= _MOST_PROMPTS:
        raise UsageError(f"Write one prompt a line, from 1 to {_MOST_PROMPTS}.")
    for prompt in prompts:
        demand_safe_text(prompt, "prompt")
        if prompt.startswith("-") or "\0" in prompt:  # the command line would read a flag
            raise UsageError(f"A prompt cannot begin with '-': {prompt}")
    seeds = str(body.get("seeds", "")).replace(",", " ").split() or ["7"]
    if len(seeds) > _MOST_SEEDS or not all(seed.isdecimal() and len(seed) < 10 for seed in seeds):
        raise UsageError(f"Write seeds as whole numbers with spaces between them, {_MOST_SEEDS} at the most.")
    lora = _lora(project, str(body.get("lora", "")))
    return ["draw", str(project.folder), *prompts, *(word for seed in seeds for word in ("--seeds", seed)), *lora]


def _lora(project: Project, chosen: str) -> list[str]:
    """Reads what draws: the recommended LoRA where nothing is chosen, one in loras/, or the base model alone ("none")."""
    if not chosen:
        return []
    if chosen not in ("none", *(file.name for file in project.loras.glob("*.safetensors"))):
        raise UsageError(f"There is no {chosen} in loras/; choose another LoRA, or the base model alone.")
    return ["--lora", chosen]


_WORDS = {"candidates": _candidates, "best": _best, "draw": _draw}
