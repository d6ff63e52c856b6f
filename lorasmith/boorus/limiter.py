"""Politeness: how often a host is asked, how long to wait when it asks for patience, and when to leave it alone.

The turns are kept in one small SQLite file of the person's data folder, so that all processes of the person together
keep the rate: a download in a window, another in a terminal, thirty workers. Times there are of the wall clock, because a
monotonic clock means nothing to another process after a restart.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple, Protocol

SLOWEST = 30.0  # seconds between two requests, however often the rate was halved
_FULL_AGAIN = 600.0  # seconds after which a halved rate is forgotten
_FARTHEST = 900.0  # seconds that the line of all processes, or a pause, can be long
_STRANGE = 2 * 86400.0  # a turn further ahead than this was written under another clock
_PATIENCE = 30.0  # seconds that another process may hold the file
_SCHEMA = """
CREATE TABLE IF NOT EXISTS turns (
    host TEXT PRIMARY KEY, next REAL NOT NULL DEFAULT 0, paused REAL NOT NULL DEFAULT 0,
    slower REAL NOT NULL DEFAULT 1, slower_since REAL NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, closed_until REAL NOT NULL DEFAULT 0
) WITHOUT ROWID
"""


class Turn(NamedTuple):
    """A place in line: when it is, how often the host has failed in a row, and until when it is left alone."""

    start: float
    failures: int
    closed_until: float


class Turns(Protocol):
    """Who may ask a host when: a place in line for each request, and whether a host is left alone for now."""

    def take(self, host: str, interval: float, now: float) -> Turn:
        """Takes the next place, unless the host is left alone; `interval` is in seconds, times are those of the caller."""
        ...

    def held_until(self, host: str, now: float) -> float:
        """Gives until when nothing may start, because of a pause or because the host is left alone; past when it may."""
        ...

    def pause(self, host: str, until: float) -> None:
        """Lets nothing start before `until`."""
        ...

    def slow_down(self, host: str, now: float) -> None:
        """Doubles the interval for some minutes."""
        ...

    def answered(self, host: str) -> None:
        """Notes that the host serves again."""
        ...

    def failed(self, host: str) -> int:
        """Notes a failure, and gives how many there were in a row."""
        ...

    def close(self, host: str, until: float) -> None:
        """Leaves the host alone until then."""
        ...


class SharedTurns:
    """The turns of all processes that use one file; safe among threads and processes, and after a kill -9."""

    def __init__(self, file: str | Path) -> None:
        self._lock = threading.Lock()
        if str(file) != ":memory:":
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")  # what a power cut forgets is a second's wait
        self._db.execute(_SCHEMA)
        self._db.execute("SELECT max(next) FROM turns").fetchone()

    def take(self, host: str, interval: float, now: float) -> Turn:
        """Takes the next place, unless the host is left alone."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            following, _, slower, since, failures, closed = self._row(host)
            if closed > now + _STRANGE:
                closed = 0.0
            if not 0 <= now - since < _FULL_AGAIN:
                slower = 1.0
            # A place further ahead than any line and any pause was taken under another clock.
            start = max(now, following) if following <= now + 2 * _FARTHEST else now
            if closed <= now:
                after = start + min(interval * slower, max(SLOWEST, interval))
                self._db.execute("UPDATE turns SET next = ?, slower = ? WHERE host = ?", (after, slower, host))
            self._db.execute("COMMIT")
        return Turn(start, int(failures), closed)

    def pause(self, host: str, until: float) -> None:
        """Lets nothing start before `until`."""
        self._change(host, "next = max(next, ?1), paused = max(paused, ?1)", until)

    def slow_down(self, host: str, now: float) -> None:
        """Doubles the interval for some minutes."""
        self._change(host, "slower = min(slower * 2, 64), slower_since = ?", now)

    def answered(self, host: str) -> None:
        """Notes that the host serves again."""
        self._change(host, "failures = 0")

    def failed(self, host: str) -> int:
        """Notes a failure, and gives how many there were in a row."""
        return int(self._change(host, "failures = failures + 1")[4])

    def close(self, host: str, until: float) -> None:
        """Leaves the host alone until then."""
        self._change(host, "closed_until = ?, failures = 0", until)

    def held_until(self, host: str, now: float) -> float:
        """Gives until when nothing may start, because of a pause or because the host is left alone; past when it may."""
        with self._lock:
            _, paused, _, _, _, closed = self._row(host)
        return max(paused if paused < now + 2 * _FARTHEST else 0.0, closed if closed < now + _STRANGE else 0.0)

    def _change(self, host: str, what: str, *values: float) -> tuple[float, ...]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._row(host)
            self._db.execute(f"UPDATE turns SET {what} WHERE host = ?", (*values, host))
            row = self._row(host)
            self._db.execute("COMMIT")
        return row

    def _row(self, host: str) -> tuple[float, ...]:
        """Gives next, paused, slower, slower_since, failures and closed_until of a host."""
        wanted = "SELECT next, paused, slower, slower_since, failures, closed_until FROM turns WHERE host = ?"
        row: tuple[float, ...] | None = self._db.execute(wanted, (host,)).fetchone()
        if row is None:
            self._db.execute("INSERT INTO turns (host) VALUES (?)", (host,))
            return 0.0, 0.0, 1.0, 0.0, 0.0, 0.0
        return row


