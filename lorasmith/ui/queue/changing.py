"""What a person changes on the Queue page: each is what a command under `lorasmith queue` does."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.jobs import line
from lorasmith.results import plain
from lorasmith.stages.train.enqueue import enqueue
from lorasmith.ui.context import Context

_MOST = 200  # jobs or projects named at once


def change(context: Context, request: Request, body: Any) -> Response:
    """Does what a person asked for; gives what it did."""
    what = request.path_params["what"]
    if what not in _CHANGES:
        raise UsageError(f"The Queue page cannot do '{what}'.")
    return JSONResponse(plain(_CHANGES[what](context, body)))


def _hold(context: Context, body: Any) -> Any:
    line.hold(context.queue.store, [_number(body)], True)
    return {"held": True}


def _resume(context: Context, body: Any) -> Any:
    line.hold(context.queue.store, [_number(body)], False)
    return {"held": False}


def _cancel(context: Context, body: Any) -> Any:
    number = line.demand_open(context.queue.store, _number(body)).id
    context.queue.stop(number)
    return {"stopped": True}


def _move(context: Context, body: Any) -> Any:
    line.move(context.queue.store, _number(body), str(body.get("to", "")))
    return {"moved": True}


def _again(context: Context, body: Any) -> Any:
    return {"job": line.again(context.queue.store, _number(body)).id}


def _pause(context: Context, body: Any) -> Any:
    context.queue.store.pause(finish=body.get("finish") is True)
    return {"paused": True}


def _go_on(context: Context, body: Any) -> Any:
    context.queue.store.resume()
    return {"paused": False}


def _add(context: Context, body: Any) -> Any:
    folders = [context.projects.folder_of(id) for id in _texts(body, "chosen")]
    if not folders:
        raise UsageError("Tick one project or more.")
    return {"added": enqueue(context.queue.store, folders, str(body.get("do") or "train"), _texts(body, "sweep"))}


def _number(body: Any) -> int:
    number = body.get("job")
    if not isinstance(number, int) or isinstance(number, bool):
        raise UsageError("Send job: a number, as the list shows it.")
    return number


def _texts(body: Any, name: str) -> list[str]:
    values = body.get(name, [])
    if not isinstance(values, list) or len(values) > _MOST or not all(isinstance(value, str) for value in values):
        raise UsageError(f"Send {name} as a list of texts, {_MOST} at the most.")
    return values


_CHANGES: dict[str, Callable[[Context, Any], Any]] = {
    "hold": _hold, "resume": _resume, "cancel": _cancel, "move": _move, "again": _again, "pause": _pause, "go-on": _go_on, "add": _add,
}  # fmt: skip
