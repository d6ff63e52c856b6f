"""Hosts for the tests of the tab; one of each kind is shared by all tests of a file that leave it as it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.extension.webui import KINDS, Webui, copy_extension

Start = Callable[..., Webui]


@pytest.fixture(scope="module", params=KINDS)
def shared_host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webui]:
    """A host whose tab is open and whose child runs."""
    extension = copy_extension(tmp_path_factory.mktemp(request.param) / "extensions" / "a lora smith")
    (extension / "file.bin").write_bytes(bytes(range(256)) * 40)
    words = ["--api"] if request.param == "a1111" else []
    host = Webui(request.param, extension, *words)
    try:
        host.open()
        yield host
    finally:
        host.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts hosts of the test's own: start(kind, [extension's folder,] *words, ready=True, **environment)."""
    started: list[Webui] = []

    def start(kind: str, *words: str | Path, ready: bool = True, **environment: str) -> Webui:
        if words and isinstance(words[0], Path):
            extension, *words = words
        else:
            extension = copy_extension(tmp_path / f"extensions{len(started)}" / "lorasmith", ready)
        started.append(Webui(kind, extension, *words, **environment))
        return started[-1]

    try:
        yield start
    finally:
        for host in started:
            host.kill()
