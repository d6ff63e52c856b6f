"""Keep or drop: the place that `static/prune.js` draws in (it asks `prune_asking.py`), and a tile with its decision."""

from collections.abc import Mapping

from lorasmith.project.pictures import PERSON, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask, decide_buttons, post_line, tile


def view(project: Project, ask: Ask) -> str:
    """Gives the place alone, the same for every state of the project: what stands in it is not drawn anew by a change."""
    waiting = html.note("The pictures come in a moment.")
    return html.element("div", waiting, data_ls_own="prune", class_="lsp", role="region", aria_label="pictures to keep or drop")


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
