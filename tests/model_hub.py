"""A loopback server that answers as the Hugging Face hub does for files: HEAD tells, GET redirects large ones to a second host."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """What lies on the hub, and how it misbehaves: `break_after` bytes of each answer, `announced` another sha256, `status`."""

    files: dict[str, bytes]  # "owner/name/file" -> content
    large: set[str] = field(default_factory=set)  # kept as LFS: sha256 as etag, bytes from the other host
    break_after: int | None = None
    breaks: int = 1 << 30
    announced: str = ""
    status: int = 200
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    keys: list[str] = field(default_factory=list)  # the authorization headers that the host of the bytes got
    address: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: Hub


class Answer(BaseHTTPRequestHandler):
    """Answers out of the `Hub` of its server."""

    server: "_Server"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, with_bytes: bool) -> None:
        hub = self.server.hub
        hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path)
        name = f"{found[1]}/{found[2]}" if found else self.path.removeprefix("/bytes/")
        if hub.status != 200 or name not in hub.files:
            code = "GatedRepo" if hub.status == 403 else "EntryNotFound"
            return self._head(hub.status if hub.status != 200 else 404, {"X-Error-Code": code, "Content-Length": "0"})
        content = hub.files[name]
        if found:
            return self._file(name, content, with_bytes)
        hub.keys.append(self.headers.get("authorization", ""))
        return self._bytes(content, {})

    def _file(self, name: str, content: bytes, with_bytes: bool) -> None:
        hub = self.server.hub
        facts = {"X-Repo-Commit": COMMIT}
        if name in hub.large:
            sha256 = hub.announced or hashlib.sha256(content).hexdigest()
            facts |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content)), "Content-Length": "0"}
            # another name of the same machine stands for the other host
            elsewhere = hub.address.replace("127.0.0.1", "localhost")
            return self._head(302, facts | {"Location": f"{elsewhere}/bytes/{name}"})
        facts["ETag"] = f'"{hashlib.sha1(content).hexdigest()}"'
        if with_bytes:
            return self._bytes(content, facts)
        return self._head(200, facts | {"Content-Length": str(len(content))})

    def _bytes(self, content: bytes, facts: dict[str, str]) -> None:
        hub = self.server.hub
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        facts |= {"Content-Length": str(len(content) - start)}
        if asked:
            facts["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if asked else 200, facts)
        breaks = hub.break_after is not None and hub.breaks > 0
        hub.breaks -= breaks
        self.wfile.write(content[start : start + hub.break_after] if breaks else content[start:])
        if breaks:
            self.wfile.flush()
            self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    server = _Server(("127.0.0.1", 0), Answer)
    server.hub = hub
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
