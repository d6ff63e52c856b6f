"""A bridge over a stand-in host, served on loopback, and lorasmith's own client at its other end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import uvicorn
from starlette.applications import Starlette

from lorasmith.rendering.webui import Webui
from tests.extension_bridge.fake_host import Host

TOKEN = "secret of this start"


@dataclass
class Served:
    """A host that is up: the stand-in, its address, and the client that asks it."""

    host: Host
    url: str
    webui: Webui
    powers: ModuleType
    stopping: threading.Event  # set: the host stops or reloads


@contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """Serves an application on a free loopback port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def until(happens: Callable[[], object], seconds: float = 10) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@contextmanager
def serving(host: Host, bridge: ModuleType) -> Iterator[Served]:
    """Serves the bridge over a host."""
    app = Starlette()
    stopping = threading.Event()
    app.router.routes[:0] = bridge.routes(lambda: TOKEN, stopping.is_set)
    with host.installed(), listening(app) as url:
        yield Served(host, url, Webui(f"{url}/lorasmith-host", token=TOKEN, timeout=20), bridge.powers, stopping)
