"""What the Queue page asks: all jobs of all projects, and what would be put in the line."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.jobs.line import ended_last, state_of, told_of
from lorasmith.jobs.store import Job
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.stages.train.enqueue import COMMANDS, job_word, points_of
from lorasmith.stages.train.watch import seconds_left
from lorasmith.ui.answering import asked, fresh
from lorasmith.ui.context import Context

PLACE = '<div data-ls-own="queue" class="lsq" role="region" aria-label="the queue"></div>'
_ENDED = 60  # jobs that ended last
_TRAINS = ("train", "run")
Words = Any  # starlette's query parameters: `getlist` gives all values of a name


def show(context: Context, request: Request, body: Any) -> Response:
    """Answers one question of the page."""
    return fresh(asked("Queue", _ANSWERS, request)(context, request.query_params))


def _list(context: Context, words: Words) -> dict[str, Any]:
    """What runs and waits, in order, then what ended, newest first."""
    store = context.queue.store
    ids = {known.folder: known.id for known in context.projects.known()}
    return {
        "paused": store.paused,
        "open": [_told(context, job, ids) for job in store.open()],
        "ended": [_told(context, job, ids) for job in reversed(ended_last(store, _ENDED))],
    }


def _told(context: Context, job: Job, ids: Mapping[Any, str]) -> dict[str, Any]:
    progress = context.queue.progress(job.id) or job.progress
    return {
        "id": job.id, "project": job.folder.name, "folder": str(job.folder), "open": ids.get(job.folder),
        "job": job_word(job.stage, job.name), "command": " ".join(job.words), "state": state_of(job), "tries": job.tries,
        "gpu": job.lane == "gpu", "made": job.made, "started": job.started, "ended": job.ended, "seconds": _seconds(job),
        "left": _left(job), "stage": progress.stage if progress else "", "done": progress.done if progress else 0,
        "total": progress.total if progress else None, "note": progress.note if progress else "",
        "told": told_of(job) if job.state != "running" else "",
    }  # fmt: skip


def _seconds(job: Job) -> float | None:
    """Gives how long a job has worked, or worked."""
    if job.started is None or (job.state == "waiting"):
        return None
    end = datetime.fromisoformat(job.ended) if job.ended else datetime.now(UTC)
    return max(0.0, (end - datetime.fromisoformat(job.started)).total_seconds())


def _left(job: Job) -> float | None:
    """Gives how long a training at work will take; of other work nobody knows."""
    if job.state != "running" or job.stage not in _TRAINS:
        return None
    with suppress(LorasmithError), Project.open(job.folder, writing=False) as project:
        return seconds_left(project)
    return None


def _offer(context: Context, words: Words) -> dict[str, Any]:
    """What can be put in the line: projects, commands, and the settings of a sweep with their help and present values."""
    fields = TrainSettings.model_fields
    default = TrainSettings()
    names = [name for name in fields if not isinstance(getattr(default, name), list)]
    there = [known for known in context.projects.known() if known.is_there]
    return {
        "projects": [{"id": known.id, "name": known.folder.name, "folder": str(known.folder)} for known in there],
        "commands": ["train", "run", *(name for name in COMMANDS if name not in _TRAINS)],
        "settings": [{"name": name, "help": fields[name].description} for name in names],
    }  # fmt: skip


def _preview(context: Context, words: Words) -> dict[str, Any]:
    """The trainings that would be put in the line, by project; a sweep makes several of each."""
    folders = [context.projects.folder_of(id) for id in words.getlist("chosen")]
    command, sweep = words.get("do", "train"), words.getlist("sweep")
    if sweep and command != "train":
        raise UsageError(f"A sweep is over trainings; '{command}' has none. Take the sweep out, or choose train.")
    rows = []
    for folder in folders:
        jobs = [job_word(command, point.name) for point in points_of(folder, command, sweep)]
        rows.append({"project": folder.name, "jobs": jobs})
    return {"rows": rows, "count": sum(len(row["jobs"]) for row in rows)}


_ANSWERS: dict[str, Callable[[Context, Words], dict[str, Any]]] = {"list": _list, "offer": _offer, "preview": _preview}
