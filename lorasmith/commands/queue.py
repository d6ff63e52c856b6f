"""The commands under `lorasmith queue`: trainings in a line that outlives every process, one child process each."""

import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from lorasmith.commands.farm import Where, opened
from lorasmith.errors import UsageError

if TYPE_CHECKING:
    from lorasmith.jobs.queue import Queue
    from lorasmith.jobs.store import Job, Store

_LOOK_EVERY = 0.3  # seconds
_ENDED_SHOWN = 10
Numbers = Annotated[int, Parameter(help="a job's number, as `queue list` shows it")]


@dataclass(frozen=True)
class JobRow:
    """One line of the list."""

    number: int
    state: str
    project: str
    job: str
    progress: str


@dataclass(frozen=True)
class Listed:
    """The queue as it is: what runs and waits, in order, then what ended last."""

    paused: bool
    jobs: tuple[JobRow, ...]
    ended: tuple[JobRow, ...]


@dataclass(frozen=True)
class Run:
    """What a run of the queue did."""

    jobs: tuple[JobRow, ...]
    done: int
    failed: int
    left: int

    @property
    def exit_code(self) -> int:
        """1 when a job failed."""
        return int(self.failed > 0)


def queue_app(sort_key: int) -> App:
    """Builds the sub-commands."""
    app = App(name="queue", help="Trainings in a line: add, list, run, pause, resume, cancel, move.", sort_key=sort_key)
    commands: tuple[Callable[..., Any], ...] = (add, list_, run, pause, resume, cancel, move)
    for place, command in enumerate(commands):
        app.command(command, name=command.__name__.strip("_"), sort_key=place)
    return app


def add(
    *folders: Annotated[Path, Parameter(help="project folders")],
    do: Annotated[str, Parameter(help="the command: train, run (all stages), evaluate, tag, ...")] = "train",
    sweep: Annotated[
        list[str] | None, Parameter(help="a training for each value: rank=8,16; several make a grid", negative="")
    ] = None,
) -> Any:
    """Put trainings in the line; a [sweep] table in lorasmith.toml, or --sweep, makes a grid of them."""
    from lorasmith.stages.train.enqueue import enqueue

    with closing(open_store()) as store:
        return {"added": enqueue(store, folders, do, sweep or ()), "next": _next(store)}


def list_() -> Any:
    """Show what runs, what waits in which order, and what ended last."""
    with closing(open_store()) as store:
        return listed(store)


def listed(store: "Store") -> Listed:
    """Gives the queue as it is."""
    from lorasmith.jobs.line import ended_last

    return Listed(store.paused, tuple(map(_row, store.open())), tuple(map(_row, ended_last(store, _ENDED_SHOWN))))


def run(*, where: Where | None = None) -> Any:
    """Work through the line, one child process per job; a job that fails stops no other. Ctrl-C puts the job at work back."""
    from lorasmith.folders import data_folder
    from lorasmith.jobs.queue import at_work
    from lorasmith.terminal import shown

    with closing(open_store()) as store:
        store.resume()
        mine = {job.id for job in store.open()}
    with opened(where) as somewhere, at_work(data_folder() / "jobs", somewhere) as queue, shown() as bar:
        mine |= _see_through(queue, bar)
        return _told(queue.store, mine)


def _see_through(queue: "Queue", report: Any) -> set[int]:
    """Waits until nothing waits that may start, telling how far each is; gives the numbers of all jobs seen."""
    from lorasmith.progress import Progress

    seen: set[int] = set()
    said: dict[int, Progress] = {}
    said_paused = False
    while True:
        paused = queue.store.paused
        jobs = queue.store.open()
        seen |= {job.id for job in jobs}
        if not [job for job in jobs if job.state == "running" or not job.held]:
            return seen
        if paused and not said_paused:
            sys.stderr.write("The queue is paused; `lorasmith queue resume` lets it go on.\n")
            sys.stderr.flush()
        said_paused = paused
        for job in jobs:
            told = queue.progress(job.id)
            if told is not None and told != said.get(job.id):
                said[job.id] = told
                report(Progress(f"{job.id} {job.folder.name}", told.done, told.total, f"{told.stage} {told.note}".strip()))
        time.sleep(_LOOK_EVERY)


def _told(store: "Store", mine: set[int]) -> Run:
    jobs = [job for number in sorted(mine) if (job := store.get(number)) is not None]
    ended = [job for job in jobs if job.ended]
    count = {state: sum(job.state == state for job in ended) for state in ("done", "failed")}
    return Run(tuple(map(_row, jobs)), count["done"], count["failed"], len(jobs) - len(ended))


def pause(
    *numbers: Numbers,
    finish: Annotated[bool, Parameter(help="let the job at work come to its end first", negative="")] = False,
) -> Any:
    """Let nothing start; what is at work stops at its last saved state and waits for its next turn. With numbers: only those."""
    from lorasmith.jobs.line import hold

    with closing(open_store()) as store:
        if numbers:
            hold(store, numbers, True)
        else:
            store.pause(finish=finish)
        return listed(store)


def resume(*numbers: Numbers) -> Any:
    """Let the queue go on, or the jobs of those numbers."""
    from lorasmith.jobs.line import hold

    with closing(open_store()) as store:
        if not numbers:
            store.resume()
        hold(store, numbers, False)
        return {"next": _next(store)}


def cancel(*numbers: Numbers) -> Any:
    """Take jobs out of the line, or stop those at work; what they saved stays."""
    if not numbers:
        raise UsageError("Name the jobs by their numbers: lorasmith queue cancel 3 4; `lorasmith queue list` shows them.")
    from lorasmith.jobs.line import demand_open

    with closing(open_store()) as store:
        jobs = [demand_open(store, number) for number in numbers]
        for job in jobs:
            store.cancel(job.id)
        return listed(store)


def move(
    number: Numbers,
    to: Annotated[str, Parameter(help="first, last, or a place among those that wait, from 1")],
) -> Any:
    """Put a job that waits at another place of the line."""
    from lorasmith.jobs import line

    with closing(open_store()) as store:
        line.move(store, number, to)
        return listed(store)


def open_store() -> "Store":
    """Opens the list of jobs of this person."""
    from lorasmith.folders import data_folder
    from lorasmith.jobs.store import Store

    return Store(data_folder() / "jobs" / "jobs.db")


def _next(store: "Store") -> str:
    if store.paused:
        return "the queue is paused; `lorasmith queue resume` lets it go on"
    return "`lorasmith queue run` works through the line, if the page is not doing so already"


def _row(job: "Job") -> JobRow:
    from lorasmith.jobs.line import state_of, told_of
    from lorasmith.stages.train.enqueue import job_word

    return JobRow(job.id, state_of(job), job.folder.name, job_word(job.stage, job.name), told_of(job))
