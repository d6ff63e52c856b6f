"""The routes under /lorasmith-host/: JSON over `powers`, for our own child process alone (its token, loopback).

Everything that can take long runs in a thread of its own: the host's event loop serves the person's page meanwhile.
The threads are daemons, so that one that waits for a picture of an hour does not keep a host alive that was stopped.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lorasmith_webui import powers
from lorasmith_webui.asked import Asked, HostError
from lorasmith_webui.powers import restore_gpu_if_given_back
from lorasmith_webui.tasks import WAITING, Task

__all__ = ["restore_gpu_if_given_back", "routes"]

_PREFIX = "/lorasmith-host/"
_TOKEN = "X-Lorasmith-Token"  # noqa: S105 - the name of the header
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded")
_LARGEST_BODY = 256_000_000  # bytes: two pictures of 64 million pixels, well packed
_LOOK_EVERY = 0.2  # seconds between looks at whether the client is still there
_log = logging.getLogger("lorasmith")

Work = Callable[["dict[str, Any]"], "dict[str, Any]"]
Answer = Callable[[Request, "dict[str, Any]"], "Awaitable[dict[str, Any]]"]


class _Guard(NamedTuple):
    """Who may ask (whoever knows the token, which is looked up at each request), and until when (the host stops)."""

    token: Callable[[], str]
    host_stops: Callable[[], bool]

    def demand_open(self) -> None:
        """Refuses while the host stops or reloads: it waits for every request under way, for as long as that takes."""
        if self.host_stops():
            raise HostError(409, "closing", "The WebUI is stopping or reloading; try again when it is back.")


def routes(token: Callable[[], str], host_stops: Callable[[], bool] = lambda: False) -> list[Route]:
    """Gives the routes, to stand before the host's own; both questions are asked again and again."""
    made: list[Route] = []
    guard = _Guard(token, host_stops)
    for path, (method, work) in _table().items():
        made += _route(path, method, _short(guard, work))
    made += _route("progress", "GET", _short(guard, lambda body: powers.progress(str(body.get("task", "")))))
    made += _route("render", "POST", _drawing(guard, inpainting=False))
    made += _route("inpaint", "POST", _drawing(guard, inpainting=True))

    async def unknown(request: Request) -> Response:
        refused = _refusal(request, token())
        return refused or _error(HostError(404, "unknown", f"The bridge has no {request.method} {request.url.path}."))

    anything = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    for start in ("", "/{before:path}"):
        made.append(Route(f"{start}{_PREFIX}{{rest:path}}", unknown, methods=anything))
    return made


def _table() -> dict[str, tuple[str, Work]]:
    return {
        "status": ("GET", lambda body: powers.status()),
        "checkpoints": ("GET", lambda body: {"checkpoints": powers.checkpoints()}),
        "checkpoint": ("POST", lambda body: {"checkpoint": powers.switch(_needed(body, "title"))}),
        "loras": ("GET", lambda body: powers.loras()),
        "loras/refresh": ("POST", lambda body: powers.refresh_loras()),
        "interrupt": ("POST", lambda body: {"interrupted": powers.interrupt(_needed(body, "task"))}),
        "gpu/release": ("POST", lambda body: {"gpu": powers.release_gpu()}),
        "gpu/restore": ("POST", lambda body: {"gpu": powers.restore_gpu()}),
    }


