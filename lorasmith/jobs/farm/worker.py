"""What stands on a machine of the cluster for one job: it starts the very command that a person would type there.

It says nothing but bytes (JSON): Ray hands those over as they are, so that nothing a worker says is unpickled by the queue.
"""

import base64
import json
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lorasmith import __version__
from lorasmith.errors import LorasmithError
from lorasmith.jobs.farm.copy import Copy
from lorasmith.jobs.farm.shards import surroundings
from lorasmith.jobs.place import ChildWork, ThisMachine
from lorasmith.jobs.store import Job
from lorasmith.project.project import Project

_MOST_LOG = 200_000  # bytes of a log in one answer
_LAST_LOOK = 20.0  # seconds that what an earlier worker left has to let go of the project
_NOTHING = b'""'
_FORGOTTEN = 24 * 3600.0  # seconds without a question until one goes that has nothing to do, or no more


class Worker:
    """Runs one job on the machine where it stands, and answers questions about it until it is dismissed."""

    def __init__(self, folder: str, words: list[str], version: str, before: int, asked: str) -> None:
        """Takes the job, the queue's version of lorasmith, and how long the queue's file of what the job said is already.

        `asked` is JSON: what the job asked the cluster for, variables for its environment, and the name of the project's folder
        where a copy of it is to be sent here; empty where the folder itself is shared.
        """
        self._asked_for, self._handed_on, sent = json.loads(asked)
        self._before = before
        self._log = Path(tempfile.mkdtemp(prefix="lorasmith-job-")) / "log.txt"
        self._work: ChildWork | None = None
        self._fault = _other_version(version)
        self._stop = threading.Event()
        self._asked = time.monotonic()
        self._home = folder
        self._job = Job(0, Path(folder), tuple(words), "gpu", "running", "")
        self._starter: threading.Thread | None = None
        self._copy = Copy(sent) if sent and not self._fault else None
        if self._copy is None:
            self._begin()
        threading.Thread(target=self._go_when_forgotten, name="forgotten", daemon=True).start()

    def _begin(self) -> None:
        self._starter = threading.Thread(target=self._start, name="start of a job", daemon=True)
        self._starter.start()

    def _start(self) -> None:
        """Starts the command as soon as nobody else works on the project: a child of a worker that was killed may still be going."""
        folder = self._job.folder
        if self._fault:
            return
        if not folder.is_dir():
            self._fault = (
                f"{folder} is not there on {platform.node()}: share the folder under the same path on every machine, "
                "or have projects sent with --projects sent."
            )
            return
        try:
            Project.open(folder, patience=_LAST_LOOK).close()
            if not self._stop.is_set():
                self._work = ThisMachine(self._surroundings).start(self._job, self._log)
        except (LorasmithError, OSError) as error:
            self._fault = str(error)

    # a project that is sent

    def room_for(self, size: int) -> bytes:
        """Says, as JSON, why so many bytes cannot be taken; an empty word when they can."""
        assert self._copy is not None
        return _tried(self._copy.expect, size)

    def take(self, bundle: bytes) -> bytes:
        """Takes a bundle of the project's files; says, as JSON, what hindered it."""
        assert self._copy is not None
        return _tried(self._copy.take, bundle)

    def begin(self, files: bytes) -> bytes:
        """Starts the command on the copy, whose files are to be these; says, as JSON, what hindered it."""
        assert self._copy is not None
        hindered = _tried(self._copy.complete, json.loads(files))
        if hindered == _NOTHING and self._starter is None:
            words = tuple(word.replace(self._home, str(self._copy.folder)) for word in self._job.words)
            self._job = replace(self._job, folder=self._copy.folder, words=words)
            self._begin()
        return hindered

    def has_begun(self) -> bytes:
        """Says, as JSON, whether everything came that was sent."""
        return json.dumps(self._starter is not None).encode()

    def moment(self) -> bytes:
        """Gives the copy's files and record at an instant at which they fit together (`Copy.moment`)."""
        assert self._copy is not None
        return self._copy.moment()

    def give(self, parts: bytes) -> bytes:
        """Gives parts of the copy's files in a bundle."""
        assert self._copy is not None
        return self._copy.give(json.loads(parts))

    def still(self, files: bytes) -> bytes:
        """Says, as JSON, whether what was given of these files is of the last moment."""
        assert self._copy is not None
        return json.dumps(self._copy.still(json.loads(files))).encode()

    def leave(self) -> None:
        """Ends the command and removes what is on this machine of the job."""
        self.kill()
        if self._copy is not None:
            self._copy.remove()
        shutil.rmtree(self._log.parent, ignore_errors=True)

    def _surroundings(self) -> dict[str, str]:
        """Tells the command where the cluster is, so that big looks at many pictures are shared out."""
        import ray

        return surroundings(ray.get_runtime_context().gcs_address, self._asked_for) | self._handed_on

    def poll(self, have: int) -> bytes:
        """Tells how it stands, with what its log says beyond the `have` bytes that the queue's file has."""
        self._asked = time.monotonic()
        told: dict[str, Any] = {"node": platform.node(), "code": None, "answer": {}, "progress": None, "pid": None}
        if self._work is not None:
            told |= {"code": self._work.state(), "pid": self._work.pid}
            if (progress := self._work.progress()) is not None:
                told["progress"] = asdict(progress)
        elif self._fault or (self._starter is not None and not self._starter.is_alive()):
            told |= {"code": 1 if self._fault else 130}
        if told["code"] is not None:
            told["answer"] = {"error": self._fault} if self._work is None else self._work.answer()
        said = self._said(have - self._before, whole=told["code"] is not None)
        return self._as_at_home(json.dumps(told | {"log": base64.b64encode(said).decode()}).encode())

    def stop(self) -> None:
        """Asks the command to stop; finished work is kept."""
        self._stop.set()
        if self._work is not None:
            self._work.ask_to_stop()

    def kill(self) -> None:
        """Ends the command at once."""
        self._stop.set()
        if self._work is not None:
            self._work.kill()

    def _said(self, have: int, *, whole: bool) -> bytes:
        """Gives what comes behind the first `have` bytes of the log: whole lines, or with `whole` everything."""
        try:
            said = self._log.read_bytes()
        except OSError:
            return b""
        if not whole:
            said = said[: said.rfind(b"\n") + 1]
        return self._as_at_home(said)[have : have + _MOST_LOG]

    def _as_at_home(self, text: bytes) -> bytes:
        """Writes the copy's path as the project's own."""
        if self._copy is None:
            return text
        for written in (str, _in_json):
            text = text.replace(written(str(self._copy.folder)).encode(), written(self._home).encode())
        return text

    def _go_when_forgotten(self) -> None:
        """Gives the machine back to the cluster when nobody comes to fetch the result."""
        while True:
            time.sleep(60)
            at_work = self._work is not None and self._work.state() is None
            starts = self._starter is not None and self._starter.is_alive()
            if not at_work and not starts and time.monotonic() - self._asked > _FORGOTTEN:
                self.leave()
                os._exit(0)


def _tried(act: Callable[[Any], None], about: Any) -> bytes:
    """Does something; says, as JSON, what hindered it, or an empty word."""
    try:
        act(about)
    except (LorasmithError, OSError) as error:
        return json.dumps(f"{platform.node()}: {error}").encode()
    return _NOTHING


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _other_version(version: str) -> str:
    if version == __version__:
        return ""
    return f"{platform.node()} has lorasmith {__version__}, and the queue {version}: install the same on both."
