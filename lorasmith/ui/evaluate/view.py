"""The Evaluate page's place: `static/evaluate.js` draws grids, plots and advice into it, and asks `evaluate/asking.py` for them."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Gives the place alone, the same for every state of the project: what stands in it is not drawn anew by a change."""
    waiting = html.note("The evaluation comes in a moment.")
    return html.element("div", waiting, data_ls_own="evaluate", class_="lse", role="region", aria_label="evaluations")
