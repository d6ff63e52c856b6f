"""The training: the loss as it falls, the samples of each epoch, and the LoRA files."""

import json
from pathlib import Path

from lorasmith.project.project import Project
from lorasmith.training.events import read_events
from lorasmith.ui import charts, html
from lorasmith.ui.ask import Ask

_POINTS = 400  # of the loss curve
_MARKS = 12  # epochs named below it


def view(project: Project, ask: Ask) -> str:
    """Shows the newest run."""
    runs = project.numbered(project.runs)
    if not runs:
        return html.note("No run yet. What would stop or spoil it is said at its start.")
    run = runs[-1]
    return (
        html.section(f"Loss of run {run.name}", _loss(run / "events.jsonl"))
        + html.section("Samples", _pictures(project, ask, run / "samples"))
        + html.section("Test grids of the WebUI", _pictures(project, ask, run / "grids", side=1024))
        + html.section("LoRA files", _files(project, ask, run))
    )


def _loss(file: Path) -> str:
    events = read_events(file)
    points = [(float(row["step"]), float(row["loss"])) for row in events if row.get("event") == "step" and "loss" in row]
    marks = [(float(row["step"]), f"e{row['epoch']}") for row in events if row.get("event") == "epoch" and "step" in row]
    every = max(1, len(points) // _POINTS)
    marks = marks[:: max(1, len(marks) // _MARKS)]
    return charts.curve(points[::every], marks, "steps", "loss") or html.note("The first steps are being taken.")


def _pictures(project: Project, ask: Ask, folder: Path, side: int = 256) -> str:
    tiles = []
    for file in sorted(folder.glob("*.png")) if folder.is_dir() else []:
        address = file.relative_to(project.folder).as_posix()
        version = f"{file.stat().st_mtime_ns:x}"[-12:]
        small = html.image(html.thumbnail_address(ask.id, address, side, version), file.stem)
        large = html.element("a", small, href=html.file_address(ask.id, address), data_large="")
        tiles.append(html.element("figure", large, html.text("figcaption", file.stem), class_="ls-tile"))
    return html.element("div", *tiles, class_="ls-wall" if side <= 256 else "ls-wall ls-big") if tiles else ""


def _files(project: Project, ask: Ask, run: Path) -> str:
    try:
        rows = json.loads((run / "trained.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return ""
    lines = []
    for row in rows:
        file = project.loras / str(row["file"])
        if not file.is_file():
            continue
        address = html.file_address(ask.id, file.relative_to(project.folder).as_posix())
        link = html.text("a", file.name, href=address, download=file.name)
        send = html.text("button", "send to txt2img", data_send=file.name) if ask.in_host else ""
        size = html.text("span", f"epoch {row['epoch']}, {file.stat().st_size / 1e6:.1f} MB")
        lines.append(html.element("li", link, size, send))
    return html.element("ul", *lines, class_="ls-files")
