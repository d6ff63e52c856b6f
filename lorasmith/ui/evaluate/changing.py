"""What a person starts from the Evaluate page: each is a command with its flags, put in the line."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings, TrainSettings
from lorasmith.stages.evaluate.bench import finished_runs, last_finished_run
from lorasmith.stages.run import keep_settings
from lorasmith.ui.context import Context
from lorasmith.ui.evaluate import reading
from lorasmith.ui.typed import typed_path

_MOST_RIVALS = 12
_MOST_NAMES = 200


def change(context: Context, request: Request, body: Any) -> Response:
    """Starts what was asked for, or takes a strength over."""
    what, folder = request.path_params["what"], context.open_folder(str(body.get("project", "")))
    if what == "strength":
        return JSONResponse(_take_strength(context, folder, body))
    if what not in _WORDS:
        raise UsageError(f"The Evaluate page cannot do '{what}'.")
    with Project.open(folder, writing=False) as project:
        words = _WORDS[what](project, body)
    job = context.start(folder, words)
    return JSONResponse({"job": job.id})


def _against(project: Project, body: Any) -> list[str]:
    """Reads which LoRAs are set beside this project's; each is looked into before anything is started."""
    from lorasmith.checkpoints.family import identify
    from lorasmith.checkpoints.header import read_header

    last_finished_run(project)
    _demand_tagger(project)
    files = [file for file in _texts(body, "files", _MOST_RIVALS) if file.strip()]
    if not files:
        raise UsageError("Name a LoRA file to set beside this project's, or choose one of the project's own.")
    found = [_lora(project, file) for file in files]
    for file in found:
        if identify(read_header(file)).kind != "lora":
            raise UsageError(f"{file.name} is no LoRA; only LoRAs can be compared.")
    return ["evaluate", str(project.folder), *(word for file in found for word in ("--against", str(file)))]


def _lora(project: Project, typed: str) -> Path:
    """Finds a file by its name in loras/, else by its path."""
    own = project.loras / Path(typed).name
    if own.is_file() and typed == own.name:
        return own
    file = typed_path(typed)
    if file.suffix.lower() != ".safetensors" or not file.is_file():
        raise UsageError(f"There is no LoRA {typed}; name a .safetensors file with its whole path.")
    return file.resolve()


def _sweep(project: Project, body: Any) -> list[str]:
    runs = len(finished_runs(project))
    if runs < 2:
        raise UsageError(f"A sweep sets two runs or more side by side; trainings that have ended: {runs}. Train more first.")
    _demand_tagger(project)
    return ["evaluate", str(project.folder), "--sweep"]


def _base(project: Project, body: Any) -> list[str]:
    if not project.fact("core_tags"):
        raise UsageError("The character's own tags are not known yet; start tag first.")
    _demand_tagger(project)
    return ["evaluate", str(project.folder), "--base-only"]


def _demand_tagger(project: Project) -> None:
    if not project.settings(TagSettings).tagger_names:
        raise UsageError("Renders are judged by a tagger, and tag.tagger is 'none': name one on the Tag page first.")


def _bring(project: Project, body: Any) -> list[str]:
    """Reads which renders of the newest evaluation come back as candidates, whatever their scores."""
    names = _texts(body, "renders", _MOST_NAMES)
    folder, told = reading.evaluation_named(project, "")
    if body.get("name") != folder.name:
        raise UsageError(f"Only renders of the newest evaluation, {folder.name}, can come back; choose it above.")
    known = {str(row["name"]) for row in told.get("renders") or ()}
    if not names or set(names) - known:
        raise UsageError("Name renders of this evaluation.")
    return ["refine", str(project.folder), "--once", "--candidates", "0", "--top-n", "0",
            *(word for name in names for word in ("--renders", name))]  # fmt: skip


def _take_strength(context: Context, folder: Path, body: Any) -> dict[str, Any]:
    """Writes the strength that was proposed to lorasmith.toml, as the form does."""
    value = body.get("strength")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError("Send strength as a number.")
    context.demand_idle(folder)
    with Project.open(folder, patience=5) as project:
        keep_settings(Path(project.folder), "train", {"strength": float(value)})
        return {"strength": project.settings(TrainSettings).strength}


def _texts(body: Any, name: str, most: int) -> list[str]:
    values = body.get(name)
    if not isinstance(values, list) or len(values) > most or not all(isinstance(value, str) for value in values):
        raise UsageError(f"Send {name} as a list of texts, {most} at the most.")
    return values


_WORDS = {"against": _against, "sweep": _sweep, "base": _base, "bring": _bring}
