"""The Refine page's place: `static/refine.js` draws the candidates into it, and asks `refine/asking.py` for them."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Gives the place alone, the same for every state of the project: what stands in it is not drawn anew by a change."""
    waiting = html.note("The candidates come in a moment.")
    return html.element("div", waiting, data_ls_own="refine", class_="lse lsv", role="region", aria_label="candidates for the set")
