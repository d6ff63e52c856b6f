"""A small real road: the demo's booru with a few posts, its tagger, and projects whose whole road takes seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lorasmith.demo import posts, world
from lorasmith.demo.demo import model_files
from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project

QUICK = {
    "site": {"query": f"{world.NEW_CHARACTER} solo"},
    "download": {"fold_twins": False},  # so that prune has twins to judge
    "prepare": {"head_share": 0.3},
    "train": {"epochs": 2, "repeats": 1, "batch_size": 4, "sample_every": 2, "sample_steps": 2, "checkpoint_every": 3},
    "evaluate": {"epochs": 1, "seeds": [1], "report_seeds": [2], "steps": 2, "weights": [1.0], "width": 64, "height": 64},
    "refine": {"min_likeness": 0.0, "min_followed": 0.0, "top_n": 2},
}


@contextmanager
def small_booru(cache: Path) -> Iterator[DemoBooru]:
    """Serves two dozen posts of the new character among others."""
    everything = posts.posts()
    mine = [post for post in everything if world.NEW_CHARACTER in post.tags.get("character", ())][:24]
    others = [post for post in everything if world.NEW_CHARACTER not in post.tags.get("character", ())][:60]
    with DemoBooru([*mine, *others], aliases=world.ALIASES, implications=world.IMPLICATIONS, cache=cache) as server:
        yield server


def make_project(folder: Path, url: str, base: Path) -> Project:
    """Makes a project whose whole road takes seconds."""
    chosen = {
        **QUICK,
        "site": QUICK["site"] | {"site_url": url},
        "tag": {"tagger": str(model_files()[1])},
        "train": QUICK["train"] | {"checkpoint": str(base)},
    }
    return Project.create(folder, world.NEW_CHARACTER, preset="demo", chosen=chosen)
