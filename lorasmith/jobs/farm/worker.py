"""What stands on a machine of the cluster for one job: it starts the very command that a person would type there.

It says nothing but bytes (JSON): Ray hands those over as they are, so that nothing a worker says is unpickled by the queue.
"""

import base64
import json
import os
import platform
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lorasmith import __version__
from lorasmith.errors import LorasmithError
from lorasmith.jobs.farm.shards import surroundings
from lorasmith.jobs.place import ChildWork, ThisMachine
from lorasmith.jobs.store import Job
from lorasmith.project.project import Project

_MOST_LOG = 200_000  # bytes of a log in one answer
_LAST_LOOK = 20.0  # seconds that what an earlier worker left has to let go of the project
_FORGOTTEN = 24 * 3600.0  # seconds without a question until one whose work has ended goes


class Worker:
    """Runs one job on the machine where it stands, and answers questions about it until it is dismissed."""

    def __init__(self, folder: str, words: list[str], version: str, before: int, asked: str) -> None:
        """Takes the job, the queue's version of lorasmith, and how long the queue's file of what the job said is already.

        `asked` is JSON: what the job asked the cluster for, and variables for its environment.
        """
        self._asked_for, self._handed_on = json.loads(asked)
        self._before = before
        self._log = Path(tempfile.mkdtemp(prefix="lorasmith-job-")) / "log.txt"
        self._work: ChildWork | None = None
        self._fault = ""
        self._stop = threading.Event()
        self._asked = time.monotonic()
        job = Job(0, Path(folder), tuple(words), "gpu", "running", "")
        self._starter = threading.Thread(target=self._start, args=(job, version), name="start of a job", daemon=True)
        self._starter.start()
        threading.Thread(target=self._go_when_forgotten, name="forgotten", daemon=True).start()

    def _start(self, job: Job, version: str) -> None:
        """Starts the command as soon as nobody else works on the project: a child of a worker that was killed may still be going."""
        if version != __version__:
            self._fault = f"{platform.node()} has lorasmith {__version__}, and the queue {version}: install the same on both."
        elif not job.folder.is_dir():
            self._fault = f"{job.folder} is not there on {platform.node()}: share the folder under the same path on every machine."
        else:
            try:
                Project.open(job.folder, patience=_LAST_LOOK).close()
                if not self._stop.is_set():
                    self._work = ThisMachine(self._surroundings).start(job, self._log)
            except (LorasmithError, OSError) as error:
                self._fault = str(error)

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
        elif not self._starter.is_alive():
            told |= {"code": 1 if self._fault else 130}
        if told["code"] is not None:
            told["answer"] = {"error": self._fault} if self._work is None else self._work.answer()
        return json.dumps(told | {"log": base64.b64encode(self._said(have - self._before)).decode()}).encode()

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

    def _said(self, have: int) -> bytes:
        try:
            with self._log.open("rb") as file:
                file.seek(have)
                return file.read(_MOST_LOG)
        except OSError:
            return b""

    def _go_when_forgotten(self) -> None:
        """Gives the machine back to the cluster when nobody comes to fetch the result."""
        while True:
            time.sleep(60)
            ended = self._work is not None and self._work.state() is not None
            if ended and time.monotonic() - self._asked > _FORGOTTEN:
                os._exit(0)
