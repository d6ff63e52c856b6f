"""A loopback server that answers as the API of a WebUI does, its errors and its silences included."""

import base64
import hashlib
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from PIL import Image, ImageFilter

FIRST, SECOND = "first.safetensors [1111111111]", "second.safetensors [2222222222]"
LORA_DIR = "C:\\webui\\models\\Lora"
_LORA = re.compile(r"<lora:([^:>]+):[^>]+>")


@dataclass
class FakeWebui:
    """What the server has, and what it was asked."""

    url: str = ""
    login: str = ""
    loras: list[str] = field(default_factory=list)
    waiting_loras: list[str] = field(default_factory=list)  # in the folder, not yet in the list
    hashes: dict[str, str] = field(default_factory=dict)  # of LoRAs, where they are not made up
    forgotten_loras: list[str] = field(default_factory=list)  # listed, and left out of the picture without a word
    api: bool = True
    old: bool = False  # from before 1.9: no schedulers apart, no folder told, fewer settings
    deferred: bool = False  # a chosen checkpoint is loaded with the next picture only, as Forge does
    seconds: float = 0.0  # a picture takes
    fault: tuple[int, bytes] | None = None
    switched_under_way: int = 0  # so many of the next pictures are drawn with the other checkpoint
    options: dict[str, Any] = field(default_factory=lambda: {"sd_model_checkpoint": FIRST, "sd_lora": "hero"})
    loaded: str = FIRST
    current: str = ""  # the task that is being drawn
    waiting: list[str] = field(default_factory=list)
    interrupted: bool = False
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not self.old:
            self.options |= {"lora_add_hashes_to_infotext": False, "img2img_color_correction": True}

    def asked(self, path: str) -> list[dict[str, Any]]:
        """Gives the bodies of the requests for one path."""
        return [body for each, body in self.requests if each == path]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Gives status and JSON for one request."""
        if (method, path) == ("POST", "/internal/progress"):
            return self.progress(body)
        routes = {
            "POST txt2img": self.txt2img,
            "POST img2img": self.img2img,
            "GET loras": self.list_loras,
            "POST refresh-loras": self.refresh,
            "GET options": lambda body: (200, self.options),
            "POST options": self.choose,
            "GET sd-models": self.list_checkpoints,
            "GET samplers": self.list_samplers,
            "GET progress": lambda body: (200, {"state": {"job": "txt2img" if self.current else ""}}),
            "POST interrupt": self.interrupt,
            "POST unload-checkpoint": lambda body: (200, {}),
            "POST reload-checkpoint": lambda body: (200, {}),
        }
        if not self.old:
            routes["GET schedulers"] = lambda body: (200, [{"label": "Automatic"}, {"label": "Karras"}])
            told = (500, {"error": "ResponseValidationError"}) if self.deferred else (200, {"lora_dir": LORA_DIR})
            routes["GET cmd-flags"] = lambda body: told  # Forge fails at it where it has a --port
        route = routes.get(f"{method} {path.removeprefix('/sdapi/v1/')}") if path.startswith("/sdapi/v1/") else None
        return route(body) if route and self.api else (404, {"detail": "Not Found"})

    def list_samplers(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Lists the samplers; before 1.9 their names hold the scheduler."""
        return 200, [{"name": name} for name in ("DDIM", "Euler", "Euler a", *(["Euler Karras"] if self.old else []))]

    def list_checkpoints(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Lists the two checkpoints."""
        rows = []
        for title in (FIRST, SECOND):
            stem, digits = title.partition(".")[0], title[-11:-1]
            rows.append({"title": title, "model_name": stem, "hash": digits, "sha256": digits * 6 + "0000",
                         "filename": f"C:\\webui\\models\\Stable-diffusion\\{stem}.safetensors"})  # fmt: skip
        return 200, rows

    def choose(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Sets settings."""
        self.options |= body
        if not self.deferred:
            self.loaded = self.options["sd_model_checkpoint"]
        return 200, None

    def progress(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Tells of one task, as the page's own route does."""
        task = body["id_task"]
        active = task == self.current
        return 200, {"active": active, "queued": task in self.waiting, "completed": False, "progress": 0.4}

    def interrupt(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Interrupts whatever is being drawn, whoever it belongs to."""
        self.interrupted = True
        return 200, {}

    def txt2img(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Draws one flat picture whose colour follows from prompt, seed, checkpoint and LoRAs."""
        if body.get("sampler_name") not in [row["name"] for row in self.list_samplers({})[1]]:
            return 404, {"detail": "Sampler not found"}
        with self._turn(body):
            infotext = self._infotext(body)
            told = f"{body['prompt']}|{body['negative_prompt']}|{body['seed']}|{infotext}"
            colour = tuple(hashlib.sha256(told.encode()).digest()[:3])
            return 200, _result(Image.new("RGB", (body["width"], body["height"]), colour), infotext)

    def img2img(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Fills the masked part with red, a little beyond the mask, as its blur does; a blank mask means all of it."""
        if not body.get("init_images"):
            return 404, {"detail": "Init image not found"}
        picture = Image.open(io.BytesIO(base64.b64decode(body["init_images"][0]))).convert("RGB")
        mask = Image.open(io.BytesIO(base64.b64decode(body["mask"]))).convert("L")
        mask = mask.point(lambda value: 255 if value > 128 else 0)
        red = Image.new("RGB", picture.size, (255, 0, 0))
        soft = mask.filter(ImageFilter.GaussianBlur(body["mask_blur"]))
        with self._turn(body):
            painted = Image.composite(red, picture, soft) if mask.getbbox() else red
            return 200, _result(painted, self._infotext(body))

    @contextmanager
    def _turn(self, body: dict[str, Any]) -> Iterator[None]:
        task = str(body.get("force_task_id"))
        self.waiting.append(task)
        with self.lock:
            self.waiting.remove(task)
            self.current = task
            self.interrupted = False
            end = time.monotonic() + self.seconds
            while time.monotonic() < end and not self.interrupted:
                time.sleep(0.01)
            yield
            self.current = ""

    def _infotext(self, body: dict[str, Any]) -> str:
        settings = self.options | body.get("override_settings", {})
        title = settings["sd_model_checkpoint"]
        if self.switched_under_way:
            self.switched_under_way -= 1
            title = SECOND if title == FIRST else FIRST
        used = [name for name in _LORA.findall(body["prompt"]) if name in self.loras]  # others: not a word
        used = [name for name in used if name not in self.forgotten_loras]
        pairs = ", ".join(f"{name}: {self.hashes.get(name, 'abcdef012345')}" for name in used)
        values = f"Steps: {body['steps']}, Model hash: {title[-11:-1]}, Model: {title.partition('.')[0]}"
        if pairs and (self.old or settings.get("lora_add_hashes_to_infotext")):
            values += f", Lora hashes: {json.dumps(pairs)}"
        return f"{body['prompt']}\nNegative prompt: x\n{values}, Version: v1.10.1"

    def list_loras(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Lists the LoRAs it knows."""
        entries = [
            {"name": name, "alias": name, "path": f"{LORA_DIR}\\{name}.safetensors", "metadata": {}}
            for name in self.loras
        ]
        return 200, entries

    def refresh(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Looks into its folder again."""
        self.loras += self.waiting_loras
        self.waiting_loras = []
        return 200, None


def _result(picture: Image.Image, infotext: str) -> dict[str, Any]:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    image = base64.b64encode(stream.getvalue()).decode("ascii")
    return {"images": [image], "parameters": {}, "info": json.dumps({"infotexts": [infotext]})}


@contextmanager
def serving(state: FakeWebui) -> Iterator[FakeWebui]:
    """Serves on a free loopback port and sets `url`."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else {}
            path = self.path.partition("?")[0]
            wanted = "Basic " + base64.b64encode(state.login.encode()).decode()
            if state.login and path.startswith("/sdapi") and self.headers.get("Authorization") != wanted:
                self._send(401, json.dumps({"detail": "Incorrect username or password"}).encode())
                return
            state.requests.append((path, body or {}))
            if state.fault:
                self._send(*state.fault)
                return
            status, answer = state.answer(self.command, path, body or {})
            self._send(status, json.dumps(answer).encode())

        do_GET = do_POST = _handle  # noqa: N815

        def _send(self, status: int, content: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if 300 <= status < 400:
                    self.send_header("Location", "https://elsewhere.example/")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                pass  # the client has gone

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
