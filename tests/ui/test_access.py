"""The gate: who may ask the page, on this machine, in a network, and inside a WebUI."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lorasmith.ui.access import Access, Gate

KEY = "k" * 32
PASSWORD = "a long password"


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    access: Access, headers: Mapping[str, str], method: str = "GET", path: str = "/", body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Sends one request through the gate."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs}
    asyncio.run(access(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7870"}, 200),
        ({"host": "localhost:7870"}, 200),
        ({"host": "[::1]:7870"}, 200),
        ({"host": "evil.example"}, 403),  # a name that was bound to 127.0.0.1
        ({"host": "127.0.0.1.evil.example:7870"}, 403),
        ({}, 403),
        ({"host": "127.0.0.1:7870", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"host": "127.0.0.1:7870", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),  # a link
        ({"host": "127.0.0.1:7870", "sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_on_this_machine_only_the_page_itself_may_ask(headers: Mapping[str, str], status: int) -> None:
    assert ask(Access(inner, Gate()), headers)[0] == status


def test_a_form_of_a_foreign_page_is_refused_and_the_pages_own_is_not() -> None:
    gate = Access(inner, Gate())
    host = {"host": "127.0.0.1:7870"}
    assert ask(gate, host | {"origin": "http://evil.example"}, "POST")[0] == 403
    assert ask(gate, host | {"origin": "null"}, "POST")[0] == 403
    assert ask(gate, host | {"origin": "http://127.0.0.1:9999"}, "POST")[0] == 403  # another program's page
    assert ask(gate, host | {"origin": "http://127.0.0.1:7870"}, "POST")[0] == 200


@pytest.mark.parametrize(("key", "status"), [(KEY, 200), ("", 403), (KEY[:-1], 403), (KEY + "k", 403)])
def test_inside_a_webui_only_the_key_opens(key: str, status: int) -> None:
    headers = {"host": "anything"} | ({"x-lorasmith-key": key} if key else {})
    assert ask(Access(inner, Gate(key=KEY)), headers)[0] == status


def test_in_a_network_the_password_buys_a_cookie_that_scripts_cannot_read() -> None:
    gate = Access(inner, Gate(password=PASSWORD))
    host = {"host": "192.0.2.7:7870", "accept": "text/html"}
    status, _, page = ask(gate, host)
    assert status == 401 and b'type="password"' in page
    form = b"password=a+long+password"
    status, headers, _ = ask(gate, host | {"origin": "http://192.0.2.7:7870"}, "POST", "/login", form)
    assert status == 303 and "HttpOnly" in headers["set-cookie"] and "SameSite=Strict" in headers["set-cookie"]
    cookie = headers["set-cookie"].split(";")[0]
    assert ask(gate, host | {"cookie": cookie})[0] == 200
    forged = cookie[:-1] + ("1" if cookie.endswith("0") else "0")
    assert ask(gate, host | {"cookie": forged})[0] == 401
    assert ask(Access(inner, Gate(password=PASSWORD)), host | {"cookie": cookie})[0] == 401  # another start
    assert ask(gate, host | {"cookie": cookie, "origin": "http://evil.example"}, "POST")[0] != 200


def test_a_wrong_password_is_told_and_lets_nobody_in() -> None:
    gate = Access(inner, Gate(password=PASSWORD))
    status, headers, page = ask(gate, {"host": "h"}, "POST", "/login", b"password=wrong")
    assert status == 403 and b"not the password" in page and "set-cookie" not in headers
    assert ask(gate, {"host": "h"}, "POST", "/login", b"x" * 100_000)[0] == 403
    assert ask(gate, {"host": "h"}, "GET", "/api/state")[:1] == (401,)


def test_nothing_speaks_websocket() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Access(inner, Gate())({"type": "websocket", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
