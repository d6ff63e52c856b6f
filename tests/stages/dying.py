"""Kills this very process at the n-th thing that it puts on the disk: the same moment each time, however loaded the machine is.

`python -m tests.stages.dying DIR MOMENTS FIRST LAST` does so in some stages of a project, from one to another.
Counted are the opening of a file for writing, its fsync, each rename and removal, and each statement that writes to the
database; a commit counts before and after.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lorasmith.project.database import Connection
from lorasmith.project.project import Project
from lorasmith.stages.run import run_all

_WRITES = ("BEGIN", "INSERT", "UPDATE", "DELETE", "COMMIT")


class Death:
    """Counts moments, and kills at the last of them."""

    def __init__(self, folder: Path, moments: int) -> None:
        self.folder, self.left = str(folder), moments

    def come_nearer(self) -> None:
        """Counts one moment."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # nothing more is run, not even `finally`

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hears what Python says of files (an audit hook)."""
        if event == "open":
            path, mode, _ = arguments
            if isinstance(mode, str) and set(mode) & set("wax+") and str(path).startswith(self.folder):
                self.come_nearer()
        elif event in ("os.rename", "os.remove") and str(arguments[0]).startswith(self.folder):
            self.come_nearer()


def die_in(folder: Path, moments: int) -> None:
    """Lets this process die at so many moments from now."""
    death = Death(folder, moments)
    sys.addaudithook(death.hear)
    execute, fsync = Connection.execute, os.fsync

    def counted(self: Connection, *words: Any) -> sqlite3.Cursor:
        statement = str(words[0]).lstrip()[:6].upper()
        if statement.startswith(_WRITES):
            death.come_nearer()
        found = execute(self, *words)
        if statement == "COMMIT":
            death.come_nearer()
        return found

    def synced(file: int) -> None:
        fsync(file)
        death.come_nearer()

    patch: Callable[[Any, str, Any], None] = setattr
    patch(Connection, "execute", counted)
    patch(os, "fsync", synced)


def dies_in_stages(folder: Path, moments: int, first: str, last: str) -> bool:
    """Lets a child process do some stages of a project and die in them; says whether it died."""
    command = [sys.executable, "-m", "tests.stages.dying", str(folder), str(moments), first, last]
    child = subprocess.run(command, capture_output=True, timeout=570, cwd=Path(__file__).parents[2])
    assert child.returncode in (0, -9, 15), child.stderr.decode(errors="replace")
    return child.returncode != 0


def main(folder: Path, moments: int, first: str, last: str) -> None:
    """Does the stages, and dies in them unless they are done before."""
    with Project.open(folder, patience=10) as project:
        die_in(project.folder, moments)
        run_all(project, start=first, end=last)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
