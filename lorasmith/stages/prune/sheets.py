"""The contact sheets of prune: what is kept, what is dropped for each reason, and twins side by side."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import PictureError
from lorasmith.project.pictures import Decision, Picture
from lorasmith.project.project import Project
from lorasmith.stages.research.wall import is_out

if TYPE_CHECKING:
    import PIL.Image

_DRAWN = "prune sheets"  # the fact that says what each sheet shows
_MOST = 120  # tiles on a sheet
_TWIN_ROWS = 60


def draw_sheets(project: Project, originals: Sequence[Picture], decisions: Mapping[str, Decision]) -> Path:
    """Draws `kept.png`, `dropped-<reason>.png` and `twins.png` into the project's sheets folder, and removes older ones."""
    folder = project.sheets
    folder.mkdir(exist_ok=True)
    shown = [one for one in originals if not is_out(decisions.get(one.name))]
    kept = [one for one in shown if not _drops(decisions.get(one.name))]
    dropped: dict[str, list[Picture]] = {}
    for one in shown:
        if _drops(decisions.get(one.name)):
            dropped.setdefault(decisions[one.name].reason, []).append(one)
    wanted: dict[str, list[Picture]] = {"kept": kept}
    for reason, some in sorted(dropped.items()):  # reasons in a person's words may come to one file name
        wanted.setdefault(f"dropped-{_file_word(reason)}", []).extend(some)
    before: dict[str, str] = project.fact(_DRAWN) or {}
    now: dict[str, str] = {}
    for name, some in wanted.items():
        if some:
            labels = [(_label(one, decisions.get(one.name)), one) for one in some[:_MOST]]
            now[f"{name}.png"] = _signature(labels)
            if before.get(f"{name}.png") != now[f"{name}.png"] or not (folder / f"{name}.png").exists():
                _draw(project, folder / f"{name}.png", labels)
    if pairs := _twins(shown, decisions):
        now["twins.png"] = _signature([(words, dropped_one) for words, _, dropped_one in pairs])
        if before.get("twins.png") != now["twins.png"] or not (folder / "twins.png").exists():
            _draw_twins(project, folder / "twins.png", pairs)
    for old in (folder / name for name in before if name not in now):
        old.unlink(missing_ok=True)
    project.remember(_DRAWN, now)
    return folder


def _signature(labels: Sequence[tuple[str, Picture]]) -> str:
    """Gives what a sheet shows: one that would be the same is not drawn again."""
    return hashlib.sha256("\n".join(f"{words} {one.sha256}" for words, one in labels).encode()).hexdigest()


def _drops(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "drop"


def _file_word(reason: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-")[:40] or "other"


def _draw(project: Project, path: Path, labels: Sequence[tuple[str, Picture]]) -> None:
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import contact_sheet

    save_png(contact_sheet([(words, project.file_of(one)) for words, one in labels], columns=10, cell=160), path)


def _label(picture: Picture, decision: Decision | None) -> str:
    why = str(decision.detail.get("why", "")) if decision else ""
    return f"{picture.name} {why}".strip()


def _twins(pictures: Sequence[Picture], decisions: Mapping[str, Decision]) -> list[tuple[str, Picture, Picture]]:
    """Lists dropped twins: why, the one that is kept, the one that is dropped."""
    by_name = {one.name: one for one in pictures}
    pairs = []
    for one in pictures:
        decision = decisions.get(one.name)
        twin = by_name.get(str(decision.detail.get("twin"))) if decision else None
        if decision is not None and twin is not None and _drops(decision):
            pairs.append((f"{one.name}: {decision.detail.get('why', decision.reason)}", twin, one))
    return pairs[:_TWIN_ROWS]


def _draw_twins(project: Project, path: Path, pairs: Sequence[tuple[str, Picture, Picture]]) -> None:
    """Draws each dropped twin beside the one that is kept for it, a row a pair; unreadable ones stay grey."""
    from lorasmith.imaging.read import save_png, thumbnail
    from lorasmith.imaging.sheets import labelled_grid

    cells: dict[tuple[str, str], PIL.Image.Image] = {}
    for words, kept, dropped in pairs:
        for column, one in (("kept", kept), ("dropped", dropped)):
            with suppress(PictureError):
                cells[words, column] = thumbnail(project.file_of(one), 192)
    save_png(labelled_grid(["kept", "dropped"], [words for words, _, _ in pairs], cells), path)
