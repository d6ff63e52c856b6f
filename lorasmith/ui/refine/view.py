"""Renders that came back: each waits for a person's keep."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask, paged, showable, wall
from lorasmith.ui.prune.view import decision_tile


def view(project: Project, ask: Ask) -> str:
    """Shows the candidates with keep and drop."""
    candidates = showable(project, project.pictures.all(origins=("render",)))
    if not candidates:
        return html.note("No renders came back yet.")
    decisions = project.pictures.decisions()
    part, pager = paged(candidates, ask)
    advice = html.note("What you keep is trained on in the next round; the rest stays out.")
    return advice + pager + wall(*(decision_tile(ask, one, decisions.get(one.name)) for one in part)) + pager
