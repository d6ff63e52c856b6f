"""Passes `/lorasmith/…` of the host's web server on to the child, byte by byte as it comes: a plain ASGI object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.responses import Response

from lorasmith_webui import pages, paths, wire
from lorasmith_webui.access import HOST, Address, Door, comes_from_elsewhere, headers_of, own_origins, read_address
from lorasmith_webui.child import Child

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

LOOK_EVERY = 0.25  # seconds between two looks at whether the host stops
LAST_WORDS = 0.5  # seconds that the streams get to end when it does
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
TIMEOUTS = {"connect": 5.0, "read": None, "write": None, "pool": None}  # a training page may be silent for long


class ChildGone(Exception):
    """The child ended in the middle of a reply: the connection breaks, so that nobody takes half for the whole."""


class Passthrough:
    """One per start of the host's app: its client and its watcher live in that app's event loop."""

    def __init__(self, door: Door, child: Child, host_stops: Callable[[], bool], subpath: str) -> None:
        self.door = door
        self.child = child
        self.host_stops = host_stops
        self.subpath = subpath
        self._client: httpx.AsyncClient | None = None
        self._down: asyncio.Event | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        visit = self.let_in(scope, headers)
        if isinstance(visit, Response):
            await visit(scope, receive, send)
            return
        try:
            request, body = self.request_for(scope, visit, receive)
        except paths.Refused as why:
            await pages.bad_request(headers, str(why))(scope, receive, send)
            return
        if request is None:
            await self.not_running(scope, headers)(scope, receive, send)
            return
        client = self.client()
        if self._down is not None and self._down.is_set():  # the client is being closed
            await self.not_running(scope, headers)(scope, receive, send)
            return
        exchange = Exchange(client, request, body, visit, lambda: self.not_running(scope, headers))
        await exchange.run(scope, receive, send, self._down)

    # Who comes in

    def let_in(self, scope: Any, headers: dict[str, str]) -> Address | Response:
        """Returns the visitor's address, or the reply to whoever has none: the cookie for a token, else a refusal."""
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        if "t" in query and scope["method"] == "GET" and scope["path"].endswith("/lorasmith/"):
            return self.hand_cookie(query, headers)
        visitor = self.door.visitor(headers)
        if visitor is None or comes_from_elsewhere(headers, {visitor.origin}):
            return pages.refused(headers)
        if scope["method"] not in METHODS or "websocket" in headers.get("upgrade", "").lower():
            return pages.reply(headers, 405, "This kind of request is not passed on", "")
        return visitor

    def hand_cookie(self, query: dict[str, str], headers: dict[str, str]) -> Response:
        """Returns the cookie and the way to the same page without the token."""
        address = read_address(query["b"]) if "b" in query else self.address_of(headers)
        elsewhere = comes_from_elsewhere(headers, {*own_origins(headers), *([address.origin] if address else [])})
        if not self.door.knows(query["t"]) or address is None or elsewhere:
            return pages.refused(headers)
        rest = urlencode([(name, value) for name, value in query.items() if name not in ("t", "b")])
        clean = {
            "Location": "./" + ("?" + rest if rest else ""),
            "Set-Cookie": self.door.cookie(address),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        }
        return Response(status_code=303, headers=clean)

    def address_of(self, headers: dict[str, str]) -> Address | None:
        """Returns where a browser without our script sees us, as far as the request tells."""
        host = headers.get("host", "")
        return read_address(f"http://{host}{self.subpath}/lorasmith/") if HOST.fullmatch(host) else None

    # What goes on

    def request_for(
        self, scope: Any, visitor: Address, receive: Receive
    ) -> tuple[httpx.Request | None, Body]:
        """Returns the request for the child (None while it is down) and the body that is read for it."""
        target = paths.target(scope)
        headers = wire.lowered(scope["headers"])
        length = wire.length_of_body(headers)
        body = Body(receive, expected=length != 0)
        words = wire.for_child(headers, visitor, self.child.key, length)
        base = self.child.base
        if base is None:
            return None, body
        content = body.chunks() if length != 0 else None
        request = httpx.Request(
            scope["method"], base + target, headers=words, content=content, extensions={"timeout": TIMEOUTS}
        )
        return request, body

    def not_running(self, scope: Any, headers: dict[str, str]) -> Response:
        """Returns the reply while the child is down, and starts it where nobody has."""
        self.child.ensure()
        return pages.not_running(headers, self.child.why, dark=b"__theme=dark" in scope.get("query_string", b""))

    def client(self) -> httpx.AsyncClient:
        """Returns this event loop's client; the first call also starts the watcher that ends all when the host stops."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=8)
            self._client = httpx.AsyncClient(trust_env=False, limits=limits, verify=False)
            self._down = asyncio.Event()
            self._watcher = asyncio.ensure_future(self._watch())
        return self._client

    async def _watch(self) -> None:
        """Ends every stream once the host stops: it waits for open connections, and ours may be endless."""
        while not self.host_stops():
            await asyncio.sleep(LOOK_EVERY)
        self._down.set()  # type: ignore[union-attr]
        try:
            await asyncio.sleep(LAST_WORDS)
        finally:  # also where the loop ends first
            with suppress(RuntimeError):  # what is still under way breaks
                await self._client.aclose()  # type: ignore[union-attr]


class Body:
    """The browser's request body, and afterwards the word that the browser has gone."""

    def __init__(self, receive: Receive, expected: bool) -> None:
        self._receive = receive
        self._read = asyncio.Event()
        if not expected:
            self._read.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the body as it arrives; nothing is gathered."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise httpx.ReadError("the browser has gone")
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self._read.set()

    def over(self) -> None:
        """Says that nobody reads the body any more: whatever of it is left goes to browser_gone."""
        self._read.set()

    async def browser_gone(self) -> None:
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Exchange:
    """One request and its reply; ends when the reply, the browser, or the host ends, whichever is first."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        request: httpx.Request,
        body: Body,
        address: Address,
        not_running: Callable[[], Response],
    ) -> None:
        self.client = client
        self.request = request
        self.body = body
        self.address = address
        self.not_running = not_running
        self.begun = False  # the reply's head has been sent
        self.sized = False  # the reply has announced its length
        self.ended = False  # all of the reply has been sent

    async def run(self, scope: Any, receive: Receive, send: Send, down: asyncio.Event | None) -> None:
        answer = asyncio.ensure_future(self.answer(scope, receive, send))
        others = [asyncio.ensure_future(self.body.browser_gone())]
        if down is not None:
            others.append(asyncio.ensure_future(down.wait()))
        try:
            await asyncio.wait([answer, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answer, *others):
                if not task.done():
                    task.cancel()
            ends = await asyncio.gather(answer, *others, return_exceptions=True)
        if isinstance(ends[0], Exception):
            raise ends[0]
        if not self.begun:  # nobody may be there to read it, but layers of the host take silence for a fault
            await self.say_not_running(scope, receive, send)
        elif down is not None and down.is_set() and not self.ended and not self.sized:
            # The host stops. A reply of announced length cannot end well and just breaks.
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def say_not_running(self, scope: Any, receive: Receive, send: Send) -> None:
        self.begun = self.ended = True
        await self.not_running()(scope, receive, send)

    async def answer(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            response = await self.client.send(self.request, stream=True)
        except httpx.TransportError:
            self.body.over()
            await self.say_not_running(scope, receive, send)
            return
        self.body.over()
        try:
            headers = wire.for_browser(response.headers.raw, self.address)
            self.sized = any(name == b"content-length" for name, _ in headers)
            self.begun = True
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self.ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except httpx.TransportError as error:
            raise ChildGone("lorasmith's UI ended in the middle of a reply") from error
        finally:
            await asyncio.shield(response.aclose())
