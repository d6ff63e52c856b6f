"""The queue: starts what waits when there is room for it, watches it, and writes down how it ended.

One job at a time works on a project (the project's lock says so), and one at a time has the GPU. What was running when
this process was killed goes back into the line at the next start; what a person stopped, or closed with the program,
stays stopped until that person says go on. A job whose process was killed gets one more turn; one that failed does not.
"""

import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.jobs import processes
from lorasmith.jobs.place import INTERRUPTED, LOST, Place, Work
from lorasmith.jobs.store import Job, Lane, State, Store, now
from lorasmith.progress import Progress

_LOOK_EVERY = 0.25  # seconds
_AFTER_TROUBLE = 2.0  # seconds
_TELL_EVERY = 1.0  # seconds between two notes of how far a job is
_TURNS = 2  # of a job whose process is killed
_LOSSES = 10  # machines that a job may lose: one that takes them down itself must come to an end
_UNKNOWN_CHILD = 3.0  # seconds until a job begins again whose last process may live and left no number
_PATIENCE = 20.0  # seconds that a job asked to stop has for what must not be broken off


class QueueTaken(LorasmithError):
    """Another process of the person runs the jobs of this data folder."""

    def __init__(self) -> None:
        super().__init__(
            "The queue is already running in another lorasmith of yours on this machine (its page, or `lorasmith queue run`): "
            "what is added is started there. Use that one, or stop it first."
        )


@contextmanager
def at_work(folder: Path, place: Place) -> "Iterator[Queue]":
    """Runs the jobs of a folder during a block; what is at work when it ends goes back into the line."""
    queue = Queue(folder, place)
    try:
        yield queue
    finally:
        queue.close(back=True)


def demand_free(folder: Path) -> None:
    """Raises `QueueTaken` where a queue runs the jobs of this folder, before anything is made ready for another."""
    try:
        FileLock(folder / "queue.lock").acquire(timeout=0).lock.release()
    except Timeout as error:
        raise QueueTaken from error


