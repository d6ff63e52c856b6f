"""The copy of a project on a machine of the cluster that does not share the folder at home."""

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from lorasmith.errors import ProjectError
from lorasmith.files import demand_space, write_atomic
from lorasmith.folders import data_folder
from lorasmith.jobs import processes
from lorasmith.jobs.farm.parcels import RECORD, Part, State, copy_record, inside, listed, packed, state_of, write_parts
from lorasmith.project.project import FOLDERS

_OWNER = "owner.json"
_TRIES = 5  # to find an instant without a commit


class Copy:
    """A project's folder that came in bundles, and goes back as a row of moments at which everything in it fits together."""

    def __init__(self, name: str) -> None:
        """Makes the folder for the project of that folder name; what workers left that were killed is removed."""
        above = data_folder() / "copies"
        remove_left(above)
        self._place = above / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._place.mkdir(parents=True, mode=0o700)
        write_atomic(self._place / _OWNER, json.dumps({"pid": os.getpid(), "born": processes.birth_of(os.getpid())}))
        self.folder = self._place / name
        self.folder.mkdir()
        self._shown = self._place / RECORD  # the record as it was told last
        self._sha = ""
        self._watch: sqlite3.Connection | None = None
        self._version = -1
        self._numbers: dict[str, int] = {}  # a file written anew has another number, one that grows has the same

    def expect(self, size: int) -> None:
        """Raises `DiskFull` when there is no room for so many bytes."""
        demand_space(self.folder, size)

    def take(self, bundle: bytes) -> None:
        """Writes what came."""
        write_parts(bundle, self.folder)

    def complete(self, files: dict[str, State]) -> None:
        """Gives the files their times, by which stages know what they have looked at; raises `ProjectError` where one lacks."""
        for name in FOLDERS:
            (self.folder / name).mkdir(exist_ok=True)  # an empty folder does not travel
        for name, (size, time) in files.items():
            path = inside(self.folder, name)
            came = state_of(path)
            if came is None or came[0] != size:
                raise ProjectError(f"{name} changed while the project was sent; leave it alone for a moment and start the job again.")
            os.utime(path, ns=(time, time))

    def moment(self) -> bytes:
        """Gives, as JSON, the files and the record's sha256 at an instant at which both fit together.

        That is so when nothing was committed while the files were listed: a stage writes its files first and commits then. So
        whoever has both has what a `kill -9` at that instant would have left, from which every stage goes on.
        """
        for _ in range(_TRIES):
            before = self._commits()
            if before != self._version:
                self._sha = copy_record(self.folder, self._shown)
                self._version = before
            files = listed(self.folder)
            self._numbers = {name: _number(self.folder / name) for name in files}
            if self._commits() == before:
                return json.dumps({"files": files, "record": self._sha, "size": self._shown.stat().st_size}).encode()
        return b"{}"

    def give(self, parts: Iterable[Part]) -> bytes:
        """Gives parts of files in a bundle; the record is the one of the last moment."""
        wanted = [(str(name), int(offset), int(length)) for name, offset, length in parts]
        paths = {name: self._shown if name == RECORD else inside(self.folder, name) for name, _, _ in wanted}
        return packed([part for part in wanted if paths[part[0]].is_file()], paths)

    def still(self, files: dict[str, State]) -> bool:
        """Says whether what was given of these files is of the last moment; one that has only grown since is."""
        for name, (size, time) in files.items():
            path = inside(self.folder, name)
            now = state_of(path)
            if now is None or _number(path) != self._numbers.get(name) or (now != (size, time) and now[0] <= size):
                return False
        return True

    def remove(self) -> None:
        """Removes everything of it."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        shutil.rmtree(self._place, ignore_errors=True)

    def _commits(self) -> int:
        """Gives a number that changes with each commit of another process."""
        if self._watch is None:
            self._watch = sqlite3.connect(self.folder / RECORD, timeout=20, isolation_level=None, check_same_thread=False)
        with closing(self._watch.execute("PRAGMA data_version")) as found:
            return int(found.fetchone()[0])


def _number(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def remove_left(above: Path) -> None:
    """Removes the copies whose worker is no more."""
    for place in above.iterdir() if above.is_dir() else ():
        try:
            owner = json.loads((place / _OWNER).read_text(encoding="utf-8"))
            alive = processes.is_the_same(owner["pid"], owner["born"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # one that is being made at this moment
        if not alive:
            shutil.rmtree(place, ignore_errors=True)
