"""Child processes, the same on Windows and elsewhere: started without a window, known again, ended with all below them.

Nobody is stopped by a signal here: a child reads its standard input, and its end means "stop". So a child also stops when
whoever started it was killed.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_DYING = 5.0  # seconds that a killed process has to go
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
            # safe path: a torch.py in the folder where somebody started the page is none of ours
            env=kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"} | dict(surroundings or {}),
            creationflags=_NO_WINDOW,
            start_new_session=os.name == "posix",  # a Ctrl-C in the terminal is for whoever started it, not for the child too
        )


def ask_to_stop(child: "subprocess.Popen[str]") -> None:
    """Ends the child's standard input: it finishes what must not be broken off, and goes."""
    if child.stdin is not None and not child.stdin.closed:
        with suppress(OSError):  # it has gone already
            child.stdin.close()


def when_input_ends(act: Callable[[], None]) -> None:
    """Does something, in a thread of its own, when this process's standard input ends: the other side of `ask_to_stop`.

    The thread has the input for itself from now on, unbuffered: a thread inside Python's own buffer at the end of the
    process would abort it, and on Windows a child that inherits a pipe somebody reads from may hang at its start.
    """
    mine = os.dup(sys.stdin.fileno())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)

    def listen() -> None:
        with suppress(OSError):
            while os.read(mine, 1):
                pass
        act()

    threading.Thread(target=listen, name="end of input", daemon=True).start()


def end_in_order() -> None:
    """Lets a request to end (SIGTERM: logging out, a service manager) be what a library made of it, and not a sudden death."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: None)


def kill(child: "subprocess.Popen[Any]") -> None:
    """Ends a process and everything below it at once; one that hangs in a driver may outlive this call."""
    family = []
    with suppress(psutil.Error):
        family = psutil.Process(child.pid).children(recursive=True)
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_DYING)


def birth_of(pid: int) -> float | None:
    """Gives when the process of that number was created (seconds since 1970), or None when there is none of ours."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def memory_of(pid: int) -> int | None:
    """Gives the bytes of memory that a process and all below it have, or None when there is none of ours."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None
    total = 0
    for each in family:
        with suppress(psutil.Error):  # it has gone since
            total += int(each.memory_info().rss)
    return total or None


def is_the_same(pid: int | None, born: float | None) -> bool:
    """Says whether the very process still runs: numbers are used again, moments of creation are not."""
    if pid is None or born is None:
        return False
    today = birth_of(pid)
    return today is not None and abs(today - born) < 1.0
