"""A running Stable Diffusion WebUI: asked through the tab's bridge, or through `--api` where it is another one."""

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Self
from uuid import uuid4

from lorasmith.errors import UsageError
from lorasmith.rendering.webui_api import Api
from lorasmith.rendering.webui_bridge import Bridge
from lorasmith.rendering.webui_http import Connection, WebuiError
from lorasmith.rendering.webui_order import Drawn, Order, Table, Under

__all__ = ["Webui", "WebuiError"]

_TOKEN = "X-Lorasmith-Token"
_LOOK_EVERY = 0.5  # seconds
URL, TOKEN, LOGIN, VERIFY = (f"LORASMITH_WEBUI_{name}" for name in ("URL", "TOKEN", "LOGIN", "VERIFY"))


class Webui:
    """One WebUI. What it tells comes as tables of the same words for both ways; every fault is a `WebuiError`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        login: tuple[str, str] | None = None,
        verify: bool = True,
        timeout: float = 900,
    ) -> None:
        """Takes the address; with a token it is the bridge's, else a WebUI's with its `--api-auth` login."""
        self._way: Bridge | Api
        if token:
            self.connection = Connection(url, login, {_TOKEN: token}, verify, timeout, "wait until it has started")
            self._way = Bridge(self.connection)
        else:
            self.connection = Connection(url, login, {}, verify, timeout)
            self._way = Api(self.connection)

    @classmethod
    def from_environment(cls) -> Self | None:
        """Gives the WebUI that the environment names: LORASMITH_WEBUI_URL, and _TOKEN, _LOGIN (user:password), _VERIFY."""
        url = os.environ.get(URL, "").strip()
        if not url:
            return None
        login = os.environ.get(LOGIN, "")
        if login and ":" not in login:
            raise UsageError(f"{LOGIN} must be written user:password.")
        name, _, password = login.partition(":")
        return cls(
            url,
            token=os.environ.get(TOKEN) or None,
            login=(name, password) if login else None,
            verify=os.environ.get(VERIFY, "1") != "0",
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return self.connection.url

    def status(self) -> Table:
        """Tells host, version, busy, job, gpu ("here", "given back"), checkpoint, lora_dir, samplers, schedulers."""
        return self._way.status()

    def checkpoint(self) -> Table | None:
        """Gives the selected checkpoint: title, name, path, sha256, family, v_prediction, inpainting, loaded."""
        return self._way.checkpoint()

    def checkpoints(self) -> list[Table]:
        """Lists the checkpoints: title, name, path, sha256."""
        return self._way.checkpoints()

    def switch(self, title: str) -> Table:
        """Selects a checkpoint by its title and gives what it is."""
        return self._way.switch(title)

    def loras(self) -> Table:
        """Gives `lora_dir`, and under `loras` each LoRA's name, alias, path and version."""
        return self._way.loras()

    def refresh_loras(self) -> Table:
        """Has the LoRA folder looked through again, and gives what `loras` gives."""
        return self._way.refresh_loras()

    def release_gpu(self) -> None:
        """Has the WebUI free its GPU for a training; a second call does nothing."""
        self._way.release_gpu()

    def restore_gpu(self) -> None:
        """Has the WebUI take its GPU again; a second call does nothing."""
        self._way.restore_gpu()

    def interrupt(self, task: str) -> bool:
        """Stops one of our own pictures; tells whether it could."""
        return self._way.interrupt(task)

    def draw(self, order: Order, tell: Callable[[Under], None] | None = None) -> Drawn:
        """Has one picture drawn; `tell` hears twice a second how far it is, or that it waits for others.

        Where this is stopped (Ctrl-C, a cancelled job, too long a wait), the WebUI is told to stop too.
        """
        task = f"task(lorasmith-{uuid4().hex})"
        call = _Call(lambda: self._way.draw(order, task))
        try:
            while not call.is_done(within=_LOOK_EVERY):
                if tell is not None:
                    tell(self._under(task))
            return call.result()
        except WebuiError as error:
            if error.kind == "timeout":
                self._stop(task)
            raise
        except BaseException:
            self._stop(task)
            raise

    def _under(self, task: str) -> Under:
        """Asks how far a task is; where that cannot be told, the picture itself will tell."""
        try:
            return self._way.progress(task)
        except WebuiError:
            return Under("unknown")

    def _stop(self, task: str) -> None:
        with suppress(WebuiError):
            self._way.interrupt(task)


class _Call:
    """A request in a thread of its own, so that whoever waits for it can tell of it and be stopped."""

    def __init__(self, work: Callable[[], Drawn]) -> None:
        self._work = work
        self._done = Event()
        self._drawn: Drawn | None = None
        self._error: BaseException | None = None
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._drawn = self._work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where it is waited for
            self._error = error
        self._done.set()

    def is_done(self, within: float) -> bool:
        """Tells whether it is done, or gets done within so many seconds."""
        return self._done.wait(within)

    def result(self) -> Drawn:
        """Gives the picture, or raises what went wrong."""
        if self._error is not None:
            raise self._error
        assert self._drawn is not None
        return self._drawn
