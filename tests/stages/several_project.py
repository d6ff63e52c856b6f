"""A small project with two characters, of drawn pictures."""

from pathlib import Path
from typing import Any

from lorasmith.demo import several
from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.stages.add.stage import add_folder


def make(folder: Path, drawn: Path, train: dict[str, Any] | None = None) -> Project:
    """Makes the project of a folder that `several.write_folder` drew."""
    base, tagger = model_files()
    chosen = {
        "tag": {"tagger": str(tagger), "characters": list(several.LOOKS)},
        "train": {"checkpoint": str(base), "sample_every": 0} | (train or {}),
    }
    project = Project.create(folder, "duo", preset="demo", chosen=chosen)
    add_folder(project, drawn)
    return project
