"""A job at work on the cluster, as the queue sees it."""

import base64
import json
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorasmith.jobs.farm.cluster import first_line
from lorasmith.jobs.place import LOST, last_line
from lorasmith.progress import Progress

_ASK_EVERY = 0.4  # seconds between two questions to a worker
_LEAVING = 5.0  # seconds that a worker has to clear up


class RayWork:
    """A job at work on the cluster, or in the cluster's line for a machine."""

    def __init__(self, actor: Any, log: Path) -> None:
        """Takes the worker's handle, and the file for what it says."""
        self._actor = actor
        self._log = log
        self._code: int | None = None
        self._told: dict[str, Any] = {}
        self._next = 0.0
        self._answer_to_come = actor.poll.remote(length(log))

    @property
    def pid(self) -> int | None:
        """The number of its process where that is this machine's."""
        return self._told.get("pid") if self._told.get("node") == platform.node() else None

    def state(self) -> int | None:
        """Gives the exit code, or None while it works; `LOST` when its machine has gone."""
        if self._code is None:
            self._hear()
        return self._code

    def progress(self) -> Progress | None:
        """Gives how far it is, as last heard, with the machine's name."""
        told = self._told.get("progress")
        if not told:
            return None
        return Progress(**told | {"note": f"{told.get('note') or ''} · {self._told['node']}".strip(" ·")})

    def answer(self) -> dict[str, Any]:
        """Gives the command's result, or `{"error": sentence}`, when it has ended."""
        found = self._told.get("answer") or {}
        if self._code and not found:
            return {"error": f"It ended with code {self._code}. {last_line(self._log)}".strip()}
        return dict(found)

    def ask_to_stop(self) -> None:
        """Asks it to stop; finished work is kept."""
        self._actor.stop.remote()

    def kill(self) -> None:
        """Ends it at once; finished work is kept all the same."""
        import ray

        with suppress(Exception):
            ray.get(self._actor.kill.remote(), timeout=10)
        self._dismiss()
        if self._code is None:
            self._code = LOST

    def _hear(self) -> None:
        """Takes the worker's answer when it has come, and asks again after a while."""
        import ray

        if self._answer_to_come is None:
            if time.monotonic() < self._next:
                return
            self._answer_to_come = self._actor.poll.remote(length(self._log))
        ready, _ = ray.wait([self._answer_to_come], timeout=0)
        if not ready:
            return
        try:
            told = json.loads(ray.get(self._answer_to_come))
        except ray.exceptions.RayError as error:
            self._told = {"answer": {"error": f"The machine that it ran on was lost: {first_line(error)}"}}
            self._code = LOST
            return
        self._answer_to_come, self._next = None, time.monotonic() + _ASK_EVERY
        said = base64.b64decode(told.pop("log"))
        if said:
            with self._log.open("ab") as file:
                file.write(said)
            self._next = 0.0
        self._told = told
        if told["code"] is not None and not said:
            self._code = int(told["code"])
            self._dismiss()

    def _dismiss(self) -> None:
        import ray

        with suppress(Exception):
            ray.get(self._actor.leave.remote(), timeout=_LEAVING)
        with suppress(Exception):
            ray.kill(self._actor)


def length(log: Path) -> int:
    """Gives how long a log is."""
    try:
        return log.stat().st_size
    except OSError:
        return 0
