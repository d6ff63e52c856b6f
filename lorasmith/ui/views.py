"""What the page of a stage shows: what its `<stage>/view.py` draws, and the result of the last call."""

from importlib import import_module

from lorasmith.project.project import Project
from lorasmith.stages.status import last_result
from lorasmith.ui import html
from lorasmith.ui.ask import Ask


def draw(project: Project, stage: str, ask: Ask) -> str:
    """Gives a stage's picture and its last result as HTML."""
    drawn: str = import_module(f"lorasmith.ui.{stage}.view").view(project, ask)
    told = html.result(last_result(project, stage))
    folded = html.element("details", html.text("summary", "All that the last call gave"), told, class_="ls-folded")
    return drawn + (folded if told else "")
