"""A person's desk for the tests: the page's server with projects on its list, and the windows they open of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.project.project import Project
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import another_tab, chromium, window
from tests.ui.serving import page as served
from tests.ui.serving import surroundings


@dataclass
class Desk:
    """The server's address and process, the browser, and the list of projects."""

    address: str
    process: Any
    browser: Any
    projects: Projects
    person: Any = None  # the browser's context: all windows share what it keeps of the page

    def open(self, folder: Path | None = None, at: str = "") -> Any:
        """Opens a window on a project's page."""
        tab = window(self.browser) if self.person is None else another_tab(self.person)
        self.person = tab.context
        tab.set_viewport_size({"width": 1280, "height": 720})
        tab.goto(self.address_of(folder, at))
        return tab

    def address_of(self, folder: Path | None, at: str = "") -> str:
        if folder is None:
            return self.address
        return f"{self.address}?project={self.projects.remember(folder).id}" + (f"&at={at}" if at else "")


@contextmanager
def desk(home: Path, *words: str, **more: str) -> Iterator[Desk]:
    """Starts the server and the browser."""
    listed = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json")
    with served(home, *words, **more) as (address, process), chromium() as browser:
        yield Desk(address, process, browser, listed)


@contextmanager
def seated(home: Path, folder: Path, at: str, sign: str) -> Iterator[Any]:
    """Seats a person before one page of a project, once it shows `sign`; no script of the page may fail."""
    with desk(home) as place:
        tab = place.open(folder, at)
        tab.wait_for_selector(sign)
        yield tab
        assert tab.faults == []


def eventually(tab: Any, wanted: Callable[[], Any], seconds: int = 60) -> Any:
    """Waits until something is true; gives it."""
    for _ in range(seconds * 5):
        if found := wanted():
            return found
        tab.wait_for_timeout(200)
    raise AssertionError("It never came true.")


def idle(tab: Any) -> None:
    """Waits until no job is open, and the page has seen it."""
    tab.wait_for_function("(() => { const s = window.lorasmith?.state(); return s && s.jobs && !s.jobs.length; })()", timeout=120_000)


def steps(folder: Path) -> list[str]:
    """Gives what stands in the history and is done."""
    with Project.open(folder, writing=False) as project:
        return [entry.what for entry in project.journal.history() if entry.state == "done"]
