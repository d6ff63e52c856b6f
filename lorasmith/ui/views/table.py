"""Which module draws which stage: `views/<stage>.py` where there is one, else the result alone."""

from importlib import import_module
from importlib.util import find_spec

from lorasmith.project.project import Project
from lorasmith.stages.status import last_result
from lorasmith.ui import html
from lorasmith.ui.views.ask import Ask


def draw(project: Project, stage: str, ask: Ask) -> str:
    """Gives a stage's picture and its last result as HTML."""
    name = f"lorasmith.ui.views.{stage}"
    drawn = import_module(name).view(project, ask) if find_spec(name) else ""
    found = html.result(last_result(project, stage))
    return drawn + html.section("Result of the last call", found)
