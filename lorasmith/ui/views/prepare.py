"""Before and after: each original beside what was made of it."""

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.views.ask import Ask, paged, showable, tile, wall


def view(project: Project, ask: Ask) -> str:
    """Shows each kept original with its edits; "erase" opens the brush on a picture."""
    originals = showable(project, project.pictures.kept())
    if not originals:
        return html.note("No pictures are kept yet.")
    part, pager = paged(originals, ask)
    rows = (html.element("div", *_row(project, ask, one), class_="ls-row") for one in part)
    return pager + "".join(rows) + pager


def _row(project: Project, ask: Ask, original: Picture) -> list[str]:
    edits = project.pictures.all_edits_of(original.name)
    replaced = any(edit.replaces_parent for edit in edits)
    before = tile(ask, original, f"{original.width} x {original.height}", "replaced" if replaced else "trained as it is",
                  buttons=_erase())  # fmt: skip
    after = (tile(ask, edit, f"{edit.width} x {edit.height}", edit.kind or "edit", buttons=_erase()) for edit in edits)
    return [before, html.text("span", "→" if edits else "", class_="ls-arrow"), wall(*after)]


def _erase() -> str:
    return html.element("div", html.text("button", "erase …", data_erase=""), class_="ls-decide")
