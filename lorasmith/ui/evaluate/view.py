"""The evaluation: what to fix with the pictures, the scores of each epoch and weight, the grids, the way to the full report."""

import json
from collections.abc import Mapping
from typing import Any

from lorasmith.project.project import Project
from lorasmith.stages.evaluate.bench import SCORES
from lorasmith.ui import html
from lorasmith.ui.ask import Ask, showable, tile, wall

_SHOWN = 8  # pictures of one thing to fix
_SWEEP = "sweep.html"


def view(project: Project, ask: Ask) -> str:
    """Shows the newest finished evaluation."""
    folders = [folder for folder in project.numbered(project.evaluations) if (folder / SCORES).is_file()]
    if not folders:
        return html.note("Nothing is evaluated yet.")
    folder = folders[-1]
    place = folder.relative_to(project.folder).as_posix()
    content = json.loads((folder / SCORES).read_text(encoding="utf-8"))
    advice = str(content["ranking"]["advice"])
    report = html.text("a", "open the full report", href=html.file_address(ask.id, f"{place}/report.html"), target="_blank")
    sweep = ""
    if (project.evaluations / _SWEEP).is_file():
        address = html.file_address(ask.id, f"{project.evaluations.name}/{_SWEEP}")
        sweep = html.element("p", html.text("a", "open the table of the sweep", href=address, target="_blank"))
    head, rows = _scores(content)
    return (
        html.section(f"Evaluation {folder.name}", html.note(advice), html.element("p", report), sweep)
        + html.section("What to fix", *(_fix(project, ask, fix) for fix in content.get("fixes", ())))
        + html.section("Epochs and weights", html.table(*_standings(content)))
        + html.section("Scores on the seeds that choose", html.table(head, rows))
        + html.section("Grids", *(_grid(ask, place, kind, file) for kind, file in _grids(content).items()))
    )


def _grids(content: Mapping[str, Any]) -> dict[str, str]:
    grids = content.get("grids") or {}
    return {str(kind): str(file) for kind, file in grids.items()} or {"all": str(content.get("grid") or "grid.png")}


def _grid(ask: Ask, place: str, kind: str, file: str) -> str:
    address = html.file_address(ask.id, f"{place}/{file}")
    picture = html.image(address, f"grid: {kind}", **{"class": "ls-grid-picture"})
    return html.text("h4", kind) + html.element("a", picture, href=address, data_large="")


def _fix(project: Project, ask: Ask, fix: Mapping[str, Any]) -> str:
    """Shows one thing to fix with the pictures that matter."""
    found = [one for name in fix["pictures"][:_SHOWN] if (one := project.pictures.find(name)) is not None]
    tiles = wall(*(tile(ask, one) for one in showable(project, found)))
    more = len(fix["pictures"]) - len(found)
    rest = html.text("p", f"and {more} more, in the report") if more > 0 else ""
    return html.note(f"{fix['words']} ({fix['stage']})") + tiles + rest


def _standings(content: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Gives a row per epoch and weight: how well it is baked, and why."""
    rows: list[tuple[object, ...]] = [(one["epoch"], one["weight"], one["bake"], one["reason"]) for one in content["ranking"]["order"]]
    return ("epoch", "weight", "", "why"), rows


def _scores(content: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Gives a row per epoch and weight: likeness, leak, copies, and the share followed of each kind of prompt."""
    base, cells = content.get("base"), content.get("cells")
    columns = ([base] if isinstance(base, dict) else []) + (cells if isinstance(cells, list) else [])
    kinds = sorted({kind for one in columns for kind in one.get("followed", {})})
    rows = []
    for one in columns:
        name = "without LoRA" if one.get("epoch") is None else f"epoch {one['epoch']}, weight {one['weight']:g}"
        numbers = [_mean(one.get(key)) for key in ("likeness", "leak", "copies")]
        rows.append((name, *numbers, *(_mean(one["followed"].get(kind)) for kind in kinds)))
    return ("", "likeness", "leak", "copies", *(f"{kind} followed" for kind in kinds)), rows


def _mean(value: object) -> object:
    return round(float(value["mean"]), 3) if isinstance(value, dict) and value.get("mean") is not None else None
