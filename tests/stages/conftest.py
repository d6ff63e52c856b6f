"""Projects over the small booru: new, and through all eight stages."""

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from lorasmith.boorus.limiter import Pace, SharedTurns
from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from lorasmith.settings.toml import keep_choice
from tests.demo.plain import PlainPost
from tests.road import make_project

if TYPE_CHECKING:
    from lorasmith.imaging.marks import Mark

A_DATE = "1700000000"  # when the walked project was walked, as its files say


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
            with pytest.MonkeyPatch.context() as fixed, make_project(folder / "project", booru.url, Path(base)) as made:
                fixed.setenv("SOURCE_DATE_EPOCH", A_DATE)
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


@pytest.fixture(scope="session")
def _find_marks_once() -> "Callable[..., list[Mark]]":
    from PIL import Image

    from lorasmith.imaging.marks import find_marks as look

    @cache
    def looked(mode: str, size: tuple[int, int], pixels: bytes, hints: frozenset[str], signs: bool) -> "tuple[Mark, ...]":
        return tuple(look(Image.frombytes(mode, size, pixels), hints, signs=signs))

    def find_marks(image: Image.Image, hints: Collection[str] = frozenset(), *, signs: bool = True) -> "list[Mark]":
        return [replace(mark) for mark in looked(image.mode, image.size, image.tobytes(), frozenset(hints), signs)]

    return find_marks


@pytest.fixture
def marks_seen_once(monkeypatch: pytest.MonkeyPatch, _find_marks_once: "Callable[..., list[Mark]]") -> None:
    """The same picture with the same hints is looked at once for all tests: what is found is a function of these alone."""
    monkeypatch.setattr("lorasmith.imaging.marks.find_marks", _find_marks_once)
