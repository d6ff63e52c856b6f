"""The evaluation: the grid, the scores of each epoch and weight, and the way to the full report."""

import json

from lorasmith.project.project import Project
from lorasmith.stages.status import last_result
from lorasmith.ui import html
from lorasmith.ui.views.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Shows the newest finished evaluation."""
    folders = [folder for folder in project.numbered(project.evaluations) if (folder / "scores.json").is_file()]
    if not folders:
        return html.note("Nothing is evaluated yet.")
    folder = folders[-1]
    place = folder.relative_to(project.folder).as_posix()
    advice = str(last_result(project, "evaluate").get("advice", ""))
    report = html.text("a", "open the full report", href=html.file_address(ask.id, f"{place}/report.html"), target="_blank")
    grid = html.element(
        "a", html.image(html.file_address(ask.id, f"{place}/grid.png"), "the grid", **{"class": "ls-grid-picture"}),
        href=html.file_address(ask.id, f"{place}/grid.png"), data_large="",
    )  # fmt: skip
    head, rows = _scores(json.loads((folder / "scores.json").read_text(encoding="utf-8")))
    return (
        html.section(f"Evaluation {folder.name}", html.note(advice) if advice else "", html.element("p", report))
        + html.section("Scores on the seeds that choose", html.table(head, rows))
        + html.section("Grid", grid)
    )


def _scores(content: dict[str, object]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Gives a row per epoch and weight: likeness, and the share followed of each kind of prompt."""
    base, cells = content.get("base"), content.get("cells")
    columns = ([base] if isinstance(base, dict) else []) + (cells if isinstance(cells, list) else [])
    kinds = sorted({kind for one in columns for kind in one.get("followed", {})})
    rows = []
    for one in columns:
        name = "without LoRA" if one.get("epoch") is None else f"epoch {one['epoch']}, weight {one['weight']:g}"
        rows.append((name, _mean(one.get("likeness")), *(_mean(one["followed"].get(kind)) for kind in kinds)))
    return ("", "likeness", *(f"{kind} followed" for kind in kinds)), rows


def _mean(value: object) -> object:
    return round(float(value["mean"]), 3) if isinstance(value, dict) and value.get("mean") is not None else None