class Queue:
    """Runs the jobs of one data folder; a second process on the same folder is refused."""

    def __init__(self, folder: Path, place: Place) -> None:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "queue.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise QueueTaken from error
        self.folder = folder
        self.store = Store(folder / "jobs.db")
        self._place = place
        self._working: dict[int, Work] = {}
        self._asked: dict[int, float] = {}  # job -> when it was asked to stop
        self._told: dict[int, float] = {}  # job -> when its progress was last noted
        self._not_before: dict[int, float] = {}
        self._losses: dict[int, int] = {}  # job -> machines that went under it
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._bring_back()
        self._thread = threading.Thread(target=self._go, name="queue of jobs", daemon=True)
        self._thread.start()

    # what a front-end asks

    def add(self, folder: Path, words: Iterable[str], lane: Lane) -> Job:
        """Puts a job in the line; raises when the very same one is in it already."""
        job, is_new = self.store.add_once(folder, tuple(words), lane)
        if not is_new:
            raise UsageError(f"'{job.stage}' of this project is already {_word(job.state)}.")
        return job

    def stop(self, number: int) -> None:
        """Stops a job: at once when it waits, softly when it works, for good when it does not listen."""
        with self._changed:
            job = self.store.cancel(number)
            if job is not None and number in self._working:
                self._ask_to_stop(number)

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

    def close(self, *, back: bool = False) -> None:
        """Stops everything that works, softly first; what waits is there again at the next start, with `back` that too."""
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
                self._end(number, work, stopped=True, back=back)
        self.store.close()
        self._lock.release()

    # the thread

    def _bring_back(self) -> None:
        """Takes up what goes on without a queue, and puts back in the line what else was running when the last one was killed.

        Its process may still live: its input has ended with that queue, so it is about to go, and its turn comes after.
        """
        for job in self.store.open():
            if job.state != "running":
                continue
            if (work := self._place.adopt(job, self.log_of(job.id))) is not None:
                self._working[job.id] = work
                continue
            if job.wish == "stop":
                self.store.change(job.id, state="stopped", ended=now())
                continue
            self.store.change(job.id, state="waiting", wish="", progress=None)
            if job.pid is None:
                self._not_before[job.id] = time.monotonic() + _UNKNOWN_CHILD

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
        wishes = {job.id: job.wish for job in self.store.open()}
        for number, work in list(self._working.items()):
            if wishes.get(number):
                self._ask_to_stop(number)
            if work.state() is not None:
                self._end(number, work, stopped=number in self._asked, back=wishes.get(number) == "back")
            elif time.monotonic() - self._asked.get(number, time.monotonic()) > _PATIENCE:
                work.kill()
            elif (job := self.store.get(number)) is not None:
                self._name_process(job, work)
                self._note_progress(job, work)

    def _ask_to_stop(self, number: int) -> None:
        if number not in self._asked:
            self._asked[number] = time.monotonic()
            self._working[number].ask_to_stop()

    def _note_progress(self, job: Job, work: Work) -> None:
        """Writes down how far a job is, for whoever looks from another process."""
        told = work.progress()
        if told is not None and told != job.progress and time.monotonic() - self._told.get(job.id, 0.0) > _TELL_EVERY:
            self._told[job.id] = time.monotonic()
            self.store.change(job.id, progress=told)

    def _start_what_fits(self) -> None:
        jobs = self.store.open()
        if self.store.paused:
            return
        running = [job for job in jobs if job.id in self._working]
        room = self._place.room()
        for job in jobs:
            if job.state != "waiting" or job.held or not self._has_gone(job):
                continue
            busy = any(other.folder == job.folder for other in running)
            if busy or sum(other.lane == job.lane for other in running) >= room[job.lane]:
                continue
            if (claimed := self.store.claim(job.id)) is not None:
                running.append(self._start(claimed))

    def _has_gone(self, job: Job) -> bool:
        """Says whether the process that worked on it for a runner that was killed has gone."""
        return not processes.is_the_same(job.pid, job.born) and time.monotonic() >= self._not_before.get(job.id, 0.0)

    def _start(self, job: Job) -> Job:
        try:
            work = self._place.start(job, self.log_of(job.id))
        except Exception as error:  # noqa: BLE001 - one job that cannot be started must not keep the others
            return self.store.change(job.id, state="failed", ended=now(), error=f"It could not be started: {error}.")
        self._working[job.id] = work
        return self._name_process(job, work)

    def _name_process(self, job: Job, work: Work) -> Job:
        """Writes down which process works on a job: after a crash of this one, it must have gone before the next begins."""
        if work.pid is None or work.pid == job.pid:
            return job
        return self.store.change(job.id, pid=work.pid, born=processes.birth_of(work.pid))

    def _end(self, number: int, work: Work, *, stopped: bool, back: bool = False) -> None:
        code, answer = work.state(), work.answer()
        state: State = "done" if code == 0 else "stopped" if stopped or code == INTERRUPTED else "failed"
        error = str(answer.get("error", "")) if state == "failed" else ""
        if state == "failed" and not error:  # the command did its work and its verdict is no (`check`, `demo`)
            state = "done"
        if (back and state == "stopped") or (state == "failed" and self._may_try_again(number, code)):
            state = "waiting"
        result: dict[str, Any] = answer if state == "done" else {}
        ended = None if state == "waiting" else now()
        self.store.change(number, state=state, ended=ended, result=result, error=error, pid=None, born=None, wish="", progress=None)
        for known in (self._working, self._asked, self._told):
            known.pop(number, None)  # type: ignore[attr-defined]

    def _may_try_again(self, number: int, code: int | None) -> bool:
        """Says whether a process died of something outside it (killed, out of memory, its machine has gone) and not too often."""
        job = self.store.get(number)
        losses = self._losses.get(number, 0)
        if code == LOST:
            self._losses[number] = losses + 1
            self._not_before[number] = time.monotonic() + _UNKNOWN_CHILD
            return losses < _LOSSES
        from_outside = code is not None and (code < 0 or code > 128) and code != INTERRUPTED
        return from_outside and job is not None and job.tries < _TURNS + losses


def _word(state: State) -> str:
    return "waiting its turn" if state == "waiting" else state
