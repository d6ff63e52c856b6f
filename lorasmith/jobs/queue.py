"""The queue: starts what waits when there is room for it, watches it, and writes down how it ended.

One job at a time works on a project (the project's lock says so), and one at a time has the GPU. What was running when
this process was killed goes back into the line at the next start; what a person stopped, or closed with the program,
stays stopped until that person says go on.
"""

import threading
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.jobs import processes
from lorasmith.jobs.place import INTERRUPTED, Place, Work
from lorasmith.jobs.store import OPEN, Job, Lane, State, Store, now
from lorasmith.progress import Progress

ROOM: dict[Lane, int] = {"gpu": 1, "light": 2}  # jobs of each kind at once
_LOOK_EVERY = 0.25  # seconds
_AFTER_TROUBLE = 2.0  # seconds
_PATIENCE = 20.0  # seconds that a job asked to stop has for what must not be broken off


class Queue:
    """Runs the jobs of one data folder; a second process on the same folder is refused."""

    def __init__(self, folder: Path, place: Place) -> None:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "queue.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise LorasmithError(
                "Another lorasmith page is already running on this machine for you; use that one, or stop it first."
            ) from error
        self.folder = folder
        self.store = Store(folder / "jobs.db")
        self._place = place
        self._working: dict[int, Work] = {}
        self._asked: dict[int, float] = {}  # job -> when it was asked to stop
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._bring_back()
        self._thread = threading.Thread(target=self._go, name="queue of jobs", daemon=True)
        self._thread.start()

    # what a front-end asks

    def add(self, folder: Path, words: Iterable[str], lane: Lane) -> Job:
        """Puts a job in the line; raises when the very same one is in it already."""
        words = tuple(words)
        with self._changed:
            for job in self.store.open():
                if job.folder == folder and job.words == words:
                    raise UsageError(f"'{job.stage}' of this project is already {_word(job.state)}.")
            return self.store.add(folder, words, lane)

    def stop(self, number: int) -> None:
        """Stops a job: at once when it waits, softly when it works, for good when it does not listen."""
        with self._changed:
            job = self.store.get(number)
            if job is None or job.state not in OPEN:
                return
            if number in self._working:
                self._asked.setdefault(number, time.monotonic())
                self._working[number].ask_to_stop()
            else:
                self.store.change(number, state="stopped", ended=now())

    def progress(self, number: int) -> Progress | None:
        """Gives how far a job is."""
        work = self._working.get(number)
        return None if work is None else work.progress()

    def is_stopping(self, number: int) -> bool:
        """Says whether a job was asked to stop and still works."""
        return number in self._asked

    def log_of(self, number: int) -> Path:
        """The file of what a job said."""
        return self.folder / "logs" / f"{number:06d}.txt"

    def close(self) -> None:
        """Stops everything that works, softly first; what waits is there again at the next start."""
        self._closing.set()
        self._thread.join()
        with self._changed:
            for work in self._working.values():
                work.ask_to_stop()
            until = time.monotonic() + _PATIENCE * 0.7
            while any(work.state() is None for work in self._working.values()) and time.monotonic() < until:
                time.sleep(0.05)
            for number, work in list(self._working.items()):
                if work.state() is None:
                    work.kill()
                self._end(number, work, stopped=True)
        self.store.close()
        self._lock.release()

    # the thread

    def _bring_back(self) -> None:
        """Puts back in the line what was running when the last queue was killed.

        Its process may still live: its input has ended with that queue, so it is about to go, and its turn comes after.
        """
        for job in self.store.open():
            if job.state == "running":
                self.store.change(job.id, state="waiting")

    def _go(self) -> None:
        while not self._closing.wait(_LOOK_EVERY):
            with self._changed:
                try:
                    self._look_after()
                    self._start_what_fits()
                except Exception:  # noqa: BLE001 - a full disk, a list that somebody holds: the next round tries again
                    traceback.print_exc()
                    self._closing.wait(_AFTER_TROUBLE)

    def _look_after(self) -> None:
        for number, work in list(self._working.items()):
            if work.state() is not None:
                self._end(number, work, stopped=number in self._asked)
            elif time.monotonic() - self._asked.get(number, time.monotonic()) > _PATIENCE:
                work.kill()
            elif work.pid is not None and (job := self.store.get(number)) is not None:
                self._name_process(job, work)

    def _start_what_fits(self) -> None:
        jobs = self.store.open()
        running = [job for job in jobs if job.id in self._working]
        for job in jobs:
            if job.state != "waiting" or processes.is_the_same(job.pid, job.born):
                continue
            busy = any(other.folder == job.folder for other in running)
            if busy or sum(other.lane == job.lane for other in running) >= ROOM[job.lane]:
                continue
            running.append(self._start(job))

    def _start(self, job: Job) -> Job:
        try:
            work = self._place.start(job, self.log_of(job.id))
        except Exception as error:  # noqa: BLE001 - one job that cannot be started must not keep the others
            return self.store.change(job.id, state="failed", ended=now(), error=f"It could not be started: {error}.")
        self._working[job.id] = work
        return self._name_process(self.store.change(job.id, state="running", started=now(), pid=None, born=None), work)

    def _name_process(self, job: Job, work: Work) -> Job:
        """Writes down which process works on a job: after a crash of this one, it must have gone before the next begins."""
        if work.pid is None or work.pid == job.pid:
            return job
        return self.store.change(job.id, pid=work.pid, born=processes.birth_of(work.pid))

    def _end(self, number: int, work: Work, *, stopped: bool) -> None:
        code, answer = work.state(), work.answer()
        state: State = "done" if code == 0 else "stopped" if stopped or code == INTERRUPTED else "failed"
        error = str(answer.get("error", "")) if state == "failed" else ""
        if state == "failed" and not error:  # the command did its work and its verdict is no (`check`, `demo`)
            state = "done"
        result: dict[str, Any] = answer if state == "done" else {}
        self.store.change(number, state=state, ended=now(), result=result, error=error, pid=None, born=None)
        self._working.pop(number, None)
        self._asked.pop(number, None)


def _word(state: State) -> str:
    return "waiting its turn" if state == "waiting" else state
