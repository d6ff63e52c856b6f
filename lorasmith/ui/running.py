"""Everything that lives as long as the server does: the queue of jobs, the WebUI's hand, the application."""

import os
import shutil
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from lorasmith.folders import cache_folder, data_folder, uploads_folder
from lorasmith.jobs.hand_over import WithRoom
from lorasmith.jobs.place import Place, ThisMachine
from lorasmith.jobs.queue import Queue
from lorasmith.ui.access import Gate
from lorasmith.ui.app import make_app
from lorasmith.ui.context import Context
from lorasmith.ui.projects.recent import Projects
from lorasmith.ui.thumbs import Thumbs
from lorasmith.ui.wish import Serving

if TYPE_CHECKING:
    from lorasmith.ui.host import Host

_GOODBYE = 3  # seconds that open connections have when the server ends


class Running:
    """Opened at the start of the server, closed at its end: then every job has been stopped softly."""

    def __init__(self, wish: Serving, place: Place | None = None) -> None:
        self._wish = wish
        self._host = _webui()
        if place is None:
            place = ThisMachine()
        if self._host is not None and wish.give_back_gpu:
            place = WithRoom(place, self._host.release_gpu, self._host.restore_gpu)
        self._queue = Queue(data_folder() / "jobs", place)
        if not any(job.stage == "add" for job in self._queue.store.open()):
            shutil.rmtree(uploads_folder(), ignore_errors=True)
        if self._host is not None:
            self._host.follow(self._queue)
        self._context = Context(
            Projects(data_folder() / "projects.json"),
            self._queue,
            Thumbs(cache_folder() / "thumbs"),
            wish.new_projects,
            in_host=wish.child,
            host=self._host,
        )

    def remember(self, folder: Any) -> str:
        """Puts the project named on the command line at the head of the list; gives what its address ends with."""
        return f"?project={self._context.projects.remember(folder).id}"

    def server(self) -> uvicorn.Server:
        """Makes the server; it writes errors alone."""
        gate = Gate(self._wish.key, self._wish.password if self._wish.listen else "")
        app = make_app(self._context, gate, self._wish.root_path)
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=_GOODBYE, ws="none")
        return uvicorn.Server(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._host is not None:
            self._host.close()
        self._queue.close()


def _webui() -> "Host | None":
    """Gives the WebUI that the environment names, if it names one."""
    if not os.environ.get("LORASMITH_WEBUI_URL"):
        return None
    from lorasmith.ui.host import Host

    return Host.from_environment()
