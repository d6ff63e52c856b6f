"""Projects over the small booru: new, and through all eight stages."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from lorasmith.settings.toml import keep_choice
from tests.road import make_project


@pytest.fixture
def project(tmp_path: Path, booru: DemoBooru, tiny_base: Path) -> Iterator[Project]:
    """A new project over the small booru."""
    booru.faults.clear()
    with make_project(tmp_path / "project", booru.url, tiny_base) as made:
        yield made


@pytest.fixture(scope="session")
def _walked(tmp_path_factory: pytest.TempPathFactory, booru: DemoBooru, tiny_base: Path) -> Path:
    from lorasmith.stages.run import run_all

    folder = tmp_path_factory.mktemp("walked") / "project"
    with make_project(folder, booru.url, tiny_base) as made:
        run_all(made)
    return folder


@pytest.fixture
def walked(tmp_path: Path, _walked: Path, booru: DemoBooru) -> Iterator[Project]:
    """A copy of a project that has been through all eight stages."""
    folder = tmp_path / "walked"
    shutil.copytree(_walked, folder, ignore=shutil.ignore_patterns("project.lock"))
    keep_choice(folder / "lorasmith.toml", "site", {"site_url": booru.url})
    with Project.open(folder) as opened:
        yield opened
