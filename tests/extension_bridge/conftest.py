"""Hosts of both kinds with the bridge in them, as fixtures."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.extension_bridge.fake_host import Host
from tests.extension_bridge.served import Served, serving

EXTENSION = Path(__file__).parents[2] / "extension"


@pytest.fixture
def bridge_module() -> Iterator[ModuleType]:
    """The bridge, imported as the host imports it, and gone afterwards."""

    def purge() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "lorasmith_webui"]:
            del sys.modules[name]

    purge()
    sys.path.insert(0, str(EXTENSION))
    try:
        from lorasmith_webui import bridge

        yield bridge
    finally:
        sys.path.remove(str(EXTENSION))
        purge()


@pytest.fixture(params=["A1111", "Forge"])
def served(request: pytest.FixtureRequest, tmp_path: Path, bridge_module: ModuleType) -> Iterator[Served]:
    """A host of either kind."""
    with serving(Host(tmp_path, forge=request.param == "Forge"), bridge_module) as made:
        yield made


@pytest.fixture
def a1111(tmp_path: Path, bridge_module: ModuleType) -> Iterator[Served]:
    """A host like AUTOMATIC1111's."""
    with serving(Host(tmp_path), bridge_module) as made:
        yield made


@pytest.fixture
def forge(tmp_path: Path, bridge_module: ModuleType) -> Iterator[Served]:
    """A host like Forge."""
    with serving(Host(tmp_path, forge=True), bridge_module) as made:
        yield made
