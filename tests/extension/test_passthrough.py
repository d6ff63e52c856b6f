"""The pass-through in a running stand-in host of each kind: who is let in, what streams, and bad days."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.extension.webui import Webui, memory_of, until

MEGABYTE = 1_000_000


@pytest.fixture
def browser(shared_host: Webui) -> Iterator[httpx.Client]:
    with shared_host.visitor() as client:
        yield client


def streams(browser: httpx.Client) -> int:
    return int(browser.get("/lorasmith/streams").json()["open"])


# Who is let in


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(shared_host: Webui) -> None:
    query = {"t": shared_host.token, "b": shared_host.address + "/lorasmith/", "__theme": "dark"}
    reply = httpx.get(shared_host.address + "/lorasmith/", params=query, trust_env=False)
    assert reply.status_code == 303
    assert reply.headers["location"] == "./?__theme=dark"
    assert shared_host.token not in reply.headers["set-cookie"]
    assert "; Path=/lorasmith; HttpOnly; SameSite=Strict" in reply.headers["set-cookie"]


def test_nobody_comes_in_without_a_cookie_with_a_wrong_token_or_with_a_cookie_of_another_start(shared_host: Webui) -> None:
    ask = httpx.Client(base_url=shared_host.address, trust_env=False)
    name, _, value = shared_host.cookie().partition("=")
    of_another_start = f"{name}={value[:-64]}{'0' * 64}"
    for path, headers in [
        ("/lorasmith/", {}),
        ("/lorasmith/api/health", {}),
        ("/lorasmith/?t=wrong", {}),
        ("/lorasmith/?t=", {}),
        ("/lorasmith/", {"Cookie": of_another_start}),
        ("/lorasmith/", {"Cookie": f"{name}="}),
        ("/lorasmith/", {"X-Lorasmith-Key": "guess", "X-Forwarded-For": "127.0.0.1"}),
        (f"/lorasmith/?t={shared_host.token}&b=http://evil.example/", {}),
        (f"/lorasmith/?t={shared_host.token}", {"Sec-Fetch-Site": "cross-site"}),
    ]:
        assert ask.get(path, headers=headers).status_code == 403, (path, headers)
    assert ask.get("/lorasmith/x", headers={"Accept": "text/html"}).text.startswith("<!doctype html>")
    assert "error" in ask.get("/lorasmith/x").json()


def test_a_page_of_another_site_gets_nothing_though_the_browser_has_the_cookie(browser: httpx.Client) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        assert browser.get("/lorasmith/echo", headers=headers).status_code == 403
    assert browser.get("/lorasmith/echo", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_strange_number_of_a_line_of_the_log_is_no_fault(shared_host: Webui) -> None:
    for after in ("\N{SUPERSCRIPT TWO}", "-1", "x", ""):
        assert shared_host.tab(f"log?after={after}").status_code == 200


def test_the_tabs_own_routes_want_the_token_in_a_header(shared_host: Webui) -> None:
    for path, words in [("status", None), ("log", None), ("restart", {}), ("setup/start", {}), ("open", {})]:
        for token in ("", "wrong"):
            assert shared_host.tab(path, words, token).status_code == 403
    with shared_host.visitor() as visitor:  # the cookie is for the frame, not for the tab
        assert visitor.post("/lorasmith-tab/restart").status_code == 403
        headers = {"X-Lorasmith-Tab": shared_host.token, "Sec-Fetch-Site": "cross-site"}
        assert visitor.get("/lorasmith-tab/status", headers=headers).status_code == 403


def test_the_childs_own_port_is_shut_to_those_without_its_key(shared_host: Webui, browser: httpx.Client) -> None:
    said = [line for line in shared_host.tab("log").json()["lines"] if "is ready on port" in line][-1]
    port = int(said.split("port ")[1].split(",")[0])
    assert httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False).status_code == 403
    assert browser.get("/lorasmith/api/health").status_code == 200


def test_the_prefix_without_its_slash_leads_to_the_one_with_it(browser: httpx.Client) -> None:
    reply = browser.get("/lorasmith")
    assert (reply.status_code, reply.headers["location"]) == (307, "lorasmith/")


# Tricks


@pytest.mark.parametrize(
    "target",
    [
        "/lorasmith/../config", "/lorasmith/%2e%2e/config", "/lorasmith/%252e%252e/x", "/lorasmith/..%2fconfig",
        "/lorasmith//evil.example/", "/lorasmith/%2f%2fevil.example", "/lorasmith/http://evil.example/",
        "/lorasmith/a\\b", "/lorasmith/%5c%5cevil", "/lorasmith/%00", "/lorasmith/a%0d%0ax", "//lorasmith/../lorasmith//x",
    ],
)  # fmt: skip
def test_a_trick_in_the_address_never_reaches_the_child(shared_host: Webui, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {shared_host.cookie()}\r\nConnection: close\r\n\r\n"
    status = shared_host.raw(request.encode()).split(b" ")[1]
    assert status in (b"400", b"404")  # 404: not even taken for ours


def test_an_absolute_address_leads_nowhere_but_to_the_child(shared_host: Webui) -> None:
    request = "GET http://evil.example/lorasmith/echo HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n"
    reply = shared_host.raw(f"{request}Cookie: {shared_host.cookie()}\r\n\r\n".encode())
    if b" 200 " in reply.split(b"\r\n")[0]:
        assert b"evil" not in reply
    else:
        assert reply.split(b" ")[1] in (b"400", b"403", b"404")


def test_names_keep_their_spelling_on_the_way(browser: httpx.Client) -> None:
    for path in ("/echo/a%20b%2Fc", "/echo/%E3%83%9B", "/echo/x;y=1", "/echo/100%25"):
        said = browser.get(f"/lorasmith{path}?q=%20a+b&t=1").json()
        assert (said["path"], said["query"]) == (path, "q=%20a+b&t=1")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 0x5",
    ],
)
def test_a_smuggled_request_is_refused_or_harmless(shared_host: Webui, headers: str) -> None:
    hidden = f"GET /lorasmith/echo/smuggled HTTP/1.1\r\nHost: x\r\nCookie: {shared_host.cookie()}\r\n\r\n"
    body = f"0\r\n\r\n{hidden}"
    request = (
        f"POST /lorasmith/echo/first HTTP/1.1\r\nHost: x\r\nCookie: {shared_host.cookie()}\r\n{headers}\r\n\r\n{body}"
    )
    reply = shared_host.raw(request.encode(), wait=1)
    assert reply.count(b"HTTP/1.1 200") <= (1 if b"smuggled" not in reply else 2)
    for piece in reply.split(b"HTTP/1.1 ")[1:]:
        # Whatever the host's server takes for a second request must have come through our door by itself.
        assert piece[:3] in (b"200", b"400", b"403", b"404", b"405", b"501"), piece[:80]
        assert b"first" not in piece or b"GET /lorasmith" not in piece.split(b'"body"')[-1]


def test_what_the_outside_says_of_itself_does_not_reach_the_child(shared_host: Webui, browser: httpx.Client) -> None:
    lies = {
        "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "Forwarded": "host=e",
        "X-Lorasmith-Key": "guess", "X-Gradio-Server": "http://evil.example", "Authorization": "Basic eA==",
        "Connection": "keep-alive, X-Private", "X-Private": "1", "TE": "trailers", "X-Honest": "yes",
    }  # fmt: skip
    sent = browser.get("/lorasmith/echo", headers=lies).json()["headers"]
    names = [name for name, _ in sent]
    values = dict(sent)
    assert len(names) == len(set(names))
    assert not {"cookie", "authorization", "forwarded", "x-gradio-server", "x-private", "te", "connection"} & set(names)
    assert values["host"] == values["x-forwarded-host"] == f"127.0.0.1:{shared_host.port}"
    assert values["x-forwarded-proto"] == "http" and values["x-honest"] == "yes"
    assert "evil" not in json.dumps(sent) and "guess" not in json.dumps(sent)


def test_a_foreign_host_header_changes_nothing_that_the_child_sees(shared_host: Webui, browser: httpx.Client) -> None:
    sent = dict(browser.get("/lorasmith/echo", headers={"Host": "evil.example"}).json()["headers"])
    assert sent["host"] == sent["x-forwarded-host"] == f"127.0.0.1:{shared_host.port}"


def test_the_child_sets_no_cookie_for_the_host_and_its_redirects_stay_with_it(browser: httpx.Client) -> None:
    reply = browser.get("/lorasmith/cookie")
    assert reply.text == "sweet"
    assert not {"set-cookie", "x-secret"} & set(reply.headers)
    for to, passed in [("/x", "/lorasmith/x"), ("x", "x"), ("https://example.org/", "https://example.org/")]:
        assert browser.get("/lorasmith/away", params={"to": to}).headers["location"] == passed


def test_a_web_socket_and_strange_methods_are_refused(shared_host: Webui) -> None:
    asks = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n"
    for method, more in [("GET", asks), ("TRACE", "")]:
        request = f"{method} /lorasmith/echo HTTP/1.1\r\nHost: x\r\nCookie: {shared_host.cookie()}\r\n{more}\r\n"
        reply = shared_host.raw(request.encode(), wait=2)
        assert reply.split(b" ")[1] in (b"400", b"403", b"404", b"405"), reply[:80]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_all_ordinary_methods_pass(browser: httpx.Client, method: str) -> None:
    reply = browser.request(method, "/lorasmith/echo", content=b"words" if method in ("POST", "PUT", "PATCH") else None)
    assert reply.status_code == 200
    if method != "HEAD":
        assert (reply.json()["method"], reply.json()["body"]) == (method, "words" if method[0] == "P" else "")


# What streams


def test_an_event_stream_arrives_step_by_step(browser: httpx.Client) -> None:
    began, times = time.monotonic(), []
    with browser.stream("GET", "/lorasmith/events?n=10&gap=0.1", headers={"Accept-Encoding": "gzip"}) as reply:
        assert reply.headers["content-encoding"] == "identity"
        for _ in reply.iter_raw():
            times.append(time.monotonic() - began)
    assert len(times) == 10
    assert times[0] < 0.5 and times[-1] - times[0] > 0.7


def test_a_browser_that_leaves_ends_its_stream_in_the_child(browser: httpx.Client) -> None:
    assert streams(browser) == 0
    for path in ("/lorasmith/events", "/lorasmith/slow"):  # in mid-stream, and while the child has not answered yet
        with pytest.raises((httpx.ReadTimeout, StopIteration)):  # noqa: PT012, SIM117
            with browser.stream("GET", path, timeout=0.3) as reply:
                next(reply.iter_raw())
                raise StopIteration
        until(lambda: streams(browser) == 0, f"{path} is closed in the child", patience=3)


def test_a_browser_that_leaves_in_mid_upload_or_download_leaves_nothing_open(shared_host: Webui) -> None:
    cookie = shared_host.cookie()
    head = f"POST /lorasmith/upload HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nContent-Length: 1000000\r\n\r\n"
    shared_host.raw(head.encode() + b"x" * 1000, wait=0.3)
    with shared_host.visitor() as browser:
        with browser.stream("GET", f"/lorasmith/big?bytes={1000 * MEGABYTE}") as reply:
            next(reply.iter_raw())
        assert browser.get("/lorasmith/api/health").json()["ok"]
    assert "Traceback" not in "\n".join(shared_host.lines), "\n".join(shared_host.lines)


def test_a_range_of_a_file_is_a_range(browser: httpx.Client) -> None:
    reply = browser.get("/lorasmith/file", headers={"Range": "bytes=256-511"})
    assert (reply.status_code, reply.content) == (206, bytes(range(256)))
    assert reply.headers["content-range"] == "bytes 256-511/10240"
    whole = browser.get("/lorasmith/file")
    assert whole.headers["content-length"] == "10240" and "ein%20Bild.bin" in whole.headers["content-disposition"]
    assert browser.get("/lorasmith/file", headers={"If-None-Match": whole.headers["etag"]}).status_code in (200, 304)


def test_an_upload_of_200_megabytes_passes_without_being_gathered(shared_host: Webui, browser: httpx.Client) -> None:
    before = memory_of(shared_host.process.pid)
    block = b"u" * MEGABYTE
    headers = {"Content-Length": str(200 * MEGABYTE)}
    reply = browser.post("/lorasmith/upload", content=(block for _ in range(200)), headers=headers)
    assert reply.json() == {"bytes": 200 * MEGABYTE, "chunked": False}
    assert memory_of(shared_host.process.pid) - before < 60 * MEGABYTE
    chunked = browser.post("/lorasmith/upload", content=(block for _ in range(3)))
    assert chunked.json() == {"bytes": 3 * MEGABYTE, "chunked": True}


def test_a_reply_of_a_gigabyte_passes_in_flat_memory(shared_host: Webui, browser: httpx.Client) -> None:
    before, size, peak = memory_of(shared_host.process.pid), 0, 0
    with browser.stream("GET", f"/lorasmith/big?bytes={1000 * MEGABYTE}") as reply:
        assert reply.headers["content-length"] == str(1000 * MEGABYTE)
        for number, block in enumerate(reply.iter_raw(1 << 20)):
            size += len(block)
            if number % 200 == 0:
                peak = max(peak, memory_of(shared_host.process.pid))
    assert size == 1000 * MEGABYTE
    assert peak - before < 60 * MEGABYTE


def test_many_requests_at_once_do_not_wait_for_endless_streams(browser: httpx.Client) -> None:
    with httpx.Client(base_url=browser.base_url, headers=browser.headers, trust_env=False) as other:
        opened = [other.send(other.build_request("GET", "/lorasmith/events"), stream=True) for _ in range(30)]
        try:
            assert browser.get("/lorasmith/api/health", timeout=5).json()["ok"]
        finally:
            for reply in opened:
                reply.close()
