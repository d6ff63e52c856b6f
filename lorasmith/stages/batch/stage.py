"""batch: one row per character becomes a project, and all of them go the whole road through the queue, each as far as asked.

A project's road is two jobs: what asks sites and looks at pictures, and what wants a GPU. The second is put in the line when
the first has ended well, so that one character is downloaded while another is trained. Which job does what for whom stands in
a file beside the characters: whoever calls again, after a crash too, goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import ProjectError
from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.settings.toml import FILE_NAME, keep_choice
from lorasmith.stages.batch.characters import Character, Characters
from lorasmith.stages.table import STAGES

if TYPE_CHECKING:
    from lorasmith.jobs.store import Job, Lane, Store

_FIRST = ("research", "download", "prune", "prepare")  # the light half of the road
STATE = ".state.json"
_PATIENCE = 20.0  # seconds: so long a command may take to end whose queue has gone


@dataclass(frozen=True)
class Part:
    """One half of a project's road: from which stage to which, and the room it wants in the queue."""

    start: str
    end: str
    lane: "Lane"


@dataclass(frozen=True)
class Standing:
    """How far a character is: done, or what its last job says."""

    character: Character
    state: str  # not begun, waiting, held, running, done, failed, stopped
    part: str  # "research to prepare"; of one that is done the whole road
    note: str


def parts_to(end: str) -> tuple[Part, ...]:
    """Gives the parts of the road up to a stage."""
    names = [stage.name for stage in STAGES]
    wanted = names[: names.index(end) + 1]
    light, heavy = ([name for name in wanted if (name in _FIRST) is first] for first in (True, False))
    parts = [Part(light[0], light[-1], "light")]
    return (*parts, Part(heavy[0], heavy[-1], "gpu")) if heavy else tuple(parts)


def make_projects(characters: Characters) -> int:
    """Makes the projects that are not there, and writes the file's settings into those that are; gives how many are new.

    Raises `ProjectError` before anything is made where a folder holds the project of another trigger.
    """
    there = [row for row in characters.rows if (row.folder / FILE_NAME).exists()]
    for row in there:
        with Project.open(row.folder, writing=False) as project:
            if project.trigger != row.trigger:
                raise ProjectError(
                    f"{row.folder} is a project with the trigger '{project.trigger}', not '{row.trigger}'; "
                    "give that row folder = '...'."
                )
    for row in characters.rows:
        if row not in there:
            Project.create(row.folder, row.trigger, preset=row.preset, chosen=row.tables).close()
            continue
        changed = _changed(row)
        if changed:  # else nobody who works on it need be waited for: after a crash its job may still be ending
            with Project.open(row.folder, patience=_PATIENCE):
                for table, values in changed.items():
                    keep_choice(row.folder / FILE_NAME, table, values)
    return len(characters.rows) - len(there)


def _changed(row: Character) -> dict[str, dict[str, Any]]:
    """Gives what the file says of a character and its project does not, by table."""
    with Project.open(row.folder, writing=False) as project:
        tables = project.tables
    found = {
        table: {name: value for name, value in values.items() if tables.get(table, {}).get(name) != value}
        for table, values in row.tables.items()
    }
    return {table: values for table, values in found.items() if values}


class Batch:
    """The characters of one file and the jobs that take them along."""

    def __init__(self, file: Path, characters: Characters, store: "Store") -> None:
        self.file = file
        self.characters = characters
        self.parts = parts_to(characters.to)
        self._store = store
        self._place = file.with_name(file.name + STATE)
        self._jobs = _read(self._place)  # folder -> part -> {"job": number, "settings": hash}

    def go_on(self) -> None:
        """Puts in the line what can be done next for each character; a part that failed or was stopped only once a call."""
        added = [self._go_on(row) for row in self.characters.rows]
        if any(added):
            self._keep()

    def try_again(self) -> None:
        """Forgets the jobs that failed or were stopped, so that `go_on` makes new ones; settings that changed do the same."""
        for row in self.characters.rows:
            its = self._jobs.get(str(row.folder), {})
            for name, known in list(its.items()):
                job = self._store.get(int(known["job"]))
                if job is None or job.state in ("failed", "stopped") or (job.ended and known["settings"] != _settings_of(row)):
                    del its[name]

    def standing(self) -> list[Standing]:
        """Gives how far each character is."""
        return [self._standing(row) for row in self.characters.rows]

    def job_of(self, row: Character, part: Part) -> "Job | None":
        """Gives the job that does a part for a character."""
        known = self._jobs.get(str(row.folder), {}).get(_name(part))
        job = None if known is None else self._store.get(int(known["job"]))
        return job if job is not None and job.folder == row.folder else None  # the file may come from another machine

    def _go_on(self, row: Character) -> bool:
        """Puts in the line what is next for one character; says whether a job was added."""
        added = False
        for part in self.parts:
            job = self.job_of(row, part)
            if job is None:
                words = ("run", str(row.folder), "--from", part.start, "--to", part.end)
                job, _ = self._store.add_once(row.folder, words, part.lane, _name(part))
                self._jobs.setdefault(str(row.folder), {})[_name(part)] = {"job": job.id, "settings": _settings_of(row)}
                added = True
            if job.state != "done":
                break
        return added

    def _standing(self, row: Character) -> Standing:
        from lorasmith.jobs.line import state_of, told_of

        for part in self.parts:
            job = self.job_of(row, part)
            if job is None:
                return Standing(row, "not begun" if part is self.parts[0] else "waiting", _name(part), "")
            if job.state != "done":
                return Standing(row, state_of(job), _name(part), told_of(job))
        return Standing(row, "done", f"{self.parts[0].start} to {self.characters.to}", "")

    def _keep(self) -> None:
        write_atomic(self._place, json.dumps({"format": 1, "jobs": self._jobs}, indent=1, sort_keys=True) + "\n")


def is_over(standing: Iterable[Standing]) -> bool:
    """Says whether each character is through or stuck."""
    return all(one.state in ("done", "failed", "stopped", "held") for one in standing)


def see_through(batch: Batch, wait: Callable[[Sequence[Standing]], None]) -> None:
    """Goes on until each character is through or stuck; `wait` is told how far they are and lets the queue work."""
    batch.try_again()
    batch.go_on()
    while not is_over(standing := batch.standing()):
        wait(standing)
        batch.go_on()


def _name(part: Part) -> str:
    return f"{part.start} to {part.end}"


def _settings_of(row: Character) -> str:
    """Gives a word that changes with the project's settings, whoever changed them: a part is then done again."""
    text = (row.folder / FILE_NAME).read_bytes() if (row.folder / FILE_NAME).exists() else b""
    return hashlib.sha256(text).hexdigest()[:16]


def _read(place: Path) -> dict[str, dict[str, dict[str, Any]]]:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        return {folder: dict(its) for folder, its in found["jobs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # whoever lost it: the jobs find out themselves that their work is done
