"""A project at home while a copy of it is worked on elsewhere: held, and brought to a later moment as a whole or not at all.

What came lies in the project's cache folder until it is complete; then a list says what is to be done, and only then it is done.
A queue that is killed in between does the rest of the list at its next start. A file that a person changed here meanwhile stays
as that person left it: the stages take that up as they take up every change from outside.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import ProjectError
from lorasmith.files import demand_space, move_into_place, write_atomic
from lorasmith.jobs.farm import parcels
from lorasmith.jobs.farm.parcels import CACHE, RECORD, Part, State, copy_record, inside, listed, state_of


@dataclass(frozen=True)
class Moment:
    """A copy's files and its record at one instant; `size` is the record's in bytes."""

    files: dict[str, State]
    record: str
    size: int

    @classmethod
    def read(cls, told: bytes) -> "Moment | None":
        """Reads what a worker tells; None when it found no quiet instant."""
        found = json.loads(told)
        if not found:
            return None
        return cls(_states(found["files"]), found["record"], found["size"])


@dataclass(frozen=True)
class Change:
    """What brings the home from the moment that it knows to a later one."""

    moment: Moment
    come: dict[str, int]  # what is to be fetched, and its bytes
    gone: list[str]

    def __bool__(self) -> bool:
        return bool(self.come or self.gone)


class Home:
    """The project's folder, of which the caller holds the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._away = folder / CACHE / "away"
        self._new = self._away / "new"
        self._ready = self._away / "ready.json"
        self._known = self._away / "known.json"
        self._there: dict[str, State] = {}  # the copy's files as they were last taken
        self._here: dict[str, State] = {}  # the same files here, as they were written or sent
        self._record = ""

    # sending

    def begin(self) -> Moment:
        """Notes how the project is; gives what is to be sent."""
        self._finish()
        shutil.rmtree(self._away, ignore_errors=True)
        self._away.mkdir(parents=True)
        self._record = copy_record(self.folder, self._away / RECORD)
        self._there = listed(self.folder)
        self._here = dict(self._there)
        self._note()
        return Moment(self._there, self._record, (self._away / RECORD).stat().st_size)

    def bundles(self, moment: Moment) -> Iterator[bytes]:
        """Gives the bytes of everything that is to be sent."""
        sizes = {name: size for name, (size, _) in moment.files.items()} | {RECORD: moment.size}
        paths = {name: self.folder / name for name in moment.files} | {RECORD: self._away / RECORD}
        for parts in parcels.cut(sizes):
            try:
                yield parcels.packed(parts, paths)
            except OSError as error:
                raise ProjectError(f"{error.filename} cannot be read ({error.strerror}), so the project cannot be sent.") from error

    def take_up(self) -> None:
        """Knows again what a queue knew that was killed; raises `ProjectError` when the project was changed since."""
        try:
            self._read_known()
        except (OSError, ValueError, KeyError) as error:
            raise ProjectError(f"What was sent of {self.folder} is not known any more.") from error
        self._finish()
        if copy_record(self.folder, self._away / RECORD) != self._record:
            raise ProjectError(f"{self.folder} was changed here while another machine worked on a copy of it.")

    # bringing home

    def change_to(self, moment: Moment) -> Change:
        """Says what differs between a moment of the copy and what was taken last."""
        come = {name: state[0] for name, state in moment.files.items() if state != self._there.get(name)}
        if moment.record != self._record:
            come[RECORD] = moment.size
        for name in come:
            inside(self.folder, name)
        return Change(moment, come, [name for name in self._there if name not in moment.files])

    def parts(self, change: Change) -> Iterator[list[Part]]:
        """Says what is to be fetched, bundle by bundle."""
        demand_space(self.folder, sum(change.come.values()))
        shutil.rmtree(self._new, ignore_errors=True)
        yield from parcels.cut(change.come)

    def keep(self, bundle: bytes) -> None:
        """Puts by what was fetched."""
        parcels.write_parts(bundle, self._new)

    def apply(self, change: Change) -> None:
        """Brings the project to the change's moment; raises `ProjectError`, with nothing done, where a file did not come whole."""
        for name, size in change.come.items():
            came = state_of(inside(self._new, name))
            if came is None or came[0] != size:
                raise ProjectError(f"{name} did not come whole from the machine that worked on it.")
        files = {name: change.moment.files[name] for name in change.come if name != RECORD}
        write_atomic(self._ready, json.dumps({"files": files, "gone": change.gone, "record": RECORD in change.come}))
        self._finish()
        self._there = dict(change.moment.files)
        self._note()

    def end(self) -> None:
        """Forgets that anything was away."""
        shutil.rmtree(self._away, ignore_errors=True)

    def _finish(self) -> None:
        """Does what a complete list says; what is done of it already is not done again."""
        try:
            to_do = json.loads(self._ready.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if not self._here:
            self._read_known()
        for name, (_, time) in to_do["files"].items():
            self._take(name, time)
        for name in to_do["gone"]:
            if not self._is_a_persons(name):
                inside(self.folder, name).unlink(missing_ok=True)
            self._here.pop(name, None)
        if to_do["record"]:
            parcels.put_record(self._new / RECORD, self.folder)
            self._record = copy_record(self.folder, self._away / RECORD)
        self._note()
        self._ready.unlink()
        shutil.rmtree(self._new, ignore_errors=True)

    def _take(self, name: str, time: int) -> None:
        """Moves a file that came to where it belongs, unless it was moved already or a person's is there."""
        came, place = inside(self._new, name), inside(self.folder, name)
        if came.exists():
            if self._is_a_persons(name):
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            with came.open("rb+") as file:
                os.fsync(file.fileno())
            os.utime(came, ns=(time, time))
            move_into_place(came, place)
        if (state := state_of(place)) is not None:
            self._here[name] = state

    def _is_a_persons(self, name: str) -> bool:
        """Says whether somebody changed a file here since it was last sent or written."""
        return state_of(inside(self.folder, name)) not in (None, self._here.get(name))

    def _read_known(self) -> None:
        known = json.loads(self._known.read_text(encoding="utf-8"))
        self._there, self._here, self._record = _states(known["there"]), _states(known["here"]), str(known["record"])

    def _note(self) -> None:
        write_atomic(self._known, json.dumps({"there": self._there, "here": self._here, "record": self._record}))


def _states(told: dict[str, list[int]]) -> dict[str, State]:
    return {name: (int(size), int(time)) for name, (size, time) in told.items()}
