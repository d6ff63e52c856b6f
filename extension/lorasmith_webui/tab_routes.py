"""`/lorasmith-tab/`: what the tab's own script asks and orders; only with the token of the tab's HTML in a header."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lorasmith_webui import host_flags
from lorasmith_webui.access import Door, comes_from_elsewhere
from lorasmith_webui.memory import Memory

HEADERS = {"Cache-Control": "no-store"}
HEALTH_TIMEOUT = 3.0  # seconds
HEALTH_KEPT = 1.0  # seconds: many pages, one question to the child
NO_INDEX = (
    "This WebUI does not let its visitors choose what is installed: leave the address of the torch builds empty, or run "
    "`python install.py --torch-index ADDRESS setup` on the WebUI's machine."
)
NOT_SET_UP = "LoRA Smith cannot be started before it is set up."

Answer = Callable[[Request], Awaitable[JSONResponse]]


class TabRoutes:
    """The routes of one start of the host's app."""

    def __init__(self, memory: Memory, door: Door) -> None:
        self.memory = memory
        self.door = door
        self._health: tuple[float, dict[str, Any]] = (-9.0, {})

    def routes(self) -> list[Route]:
        table: list[tuple[str, Answer, str]] = [
            ("open", self.open, "POST"),
            ("status", self.status, "GET"),
            ("log", self.log, "GET"),
            ("restart", self.restart, "POST"),
            ("setup/start", self.start, "POST"),
            ("setup/cancel", self.cancel, "POST"),
            ("setup/look", self.look, "POST"),
        ]
        return [Route("/lorasmith-tab/" + path, self._guarded(answer), methods=[word]) for path, answer, word in table]

    def _guarded(self, answer: Answer) -> Answer:
        async def guarded(request: Request) -> JSONResponse:
            headers = {name.lower(): value for name, value in request.headers.items()}
            # A foreign page can send neither this header nor read the token; Origin is not asked, since a reverse
            # proxy may show us under a name that we do not know.
            headers.pop("origin", None)
            known = self.door.knows(headers.get("x-lorasmith-tab", ""))
            if not known or comes_from_elsewhere(headers, set()):
                return JSONResponse({"error": "The WebUI was started anew: reload its page."}, 403, HEADERS)
            return await answer(request)

        return guarded

    # Answers

    async def open(self, request: Request) -> JSONResponse:
        """The tab is on view: starts the child where lorasmith is set up, else looks for a Python to set it up with."""
        if await self._needs_setting_up():
            await asyncio.get_running_loop().run_in_executor(None, self.memory.setting_up.look)
        else:
            self.memory.child.ensure()
        return await self.status(request)

    async def status(self, request: Request) -> JSONResponse:
        child = self.memory.child
        needed = await self._needs_setting_up()
        told: dict[str, Any] = {
            "setup_needed": needed,
            "child": {"state": child.state, "pid": child.pid, "version": child.version, "why": child.why},
            "open_to_all": host_flags.is_open_to_all(),
        }
        if needed or self.memory.setting_up.state == "running":
            told["setup"] = {**self.memory.setting_up.told(), "may_name_sources": host_flags.may_name_sources()}
        if child.base:
            told["health"] = await self._ask_health(child.base)
        if child.state in ("given up", "waiting"):
            told["last"] = child.log.last()
        return JSONResponse(told, headers=HEADERS)

    async def log(self, request: Request) -> JSONResponse:
        of = self.memory.setting_up if request.query_params.get("of") == "setup" else self.memory.child
        after = request.query_params.get("after", "0")
        lines, newest = of.log.since(int(after) if after.isdecimal() else 0)
        return JSONResponse({"lines": lines, "newest": newest, "file": str(of.log.file or "")}, headers=HEADERS)

    async def restart(self, request: Request) -> JSONResponse:
        if not await asyncio.get_running_loop().run_in_executor(None, self.memory.child.restart):
            return JSONResponse({"error": NOT_SET_UP}, 409, HEADERS)
        return await self.status(request)

    async def start(self, request: Request) -> JSONResponse:
        words = await self._json(request)
        index = str(words.get("torch_index", "")).strip()
        why_not = NO_INDEX if index and not host_flags.may_name_sources() else ""
        if not why_not:
            loop = asyncio.get_running_loop()
            why_not = await loop.run_in_executor(None, self.memory.setting_up.start, index)
        if why_not:
            return JSONResponse({"error": why_not}, 409, HEADERS)
        return await self.status(request)

    async def cancel(self, request: Request) -> JSONResponse:
        self.memory.setting_up.cancel()
        return await self.status(request)

    async def look(self, request: Request) -> JSONResponse:
        await asyncio.get_running_loop().run_in_executor(None, self.memory.setting_up.look, True)
        return await self.status(request)

    # Their parts

    async def _needs_setting_up(self) -> bool:
        """A child that runs is proof enough; else install.py is asked, which reads a few files."""
        if self.memory.child.state in ("starting", "running", "stopping"):
            return False
        return await asyncio.get_running_loop().run_in_executor(None, self.memory.setting_up.is_needed)

    async def _ask_health(self, base: str) -> dict[str, Any]:
        """Returns the child's own words about itself and its jobs; empty where it does not answer in time."""
        asked, said = self._health
        if time.monotonic() - asked < HEALTH_KEPT:
            return said
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=HEALTH_TIMEOUT, verify=False) as client:
                reply = await client.get(base + "/api/health", headers={"X-Lorasmith-Key": self.memory.child.key})
                said = dict(reply.json()) if reply.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            said = {}
        self._health = (time.monotonic(), said)
        return said

    @staticmethod
    async def _json(request: Request) -> dict[str, Any]:
        try:
            words = await request.json()
        except ValueError:
            return {}
        return words if isinstance(words, dict) else {}
