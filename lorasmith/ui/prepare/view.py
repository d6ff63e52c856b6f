"""Before and after: each original beside what was made of it."""

from collections.abc import Mapping

from lorasmith.project.pictures import PERSON, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.stages.touch_up.again import PART
from lorasmith.ui import html
from lorasmith.ui.ask import Ask, decide_buttons, paged, showable, tile, wall

ONLY = "only:"  # how the choice of some pictures by name begins


def view(project: Project, ask: Ask) -> str:
    """Shows each kept original with its edits, to accept or refuse; "crop …" and the like open their tools."""
    originals = showable(project, project.pictures.kept())
    if not originals:
        return html.note("No pictures are kept yet.")
    chosen, told = _chosen(originals, ask.show)
    part, pager = paged(chosen, ask)
    verdicts = project.pictures.decisions()
    rows = (html.element("div", *_row(project, ask, one, verdicts), class_="ls-row") for one in part)
    many = html.element("nav", html.text("button", "touch up many …", data_batch=""), class_="ls-choices")
    return many + told + pager + "".join(rows) + pager


def _chosen(originals: list[Picture], show: str) -> tuple[list[Picture], str]:
    """Gives the pictures that another page's link chose (`only:NAME,NAME`), and the line that says so; else all of them."""
    if not show.startswith(ONLY):
        return originals, ""
    names = set(show.removeprefix(ONLY).split(","))
    found = [one for one in originals if one.name in names]
    every = html.text("button", "show all", data_show="all")
    told = html.text("span", f"{len(found)} of {len(originals)} pictures, chosen on another page")
    return found, html.element("nav", told, every, class_="ls-choices")


def _row(project: Project, ask: Ask, original: Picture, verdicts: Mapping[str, Decision]) -> list[str]:
    edits = project.pictures.all_edits_of(original.name)
    replaced = any(edit.replaces_parent and _verdict(verdicts, edit) == "keep" for edit in edits)
    before = tile(ask, original, f"{original.width} x {original.height}", "replaced" if replaced else "trained as it is",
                  buttons=_tools(crop=True, touch=True))  # fmt: skip
    after = (_made(ask, edit, _verdict(verdicts, edit), verdicts.get(edit.name)) for edit in edits)
    return [before, html.text("span", "→" if edits else "", class_="ls-arrow"), wall(*after)]


def _made(ask: Ask, edit: Picture, verdict: str, decision: Decision | None) -> str:
    """Writes one edit with what was done, and the buttons that accept or refuse it."""
    operation = edit.operation or {}
    steps = ", ".join(str(step.get("step")) for step in operation.get("steps", []))
    word = "" if decision is None or decision.maker != PERSON else ", accepted by you" if verdict == "keep" else ", refused by you"
    return tile(
        ask, edit, f"{edit.width} x {edit.height}", (steps or edit.kind or "edit") + word,
        buttons=decide_buttons(verdict) + _tools(crop=edit.kind != "resize", touch=edit.kind == PART),
        mark="ls-dropped" if verdict == "drop" else "",
    )  # fmt: skip


def _verdict(verdicts: Mapping[str, Decision], edit: Picture) -> str:
    return verdicts[edit.name].verdict if edit.name in verdicts else "keep"


def _tools(*, crop: bool, touch: bool) -> str:
    framing = html.text("button", "crop …", data_crop="") if crop else ""
    one_row = html.element("div", framing, html.text("button", "erase …", data_erase=""), class_="ls-decide")
    return one_row + html.element("div", html.text("button", "touch up …", data_touch=""), class_="ls-decide") if touch else one_row
