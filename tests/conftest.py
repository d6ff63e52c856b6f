"""What every test stands on: one thread, no outside world, no files in the person's own folders."""

import os

os.environ.update(
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_VERBOSITY="error",
    GRADIO_ANALYTICS_ENABLED="False",
)

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lorasmith.demo.server import DemoBooru
    from tests.model_hub import Hub

GPU_IS_THERE = shutil.which("nvidia-smi") is not None


def skip_reason(marker: str) -> str | None:
    """Returns why tests with this marker cannot run here, or None."""
    if marker == "gpu" and not GPU_IS_THERE:
        return "no NVIDIA card"
    if marker == "network" and os.environ.get("LORASMITH_NETWORK") != "1":
        return "LORASMITH_NETWORK is not 1"
    if marker == "model" and not os.environ.get("LORASMITH_MODELS"):
        return "LORASMITH_MODELS names no folder of models"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in ("gpu", "network", "model"):
            reason = skip_reason(marker) if item.get_closest_marker(marker) else None
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def a_home_of_the_tests_own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points every place where a program keeps its own files at a temporary folder."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "APPDATA", "LOCALAPPDATA"):
        os.environ[name] = str(home / name.lower())
    return home


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Hub]":
    """An empty model hub on this machine, where huggingface_hub asks during the test; waiting takes no time."""
    import huggingface_hub.file_download

    from tests.model_hub import Hub, serve

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 100_000)  # 10 MB: less is lost with a break
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda seconds: None)
    with serve(Hub({})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", "hf_abc")
        yield hub


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB, mounted for one test; skips where that cannot be done."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    place = tmp_path / "small disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="session")
def booru(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[DemoBooru]":
    """A booru on loopback with two dozen posts of the demo's new character, among others."""
    from tests.road import small_booru  # heavy: only for those who ask

    with small_booru(tmp_path_factory.mktemp("booru")) as server:
        yield server


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random thin base model in the exact SD1.x layout."""
    from tests.checkpoints.tiny import write_tiny

    path = tmp_path_factory.mktemp("base") / "tiny.safetensors"
    write_tiny(path)
    return path
