"""The GPU handed over: whoever else holds it is asked to give it back before a job that needs it, and gets it again after."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError
from lorasmith.jobs.place import INTERRUPTED, Place, Work
from lorasmith.jobs.store import Job
from lorasmith.progress import Progress

_LOOK_EVERY = 0.2  # seconds
_RESTORING = 8.0  # seconds that a job waits at its end for the other one to have the GPU again


class WithRoom(Place):
    """Starts jobs of the lane "gpu" only after `release`, and calls `restore` however they end; all others pass through."""

    def __init__(self, place: Place, release: Callable[[], None], restore: Callable[[], None]) -> None:
        self._place = place
        self._release = release
        self._restore = restore

    def start(self, job: Job, log: Path) -> Work:
        """Starts a job."""
        if job.lane != "gpu":
            return self._place.start(job, log)
        return _RoomFirst(lambda: self._place.start(job, log), self._release, self._restore, job.stage, log)


class _RoomFirst:
    """A job that waits for the GPU, works, and gives it back; each in a thread of its own, since asking can take minutes."""

    def __init__(self, start: Callable[[], Work], release: Callable[[], None], restore: Callable[[], None],
                 stage: str, log: Path) -> None:  # fmt: skip
        self._start, self._release, self._restore = start, release, restore
        self._stage, self._log = stage, log
        self._work: Work | None = None
        self._fault = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go, name=f"GPU for {stage}", daemon=True)
        self._thread.start()

    def _go(self) -> None:
        try:
            self._in_background(self._release, enough=self._stopped.is_set)
            if not self._stopped.is_set():
                self._work = self._start()
                self._see_through(self._work)
        except Exception as error:  # noqa: BLE001 - whatever it was, the job must end and say so
            self._fault = f"It could not be started: {error}"
        finally:
            until = time.monotonic() + _RESTORING
            self._in_background(self._restore, enough=lambda: time.monotonic() > until)

    def _see_through(self, work: Work) -> None:
        while work.state() is None:
            time.sleep(_LOOK_EVERY)
            if self._stopped.is_set():
                work.ask_to_stop()

    def _in_background(self, act: Callable[[], None], enough: Callable[[], bool]) -> None:
        """Asks the other one, and waits until it has done so or `enough` says that it was long enough.

        It may be in the middle of a long picture. What was asked stands in its line then, and what is asked later stands
        behind that, so the order is right without anybody waiting here.
        """
        asking = threading.Thread(target=self._try, args=(act,), name=f"asks for the GPU of {self._stage}", daemon=True)
        asking.start()
        while asking.is_alive():
            asking.join(_LOOK_EVERY)
            if enough():
                return

    def _try(self, act: Callable[[], None]) -> None:
        """Does it; a host that does not answer costs a line in the log, never the training."""
        try:
            act()
        except LorasmithError as error:
            with suppress(OSError), self._log.open("a", encoding="utf-8") as log:
                log.write(f"{error}\n")

    @property
    def pid(self) -> int | None:
        """The child's process number, once there is one."""
        return None if self._work is None else self._work.pid

    def state(self) -> int | None:
        """Gives the exit code when the work has ended and the GPU is back with its owner."""
        if self._thread.is_alive():
            return None
        if self._work is None:
            return 1 if self._fault else INTERRUPTED
        return self._work.state()

    def progress(self) -> Progress | None:
        """Gives how far it is."""
        if self._work is None:
            return Progress(self._stage, 0, None, "waiting for the WebUI to give back the GPU")
        return self._work.progress()

    def answer(self) -> dict[str, Any]:
        """Gives the command's answer."""
        if self._work is None:
            return {"error": self._fault} if self._fault else {}
        return self._work.answer()

    def ask_to_stop(self) -> None:
        """Asks the work to stop, or never to begin."""
        self._stopped.set()

    def kill(self) -> None:
        """Ends the work at once."""
        self._stopped.set()
        if self._work is not None:
            self._work.kill()
