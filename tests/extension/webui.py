"""A stand-in host as tests use it: started, asked over HTTP, told to reload or stop, looked at for what it leaves behind."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.extension import make_hosts

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent
KINDS = ("a1111", "forge")
PATIENCE = 20.0  # seconds for things that take two


def host_python(kind: str) -> Path:
    """Returns the Python of a stand-in host; skips where nobody has made it."""
    folder = Path(os.environ.get("LORASMITH_HOST_VENVS") or REPOSITORY / ".venv-hosts")
    if not make_hosts.is_made(folder, kind):
        pytest.skip("no stand-in hosts here: make them with `python tests/extension/make_hosts.py .venv-hosts`")
    return make_hosts.python_of(folder, kind)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(fact: Callable[[], Any], words: str, patience: float = PATIENCE) -> Any:
    """Waits until something is so, and returns it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := fact():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {patience:.0f} s: {words}")


def copy_extension(folder: Path, ready: bool = True, real: bool = False) -> Path:
    """Makes a folder as a person has it in `extensions/`, with a quick installer and a small child in place of the real."""
    folder.mkdir(parents=True)
    for name in ("scripts", "javascript", "extension"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "style.css", folder)
    shutil.copy(HERE / "quick_install.py", folder / "install.py")
    if not real:
        put_small_child(folder / "lorasmith")
    if ready:
        interpreter = f"import install; install.make({sys.executable!r})"
        subprocess.run([sys.executable, "-c", interpreter], cwd=folder, check=True)
    return folder


def put_small_child(package: Path) -> None:
    package.mkdir()
    (package / "__init__.py").touch()  # else the real package, where it is installed, goes first
    shutil.copy(HERE / "standin_child.py", package / "__main__.py")


class Webui:
    """A running stand-in host; its output is kept in `lines`."""

    def __init__(self, kind: str, extension: Path, *words: str, port: int = 0, **environment: str) -> None:
        self.kind, self.extension, self.port = kind, extension, port or free_port()
        self.lines: list[str] = []
        self.seen_token = ""
        command = [str(host_python(kind)), "-u", str(HERE / "standin" / "launch.py"), "--kind", kind]
        command += ["--extension", str(extension), "--port", str(self.port), *words]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=extension.parent,
            env={**os.environ, "STANDIN_CHILD_PYTHON": sys.executable, **environment},
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("ready")

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip())

    def said(self, word: str) -> list[dict[str, Any]]:
        """Returns what the host said about itself under this word."""
        start = f"STANDIN {word} "
        return [json.loads(line[len(start) :]) for line in self.lines if line.startswith(start)]

    def wait_for(self, word: str, number: int = 1) -> dict[str, Any]:
        def there() -> bool:
            ended = self.process.poll() is not None and word != "stopped"
            assert not ended, "the host ended:\n" + "\n".join(self.lines)
            return len(self.said(word)) >= number

        until(there, f"the host says {word}", patience=60)  # a busy machine loads gradio slowly
        return self.said(word)[number - 1]

    def tell(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def reload(self, port: int = 0) -> float:
        """Presses "Reload UI", after which the host may listen on another port; returns how many seconds it took."""
        number = len(self.said("reloaded")) + 1
        self.port = port or self.port
        self.tell(f"reload {self.port}")
        return float(self.wait_for("reloaded", number)["seconds"])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.tell("stop")
            self.process.wait(PATIENCE)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # What a browser or an attacker does

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """Reads the token as a person's browser gets it: from the page's configuration."""
        page = httpx.get(self.address + "/config", trust_env=False).text
        found = re.search(r'data-token=\\"([\w-]+)\\"', page)
        assert found, page[:500]
        return found[1]

    def tab(self, path: str, words: Any = None, token: str | None = None) -> httpx.Response:
        """Asks the tab's own routes, as its script does."""
        self.seen_token = self.seen_token or self.token
        headers = {"X-Lorasmith-Tab": self.seen_token if token is None else token}
        method = "GET" if words is None else "POST"
        return httpx.request(
            method, f"{self.address}/lorasmith-tab/{path}", headers=headers, json=words, trust_env=False, timeout=30
        )

    def status(self) -> dict[str, Any]:
        return dict(self.tab("status").json())

    def open(self) -> dict[str, Any]:
        """Opens the tab and waits until the child runs."""
        self.tab("open", {})
        return until(self._running, "the child runs")

    def _running(self) -> dict[str, Any] | None:
        status = self.status()
        return status if status["child"]["state"] == "running" else None

    def visitor(self) -> httpx.Client:
        """Returns a browser that came through the tab and has its cookie."""
        return httpx.Client(base_url=self.address, headers={"Cookie": self.cookie()}, trust_env=False, timeout=60)

    def cookie(self) -> str:
        """Returns the cookie that the token buys."""
        query = {"t": self.token, "b": self.address + "/lorasmith/"}
        reply = httpx.get(self.address + "/lorasmith/", params=query, trust_env=False)
        assert reply.status_code == 303, reply.text
        return reply.headers["set-cookie"].split(";")[0]

    def raw(self, text: bytes, wait: float = 5.0) -> bytes:
        """Sends bytes as they are, and returns what comes back until the connection ends or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as wire:
            wire.sendall(text)
            got = b""
            try:
                while block := wire.recv(65536):
                    got += block
                    if b"\r\n\r\n" in got:
                        wire.settimeout(0.3)
            except TimeoutError:
                pass
            return got


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def memory_of(pid: int) -> int:
    """Returns the resident memory of a process in bytes."""
    return int(psutil.Process(pid).memory_info().rss)
