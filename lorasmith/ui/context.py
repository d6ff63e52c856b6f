"""What the pages and the routes work with: one object made at the start of the server."""

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job, lane_of
from lorasmith.project.project import Project
from lorasmith.settings.toml import FILE_NAME
from lorasmith.stages.status import Status, status
from lorasmith.ui.projects.recent import Projects
from lorasmith.ui.prune.kept import KeptLooks
from lorasmith.ui.tag.kept import KeptProjects
from lorasmith.ui.thumbs import Thumbs
from lorasmith.ui.train.kept import KeptAnswers

if TYPE_CHECKING:
    from lorasmith.ui.host import Host


@dataclass
class Context:
    """The list of projects, the queue, the small pictures, and whether a WebUI stands round the page."""

    projects: Projects
    queue: Queue
    thumbs: Thumbs
    new_projects: Path  # where a new project goes when only its trigger is given
    in_host: bool = False
    host: "Host | None" = None  # the WebUI that lends its model: the tab's, or one named by LORASMITH_WEBUI_URL
    tags: KeptProjects = field(default_factory=KeptProjects)  # what the Tag page looked at last
    prune: KeptLooks = field(default_factory=KeptLooks)  # what the Prune page looked at last
    train: KeptAnswers = field(default_factory=KeptAnswers)  # what the Train page was told last
    _statuses: dict[str, tuple[str, Status]] = field(default_factory=dict)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def start(self, folder: Path, words: list[str]) -> Job:
        """Puts a command for a project in the line."""
        return self.queue.add(folder, words, lane_of(words[0]))

    def open_folder(self, project: str) -> Path:
        """Gives the folder of the project that a page shows; raises when it shows none."""
        if not project:
            raise UsageError("Open or create a project on the Projects page first.")
        return self.projects.folder_of(project)

    def status_of(self, project: str) -> tuple[str, Status]:
        """Gives a version of all that a project's page shows, and the status, read again only when the version changed.

        While one request reads it, others get what was known before.
        """
        folder = self.projects.folder_of(project)
        version = version_of(folder)
        known = self._statuses.get(project)
        if known is not None and (known[0] == version or self._reading.locked()):
            return known
        with self._reading:
            with Project.open(folder, writing=False) as opened:
                known = (version, status(opened))
            self._statuses[project] = known
        return known

    def demand_idle(self, folder: Path) -> None:
        """Raises while a job works on a project: only one process at a time changes its record."""
        for job in self.queue.store.open():
            if job.folder == folder and job.state == "running":
                raise UsageError(f"{job.stage} is at work on this project; what you change by hand waits until it has ended.")

    def describe(self, job: Job) -> dict[str, Any]:
        """Gives what a page shows of a job."""
        progress = self.queue.progress(job.id)
        return {
            "id": job.id, "words": f"{job.stage} of {job.folder.name}", "command": job.stage,
            "folder": str(job.folder), "state": job.state, "held": job.held, "name": job.name,
            "stopping": self.queue.is_stopping(job.id), "started": job.started, "ended": job.ended, "error": job.error,
            "stage": progress.stage if progress else job.stage, "done": progress.done if progress else 0,
            "total": progress.total if progress else None, "note": progress.note if progress else "",
        }  # fmt: skip


def version_of(folder: Path) -> str:
    """Gives a word that changes when anything that a page shows of a project changes, and not when it is only read."""
    parts = []
    for name in ("project.db", "project.db-wal", "lorasmith.toml", "info.md", "runs", "evaluations", "loras", *_newest(folder)):
        try:
            facts = (folder / name).stat()
        except OSError:
            continue
        if facts.st_size or not name.endswith("-wal"):  # an empty one comes and goes with each reader
            parts.append(f"{name}:{facts.st_mtime_ns:x}.{facts.st_size:x}")
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def settings_version(folder: Path) -> str:
    """Gives a word that changes when lorasmith.toml does: the forms are filled anew then."""
    try:
        facts = (folder / FILE_NAME).stat()
    except OSError:
        return ""
    return f"{facts.st_mtime_ns:x}.{facts.st_size:x}"


def _newest(folder: Path) -> list[str]:
    """Names what grows inside the newest run."""
    runs = folder / "runs"
    numbers = sorted(entry.name for entry in runs.iterdir() if entry.name.isdigit()) if runs.is_dir() else []
    inside = ("events.jsonl", "samples", "grids", "trained.json")
    return [f"runs/{numbers[-1]}/{name}" for name in inside] if numbers else []
