"""A small real road: the demo's booru with a few posts, its tagger, and a random base of the exact layout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.demo import posts, world
from lorasmith.demo.demo import model_files
from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from lorasmith.settings.toml import keep_choice
from tests.checkpoints.tiny import write_tiny

QUICK = {
    "site": {"query": f"{world.NEW_CHARACTER} solo"},
    "prepare": {"head_share": 0.3},
    "train": {"epochs": 2, "repeats": 1, "batch_size": 4, "sample_every": 2, "sample_steps": 2, "checkpoint_every": 3},
    "evaluate": {"epochs": 1, "seeds": [1], "report_seeds": [2], "steps": 2, "weights": [1.0]},
    "refine": {"min_likeness": 0.0, "min_followed": 0.0, "top_n": 2},
}


@pytest.fixture(scope="session")
def booru(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoBooru]:
    """A booru with two dozen posts of the new character among others."""
    everything = posts.posts()
    mine = [post for post in everything if world.NEW_CHARACTER in post.tags.get("character", ())][:24]
    others = [post for post in everything if world.NEW_CHARACTER not in post.tags.get("character", ())][:60]
    cache = tmp_path_factory.mktemp("booru")
    server = DemoBooru([*mine, *others], aliases=world.ALIASES, implications=world.IMPLICATIONS, cache=cache)
    with server:
        yield server


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random thin base model in the exact SD1.x layout."""
    path = tmp_path_factory.mktemp("base") / "tiny.safetensors"
    write_tiny(path)
    return path


def make_project(folder: Path, url: str, base: Path) -> Project:
    """Makes a project whose whole road takes seconds."""
    chosen = {
        **QUICK,
        "site": QUICK["site"] | {"site_url": url},
        "tag": {"tagger": str(model_files()[1])},
        "train": QUICK["train"] | {"checkpoint": str(base)},
    }
    return Project.create(folder, world.NEW_CHARACTER, preset="demo", chosen=chosen)


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
    import shutil

    folder = tmp_path / "walked"
    shutil.copytree(_walked, folder, ignore=shutil.ignore_patterns("project.lock"))
    keep_choice(folder / "lorasmith.toml", "site", {"site_url": booru.url})
    with Project.open(folder) as opened:
        yield opened
