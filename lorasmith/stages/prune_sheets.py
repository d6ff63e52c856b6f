"""The contact sheets of prune: what is kept, what is dropped for each reason, and twins side by side."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import PictureError
from lorasmith.project.pictures import Decision, Picture
from lorasmith.project.project import Project
from lorasmith.stages.wall import is_out

if TYPE_CHECKING:
    import PIL.Image

_MOST = 120  # tiles on a sheet
_TWIN_ROWS = 60


def draw_sheets(project: Project) -> Path:
    """Draws `kept.png`, `dropped-<reason>.png` and `twins.png` into the project's sheets folder, and removes older ones."""
    folder = project.sheets
    folder.mkdir(exist_ok=True)
    decisions = project.pictures.decisions()
    shown = [one for one in project.pictures.originals() if not is_out(decisions.get(one.name))]
    kept = [one for one in shown if not _drops(decisions.get(one.name))]
    dropped: dict[str, list[Picture]] = {}
    for one in shown:
        if _drops(decisions.get(one.name)):
            dropped.setdefault(decisions[one.name].reason, []).append(one)
    wanted = {"kept": kept} | {f"dropped-{_file_word(reason)}": some for reason, some in sorted(dropped.items())}
    written = {_draw(project, folder / f"{name}.png", some, decisions) for name, some in wanted.items() if some}
    written.add(_draw_twins(project, folder / "twins.png", shown, decisions))
    for old in folder.glob("*.png"):
        if old.name not in written:
            old.unlink()
    return folder


def _drops(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "drop"


def _file_word(reason: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-")[:40] or "other"


def _draw(project: Project, path: Path, pictures: Sequence[Picture], decisions: Mapping[str, Decision]) -> str:
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import contact_sheet

    labels = [(_label(one, decisions.get(one.name)), project.file_of(one)) for one in pictures[:_MOST]]
    save_png(contact_sheet(labels, columns=10, cell=160), path)
    return path.name


def _label(picture: Picture, decision: Decision | None) -> str:
    why = str(decision.detail.get("why", "")) if decision else ""
    return f"{picture.name} {why}".strip()


def _draw_twins(project: Project, path: Path, pictures: Sequence[Picture], decisions: Mapping[str, Decision]) -> str:
    """Draws each dropped twin beside the one that is kept for it, a row a pair."""
    from lorasmith.imaging.read import save_png, thumbnail
    from lorasmith.imaging.sheets import labelled_grid

    by_name = {one.name: one for one in pictures}
    cells: dict[tuple[str, str], PIL.Image.Image] = {}
    rows: list[str] = []
    for one in pictures:
        decision = decisions.get(one.name)
        twin = by_name.get(str(decision.detail.get("twin"))) if decision else None
        if not _drops(decision) or twin is None or decision is None or len(rows) >= _TWIN_ROWS:
            continue
        try:
            small = [thumbnail(project.file_of(each), 192) for each in (twin, one)]
        except PictureError:
            continue
        row = f"{one.name}: {decision.detail.get('why', decision.reason)}"
        rows.append(row)
        cells[row, "kept"], cells[row, "dropped"] = small
    if not rows:
        return ""
    save_png(labelled_grid(["kept", "dropped"], rows, cells), path)
    return path.name
