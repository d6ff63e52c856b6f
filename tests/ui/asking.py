"""The questions that all pages ask, over a project and without a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from lorasmith.jobs.place import Place, Work
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job
from lorasmith.stages.table import STAGES
from lorasmith.ui.context import Context
from lorasmith.ui.projects.recent import Projects
from lorasmith.ui.routes import routes
from lorasmith.ui.thumbs import Thumbs

ASKED = (
    "state", *(f"view/{stage.name}" for stage in STAGES),
    *(f"research/{what}" for what in ("all", "query", "offer?typed=fo", "wall", "profile", "sheet")),
    *(f"download/{what}" for what in ("all", "posts?outcome=fetched")),
    *(f"prune/{what}" for what in ("page", "names", "picture?name=own_0", "families", "coverage", "best?to=3")),
    *(f"tags/{what}" for what in ("page", "picture?name=own_0", "offer?typed=fo", "trial", "consolidation", "audit", "disagreements")),
    *(f"evaluate/{what}" for what in ("all", "one", "grid?kind=pose", "render?render=e03-w1-p00-s11", "card")),
    *(f"evaluate/{what}" for what in ("comparison?name=001", "base", "sweep")),
    *(f"train/{what}" for what in ("form", "plan", "rates", "preset?preset=quick", "run", "run?run=001", "run?run=002")),
    *(f"queue/{what}" for what in ("list", "offer")), *(f"refine/{what}" for what in ("page", "page?show=all", "set", "plan")),
    "inspect/loras", "suggestion?name=own_0", "suggestion?name=own_1", "touch-up?name=own_1", "touch-up?filter=",
)  # fmt: skip


class NoPlace(Place):
    """Takes jobs and never begins."""

    def start(self, job: Job, log: Path) -> Work:
        raise OSError("not here")


@contextmanager
def asking(folder: Path, home: Path) -> Iterator[TestClient]:
    """Gives a client whose questions are about a project; what it puts in the line waits there."""
    queue = Queue(home / "jobs", NoPlace())
    queue.store.pause(finish=True)
    context = Context(Projects(home / "projects.json"), queue, Thumbs(home / "thumbs"), home)
    with TestClient(Starlette(routes=routes(context))) as client:
        client.params = {"project": context.projects.remember(folder).id}
        yield client
    queue.close()


def ask(client: TestClient, name: str) -> Any:
    path, _, words = name.partition("?")
    return client.get(f"/api/{path}", params=dict([words.split("=")]) if words else {})
