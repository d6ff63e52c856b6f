"""A loopback server that answers as the API of AUTOMATIC1111's WebUI does, its errors included."""

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from PIL import Image


@dataclass
class FakeWebui:
    """What the server has, and what it was asked."""

    url: str = ""
    login: str = ""
    loras: list[str] = field(default_factory=list)
    waiting_loras: list[str] = field(default_factory=list)  # in the folder, not yet in the list
    api: bool = True
    fault: tuple[int, bytes] | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Gives status and JSON for one request."""
        routes = {
            ("POST", "/sdapi/v1/txt2img"): self.txt2img,
            ("POST", "/sdapi/v1/img2img"): self.img2img,
            ("GET", "/sdapi/v1/loras"): self.list_loras,
            ("POST", "/sdapi/v1/refresh-loras"): self.refresh,
        }
        route = routes.get((method, path))
        return route(body) if route and self.api else (404, {"detail": "Not Found"})

    def txt2img(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Draws one flat picture whose colour follows from prompt and seed."""
        if body.get("sampler_name") not in ("DDIM", "Euler", "Euler a"):
            return 404, {"detail": "Sampler not found"}
        told = f"{body['prompt']}|{body['negative_prompt']}|{body['seed']}"
        colour = tuple(hashlib.sha256(told.encode()).digest()[:3])
        return 200, _result(Image.new("RGB", (body["width"], body["height"]), colour), body)

    def img2img(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Fills the masked part with red, a little beyond the mask, as its blur does."""
        if not body.get("init_images"):
            return 404, {"detail": "Init image not found"}
        picture = Image.open(io.BytesIO(base64.b64decode(body["init_images"][0]))).convert("RGB")
        mask = Image.open(io.BytesIO(base64.b64decode(body["mask"]))).convert("L")
        left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
        picture.paste((255, 0, 0), (max(0, left - 4), max(0, top - 4), right + 4, bottom + 4))
        return 200, _result(picture, body)

    def list_loras(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Lists the LoRAs it knows."""
        entries = [
            {"name": name, "alias": name, "path": f"C:\\webui\\models\\Lora\\{name}.safetensors", "metadata": {}}
            for name in self.loras
        ]
        return 200, entries

    def refresh(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Looks into its folder again."""
        self.loras += self.waiting_loras
        self.waiting_loras = []
        return 200, None


def _result(picture: Image.Image, body: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    image = base64.b64encode(stream.getvalue()).decode("ascii")
    return {"images": [image], "parameters": body, "info": json.dumps({"seed": body["seed"]})}


@contextmanager
def serving(state: FakeWebui) -> Iterator[FakeWebui]:
    """Serves on a free loopback port and sets `url`."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else {}
            wanted = "Basic " + base64.b64encode(state.login.encode()).decode()
            if state.login and self.headers.get("Authorization") != wanted:
                self._send(401, json.dumps({"detail": "Incorrect username or password"}).encode())
                return
            state.requests.append((self.path, body or {}))
            if state.fault:
                self._send(*state.fault)
                return
            status, answer = state.answer(self.command, self.path, body or {})
            self._send(status, json.dumps(answer).encode())

        do_GET = do_POST = _handle  # noqa: N815

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
