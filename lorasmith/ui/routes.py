"""The page's own routes: small pictures, files, views, how far everything is, and a person's keep and drop."""

import base64
import binascii
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lorasmith import __version__
from lorasmith.errors import LorasmithError, PictureError, UsageError
from lorasmith.files import write_atomic
from lorasmith.jobs.store import OPEN
from lorasmith.project.project import Project
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.table import STAGES
from lorasmith.ui import assets
from lorasmith.ui.answering import fresh
from lorasmith.ui.ask import Ask
from lorasmith.ui.context import Context, settings_version
from lorasmith.ui.download import asking as download_asking
from lorasmith.ui.evaluate import asking as evaluate_asking
from lorasmith.ui.evaluate import changing as evaluate_changing
from lorasmith.ui.inspect import asking as inspect_asking
from lorasmith.ui.prepare import suggesting, touching
from lorasmith.ui.prune import asking as prune_asking
from lorasmith.ui.prune import changing as prune_changing
from lorasmith.ui.queue import asking as queue_asking
from lorasmith.ui.queue import changing as queue_changing
from lorasmith.ui.refine import asking as refine_asking
from lorasmith.ui.refine import changing as refine_changing
from lorasmith.ui.research import asking as research_asking
from lorasmith.ui.research import changing as research_changing
from lorasmith.ui.tag import asking as tag_asking
from lorasmith.ui.tag import changing as tag_changing
from lorasmith.ui.train import asking as train_asking
from lorasmith.ui.train import changing as train_changing
from lorasmith.ui.views import draw

_FOLDERS = ("research", "images", "edits", "dataset", "runs", "loras", "evaluations", "sheets")  # what a page may fetch of a project
_TYPES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".html", ".json", ".txt", ".safetensors"}
# A project's page runs no script and sends nothing. (A sandbox would make its own pictures count as a foreign page's.)
_NO_SCRIPT = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_KEPT = {"cache-control": "private, max-age=31536000, immutable"}
_ASKED_AGAIN = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
_LARGEST_MASK = 30_000_000  # bytes
_LARGEST_BODY = 2 * _LARGEST_MASK
_BY_HAND = threading.Lock()  # two quick clicks come in two threads
Answer = Callable[[Context, Request, Any], Response]


def routes(context: Context) -> list[Route]:
    """Gives the routes over a context; their paths are relative to the page's address."""
    table: list[tuple[str, str, Answer]] = [
        ("GET", "/api/health", _health),
        ("GET", "/api/static/{name}", _static),
        ("GET", "/api/state", _state),
        ("GET", "/api/view/{stage}", _view),
        ("GET", "/api/thumb/{project}/{file:path}", _thumb),
        ("GET", "/api/file/{project}/{file:path}", _file),
        ("GET", "/api/log/{job:int}", _log),
        ("POST", "/api/decide", _decide),
        ("POST", "/api/history", _history),
        ("POST", "/api/stop", _stop),
        ("GET", "/api/suggestion", suggesting.show),
        ("POST", "/api/suggestion", _suggestion),
        ("POST", "/api/erase", _erase),
        ("GET", "/api/research/{what}", research_asking.show),
        ("POST", "/api/research/{what}", _change_research),
        ("GET", "/api/download/{what}", download_asking.show),
        ("GET", "/api/prune/{what}", prune_asking.show),
        ("POST", "/api/prune/{what}", _change_prune),
        ("GET", "/api/tags/{what}", tag_asking.show),
        ("POST", "/api/tags/{what}", _change_tags),
        ("GET", "/api/evaluate/{what}", evaluate_asking.show),
        ("POST", "/api/evaluate/{what}", evaluate_changing.change),
        ("GET", "/api/train/{what}", train_asking.show),
        ("POST", "/api/train/{what}", train_changing.change),
        ("GET", "/api/queue/{what}", queue_asking.show),
        ("POST", "/api/queue/{what}", queue_changing.change),
        ("GET", "/api/refine/{what}", refine_asking.show),
        ("POST", "/api/refine/{what}", refine_changing.change),
        ("GET", "/api/inspect/{what}", inspect_asking.show),
        ("POST", "/api/inspect/{what}", inspect_asking.answer),
        ("GET", "/api/touch-up", touching.show),
        ("POST", "/api/touch-up", _touch_up),
        ("POST", "/api/recipe", _recipe),
        ("POST", "/api/send", _send),
        ("POST", "/api/forget", _forget),
    ]
    return [Route(path, _bound(context, answer), methods=[method]) for method, path, answer in table]


