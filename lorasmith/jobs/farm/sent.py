"""A job whose project is sent to the machine that works on it, and brought home again and again while it works.

What is brought home is always a moment at which files and record fit together, so a machine that goes takes only the last
seconds with it: the next one is sent what is at home, and goes on from there as after a `kill -9`.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

from lorasmith.errors import DiskFull, LorasmithError
from lorasmith.jobs.farm.cluster import first_line
from lorasmith.jobs.farm.home import Change, Home, Moment
from lorasmith.jobs.farm.work import RayWork
from lorasmith.jobs.place import LOST
from lorasmith.progress import Progress
from lorasmith.project.project import locked

_HELD = 20.0  # seconds that another process may go on holding the project
_BRING_EVERY = 3.0  # seconds; where bringing takes long, ten times that
_ANSWER = 10.0  # seconds that a worker has to say whether it has begun
_ON_THE_WAY = 4  # bundles at once


class _Broken(Exception):
    """It was asked to give up."""


class SentWork(RayWork):
    """A job at work on a copy of its project."""

    def __init__(self, actor: Any, log: Path, folder: Path, *, begun: bool) -> None:
        """Takes the worker's handle, the file for what it says and the project; `begun` when all of it was sent already."""
        super().__init__(actor, log)
        self._carrier = Carrier(actor, folder, begun=begun)

    def state(self) -> int | None:
        """Gives the exit code when the last of it is at home, or None; `LOST` when its machine or what it did has gone."""
        code = super().state()
        if code is None and not self._carrier.fault:
            return None
        self._carrier.over.set()
        if self._carrier.is_alive():
            return None
        if self._carrier.fault and self._code != LOST:
            self._code = LOST if self._carrier.lost else 1
            self._told = {"answer": {"error": self._carrier.fault}}
        super()._dismiss()
        return self._code

    def progress(self) -> Progress | None:
        """Gives how far it is, as last heard; before it works, how much has been sent."""
        return super().progress() or self._carrier.progress

    def kill(self) -> None:
        """Ends it at once; what is at home of it is kept."""
        self._carrier.broken.set()
        self._carrier.join(timeout=5)
        super().kill()
        super()._dismiss()

    def _dismiss(self) -> None:
        """Lets the worker stay until everything is at home (see `state`)."""


class Carrier(threading.Thread):
    """Sends a project, brings it home while it is worked on, and a last time when that is `over`."""

    def __init__(self, actor: Any, folder: Path, *, begun: bool) -> None:
        super().__init__(name=f"carrier of {folder.name}", daemon=True)
        self.over = threading.Event()
        self.broken = threading.Event()
        self.fault = ""
        self.lost = False  # the fault says nothing against the job
        self.progress: Progress | None = None
        self._actor = actor
        self._folder = folder
        self._begun = begun
        self.start()

    def run(self) -> None:
        """Does all of it, holding the project."""
        try:
            if not self._begun:
                self._got(self._actor.has_begun.remote())  # until there is a machine for it, nobody needs to be kept out
            with locked(self._folder, _HELD):
                self._carry(Home(self._folder))
        except _Broken:
            self.fault, self.lost = "It was ended.", True
        except DiskFull as error:
            self.fault = str(error)
        except (LorasmithError, OSError) as error:
            self.fault, self.lost = str(error), self._begun
        except Exception as error:  # noqa: BLE001 - Ray raises whatever lay below
            self.fault, self.lost = f"The machine that it ran on was lost: {first_line(error)}", True

    def _carry(self, home: Home) -> None:
        if self._begun:
            home.take_up()
        else:
            self._send(home)
        wait = _BRING_EVERY
        while not self.over.wait(wait):
            began = time.monotonic()
            self._bring(home)
            wait = max(_BRING_EVERY, 10 * (time.monotonic() - began))
        while not self._bring(home):  # it works no more, so all that can hinder is a child that is about to end
            time.sleep(0.5)
        home.end()

    def _send(self, home: Home) -> None:
        moment = home.begin()
        size = sum(size for size, _ in moment.files.values()) + moment.size
        self._demand(self._actor.room_for.remote(size))
        on_the_way: list[Any] = []
        sent = 0
        for bundle in home.bundles(moment):
            on_the_way.append(self._actor.take.remote(bundle))
            sent += len(bundle)
            self.progress = Progress("MB sent", min(sent, size) >> 20, max(size >> 20, 1))
            while len(on_the_way) >= _ON_THE_WAY:
                self._demand(on_the_way.pop(0))
        for each in on_the_way:
            self._demand(each)
        self._demand(self._actor.begin.remote(json.dumps(moment.files).encode()))
        self._begun = True

    def _bring(self, home: Home) -> bool:
        """Brings the project to a moment of the copy; False when there was none, or it had passed before all of it had come."""
        moment = Moment.read(self._got(self._actor.moment.remote()))
        if moment is None:
            return False
        change = home.change_to(moment)
        if not change:
            return True
        for parts in home.parts(change):
            home.keep(self._got(self._actor.give.remote(json.dumps(parts).encode())))
        if not self._is_of_one_moment(change):
            return False
        home.apply(change)
        return True

    def _is_of_one_moment(self, change: Change) -> bool:
        files = {name: state for name, state in change.moment.files.items() if name in change.come}
        return bool(json.loads(self._got(self._actor.still.remote(json.dumps(files).encode()))))

    def _demand(self, answer: Any) -> None:
        """Waits for an answer of the worker; raises `LorasmithError` with what hindered it."""
        if hindered := json.loads(self._got(answer)):
            raise LorasmithError(hindered)

    def _got(self, answer: Any) -> bytes:
        """Waits for an answer as long as nobody gives up."""
        import ray

        while not self.broken.is_set():
            ready, _ = ray.wait([answer], timeout=0.5)
            if ready:
                return bytes(ray.get(answer))
        raise _Broken


def has_begun(actor: Any) -> bool:
    """Says whether a worker has all that was sent to it; False where it does not answer."""
    import ray

    try:
        return bool(json.loads(ray.get(actor.has_begun.remote(), timeout=_ANSWER)))
    except Exception:  # noqa: BLE001 - no machine for it yet, or none any more
        return False
