"""The pictures that were asked for through the bridge: which wait in line, which is drawn, which were called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

WAITING, RUNNING, DONE, UNKNOWN = "waiting", "running", "done", "unknown"
_REMEMBERED = 64  # finished tasks whose state can still be asked for


class Task:
    """One picture under way; `called_off` says that nobody wants it any more."""

    def __init__(self, name: str, steps: int) -> None:
        self.name = name
        self.steps = steps
        self.state = WAITING
        self.called_off = False
        self.began_waiting = time.monotonic()


class Tasks:
    """All of them, by the name that the client chose. Every change of a state is made under one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, Task] = {}

    def add(self, name: str, steps: int) -> Task | None:
        """Takes a task in; None where one of that name is under way."""
        with self._lock:
            old = self._by_name.pop(name, None)
            if old is not None and old.state != DONE:
                self._by_name[name] = old
                return None
            finished = [each for each, task in self._by_name.items() if task.state == DONE]
            for each in finished[: max(0, len(finished) - _REMEMBERED)]:
                del self._by_name[each]
            self._by_name[name] = Task(name, steps)
            return self._by_name[name]

    def begin(self, task: Task, state: Any) -> bool:
        """Begins the host's job and marks the task as running; False where it was called off while it waited."""
        with self._lock:
            if task.called_off:
                return False
            state.begin(job="lorasmith")
            task.state = RUNNING
            return True

    def end(self, task: Task) -> None:
        """Marks a task as done."""
        with self._lock:
            task.state = DONE

    def call_off(self, name: str, interrupt: Callable[[], None]) -> bool:
        """Interrupts a task that is running, or has one that waits never begin; tells whether there was one.

        It is asked and interrupted under the lock, so that a job of the person that comes next is never hit.
        """
        with self._lock:
            task = self._by_name.get(name)
            if task is None or task.state == DONE:
                return False
            task.called_off = True
            if task.state == RUNNING:
                interrupt()
            return True

    def keep_calling_off(self, task: Task, interrupt: Callable[[], None]) -> None:
        """Interrupts again while a task that was called off still runs.

        Hosts clear the flag at the end of the person's own job, which can be just after ours has begun.
        """
        with self._lock:
            if task.called_off and task.state == RUNNING:
                interrupt()

    def find(self, name: str) -> Task | None:
        """Gives the task of that name."""
        with self._lock:
            return self._by_name.get(name)
