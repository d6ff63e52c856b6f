"""`lorasmith ui --child`: started, watched, restarted after a crash, ended with the host."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorasmith_webui.logs import Log

READY = "LORASMITH-READY "
LOOK_EVERY = 0.5  # seconds
SOFT_END = 30.0  # seconds a child gets between the end of its input and its being killed; it may need 22
LONGEST_START = 120.0  # seconds without the ready line until it counts as a crash
QUICK = 60.0  # seconds after the ready line: whoever lives longer had a good start
PAUSES = (0.5, 1.0, 3.0, 8.0)  # seconds before the restart after the first, second… quick crash; then it is given up
FOREIGN = ("PYTHON", "PIP_", "VIRTUAL_ENV")  # beginnings of variables that are meant for the host's own Python


def clean_environment() -> dict[str, str]:
    """Returns the host's environment without what would make another Python find the host's packages."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(FOREIGN) and name.upper() != "__PYVENV_LAUNCHER__"
    }


def python_of(root: Path) -> Path:
    """Returns the interpreter of the environment that the set-up made."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Child:
    """One process of lorasmith's own UI; `state` is stopped, starting, running, stopping, waiting or given up."""

    def __init__(
        self,
        root: Path,
        configure: Callable[[], dict[str, Any]],
        ended: Callable[[], None],
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        self.root = root
        self.configure = configure  # what to say on the first line of standard input, but for the key
        self.ended = ended  # called, in a thread of its own, each time a child is gone
        self.may_start = may_start  # asked before each start: no child lives in an environment that is being made
        self.log = Log(root / ".venv" / "webui-child.log")
        self.state = "stopped"
        self.port: int | None = None
        self.pid: int | None = None
        self.key = ""
        self.told: dict[str, Any] = {}  # what the newest child was told, but for the key
        self.version = ""
        self.why = ""  # a sentence for a person where it was given up
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self._crashes = 0
        self._began = 0.0
        self._ready_at: float | None = None
        self._start_at = 0.0
        self._wake = threading.Event()
        self._asked_to_restart = False
        self._watcher: threading.Thread | None = None
        self._reader: threading.Thread | None = None

    # What others ask of it

    def ensure(self) -> None:
        """Starts the child unless it runs, is on its way, has been given up, or is not set up."""
        with self._lock:
            if self.state == "stopped" and self._may_start():
                self._crashes = 0
                self._start()

    def restart(self) -> bool:
        """Ends the child softly and starts it again, also one that was given up; False where it may not start now."""
        with self._lock:
            if self.state not in ("stopped", "given up", "waiting"):
                self._asked_to_restart = True
            elif self._may_start():
                self._crashes = 0
                self._start()
            else:
                return False
        self._wake.set()
        return True

    def stop(self, patience: float = SOFT_END) -> None:
        """Ends the child and waits for that; nothing restarts it."""
        with self._lock:
            process, self._process = self._process, None
            self.state, self.port, self.why, self._asked_to_restart = "stopped", None, "", False
        if process:
            self._end(process, patience)
            self._tell_ended()
            if self._reader:
                self._reader.join(2)  # its last words; after them the file must be let go of
        self.log.close()

    @property
    def is_alive(self) -> bool:
        """Tells whether there is a process, be it one that is just ending."""
        process = self._process
        return self.state == "stopping" or (process is not None and process.poll() is None)

    @property
    def base(self) -> str | None:
        """The child's address, or None while it cannot be asked."""
        return f"http://127.0.0.1:{self.port}" if self.state == "running" and self.port else None

    # Its life; everything below runs in the watcher or under the lock

    def _may_start(self) -> bool:
        return python_of(self.root).is_file() and self.may_start()

    def _start(self) -> None:
        try:
            self._launch()
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not look as if it were still starting
            self.log.add(f"lorasmith's UI could not be started: {type(error).__name__}: {error}")
            process, self._process = self._process, None
            if process:  # nobody reads what it says
                process.kill()
                self._close(process)
            self._crashed()
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._watch, name="lorasmith-watch", daemon=True)
            self._watcher.start()

    def _launch(self) -> None:
        self.key = secrets.token_urlsafe(32)
        self.state, self.port, self.why, self._asked_to_restart = "starting", None, "", False
        self._began, self._ready_at = time.monotonic(), None
        self.told = self.configure()
        words = {**self.told, "key": self.key}
        if words.get("port") and is_taken(int(words["port"])):
            self.log.add(f"Port {words['port']} is taken by another program: another port is used.")
            words["port"] = 0
        process = subprocess.Popen(
            [str(python_of(self.root)), "-m", "lorasmith", "ui", "--child", *words.pop("arguments", ())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=str(self.root),
            env=clean_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._process, self.pid = process, process.pid
        self._reader = threading.Thread(target=self._read, args=(process,), name="lorasmith-log", daemon=True)
        self._reader.start()
        with suppress(OSError):  # it died at once: the watcher sees that, and its output says why
            process.stdin.write(json.dumps(words).encode() + b"\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        for raw in process.stdout or ():
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith(READY):
                self._ready(process, line[len(READY) :])
            else:
                self.log.add(line)

    def _ready(self, process: subprocess.Popen[bytes], words: str) -> None:
        try:
            said = json.loads(words)
            port, pid = int(said["port"]), int(said.get("pid", process.pid))
        except (ValueError, KeyError, TypeError):
            self.log.add(f"lorasmith's UI said it is ready in words that are not understood: {words[:200]}")
            return
        with self._lock:
            if process is self._process and self.state == "starting":
                self.port, self.version = port, str(said.get("version", ""))
                self.pid, self.state, self._ready_at = pid, "running", time.monotonic()
        self.log.add(f"lorasmith {self.version} is ready on port {port}, process {self.pid}")

    def _watch(self) -> None:
        while True:
            self._wake.wait(LOOK_EVERY)
            self._wake.clear()
            try:
                if self._asked_to_restart:
                    self._restart_now()
                with self._lock:
                    self._look()
            except Exception as error:  # noqa: BLE001 - a watcher that dies lets the next crash pass unseen
                self.log.add(f"The watch over lorasmith's UI failed: {type(error).__name__}: {error}")

    def _look(self) -> None:
        process = self._process
        if process and process.poll() is not None:
            self._close(process)
            self._process = None
            self.log.add(f"lorasmith's UI ended by itself (exit code {process.returncode}).")
            self._tell_ended()
            self._crashed()
        elif process and self.state == "starting" and time.monotonic() - self._began > LONGEST_START:
            self.log.add(f"lorasmith's UI was not ready after {LONGEST_START:.0f} s: it is ended.")
            process.kill()
        elif self.state == "waiting" and time.monotonic() >= self._start_at:
            self._start_or_stop()

    def _start_or_stop(self) -> None:
        """Starts it, or leaves it stopped where it has to be set up first; the open tab starts it after that."""
        if self._may_start():
            self._start()
        else:
            self.state = "stopped"

    def _crashed(self) -> None:
        self.port = None
        had_a_good_start = self._ready_at is not None and time.monotonic() - self._ready_at > QUICK
        self._crashes = 1 if had_a_good_start else self._crashes + 1
        if self._crashes > len(PAUSES):
            self.state = "given up"
            self.why = f"lorasmith's UI crashed {self._crashes} times in a row and is not started again by itself."
        else:
            self.state = "waiting"
            self._start_at = time.monotonic() + PAUSES[self._crashes - 1]

    def _restart_now(self) -> None:
        with self._lock:
            self._asked_to_restart = False
            process, self._process = self._process, None
            self.state, self.port = "stopping", None
        if process:
            self._end(process, SOFT_END)
            self._tell_ended()
        with self._lock:
            if self.state == "stopping":  # else stop() came in between
                self._crashes = 0
                self._start_or_stop()

    def _end(self, process: subprocess.Popen[bytes], patience: float) -> None:
        """Closes the child's input, which tells it to end itself, and kills it where it does not."""
        self._close(process)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            self.log.add(f"lorasmith's UI did not end within {patience:.0f} s: it is killed.")
            process.kill()
            process.wait()

    @staticmethod
    def _close(process: subprocess.Popen[bytes]) -> None:
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]

    def _tell_ended(self) -> None:
        with suppress(RuntimeError):  # this process is ending: nothing is left to be told
            threading.Thread(target=self.ended, name="lorasmith-ended", daemon=True).start()
