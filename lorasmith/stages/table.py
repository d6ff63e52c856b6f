"""The eight stages in order: front-ends loop over this table; the functions are imported when they are called."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One stage: its name (also its folder, function and settings table) and one line of help."""

    name: str
    help: str

    def function(self) -> Callable[..., Any]:
        """Imports the stage's function: `(project, settings, report) -> result`."""
        function: Callable[..., Any] = getattr(import_module(f"lorasmith.stages.{self.name}.stage"), self.name)
        return function


STAGES: tuple[Stage, ...] = (
    Stage("research", "Look at what a site has for the query, and write the first character sheet (info.md)."),
    Stage("download", "Fetch the chosen posts: verified, resumable, polite."),
    Stage("prune", "Mark the pictures that should not be trained on, and why; nothing is deleted."),
    Stage("prepare", "Crop to the character, add head crops, limit the size; originals stay untouched."),
    Stage("tag", "Tag the pictures, absorb the core looks into the trigger, write the captions."),
    Stage("train", "Train the LoRA; a stopped run goes on where it was."),
    Stage("evaluate", "Render a grid over epochs and weights, judge it, write report.html."),
    Stage("refine", "Bring chosen renders back as candidate pictures, marked as generated."),
)
