"""The Tag page's place: `static/tag.js` draws pictures, tags and tables into it, and asks `tag_asking.py` for them."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Gives the place alone, the same for every state of the project: what stands in it is not drawn anew by a change."""
    waiting = html.note("The tags come in a moment.")
    return html.element("div", waiting, data_ls_own="tag", class_="lst", aria_label="pictures and their tags")
