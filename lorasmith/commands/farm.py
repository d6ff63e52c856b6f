"""Where the queue's jobs run: flags that `queue run` and `batch` have in common."""

import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lorasmith.errors import UsageError

if TYPE_CHECKING:
    from lorasmith.jobs.place import Place


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Where the jobs run, and what each of them is given there."""

    on: Annotated[
        Literal["here", "ray"], Parameter(help="here: one after the other on this machine; ray: on the machines of a Ray cluster")
    ] = "here"
    address: Annotated[
        str, Parameter(help="the cluster, as ray://host:10001 or host:6379; without it one is started on this machine alone")
    ] = ""
    workers: Annotated[int, Parameter(help="processors that a cluster of this machine alone offers; 0 means all")] = 0
    projects: Annotated[
        Literal["shared", "sent"],
        Parameter(help="shared: every machine sees their folders under the same path; sent: they are sent there and back"),
    ] = "shared"
    job_gpus: Annotated[float, Parameter(help="graphics cards that a job asks for; 0.5 puts two jobs on one card")] = 1.0
    job_cpus: Annotated[float, Parameter(help="processors that a job asks for")] = 1.0
    job_memory: Annotated[float, Parameter(help="memory that a job asks for, in GB; 0 asks for none")] = 0.0


@contextmanager
def opened(where: "Where | None") -> Iterator["Place"]:
    """Gives the place, and lets a cluster go when the block ends: what was at work has been put back into the line by then."""
    where = where or Where()
    if where.on == "here":
        if where.address:
            raise UsageError("--address is the address of a Ray cluster: add --on ray.")
        if where.projects == "sent":
            raise UsageError("--projects sent is for the machines of a Ray cluster: add --on ray.")
        yield _this_machine()
        return
    from lorasmith.folders import data_folder
    from lorasmith.jobs.farm.cluster import connect, leave
    from lorasmith.jobs.queue import demand_free

    _demand_sense(where)
    from lorasmith.jobs.farm.place import OnRay, Wants
    from lorasmith.jobs.farm.shards import surroundings
    from lorasmith.jobs.place import ThisMachine

    folder = data_folder() / "jobs"
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    demand_free(folder)  # the cluster may be the other's
    cluster = connect(folder, where.address, where.workers)
    mark = hashlib.sha256(f"{platform.node()} {folder}".encode()).hexdigest()[:12]
    try:
        home = ThisMachine(lambda: surroundings(cluster.address, {"num_cpus": where.job_cpus}))
        yield OnRay(cluster, home, Wants(where.job_gpus, where.job_cpus, where.job_memory, where.projects == "sent"), mark)
    finally:
        leave(cluster, folder, end=True)


def _this_machine() -> "Place":
    """Gives this machine as the place; a WebUI that the environment names gives back its GPU meanwhile."""
    from lorasmith.jobs.hand_over import WithRoom
    from lorasmith.jobs.place import ThisMachine
    from lorasmith.rendering.webui import Webui

    webui = Webui.from_environment()
    return ThisMachine() if webui is None else WithRoom(ThisMachine(), webui.release_gpu, webui.restore_gpu)


def _demand_sense(where: Where) -> None:
    for name, value in (("--job-gpus", where.job_gpus), ("--job-cpus", where.job_cpus), ("--job-memory", where.job_memory)):
        if value < 0:
            raise UsageError(f"{name} is {value:g}; it cannot be less than 0.")
    if where.job_gpus > 1 and where.job_gpus != int(where.job_gpus):
        raise UsageError(f"--job-gpus is {where.job_gpus:g}; a job gets a part of one card, or whole ones.")
    if where.workers < 0:
        raise UsageError(f"--workers is {where.workers}; it cannot be less than 0.")
    if where.workers and where.address:
        raise UsageError("--workers is for a cluster of this machine alone; leave it or --address out.")
