"""Projects over the small booru: new, and through all eight stages."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from lorasmith.boorus.limiter import Pace, SharedTurns
from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from lorasmith.settings.toml import keep_choice
from tests.demo.plain import PlainPost
from tests.road import make_project


@pytest.fixture
def project(tmp_path: Path, booru: DemoBooru, tiny_base: Path) -> Iterator[Project]:
    """A new project over the small booru."""
    booru.faults.clear()
    with make_project(tmp_path / "project", booru.url, tiny_base) as made:
        yield made


@pytest.fixture(scope="session")
def _walked(tmp_path_factory: pytest.TempPathFactory, booru: DemoBooru, tiny_base: Path) -> Path:
    """A project through all stages, walked once for all processes of a test run."""
    from lorasmith.stages.run import run_all

    here = tmp_path_factory.getbasetemp()
    folder = (here.parent if os.environ.get("PYTEST_XDIST_WORKER") else here) / "walked"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "walked.lock"):
        if not (folder / "whole").exists():
            shutil.rmtree(folder / "project", ignore_errors=True)
            base = shutil.copy(tiny_base, folder / "tiny.safetensors")  # the other processes' bases go with them
            with make_project(folder / "project", booru.url, Path(base)) as made:
                run_all(made)
            (folder / "whole").touch()
    return folder / "project"


@pytest.fixture
def walked(tmp_path: Path, _walked: Path, booru: DemoBooru) -> Iterator[Project]:
    """A copy of a project that has been through all eight stages."""
    folder = tmp_path / "walked"
    shutil.copytree(_walked, folder, ignore=shutil.ignore_patterns("project.lock"))
    keep_choice(folder / "lorasmith.toml", "site", {"site_url": booru.url})
    with Project.open(folder) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Waits are as the rule says, only shorter: a second is a fiftieth."""
    turns = SharedTurns(tmp_path / "turns.db")
    monkeypatch.setattr("lorasmith.boorus.client._shared_turns", lambda: turns)
    monkeypatch.setattr(Pace, "first_wait", 0.04)
    defaults = Pace.__init__.__defaults__
    assert defaults is not None
    fields = list(Pace.__dataclass_fields__)
    quicker = dict(zip(fields, defaults, strict=True)) | {"first_wait": 0.04, "longest_wait": 0.5, "patience": 0.3}
    monkeypatch.setattr(Pace.__init__, "__defaults__", tuple(quicker.values()))
    real = Pace.delay

    def delay(self: Pace, failures: int, asked: float | None = None, least: float = 0.0) -> float:
        return min(0.5, real(self, failures, asked, least / 50))

    monkeypatch.setattr(Pace, "delay", delay)


@pytest.fixture
def robin(tmp_path: Path) -> Iterator[Project]:
    """A new project that has nothing yet."""
    with Project.create(tmp_path / "p", "robin", preset="demo") as opened:
        yield opened


@pytest.fixture
def serve() -> Iterator[Callable[..., DemoBooru]]:
    """Starts boorus with the posts that a test wants."""
    running: list[DemoBooru] = []

    def start(posts: Sequence[PlainPost], **options: Any) -> DemoBooru:
        running.append(DemoBooru(posts, **options).__enter__())
        return running[-1]

    yield start
    for booru in running:
        booru.__exit__(None, None, None)
