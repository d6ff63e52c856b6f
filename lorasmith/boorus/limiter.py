"""Politeness: how often a host is asked, and how long to wait when it asks for patience."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SLOWEST = 30.0  # seconds between two requests, however often the rate was halved


class Limiter:
    """Lets requests to one host start no closer together than `1 / requests_per_second` seconds; safe among threads."""

    def __init__(
        self,
        requests_per_second: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.requests_per_second = requests_per_second
        self.interval = 1.0 / requests_per_second
        self.clock = clock
        self.sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def set_rate(self, requests_per_second: float) -> None:
        """Takes another rate; one that is already kept leaves a halved rate halved."""
        with self._lock:
            if requests_per_second != self.requests_per_second:
                self.requests_per_second = requests_per_second
                self.interval = 1.0 / requests_per_second

    def wait(self) -> None:
        """Sleeps until the next request may start, and takes that place."""
        with self._lock:
            start = max(self.clock(), self._next)
            self._next = start + self.interval
        while (left := start - self.clock()) > 0:
            self.sleep(left)

    def pause(self, seconds: float) -> None:
        """Lets nothing start for so many seconds from now."""
        with self._lock:
            self._next = max(self._next, self.clock() + seconds)

    def slow_down(self) -> None:
        """Halves the rate, as a site that answers 503 asks for."""
        with self._lock:
            self.interval = min(self.interval * 2, max(SLOWEST, self.interval))


@dataclass(frozen=True)
class Pace:
    """How fast and how patient a client is; tests hand in their own clock and sleep.

    A request is tried `tries` times; the wait before try n + 1 is `first_wait` * 2**n seconds and a random part on top,
    or what the site asks for, and never more than `longest_wait`.
    """

    requests_per_second: float = 1.0
    tries: int = 5
    first_wait: float = 2.0
    longest_wait: float = 120.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default_factory=lambda: random.Random().random)

    def limiter(self) -> Limiter:
        """Makes a limiter of this pace."""
        return Limiter(self.requests_per_second, self.clock, self.sleep)

    def delay(self, failures: int, asked: float | None = None, least: float = 0.0) -> float:
        """Gives the seconds to wait after so many failures; `asked` is what the site asked for, `least` a floor."""
        if asked is None:
            asked = max(least, self.first_wait * 2 ** max(0, failures - 1)) * (1 + 0.25 * self.jitter())
        return min(self.longest_wait, asked)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Reads a Retry-After header (RFC 9110 10.2.3): seconds or a date; None when there is none or it cannot be read."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else 1e9
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
