"""The tags of the projects looked at last, kept on the server: a filter, a count and a page need no second look at the record."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.index import Asked, open_index
from lorasmith.tags.index import TagIndex

MOST = 2  # projects kept: one of 10,000 pictures takes some tens of megabytes
_FILES = ("project.db", "project.db-wal", "lorasmith.toml", "info.md")
T = TypeVar("T")


@dataclass
class Kept:
    """What is known of one project in one state, with the project open for as long as a request lasts."""

    project: Project
    pictures: dict[str, Picture]  # those trained on
    index: TagIndex
    asked: Asked
    found: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, find: Callable[[], T]) -> T:
        """Gives what `find` gives, found once in this state of the project."""
        if name not in self.found:
            self.found[name] = find()
        known: T = self.found[name]
        return known

    @property
    def settings(self) -> TagSettings:
        """Gives the settings of [tag]."""
        return self.once("settings", lambda: self.project.settings(TagSettings))

    @property
    def captions(self) -> dict[str, str]:
        """Gives the captions of the set that is trained on, by picture."""
        name = self.settings.caption_set
        return self.once("captions", lambda: {one.picture: one.text for one in self.project.pictures.captions(name).values()})


class KeptProjects:
    """The projects looked at last; one request at a time asks of each."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, Kept]] = {}
        self._locks: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def open(self, folder: Path) -> Iterator[Kept]:
        """Opens a project to read, with what is known of it; looks again when it has changed since."""
        with self._guard:
            lock = self._locks.setdefault(folder, threading.Lock())
        with lock, Project.open(folder, writing=False) as project:
            state = _state_of(folder)
            before = self._known.get(folder)
            kept = before[1] if before is not None and before[0] == state else _look(project)
            kept.project = kept.asked.project = project
            self._remember(folder, state, kept)
            yield kept

    def _remember(self, folder: Path, state: str, kept: Kept) -> None:
        """Puts a project behind all others, and forgets the one that was asked of longest ago."""
        with self._guard:
            self._known.pop(folder, None)
            self._known[folder] = state, kept
            while len(self._known) > MOST:
                self._known.pop(next(iter(self._known)))


def _look(project: Project) -> Kept:
    pictures = project.pictures.trained()
    asked = Asked(project, pictures, "")
    return Kept(project, {one.name: one for one in pictures}, open_index(project, pictures, asked=asked), asked)


def _state_of(folder: Path) -> str:
    """Gives a word that changes when the record or the settings change; an empty log comes and goes with each reader."""
    parts = []
    for name in _FILES:
        try:
            facts = (folder / name).stat()
        except OSError:
            continue
        if facts.st_size or not name.endswith("-wal"):
            parts.append(f"{name}:{facts.st_mtime_ns}.{facts.st_size}")
    return " ".join(parts)
