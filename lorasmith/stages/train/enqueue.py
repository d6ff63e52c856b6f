"""queue add: trainings of projects put in the line, a grid of them where there is a sweep; mistakes are told before the night."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.stage import unknown_name
from lorasmith.settings.sweep import Point, grid, typed
from lorasmith.settings.tables import TABLES, TrainSettings
from lorasmith.settings.toml import FILE_NAME, SWEEP
from lorasmith.stages.train.check import checkpoint_faults

if TYPE_CHECKING:
    from lorasmith.jobs.store import Store

COMMANDS = (*TABLES, "run")


@dataclass(frozen=True)
class Added:
    """One job that was put in the line, or was there."""

    number: int
    project: str
    job: str
    note: str


def enqueue(store: "Store", folders: Sequence[Path], command: str, sweep: Sequence[str]) -> tuple[Added, ...]:
    """Puts a command for each project in the line; nothing is added when one of them cannot work."""
    from lorasmith.jobs.store import lane_of

    if not folders:
        raise UsageError("Name the projects: lorasmith queue add DIR ...")
    if command not in COMMANDS:
        raise UsageError(unknown_name(command, list(COMMANDS), f"The queue cannot run '{command}'"))
    if sweep and command != "train":
        raise UsageError(f"A sweep is over trainings; '{command}' has none. Leave --sweep out, or --do.")
    ready = [(folder.expanduser().resolve(), points_of(folder, command, sweep)) for folder in folders]
    added = []
    for folder, points in ready:
        for point in points:
            words = (command, str(folder), *(("--once", *point.flags) if point.settings else ()))
            job, is_new = store.add_once(folder, words, lane_of(command), point.name)
            added.append(Added(job.id, folder.name, job_word(command, point.name), "" if is_new else f"was there: {job.state}"))
    return tuple(added)


def job_word(command: str, name: str) -> str:
    """Names a job for a person."""
    return f"{command}: {name}" if name else command


def points_of(folder: Path, command: str, sweep: Sequence[str]) -> list[Point]:
    """Gives what a project is to be trained with, each looked at as far as can be without loading anything.

    `sweep` holds words such as `rank=8,16`; without any the project's own [sweep] counts. Raises where one cannot work.
    """
    if not (folder / FILE_NAME).exists():
        raise UsageError(f"There is no project in {folder}; `lorasmith new` makes one. Nothing was added.")
    with Project.open(folder, writing=False) as project:
        lists: Any = typed(sweep) or (project.tables.get(SWEEP, {}) if command == "train" else {})
        points = grid(lists) or [Point("", {})]
        try:
            for point in points:
                for stage in TABLES if command == "run" else [command]:
                    project.settings(TABLES[stage], point.settings if stage == "train" else None)
            for checkpoint in _checkpoints(project, points) if command in ("train", "run") else ():
                if faults := checkpoint_faults(checkpoint):
                    raise LorasmithError(" ".join(faults))
        except LorasmithError as error:
            raise type(error)(f"{folder.name}: {error} Nothing was added.") from error
    return points


def _checkpoints(project: Project, points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(project.settings(TrainSettings, point.settings).checkpoint for point in points))
