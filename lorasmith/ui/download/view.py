"""The place that `static/download.js` draws in, and below it the originals: what was fetched and what a person added."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask, paged, post_line, showable, tile, wall


def view(project: Project, ask: Ask) -> str:
    """Shows the plan and the last download, then the originals, page by page, best score first."""
    place = html.element("div", data_ls_own="download", class_="lsd", role="region", aria_label="what is fetched")
    pictures = showable(project, project.pictures.all(origins=("booru", "folder")))
    pictures.sort(key=lambda one: (-int(one.post.get("score") or 0), one.name))
    part, pager = paged(pictures, ask)
    if not pictures:
        return place + html.note("No pictures yet: start the download, or add your own pictures below the form.")
    tiles = (tile(ask, one, f"{one.width} x {one.height}", post_line(one.post)) for one in part)
    return place + html.section(f"{len(pictures)} originals", pager, wall(*tiles), pager)
