"""Child processes, the same on Windows and elsewhere: started without a window, known again, ended with all below them.

Nobody is stopped by a signal here: a child reads its standard input, and its end means "stop". So a child also stops when
whoever started it was killed.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")


def start(words: Sequence[str], log: Path, surroundings: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Starts `lorasmith WORDS` with pipes for standard input and output; its standard error is appended to `log`."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "lorasmith", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"} | dict(surroundings or {}),
            creationflags=_NO_WINDOW,
        )


def ask_to_stop(child: "subprocess.Popen[str]") -> None:
    """Ends the child's standard input: it finishes what must not be broken off, and goes."""
    if child.stdin is not None and not child.stdin.closed:
        with suppress(OSError):  # it has gone already
            child.stdin.close()


def when_input_ends(act: Callable[[], None]) -> None:
    """Does something, in a thread of its own, when this process's standard input ends: the other side of `ask_to_stop`."""

    def listen() -> None:
        with suppress(OSError, ValueError):
            while sys.stdin.buffer.read(1):
                pass
        act()

    threading.Thread(target=listen, name="end of input", daemon=True).start()


def kill(child: "subprocess.Popen[Any]") -> None:
    """Ends a process and everything below it at once."""
    try:
        family = psutil.Process(child.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    child.kill()
    child.wait()


def birth_of(pid: int) -> float | None:
    """Gives when the process of that number was created (seconds since 1970), or None when there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_the_same(pid: int | None, born: float | None) -> bool:
    """Says whether the very process still runs: numbers are used again, moments of creation are not."""
    if pid is None or born is None:
        return False
    today = birth_of(pid)
    return today is not None and abs(today - born) < 1.0
