"""What the Train page looked at last, kept while record, settings, base model and pictures' folders stay as they are."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings

_MOST = 40  # answers kept, of all projects together
_WATCHED = ("project.db", "project.db-wal", "lorasmith.toml", "info.md", "images", "edits", "runs")
T = TypeVar("T")


class KeptAnswers:
    """Answers by project and question, the one asked longest ago forgotten first; each is worked out by one request."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[str, Any]] = {}
        self._guard = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}

    def once(self, project: Project, question: str, find: Callable[[], T]) -> T:
        """Gives what `find` gives, found once in this state of the project."""
        with self._guard:
            lock = self._locks.setdefault(project.folder, threading.Lock())
        with lock:
            state = state_of(project)
            known = self._known.get((project.folder, question))
            answer: T = known[1] if known is not None and known[0] == state else find()
            with self._guard:
                self._known.pop((project.folder, question), None)
                self._known[project.folder, question] = state, answer
                while len(self._known) > _MOST:
                    self._known.pop(next(iter(self._known)))
            return answer


def state_of(project: Project) -> str:
    """Gives a word that changes with all that a look before a training sees; an empty log comes and goes with each reader."""
    checkpoint = project.settings(TrainSettings).checkpoint
    files = [*(project.folder / name for name in _WATCHED), *([Path(checkpoint).expanduser()] if checkpoint else [])]
    return " ".join(f"{file.name}:{stamp}" for file in files if (stamp := _stamp(file)))


def _stamp(file: Path) -> str:
    try:
        facts = file.stat()
    except OSError:
        return ""
    return f"{facts.st_mtime_ns:x}.{facts.st_size:x}" if facts.st_size or not file.name.endswith("-wal") else ""
