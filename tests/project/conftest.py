"""Projects with pictures to change."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "zorvex"


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    with Project.create(folder, "zorvex", preset="quick") as opened:
        yield opened


@pytest.fixture
def picture() -> Callable[..., Picture]:
    def make(name: str, **changes: object) -> Picture:
        digest = hashlib.sha256(name.encode("utf-8")).hexdigest()
        facts: dict[str, object] = {
            "file": f"images/{name}.png", "origin": "folder", "width": 640, "height": 480, "bytes": 4,
            "sha256": digest, "md5": digest[:32],
        }  # fmt: skip
        return Picture(name, **(facts | changes))  # type: ignore[arg-type]

    return make
