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
from hypothesis import settings

if TYPE_CHECKING:
    from lorasmith.demo.server import DemoBooru
    from tests.model_hub import Hub

settings.register_profile("tests", deadline=None)  # an example takes as long as a busy machine takes
settings.load_profile("tests")

LONGEST = (  # files that take longest, by processor time: with `-n 4 --dist loadfile` they begin first, so that none is left over
    "jobs/test_farm.py", "stages/test_evaluate.py", "training/test_reference_loop.py", "stages/test_road.py",
    "stages/test_killed_runs.py", "test_install.py", "stages/test_odd_pictures.py", "training/test_team.py",
    "stages/test_presets.py", "stages/test_recipes.py", "imaging/test_marks.py", "training/test_quantised.py",
    "training/test_train_xl.py", "training/test_model_side.py", "training/test_train.py", "stages/test_touch_up.py",
    "stages/test_random_work.py", "demo/test_tagger.py", "stages/test_again.py", "training/test_fit_card.py",
)  # fmt: skip
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


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist would begin with the files of the most tests, and those are quick


def _place(item: pytest.Item) -> int:
    file = item.nodeid.partition("::")[0].removeprefix("tests/")
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)
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
