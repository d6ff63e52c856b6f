"""Keep or drop: every original with the decision that holds and its reason."""

from collections.abc import Mapping

from lorasmith.project.pictures import PERSON, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.views.ask import Ask, choices, decide_buttons, paged, post_line, showable, tile, wall


def view(project: Project, ask: Ask) -> str:
    """Shows the originals with keep and drop; what a person says wins over every suggestion."""
    pictures = showable(project, project.pictures.originals())
    if not pictures:
        return html.note("No pictures yet.")
    decisions = project.pictures.decisions()
    groups = {
        "all": pictures,
        "kept": [one for one in pictures if _verdict(decisions.get(one.name)) == "keep"],
        "dropped": [one for one in pictures if _verdict(decisions.get(one.name)) == "drop"],
    }
    part, pager = paged(groups.get(ask.show, pictures), ask)
    shown = choices(ask, {name: len(group) for name, group in groups.items()})
    return shown + pager + wall(*(decision_tile(ask, one, decisions.get(one.name)) for one in part)) + pager


def decision_tile(ask: Ask, picture: Picture, decision: Decision | None) -> str:
    """Writes one picture with its decision and the buttons that change it."""
    verdict = _verdict(decision)
    why = "" if decision is None else f"{decision.reason}{_detail(decision.detail)}"
    by = "by hand" if decision is not None and decision.maker == PERSON else ""
    return tile(
        ask, picture, f"{picture.width} x {picture.height}", post_line(picture.post), by or why,
        buttons=decide_buttons(verdict), mark="ls-dropped" if verdict == "drop" else "",
    )  # fmt: skip


def _verdict(decision: Decision | None) -> str:
    return "keep" if decision is None else decision.verdict


def _detail(detail: Mapping[str, object]) -> str:
    twin = detail.get("twin")
    return f" ({twin})" if twin else ""
