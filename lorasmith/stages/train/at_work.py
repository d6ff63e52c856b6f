"""Which process trains a run: written into its folder for as long as it does, so that whoever looks knows that it lives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lorasmith.files import write_atomic

_FILE = "at_work.json"


@dataclass(frozen=True)
class Worker:
    """The process that trains."""

    pid: int
    memory: int | None  # bytes that it and all below it have in the machine's memory


@contextmanager
def told_at_work(run: Path) -> Iterator[None]:
    """Notes this process in a run's folder, and takes the note away at the end; a killed one's note names nobody who lives."""
    from os import getpid

    from lorasmith.jobs import processes

    file = run / _FILE
    write_atomic(file, json.dumps({"pid": getpid(), "born": processes.birth_of(getpid())}) + "\n")
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
            if not any(run.iterdir()):  # it did not even begin
                run.rmdir()


def worker_of(run: Path) -> Worker | None:
    """Gives the process that trains a run now, whoever started it; None when nobody does."""
    from lorasmith.jobs import processes

    with suppress(OSError, ValueError, KeyError, TypeError):
        facts = json.loads((run / _FILE).read_text(encoding="utf-8"))
        if processes.is_the_same(facts["pid"], facts["born"]):
            return Worker(facts["pid"], processes.memory_of(facts["pid"]))
    return None
