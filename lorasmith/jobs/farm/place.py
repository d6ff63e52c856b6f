"""Ray as a place for jobs: one worker per job, each on whatever machine has what the job asks for.

A worker is an actor with a name and a life of its own. So a queue that was killed finds it again by that name, and a worker
that dies with its machine is one job that begins anew elsewhere, where its project knows how far it was.
"""

import base64
import json
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith import __version__
from lorasmith.jobs.farm.cluster import NAMESPACE, Cluster
from lorasmith.jobs.farm.shards import handed_on
from lorasmith.jobs.farm.worker import Worker
from lorasmith.jobs.place import LOST, ROOM, Place, Work, last_line
from lorasmith.jobs.store import Job, Lane
from lorasmith.progress import Progress

_ASK_EVERY = 0.4  # seconds between two questions to a worker
_MEMORY = 1024**3


@dataclass(frozen=True)
class Wants:
    """What one job asks the cluster for; a cluster without graphics cards is asked for processors alone."""

    gpus: float = 1.0
    cpus: float = 1.0
    memory: float = 0.0  # GB; 0: nothing is asked


class OnRay(Place):
    """Starts jobs of the lane "gpu" on the cluster; the others, what asks sites above all, stay with the machine at home."""

    def __init__(self, cluster: Cluster, home: Place, wants: Wants, mark: str) -> None:
        """Takes what makes this queue's jobs different from another's on the same cluster as `mark`."""
        self._cluster = cluster
        self._home = home
        self._wants = wants
        self._mark = mark
        self._room = (0.0, 1)  # when it was asked, and what it was

    def start(self, job: Job, log: Path) -> Work:
        """Starts a job."""
        if job.lane != "gpu":
            return self._home.start(job, log)
        import ray

        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        asked: dict[str, Any] = {"num_cpus": self._wants.cpus, "num_gpus": self._gpus()}
        if self._wants.memory:
            asked["memory"] = int(self._wants.memory * _MEMORY)
        actor = (
            ray.remote(Worker)
            .options(name=self._name(job), namespace=NAMESPACE, lifetime="detached", max_restarts=0, **asked)
            .remote(str(job.folder), list(job.words), __version__, _length(log), json.dumps([asked, handed_on()]))
        )
        return RayWork(actor, log)

    def adopt(self, job: Job, log: Path) -> Work | None:
        """Gives the work of a job that goes on without a queue."""
        import ray

        if job.lane != "gpu":
            return self._home.adopt(job, log)
        try:
            actor = ray.get_actor(self._name(job), NAMESPACE)
        except ValueError:  # there is none of that name
            return None
        return RayWork(actor, log)

    def room(self) -> Mapping[Lane, int]:
        """Says how many jobs the cluster has room for, as it is now: machines come and go."""
        asked, room = self._room
        if time.monotonic() - asked > 5.0:
            has = self._cluster.has()
            gpus = self._gpus(has)
            by_gpu = has.get("GPU", 0.0) / gpus if gpus else float("inf")
            room = int(max(min(by_gpu, has.get("CPU", 0.0) / max(self._wants.cpus, 0.01)), 1))
            self._room = (time.monotonic(), room)
        return {**ROOM, "gpu": room}

    def _gpus(self, has: Mapping[str, float] | None = None) -> float:
        return self._wants.gpus if (has or self._cluster.has()).get("GPU") else 0.0

    def _name(self, job: Job) -> str:
        return f"{self._mark} job {job.id} turn {job.tries}"


class RayWork:
    """A job at work on the cluster, or in the cluster's line for a machine."""

    def __init__(self, actor: Any, log: Path) -> None:
        """Takes the worker's handle, and the file for what it says."""
        self._actor = actor
        self._log = log
        self._code: int | None = None
        self._told: dict[str, Any] = {}
        self._next = 0.0
        self._answer_to_come = actor.poll.remote(_length(log))

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
            self._answer_to_come = self._actor.poll.remote(_length(self._log))
        ready, _ = ray.wait([self._answer_to_come], timeout=0)
        if not ready:
            return
        try:
            told = json.loads(ray.get(self._answer_to_come))
        except ray.exceptions.RayError as error:
            self._told = {"answer": {"error": f"The machine that it ran on was lost: {_first_line(error)}"}}
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
            ray.kill(self._actor)


def _length(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
