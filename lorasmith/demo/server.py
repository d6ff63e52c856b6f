"""The demo's booru: a loopback server that speaks e621's API over the drawn world.

`python -m lorasmith.demo.server --port 8021` runs it on its own.
"""

import argparse
import base64
import json
import logging
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from lorasmith.demo.drawn import Drawable, Files
from lorasmith.demo.server_faults import Fault, Faults
from lorasmith.demo.site import Answer, Site, refusal

HARD_RATE = 2  # requests a second to the API; one more is a 503 where the server is strict
_SECOND = 0.9  # a client that keeps the rate is not punished for the threads' own delays
_log = logging.getLogger(__name__)
_NAMELESS = re.compile(r"$|python|aiohttp|curl|wget|mozilla|okhttp", re.IGNORECASE)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


@dataclass(frozen=True)
class Asked:
    """One request as it came in; `headers` have lower-case names, `time` is in seconds of a monotonic clock."""

    time: float
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


class DemoBooru:
    """A booru on this machine while a `with` lasts: `url` is its address, `log` what was asked, `faults` its script.

    `cache` keeps the drawn files between runs; without one they live in a temporary folder. Set `strict` to let it
    refuse more requests a second than the real site does, and `accounts` to the API keys of user names: a login that
    is sent must fit one. `site.exports_posts = False` leaves out the export that needs every picture drawn.
    """

    def __init__(
        self, posts: Sequence[Drawable], *, aliases: Mapping[str, str] | None = None,
        implications: Mapping[str, Iterable[str]] | None = None, cache: Path | None = None, port: int = 0,
    ) -> None:  # fmt: skip
        self._own_folder = Path(tempfile.mkdtemp(prefix="lorasmith-demo-")) if cache is None else None
        self._files = Files(posts, cache or self._own_folder or Path())
        self.site = Site(posts, self._files, aliases or {}, implications or {})
        self.log: list[Asked] = []
        self.faults = Faults()
        self.strict = False
        self.accounts: Mapping[str, str] = {}
        self._recent: deque[float] = deque(maxlen=HARD_RATE)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self)
        self.url = self.site.base_url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._files.close()
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def answer(self, asked: Asked) -> Answer:
        """Gives the answer to a request, after the rules that hold for all of them."""
        with self._lock:
            self.log.append(asked)
            too_fast = self.strict and not asked.path.startswith("/data/") and self._is_too_fast(asked.time)
        if _NAMELESS.match(asked.headers.get("user-agent", "")):
            return Answer(403, b"<html><title>Attention Required!</title></html>", "text/html; charset=UTF-8")
        if too_fast:
            return Answer(503, b"<html><title>503 Service Unavailable</title></html>", "text/html")
        if not self._login_fits(asked.headers.get("authorization", "")):
            return refusal(401, "Invalid API key")
        return self.site.answer(asked.path, asked.params)

    def _is_too_fast(self, now: float) -> bool:
        full = len(self._recent) == HARD_RATE and now - self._recent[0] < _SECOND
        if not full:
            self._recent.append(now)
        return full

    def _login_fits(self, header: str) -> bool:
        if not header or not self.accounts:
            return not header
        try:
            user, _, key = base64.b64decode(header.removeprefix("Basic "), validate=True).decode("utf-8").partition(":")
        except ValueError:
            return False
        return bool(key) and self.accounts.get(user) == key


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], booru: DemoBooru) -> None:
        super().__init__(address, _Handler)
        self.booru = booru

    def handle_error(self, request: object, client_address: object) -> None:
        """Notes a client that hung up, or a fault of the server's own with its traceback."""
        hung_up = isinstance(sys.exception(), ConnectionError)
        _log.log(logging.DEBUG if hung_up else logging.ERROR, "a request ended early", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the booru, and writes the answer with whatever fault the script has for it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the standard library's name
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(time.monotonic(), parts.path, dict(parse_qsl(parts.query)), headers)
        answer = self.server.booru.answer(asked)
        fault = self.server.booru.faults.take(parts.path)
        if parts.path.startswith("/data/") and (fault is None or fault.kind != "whole"):
            answer = _in_range(answer, headers.get("range", ""))
        if fault:
            answer = _faulty(answer, fault)
        try:
            self._write(answer, fault)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _write(self, answer: Answer, fault: Fault | None) -> None:
        body, kind = answer.body, fault.kind if fault else ""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if kind == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif kind == "snap":
            place = len(self.server.booru.log) * 7919 % 104729  # somewhere else each time, and the same in each run
            self.wfile.write(body[: place % (len(body) + 1)])
            self.close_connection = True
        elif kind == "slow":
            for start in range(0, len(body), 4096):
                self.wfile.write(body[start : start + 4096])
                time.sleep(0.05)
        elif kind == "trickle":
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                time.sleep(0.05)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the library's own lines out of standard error."""
        _log.debug(format, *args)


def _in_range(answer: Answer, header: str) -> Answer:
    """Cuts the part out that a Range header asks for (RFC 9110 14): 206, or 416 beyond the end."""
    match = _RANGE.match(header)
    if match is None or answer.status != 200:
        return answer
    size = len(answer.body)
    start, end = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
    if start >= size or start >= end:
        return Answer(416, b"", answer.kind, {"Content-Range": f"bytes */{size}"})
    return Answer(206, answer.body[start:end], answer.kind, {"Content-Range": f"bytes {start}-{end - 1}/{size}"})


def _faulty(answer: Answer, fault: Fault) -> Answer:
    """Spoils an answer; faults that need the wire (cut, snap, slow, trickle) are left to the handler."""
    if fault.kind == "status":
        reason = json.dumps({"success": False, "reason": fault.reason}).encode("utf-8")
        return Answer(fault.status, reason, headers=fault.headers)
    if fault.kind == "page":
        page = f"<html><title>{fault.reason}</title></html>".encode()
        return Answer(fault.status, page, "text/html; charset=UTF-8", fault.headers)
    if fault.kind == "redirect":
        return Answer(302, b"", "text/html", {"Location": fault.location})
    if fault.kind == "garbage":
        return replace(answer, body=b'{"posts": [')
    if fault.kind == "wrong" and answer.body:
        middle = len(answer.body) // 2
        changed = bytes([answer.body[middle] ^ 0xFF])
        return replace(answer, body=answer.body[:middle] + changed + answer.body[middle + 1 :])
    return replace(answer, body=answer.body + b"more") if fault.kind == "long" else answer


def main() -> None:
    """Serves the drawn world until Ctrl-C."""
    from lorasmith.demo import posts, world

    parser = argparse.ArgumentParser(description="The demo's booru: e621's API over the drawn world, on this machine.")
    parser.add_argument("--port", type=int, default=8021)
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps the drawn files")
    parser.add_argument("--export-posts", action="store_true", help="offer the export of the posts too, for which all are drawn")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    drawn = posts.posts()
    booru = DemoBooru(
        drawn, aliases=world.ALIASES, implications=world.IMPLICATIONS, cache=options.cache, port=options.port
    )
    booru.site.exports_posts = options.export_posts
    with booru:
        _log.info("%d posts at %s; Ctrl-C ends it.", len(drawn), booru.url)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            _log.info("Ended.")


if __name__ == "__main__":
    main()
