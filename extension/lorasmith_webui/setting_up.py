"""Builds `.venv` from the tab: finds a Python, runs install.py with it, and keeps what a person is shown meanwhile."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorasmith_webui import pythons
from lorasmith_webui.child import clean_environment
from lorasmith_webui.logs import Log

STEP = re.compile(r"(\d)/(\d) (.+)")
INDEX = re.compile(r"https://[^\s\"'<>]{3,300}")
LEASH = Path(__file__).with_name("leash.py")
READ_EVERY = 0.3  # seconds between two looks into setup.log
# What the host means for its own environment. The rest of PIP_… stays: a mirror or a certificate serves us too.
THE_HOSTS = ("TORCH_INDEX_URL", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")
SIZE = "about 3 GB to download on Linux and wherever there is an NVIDIA card, else less than 1 GB"
ROOM = "6 GB of free disk (10 GB with an NVIDIA card)"
logger = logging.getLogger(__name__)


class SettingUp:
    """One set-up at a time; `state` is idle, running, failed, cancelled or done."""

    def __init__(self, root: Path, before: Callable[[], None] = lambda: None) -> None:
        self.root = root
        self.before = before  # called, in the set-up's thread, before anything is installed
        self.log = Log()
        self.state = "idle"
        self.step: list[Any] = []  # [2, 4, "installing torch"]
        self.error = ""
        self._last_sentence = ""  # install.py's own
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._began = 0.0
        self._ended = 0.0
        self._found: pythons.Found | None = None
        self._no_python = ""
        self._ready: tuple[float, bool] = (-9.0, False)

    # What the page asks

    def is_needed(self) -> bool:
        """Tells whether `.venv` is missing, unfinished, or made from older files than these; asked anew each second."""
        asked, ready = self._ready
        if time.monotonic() - asked > 1:
            ready = is_ready(self.root)
            self._ready = (time.monotonic(), ready)
        return not ready

    def is_an_update(self) -> bool:
        return (self.root / ".venv" / "setup.json").is_file()

    def told(self) -> dict[str, Any]:
        """Returns everything that the set-up page shows, but for the log."""
        free = shutil.disk_usage(self.root).free
        until = time.monotonic() if self.state == "running" else self._ended
        return {
            "state": self.state,
            "update": self.is_an_update(),
            "python": self._found.words if self._found else "",
            "no_python": self._no_python,
            "size": SIZE,
            "room": ROOM,
            "free": f"{free / 1e9:.0f} GB",
            "folder": str(self.root / ".venv"),
            "step": self.step,
            "error": self.error,
            "seconds": round(until - self._began) if self._began else 0,
        }

    def look(self, again: bool = False) -> None:
        """Looks for a Python, once or again."""
        if again or not (self._found or self._no_python):
            self._found, self._no_python = pythons.find()

    def start(self, torch_index: str = "") -> str:
        """Starts the set-up in a thread; returns why it was not started, or nothing."""
        if torch_index and not INDEX.fullmatch(torch_index):
            return "The address of the torch builds must begin with https:// and hold no spaces."
        with self._lock:
            if self.state == "running":
                return ""
            if not self.is_needed():
                return "LoRA Smith is set up already."
            self.look(again=True)
            if self._found is None:
                return self._no_python
            self.state, self.step, self.error, self._cancelled = "running", [], "", False
            self._last_sentence = ""
            self._began = time.monotonic()
            self.log.clear()
        threading.Thread(target=self._run, args=(torch_index,), name="lorasmith-set-up", daemon=True).start()
        return ""

    def cancel(self) -> None:
        """Ends a set-up under way; the next one goes on from what is there."""
        self._cancelled = True
        process = self._process
        if process:
            _let_go(process)

    # Its life, in a thread

    def _run(self, torch_index: str) -> None:
        try:
            self.before()
            code = self._install(torch_index)
        except Exception as error:  # noqa: BLE001 - whatever it was, the page must not show it as under way for ever
            code = 1
            self._heard(f"The set-up broke off: {type(error).__name__}: {error}")
        self._ready = (-9.0, False)
        self._ended = time.monotonic()
        if code == 0 and not self.is_needed():
            self.state = "done"
        elif self._cancelled:
            self.state = "cancelled"
        else:
            self.error = self._last_sentence or "\n".join(self.log.last(3))
            self.state = "failed"

    def _install(self, torch_index: str) -> int:
        python = self._found.command if self._found else []
        if self._found and self._found.brought_by_uv:
            self.step = [0, 4, f"fetching Python {pythons.BROUGHT} with uv"]
            uv = python[0]
            if code := self._leashed([uv, "python", "install", pythons.BROUGHT]):
                return code
            its_own = {**self._environment(), "UV_PYTHON_PREFERENCE": "only-managed"}
            words = [uv, "python", "find", pythons.BROUGHT]
            told = subprocess.run(words, capture_output=True, text=True, env=its_own)
            python = [told.stdout.strip()]
        choice = ["--torch-index", torch_index] if torch_index else []
        return self._leashed([*python, "-u", str(self.root / "install.py"), *choice, "setup"])

    def _environment(self) -> dict[str, str]:
        pip = {name: value for name, value in os.environ.items() if name.upper().startswith("PIP_")}
        own = {**clean_environment(), **pip, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        return {name: value for name, value in own.items() if name.upper() not in THE_HOSTS}

    def _leashed(self, command: list[str]) -> int:
        """Runs a command that ends when we do, its output in the log; returns its exit code."""
        if self._cancelled:
            return 130
        process = subprocess.Popen(
            [sys.executable, str(LEASH), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=str(self.root),
            env=self._environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._process = process
        if self._cancelled:  # in between
            _let_go(process)
        over = threading.Event()
        details = threading.Thread(target=self._follow, args=(over,), name="lorasmith-set-up-log", daemon=True)
        details.start()
        try:
            for raw in process.stdout or ():
                self._heard(raw.decode("utf-8", "replace").rstrip())
            return process.wait()
        finally:
            over.set()
            details.join(5)
            _let_go(process)
            self._process = None

    def _heard(self, line: str) -> None:
        if line and not line.startswith(" "):  # indented: pip's words, quoted
            self._last_sentence = line
        step = STEP.match(line)
        if step:
            self.step = [int(step[1]), int(step[2]), step[3]]
        self.log.add(line)

    def _follow(self, over: threading.Event) -> None:
        """Copies what pip says, which install.py keeps in setup.log, into the log."""
        file = self.root / ".venv" / "setup.log"
        at = file.stat().st_size if file.is_file() else 0
        half = b""
        last_look = False
        while not last_look:
            last_look = over.wait(READ_EVERY)
            try:
                if file.stat().st_size < at:  # .venv was made anew
                    at, half = 0, b""
                with file.open("rb") as opened:
                    opened.seek(at)
                    new = opened.read(1_000_000)
            except OSError:
                continue
            at += len(new)
            *lines, half = (half + new).split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "replace").rsplit("\r", 1)[-1].rstrip()
                if text:
                    self.log.add("    " + text)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Closes the leash's input, which ends the command at the other end."""
    with suppress(OSError):
        process.stdin.close()  # type: ignore[union-attr]


def is_ready(root: Path) -> bool:
    """Tells what install.py says of `.venv`; nothing is ready while that file is itself being written, as by an update."""
    try:
        installer = load_installer(root)
        return bool(installer.is_ready(installer.recorded_torch_index()))
    except Exception as error:  # noqa: BLE001 - half a file can fail in any way
        logger.warning("LoRA Smith's install.py cannot be asked: %s: %s", type(error).__name__, error)
        return False


def load_installer(root: Path) -> Any:
    """Returns install.py as a module: it alone knows whether a set-up is finished."""
    spec = importlib.util.spec_from_file_location("lorasmith_install", root / "install.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module
