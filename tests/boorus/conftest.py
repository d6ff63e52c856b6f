"""A booru of this machine and a client for it whose waiting takes no time."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from lorasmith.boorus.client import Client
from lorasmith.boorus.e621 import E621
from lorasmith.boorus.limiter import Pace, SharedTurns
from lorasmith.boorus.sites import find_site
from lorasmith.demo.server import DemoBooru
from tests.demo.plain import PlainPost


class Clock:
    """A clock that only goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = SharedTurns(":memory:")
        self.slept: list[float] = []

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, **changes: float) -> Pace:
        return Pace(clock=self.read, sleep=self.sleep, jitter=lambda: 0.5, turns=self.turns, **changes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve() -> Callable[..., DemoBooru]:
    """Starts a booru with the posts it is given."""
    with ExitStack() as running:
        yield lambda posts, **options: running.enter_context(DemoBooru(posts, **options))


@pytest.fixture
def open_at(clock: Clock) -> Callable[..., E621]:
    """Opens e621 at a demo booru's address."""

    def opened(booru: DemoBooru, user: str = "alice", api_key: str = "", **pace: float) -> E621:
        return E621(Client(find_site("e621", booru.url), clock.pace(**pace), user, api_key))

    return opened


@pytest.fixture
def noisy() -> PlainPost:
    """A post whose file is large enough to break off in the middle."""
    return PlainPost(7, width=400, height=400, noise=True)
