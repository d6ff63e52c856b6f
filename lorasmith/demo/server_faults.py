"""Faults that a test lets the demo's booru have, as the real site has them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["status", "page", "cut", "snap", "wrong", "long", "slow", "trickle", "whole", "garbage", "redirect"]
"""status: this status with a JSON reason. page: a web page with this status. cut: the body ends in the middle.
snap: it ends at some byte. wrong: a byte
is changed. long: bytes too many. slow: the body comes in drops.
trickle: a byte now and then, without end in sight. whole: Range is not obeyed. garbage: not JSON, though
it says so. redirect: to `location`."""


@dataclass
class Fault:
    """One scripted fault: it befalls the next `times` requests whose path starts with `path`."""

    kind: Kind
    path: str = "/"
    times: int = 1
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = "as scripted"
    location: str = ""


class Faults:
    """The faults that are still to come, in the order of the script."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Puts faults at the end of the script."""
        with self._lock:
            self._waiting.extend(faults)

    def clear(self) -> None:
        """Forgets the rest of the script."""
        with self._lock:
            self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """Gives the fault that befalls a request for `path` now, and counts it as done."""
        with self._lock:
            for fault in self._waiting:
                if fault.times > 0 and path.startswith(fault.path):
                    fault.times -= 1
                    return fault
        return None