def shared_turns(file: Path) -> SharedTurns:
    """Opens the turns in a file; a damaged one is made anew, and where none can be written they are this process's alone."""
    for _ in range(2):
        try:
            return SharedTurns(file)
        except sqlite3.OperationalError:
            break
        except sqlite3.DatabaseError:
            with suppress(OSError):
                file.unlink()
        except OSError:
            break
    return SharedTurns(":memory:")


@dataclass(frozen=True)
class Pace:
    """How fast and how patient a client is; tests hand in their own clock, sleep and turns.

    A request is tried `tries` times; the wait before try n + 1 is `first_wait` * 2**n seconds and a random part on top, at
    most `longest_wait`, or what the site asks for. After `breaker` failures in a row, of whichever requests, a host is left
    alone for `alone` seconds, by every process of this person. An answer that after `patience` seconds has brought fewer
    than `slowest_bytes` a second counts as broken off.
    """

    requests_per_second: float = 1.0
    tries: int = 5
    first_wait: float = 2.0
    longest_wait: float = 120.0
    breaker: int = 10
    alone: float = 300.0
    slowest_bytes: float = 500.0
    patience: float = 60.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default_factory=lambda: random.Random().random)
    turns: Turns | None = None

    def delay(self, failures: int, asked: float | None = None, least: float = 0.0) -> float:
        """Gives the seconds to wait after so many failures; `asked` is what the site asked for, `least` a floor."""
        if asked is not None:
            return asked
        return min(self.longest_wait, max(least, self.first_wait * 2 ** max(0, failures - 1)) * (1 + 0.25 * self.jitter()))


class LeftAlone(Exception):  # noqa: N818 - it says how things are
    """The host is to be left alone for so many `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Limiter:
    """Lets requests to one host start no closer together than the rate allows, whoever of this person asks."""

    def __init__(self, host: str, requests_per_second: float, pace: Pace, turns: Turns) -> None:
        self.host = host
        self._interval = 1.0 / requests_per_second
        self._pace = pace
        self._turns = turns
        self._failures = 0

    def wait(self, stopped: threading.Event | None = None) -> None:
        """Takes the next place in line and sleeps until it has come, or the work is called off.

        Raises `LeftAlone` while the host is not to be asked at all.
        """
        waited = True
        while waited and not (stopped and stopped.is_set()):
            now = self._pace.clock()
            start, self._failures, closed_until = self._turns.take(self.host, self._interval, now)
            if closed_until > now:
                raise LeftAlone(closed_until - now)
            waited = start > now
            while (left := start - self._pace.clock()) > 0 and not (stopped and stopped.is_set()):
                self._pace.sleep(min(left, 1.0 if stopped else left))
            # Whoever asked meanwhile may have been told to pause: then this place is worth nothing.
            now = self._pace.clock()
            waited = waited and self._turns.held_until(self.host, now) > now

    def pause(self, seconds: float) -> None:
        """Lets nothing start for so many seconds from now."""
        self._turns.pause(self.host, self._pace.clock() + seconds)

    def slow_down(self) -> None:
        """Halves the rate for some minutes, as a site that answers 503 asks for."""
        self._turns.slow_down(self.host, self._pace.clock())

    def answered(self) -> None:
        """Notes that the host serves."""
        if self._failures:
            self._turns.answered(self.host)
            self._failures = 0

    def failed(self) -> None:
        """Notes that the host was asked and could not serve; too often in a row, and it is left alone."""
        self._failures = self._turns.failed(self.host)
        if self._failures >= self._pace.breaker:
            self.close(self._pace.alone)

    def close(self, seconds: float) -> None:
        """Leaves the host alone for so many seconds."""
        self._turns.close(self.host, self._pace.clock() + seconds)


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