def _needed(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise HostError(400, "bad", f"The request names no '{name}'.")
    return value


def _route(path: str, method: str, endpoint: Any) -> list[Route]:
    # Under the host's --subpath older Starlettes leave the sub-path on the front of the path, newer ones cut it off.
    return [Route(f"{start}{_PREFIX}{path}", endpoint, methods=[method]) for start in ("", "/{before:path}")]


def _endpoint(guard: _Guard, answer: Answer) -> Any:
    async def endpoint(request: Request) -> Response:
        refused = _refusal(request, guard.token())
        if refused is not None:
            return refused
        try:
            return JSONResponse(await answer(request, await _body(request)))
        except HostError as error:
            return _error(error)

    return endpoint


def _short(guard: _Guard, work: Work) -> Any:
    async def answer(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        guard.demand_open()
        thread = _Thread(lambda: work(body))
        while not await thread.is_done(within=_LOOK_EVERY):
            guard.demand_open()
        result: dict[str, Any] = await thread.result()
        return result

    return _endpoint(guard, answer)


def _drawing(guard: _Guard, inpainting: bool) -> Any:
    async def answer(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        asked = await _Thread(lambda: _understood(body, inpainting)).result()
        guard.demand_open()
        task = powers.tasks.add(asked.task, asked.steps)
        if task is None:
            raise HostError(400, "bad", f"A task named '{asked.task}' is under way; choose another name.")
        return await _drawn(request, asked, task, guard)

    return _endpoint(guard, answer)


def _understood(body: dict[str, Any], inpainting: bool) -> Asked:
    try:
        return Asked(body, inpainting)
    except (TypeError, ValueError, AttributeError) as error:  # the request's fault and not the host's
        raise HostError(400, "bad", f"The request cannot be understood: {error}") from error


async def _drawn(request: Request, asked: Asked, task: Task, guard: _Guard) -> dict[str, Any]:
    """Waits for a picture; calls it off when the host stops, or the client has gone or has waited longer than it would."""
    thread = _Thread(lambda: powers.draw(asked, task))
    going = asyncio.ensure_future(_gone(request))
    try:
        while not await thread.is_done(within=_LOOK_EVERY):
            if guard.host_stops() or (going.done() and not going.cancelled() and going.exception() is None):
                powers.interrupt(task.name)
            guard.demand_open()
            powers.keep_interrupting(task)
            waited = time.monotonic() - task.began_waiting
            if task.state == WAITING and waited > asked.patience and powers.interrupt(task.name):
                sentence = f"The WebUI has been busy for {waited:.0f} seconds; the picture was called off."
                raise HostError(503, "busy", sentence)
    finally:
        going.cancel()
    result: dict[str, Any] = await thread.result()
    return result


async def _gone(request: Request) -> None:
    """Waits until the client has closed the connection.

    `request.is_disconnected()` never says so on Starlette 0.26 behind a middleware like that of the host's `--api`.
    """
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Thread:
    """A daemon thread whose result the event loop can wait for; every fault comes out as a `HostError`."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._value: Any = None
        ended = HostError(500, "failed", "The WebUI ended the work without a word; its console may say why.")
        self._error: HostError | None = ended  # until something else is known
        threading.Thread(target=self._run, name="lorasmith: bridge", daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._work()
            self._error = None
        except HostError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - the host's own faults are of any kind
            _log.exception("lorasmith asked the host for something, and it failed")
            self._error = _host_failed(error)
        finally:  # also after what is no Exception, such as SystemExit: else the request would wait for ever
            with suppress(RuntimeError):  # the host's loop has ended meanwhile: nobody waits any more
                self._loop.call_soon_threadsafe(self._done.set)

    async def is_done(self, within: float) -> bool:
        """Tells whether the work is done, or has got done within so many seconds."""
        try:
            await asyncio.wait_for(self._done.wait(), within)
        except asyncio.TimeoutError:  # noqa: UP041 - another class before Python 3.11
            return False
        return True

    async def result(self) -> Any:
        """Waits for the work, and gives what it gave."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


def _host_failed(error: Exception) -> HostError:
    said = f"{type(error).__name__}: {error}"[:300]
    if "OutOfMemory" in said or "out of memory" in said:
        sentence = "The WebUI is out of GPU memory; draw smaller pictures, or close other programs."
        return HostError(500, "memory", sentence)
    return HostError(500, "failed", f"The WebUI failed: {said}")


async def _body(request: Request) -> dict[str, Any]:
    """Reads the JSON of a POST, or the words of the address of a GET."""
    if request.method == "GET":
        return dict(request.query_params)
    if int(request.headers.get("content-length") or 0) > _LARGEST_BODY:
        raise HostError(400, "bad", "The request is too large.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _LARGEST_BODY:
            raise HostError(400, "bad", "The request is too large.")
        parts.append(part)
    data = b"".join(parts)
    if not data:
        return {}
    body: dict[str, Any] = await _Thread(lambda: _parsed(data)).result()
    return body


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError as error:
        raise HostError(400, "bad", "The request is not JSON.") from error
    if not isinstance(body, dict):
        raise HostError(400, "bad", "The request is not a JSON object.")
    return body


def _refusal(request: Request, token: str) -> Response | None:
    """Refuses whoever is not our own child: another machine, a reverse proxy's client, a wrong token."""
    given = request.headers.get(_TOKEN, "")
    if not _is_this_machine(request) or any(name in request.headers for name in _FORWARDED):
        return _error(HostError(403, "refused", "The bridge answers this machine alone."))
    if not token or not hmac.compare_digest(given.encode("utf-8"), token.encode("utf-8")):
        return _error(HostError(403, "refused", "The bridge answers lorasmith's own process alone (wrong token)."))
    return None


def _is_this_machine(request: Request) -> bool:
    """Tells whether the caller sits here: on loopback, or at the very address that the server listens on."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client is not None else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if (mapped or address).is_loopback:
        return True
    # A host started with --server-name 192.168.1.5 is asked at that address, and then both ends have it.
    server = request.scope.get("server")
    return bool(server) and str(address) == server[0]


def _error(error: HostError) -> JSONResponse:
    return JSONResponse({"error": error.sentence, "kind": error.kind}, status_code=error.status)
