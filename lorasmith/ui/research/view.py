"""The place that `static/research.js` draws in; it asks `asking.py`."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Gives the place alone, the same for every state of the project: what stands in it is not drawn anew by a change."""
    waiting = html.note("What is known comes in a moment.")
    return html.element("div", waiting, data_ls_own="research", class_="lsf", role="region", aria_label="what the site has")
