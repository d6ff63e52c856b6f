"""Where a job runs: one small protocol, and the usual place, a child process on this machine. (The other is in `farm`.)"""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from lorasmith.jobs import processes
from lorasmith.jobs.store import Job, Lane
from lorasmith.progress import Progress

INTERRUPTED = 130  # the exit code of a command that was asked to stop
LOST = 256  # instead of an exit code: the machine it ran on has gone, which says nothing against the job
ROOM: Mapping[Lane, int] = {"gpu": 1, "light": 2}  # jobs of each kind at once on one machine


class Work(Protocol):
    """A job that has been started somewhere."""

    @property
    def pid(self) -> int | None:
        """The number of its process, once there is one."""
        ...

    def state(self) -> int | None:
        """Gives the exit code, or None while it works; `LOST` when its machine has gone."""
        ...

    def progress(self) -> Progress | None:
        """Gives how far it is, as last heard."""
        ...

    def answer(self) -> dict[str, Any]:
        """Gives the command's result, or `{"error": sentence}`, when it has ended."""
        ...

    def ask_to_stop(self) -> None:
        """Asks it to stop; finished work is kept."""
        ...

    def kill(self) -> None:
        """Ends it at once; finished work is kept all the same."""
        ...


class Place(Protocol):
    """Somewhere that jobs can be started."""

    def start(self, job: Job, log: Path) -> Work:
        """Starts a job; what it says goes to the file `log`."""
        ...

    def adopt(self, job: Job, log: Path) -> Work | None:
        """Gives a job at work that a queue started which is no more, when it goes on without one."""
        return None

    def room(self) -> Mapping[Lane, int]:
        """Says how many jobs of each kind there may be at once."""
        return ROOM


class ThisMachine(Place):
    """Runs each job as a child process: the very command a person would type, with its events on standard output."""

    def __init__(self, surroundings: Callable[[], Mapping[str, str]] = dict) -> None:
        """Takes a function that gives variables for the child's environment, asked at each start."""
        self._surroundings = surroundings

    def start(self, job: Job, log: Path) -> "ChildWork":
        """Starts the command."""
        return ChildWork(processes.start([*job.words, "--json", "--events"], log, self._surroundings()), log)


class ChildWork:
    """A command at work in a child process."""

    def __init__(self, child: "subprocess.Popen[str]", log: Path) -> None:
        self.pid: int | None = child.pid
        self._child = child
        self._log = log
        self._progress: Progress | None = None
        self._answer: dict[str, Any] = {}
        self._listener = threading.Thread(target=self._listen, name=f"job {child.pid}", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        """Reads the child's lines: progress as it comes, and the one object at the end."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            try:
                heard = json.loads(line)
            except ValueError:
                continue  # a library that prints
            if not isinstance(heard, dict):
                continue
            if isinstance(heard.get("progress"), dict):
                self._progress = Progress(**heard["progress"])
            else:
                self._answer = heard

    def state(self) -> int | None:
        """Gives the exit code, or None while it works."""
        return self._child.poll()

    def progress(self) -> Progress | None:
        """Gives how far it is, as last heard."""
        return self._progress

    def answer(self) -> dict[str, Any]:
        """Gives what the command answered; the end of its log where it died without a word."""
        self._listener.join(timeout=5)
        code = self._child.poll()
        if code and code != INTERRUPTED and not self._answer:
            return {"error": f"It ended with code {code}. {last_line(self._log)}".strip()}
        return self._answer

    def ask_to_stop(self) -> None:
        """Ends its standard input, which means stop."""
        processes.ask_to_stop(self._child)

    def kill(self) -> None:
        """Ends it and all below it."""
        processes.kill(self._child)


def last_line(log: Path) -> str:
    """Gives the last line of a log that says something."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