def _bound(context: Context, answer: Answer) -> Any:
    """Makes an endpoint: bodies are JSON, errors are sentences, and the work is done outside the event loop."""

    async def endpoint(request: Request) -> Response:
        body: Any = {}
        if request.method == "POST":
            if not request.headers.get("content-type", "").startswith("application/json"):
                return JSONResponse({"error": "Send JSON."}, 415)
            if not _is_small(request.headers.get("content-length", "")):
                return JSONResponse({"error": "That is too large."}, 413)
            try:
                body = await request.json()
            except ValueError:
                return JSONResponse({"error": "This is not JSON."}, 400)
            if not isinstance(body, dict):
                return JSONResponse({"error": "Send a JSON object."}, 400)
        try:
            return await run_in_threadpool(answer, context, request, body)
        except FileNotFoundError:
            return JSONResponse({"error": "There is no such file in the project."}, 404)
        except LorasmithError as error:
            return JSONResponse({"error": str(error)}, 400)
        except OSError as error:  # a folder where a file was, rights that were taken away, a disk that has gone
            what = f"{error.filename or 'A file'} cannot be used ({error.strerror or 'the system says no more'})"
            return JSONResponse({"error": f"{what}; look at it in the project's folder, then try again."}, 400)

    return endpoint


def _is_small(length: str) -> bool:
    return length.isdecimal() and int(length) <= _LARGEST_BODY


def _health(context: Context, request: Request, body: Any) -> Response:
    jobs = [context.describe(job) for job in context.queue.store.open()]
    return JSONResponse({"ok": True, "version": __version__, "pid": os.getpid(), "jobs": jobs})


def _static(context: Context, request: Request, body: Any) -> Response:
    return assets.answer(request.path_params["name"], request.headers)


def _state(context: Context, request: Request, body: Any) -> Response:
    """How far everything is: the open jobs, the project's stages, and a version by which a page knows that it must look."""
    project = request.query_params.get("project", "")
    open_jobs = context.queue.store.open()
    content: dict[str, Any] = {"page": assets.word(), "in_host": context.in_host, "has_webui": context.host is not None}
    if context.host is not None:
        content["webui"] = context.host.word
    if project:
        try:
            content |= _project_state(context, project)
        except LorasmithError as error:  # jobs are seen and stopped all the same
            content["fault"] = str(error)
    content["jobs"] = [context.describe(job) for job in open_jobs]
    return fresh(content)


def _project_state(context: Context, project: str) -> dict[str, Any]:
    folder = context.projects.folder_of(project)
    ended = [job for job in context.queue.store.latest(folder, 8) if job.state not in OPEN]
    version, status = context.status_of(project)
    return {
        "version": version,
        "settings": settings_version(folder),
        "folder": str(folder),
        "trigger": status.trigger,
        "next": status.next,
        "advice": status.advice,
        "stages": [asdict(one) for one in status.stages],
        "last": [context.describe(job) for job in ended],
    }


def _view(context: Context, request: Request, body: Any) -> Response:
    stage = request.path_params["stage"]
    if stage not in {one.name for one in STAGES}:
        raise UsageError(f"There is no stage '{stage}'.")
    asked = request.query_params
    page = asked.get("page", "1")
    ask = Ask(
        asked.get("project", ""), int(page) if page.isdigit() else 1, asked.get("show", "all"), context.in_host
    )
    with Project.open(context.projects.folder_of(ask.id), writing=False) as project:
        return HTMLResponse(draw(project, stage, ask), headers={"cache-control": "no-store"})


def _inside(context: Context, request: Request) -> Path:
    """Gives the asked file when it lies, links followed, in one of the project's folders and is of a kind that is shown."""
    folder = context.projects.folder_of(request.path_params["project"]).resolve()
    named = request.path_params["file"]
    if any(mark in named for mark in "\\:\0") or named.startswith("/"):  # on Windows asking about \\host\x calls that host
        raise FileNotFoundError(named)
    file = (folder / named).resolve()
    if not any(file.is_relative_to(folder / name) for name in _FOLDERS) or file.suffix.lower() not in _TYPES:
        raise FileNotFoundError(file)
    if not file.is_file():
        raise FileNotFoundError(file)
    return file


def _thumb(context: Context, request: Request, body: Any) -> Response:
    side = request.query_params.get("side", "256")
    try:
        small = context.thumbs.get(_inside(context, request), int(side) if side.isdigit() else 256)
    except PictureError as error:
        return JSONResponse({"error": str(error)}, 415)
    return FileResponse(small, media_type="image/webp", headers=_KEPT if "v" in request.query_params else _ASKED_AGAIN)


def _file(context: Context, request: Request, body: Any) -> Response:
    return FileResponse(_inside(context, request), headers=_ASKED_AGAIN | {"content-security-policy": _NO_SCRIPT})


def _log(context: Context, request: Request, body: Any) -> Response:
    file = context.queue.log_of(request.path_params["job"])
    words = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return Response(words[-100_000:], media_type="text/plain; charset=utf-8")


