"""What the Train page asks: what `check` says, rates tried, presets, and how a run goes."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lorasmith.errors import UsageError
from lorasmith.jobs.line import state_of as job_state
from lorasmith.jobs.store import Job
from lorasmith.project.project import Project
from lorasmith.results import plain
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import preset_names, preset_note
from lorasmith.stages.train.outlook import TRIED, outlook, tried
from lorasmith.stages.train.preflight import preflight
from lorasmith.stages.train.presets import preset_change
from lorasmith.stages.train.watch import Watched, runs_of, shown_first, watch
from lorasmith.ui import html
from lorasmith.ui.answering import Words, asked, fresh
from lorasmith.ui.context import Context

_TRAINS = ("train", "run")


def show(context: Context, request: Request, body: Any) -> Response:
    """Answers one question of the page."""
    answer, words = asked("Train", _ANSWERS, request), request.query_params
    with Project.open(context.projects.folder_of(words.get("project", "")), writing=False) as project:
        return fresh(answer(context, project, words))


def _form(context: Context, project: Project, words: Words) -> dict[str, Any]:
    """Which preset holds, which there are, and what is set."""
    chosen = str(project.tables.get("project", {}).get("preset", ""))
    return {
        "preset": chosen, "set": _set(project), "presets": [{"name": name, "note": preset_note(name)} for name in preset_names()],
    }  # fmt: skip


def _plan(context: Context, project: Project, words: Words) -> dict[str, Any]:
    """What would stop or spoil a training."""
    found = context.train.once(project, "check", lambda: preflight(project))
    checked = found.checked
    facts = {} if checked is None else {"pictures": checked.pictures, "captions": checked.captions, "base": checked.base}
    return plain({"ready": found.ready, "findings": found.findings} | facts)


def _rates(context: Context, project: Project, words: Words) -> dict[str, Any]:
    """What a training would come to with values that are only tried, and what is set."""
    settings = tried(project, words)
    found = context.train.once(project, f"outlook {settings.model_dump_json()}", lambda: outlook(project, settings))
    return plain(found) | {"set": _set(project)}


def _set(project: Project) -> dict[str, Any]:
    """Gives what is set of that which the calculator tries."""
    now = project.settings(TrainSettings)
    return {name: getattr(now, name) for name in TRIED}


def _preset(context: Context, project: Project, words: Words) -> dict[str, Any]:
    return plain(preset_change(project.folder, words.get("preset", ""), all_else=words.get("all_else") == "1"))


def _run(context: Context, project: Project, words: Words) -> dict[str, Any]:
    """One run as it stands: the one named, else the one at work or the newest; and the job that works on it, if it is ours."""
    runs = runs_of(project)
    name = words.get("run", "") or shown_first(runs)
    job = next((one for one in context.queue.store.open() if one.folder == project.folder and one.stage in _TRAINS), None)
    content: dict[str, Any] = {"runs": runs, "job": None if job is None else _job(context, job)}
    if not name:
        return content
    if name not in dict(runs):
        raise UsageError(f"There is no run {name} any more; choose another.")
    return content | {"run": told(project, watch(project, name), words.get("project", ""))}


def told(project: Project, run: Watched, id: str) -> dict[str, Any]:
    """Gives a run with the addresses of its pictures and files."""
    content: dict[str, Any] = plain(run)
    for row in content["samples"]:
        row["files"] = [[epoch, _picture(project, id, file, 384)] for epoch, file in row["files"]]
    for row in content["files"]:
        row["name"] = row["file"].rpartition("/")[2]
        row["href"] = html.file_address(id, row["file"])
    grids = project.runs / run.run / "grids"
    files = [file.relative_to(project.folder).as_posix() for file in sorted(grids.glob("*.png"))] if grids.is_dir() else []
    return content | {"grids": [_picture(project, id, file, 1024) for file in files]}


def _picture(project: Project, id: str, file: str, side: int) -> dict[str, str]:
    version = f"{(project.folder / file).stat().st_mtime_ns:x}"[-12:]
    return {"href": html.file_address(id, file), "src": html.thumbnail_address(id, file, side, version)}


def _job(context: Context, job: Job) -> dict[str, Any]:
    progress = context.queue.progress(job.id)
    return {
        "id": job.id, "command": job.stage, "name": job.name, "state": job_state(job), "paused_line": context.queue.store.paused,
        "stage": progress.stage if progress else "", "done": progress.done if progress else 0,
        "total": progress.total if progress else None, "note": progress.note if progress else "",
    }  # fmt: skip


_ANSWERS: dict[str, Callable[[Context, Project, Words], dict[str, Any]]] = {
    "form": _form, "plan": _plan, "rates": _rates, "preset": _preset, "run": _run,
}  # fmt: skip
