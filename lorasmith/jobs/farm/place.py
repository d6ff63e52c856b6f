"""Ray as a place for jobs: one worker per job, each on whatever machine has what the job asks for.

A worker is an actor with a name and a life of its own. So a queue that was killed finds it again by that name, and a worker
that dies with its machine is one job that begins anew elsewhere, where its project knows how far it was.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith import __version__
from lorasmith.jobs.farm.cluster import NAMESPACE, Cluster
from lorasmith.jobs.farm.sent import SentWork, has_begun
from lorasmith.jobs.farm.shards import handed_on
from lorasmith.jobs.farm.work import RayWork, length
from lorasmith.jobs.farm.worker import Worker
from lorasmith.jobs.place import ROOM, Place, Work
from lorasmith.jobs.store import Job, Lane

_MEMORY = 1024**3


@dataclass(frozen=True)
class Wants:
    """What one job asks the cluster for; a cluster without graphics cards is asked for processors alone."""

    gpus: float = 1.0
    cpus: float = 1.0
    memory: float = 0.0  # GB; 0: nothing is asked
    sent: bool = False  # the project is sent there and back, and no folder is shared


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
        told = json.dumps([asked, handed_on(), job.folder.name if self._wants.sent else ""])
        actor = (
            ray.remote(Worker)
            .options(name=self._name(job), namespace=NAMESPACE, lifetime="detached", max_restarts=0, **asked)
            .remote(str(job.folder), list(job.words), __version__, length(log), told)
        )
        return SentWork(actor, log, job.folder, begun=False) if self._wants.sent else RayWork(actor, log)

    def adopt(self, job: Job, log: Path) -> Work | None:
        """Gives the work of a job that goes on without a queue."""
        import ray

        if job.lane != "gpu":
            return self._home.adopt(job, log)
        try:
            actor = ray.get_actor(self._name(job), NAMESPACE)
        except ValueError:  # there is none of that name
            return None
        if not self._wants.sent:
            return RayWork(actor, log)
        if has_begun(actor):
            return SentWork(actor, log, job.folder, begun=True)
        ray.kill(actor)  # what was sent of the project did not all come
        return None

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
