"""The originals: what was fetched and what a person added."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask, paged, post_line, showable, tile, wall


def view(project: Project, ask: Ask) -> str:
    """Shows the originals, page by page, best score first."""
    pictures = showable(project, project.pictures.all(origins=("booru", "folder")))
    pictures.sort(key=lambda one: (-int(one.post.get("score") or 0), one.name))
    part, pager = paged(pictures, ask)
    if not pictures:
        return html.note("No pictures yet: start the download, or add your own pictures below the form.")
    tiles = (tile(ask, one, f"{one.width} x {one.height}", post_line(one.post)) for one in part)
    return html.section(f"{len(pictures)} originals", pager, wall(*tiles), pager)
