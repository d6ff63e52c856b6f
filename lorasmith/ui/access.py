"""Who may ask: one gate before every route, also before Gradio's own.

Three kinds of gate. On the loopback address: only pages of this very server (a foreign page in the same browser could
else send requests, and a foreign name could be bound to 127.0.0.1). On the network: a password, then a cookie. Inside a
WebUI: a key in a header, known to the WebUI's pass-through alone.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY_HEADER = "x-lorasmith-key"
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_LONGEST_FORM = 4096  # bytes of a log-in form
_MOST_WAITING = 20  # log-ins in line; more are wrong without being looked at
_WRONG_WAIT = 1.0  # seconds that a wrong password costs
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>lorasmith</title><style>body{{font:16px system-ui;display:grid;place-items:center;min-height:90vh;background:#18181b;
color:#eee}}form{{display:grid;gap:12px;width:280px}}input,button{{font:inherit;padding:8px}}p{{color:#fca5a5;margin:0}}</style>
<form method="post" action="login"><b>lorasmith</b><p>{word}</p>
<input type="password" name="password" placeholder="password" autofocus autocomplete="current-password">
<button>Log in</button></form></html>"""


@dataclass(frozen=True)
class Gate:
    """What opens the door: a key, a password, or neither on the loopback address."""

    key: str = ""
    password: str = ""


class Access:
    """The gate as ASGI middleware."""

    def __init__(self, app: Any, gate: Gate) -> None:
        self._app = app
        self._gate = gate
        self._secret = secrets.token_bytes(32)
        self._slow = asyncio.Lock()
        self._waiting = 0  # log-ins that stand in line

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Lets a request through or answers it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:  # nothing of ours speaks WebSocket
                await send({"type": "websocket.close", "code": 1008})
            return
        headers = _headers(scope)
        if self._gate.key:
            allowed = hmac.compare_digest(headers.get(KEY_HEADER, "").encode(), self._gate.key.encode())
            if not allowed:
                await _answer(send, 403, {"error": "This address is for the WebUI's tab alone."})
                return
        elif self._gate.password:
            if not self._knows(headers) or not _same_site(scope["method"], headers):
                await self._ask_password(scope, receive, send, headers)
                return
        elif not _is_local(headers) or not _same_site(scope["method"], headers):
            await _answer(send, 403, {"error": "Only pages of lorasmith itself may ask; open its own address."})
            return
        await self._app(scope, receive, send)

    # the password

    def _knows(self, headers: Mapping[str, str]) -> bool:
        # by hand: Python's own parser gives up at another program's cookie that is no word, and ports share their cookies
        pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
        name = self._cookie_name(headers)
        return any(key == name and hmac.compare_digest(shown.encode(), self._token().encode()) for key, _, shown in pairs)

    def _cookie_name(self, headers: Mapping[str, str]) -> str:
        """Gives a name of its own for each address: cookies are not kept apart by port."""
        return "lorasmith_" + hashlib.sha256(headers.get("host", "").encode()).hexdigest()[:8]

    def _token(self) -> str:
        return hmac.new(self._secret, b"logged in", hashlib.sha256).hexdigest()

    async def _ask_password(self, scope: Any, receive: Any, send: Any, headers: Mapping[str, str]) -> None:
        if (scope["method"], scope["path"]) == ("POST", "/login") and _same_site("POST", headers):
            if await self._is_right(receive):
                cookie = f"{self._cookie_name(headers)}={self._token()}; Path=/; HttpOnly; SameSite=Strict"
                await _start(send, 303, [(b"location", b"./"), (b"set-cookie", cookie.encode())])
                await send({"type": "http.response.body", "body": b""})
                return
            await _answer_page(send, 403, "That is not the password.")
        elif "text/html" in headers.get("accept", ""):
            await _answer_page(send, 401, "")
        else:
            await _answer(send, 401, {"error": "Log in first."})

    async def _is_right(self, receive: Any) -> bool:
        body = b""
        more = True
        while more and len(body) <= _LONGEST_FORM:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        given = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
        if self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        try:
            async with self._slow:  # before the comparing: guesses sent at once are answered one after the other
                if hmac.compare_digest(given.encode(), self._gate.password.encode()):
                    return True
                await asyncio.sleep(_WRONG_WAIT)
                return False
        finally:
            self._waiting -= 1


def _headers(scope: Any) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _is_local(headers: Mapping[str, str]) -> bool:
    return _host_name(headers.get("host", "")) in _LOCAL


def _host_name(address: str) -> str:
    try:
        return (urlsplit(f"//{address}").hostname or "").lower()
    except ValueError:
        return ""


def _same_site(method: str, headers: Mapping[str, str]) -> bool:
    """Says whether a request comes from a page of this server: by what browsers send, which pages cannot forge."""
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return False
    origin = headers.get("origin", "")
    if method in ("GET", "HEAD") or not origin:
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


async def _start(send: Any, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _answer(send: Any, status: int, content: Mapping[str, str]) -> None:
    await _start(send, status, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")])
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


async def _answer_page(send: Any, status: int, word: str) -> None:
    await _start(send, status, [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")])
    await send({"type": "http.response.body", "body": _PAGE.format(word=word).encode()})