def _decide(context: Context, request: Request, body: Any) -> Response:
    names, verdict = body.get("names"), body.get("verdict")
    if verdict not in ("keep", "drop") or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError("Send names (a list) and verdict (keep or drop).")
    folder = _folder(context, body)
    context.demand_idle(folder)
    with _BY_HAND, Project.open(folder, patience=5) as project:
        return JSONResponse({"changed": decide_by_hand(project, verdict, names)})


def _suggestion(context: Context, request: Request, body: Any) -> Response:
    """Takes a person's word on a crop: accept a box, refuse it, or leave the picture whole."""
    folder = _folder(context, body)
    context.demand_idle(folder)
    with _BY_HAND, Project.open(folder, patience=5) as project:
        return suggesting.decide(project, body)


def _touch_up(context: Context, request: Request, body: Any) -> Response:
    return touching.start(context, _folder(context, body), body)


def _recipe(context: Context, request: Request, body: Any) -> Response:
    with Project.open(_folder(context, body), writing=False) as project:
        return touching.keep(project, body)


def _change_prune(context: Context, request: Request, body: Any) -> Response:
    """Keeps, drops, keeps one twin instead of another, or puts the choosing of the best so many in the line."""
    folder, what = _folder(context, body), request.path_params["what"]
    context.demand_idle(folder)
    if what == "best":
        return prune_changing.choose_best(context, folder, body)
    with _BY_HAND, Project.open(folder, patience=5) as project:
        return prune_changing.change(context, folder, project, what, body)


def _change_research(context: Context, request: Request, body: Any) -> Response:
    """Changes the search, the minimum score, a tag's class, or info.md."""
    folder = _folder(context, body)
    context.demand_idle(folder)
    with _BY_HAND, Project.open(folder, patience=5) as project:
        return research_changing.change(project, request.path_params["what"], body)


def _change_tags(context: Context, request: Request, body: Any) -> Response:
    """Changes tags, captions' order, looks or a threshold, or says what that would do."""
    folder, what = _folder(context, body), request.path_params["what"]
    if tag_changing.is_preview(what):
        with Project.open(folder, writing=False) as project:
            return tag_changing.change(project, what, body)
    context.demand_idle(folder)
    with _BY_HAND, Project.open(folder, patience=5) as project:
        return tag_changing.change(project, what, body)


def _history(context: Context, request: Request, body: Any) -> Response:
    folder = _folder(context, body)
    context.demand_idle(folder)
    with _BY_HAND, Project.open(folder, patience=5) as project:
        entry = project.redo() if body.get("way") == "redo" else project.undo()
    return JSONResponse({"stage": entry.stage, "what": entry.what})


def _stop(context: Context, request: Request, body: Any) -> Response:
    context.queue.stop(int(body.get("job") or 0))
    return JSONResponse({"stopped": True})


def _forget(context: Context, request: Request, body: Any) -> Response:
    context.projects.forget(str(body.get("project", "")))
    return JSONResponse({"forgotten": True})


def _send(context: Context, request: Request, body: Any) -> Response:
    """Gives the prompt that uses a LoRA of the project in the WebUI, where it lies from now on."""
    name = str(body.get("lora", ""))
    if context.host is None:
        raise UsageError("There is no WebUI round this page.")
    with Project.open(_folder(context, body), writing=False) as project:
        if name not in {file.name for file in project.loras.glob("*.safetensors")}:
            raise FileNotFoundError(name)
        return JSONResponse({"prompt": context.host.prompt_for(project, project.loras / name)})


def _erase(context: Context, request: Request, body: Any) -> Response:
    """Keeps the painted mask in the project and puts the erasing in the line."""
    folder = _folder(context, body)
    name = str(body.get("name", ""))
    with Project.open(folder, writing=False) as project:
        project.pictures.get(name)
        masks = project.cache / "masks"
    mask = masks / f"{name}-{len(list(masks.glob('*.png'))) if masks.is_dir() else 0}.png"
    write_atomic(mask, _picture_data(str(body.get("mask", ""))))
    words = ["erase", str(folder), name, "--mask", str(mask)]
    if body.get("with") == "webui":
        words += ["--webui", f"--prompt={str(body.get('prompt', '')).replace(chr(0), ' ')}"]
    job = context.start(folder, words)
    return JSONResponse({"job": job.id})


def _picture_data(address: str) -> bytes:
    """Reads a `data:image/png;base64,...` address."""
    head, _, data = address.partition(",")
    if head != "data:image/png;base64" or len(data) > _LARGEST_MASK:
        raise UsageError("The mask is no PNG, or too large.")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise UsageError("The mask is no PNG.") from error


def _folder(context: Context, body: Any) -> Path:
    return context.projects.folder_of(str(body.get("project", "")))
