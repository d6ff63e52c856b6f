"""What a person changes on the Prune page: each is what a command does, and one step of the history."""

from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.stages.prune.look import keep_instead
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.ui.context import Context
from lorasmith.ui.prune import asking as prune_asking

_MOST = 20_000  # names in one request


def change(context: Context, folder: Path, project: Project, what: str, body: Any) -> Response:
    """Keeps, drops, or keeps one instead of others; gives the counts and the coverage as they are then."""
    if what == "decide":
        verdict = body.get("verdict")
        if verdict not in ("keep", "drop"):
            raise UsageError("Send names (a list) and verdict (keep or drop).")
        changed = decide_by_hand(project, verdict, _names(body, "names"))
    elif what == "swap":
        kept = body.get("kept")
        if not isinstance(kept, str):
            raise UsageError("Send kept (a name) and dropped (a list of names).")
        changed = keep_instead(project, kept, _names(body, "dropped"))
    else:
        raise UsageError(f"The Prune page cannot do '{what}'.")
    with context.prune.open(folder) as look:
        told = prune_asking.counts(look) | {"coverage": prune_asking.coverage(look, {})}
    return JSONResponse({"changed": changed} | told)


def choose_best(context: Context, folder: Path, body: Any) -> Response:
    """Puts `prune --to N` in the line."""
    size = prune_asking.size_of(body.get("to"))
    job = context.start(folder, ["prune", str(folder), "--to", str(size)])
    return JSONResponse({"job": job.id})


def _names(body: Any, key: str) -> list[str]:
    names = body.get(key)
    if not isinstance(names, list) or not 0 < len(names) <= _MOST or not all(isinstance(name, str) for name in names):
        raise UsageError(f"Send {key} as a list of names, {_MOST} at the most.")
    return names
