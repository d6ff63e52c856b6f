"""The sheet of a touch-up: each picture before and after, side by side, its marks in numbered boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lorasmith.errors import PictureError
from lorasmith.project.project import Project

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.stages.touch_up.again import Plan

MOST_SHOWN = 60
_SIDE = 256


@dataclass(frozen=True)
class Pair:
    """One row of the sheet, in small pictures; `last` is the version that was there, where one was made another time."""

    name: str
    before: "PIL.Image.Image"
    after: "tuple[PIL.Image.Image, ...]"
    last: "PIL.Image.Image | None"

    @classmethod
    def of(
        cls, project: Project, plan: "Plan", images: "Sequence[PIL.Image.Image]", marks: Sequence[Mapping[str, Any]], changed: bool
    ) -> Self:
        """Makes the small pictures."""
        from lorasmith.imaging.read import open_picture, thumbnail
        from lorasmith.imaging.sheets import numbered

        boxes = [(row["number"], tuple(row["box"]), row["erased"]) for row in marks]
        try:
            before = numbered(open_picture(project.file_of(plan.source)), boxes, _SIDE)
            last = None if plan.last is None else thumbnail(project.file_of(plan.last), _SIDE)
        except PictureError:
            before, last = images[0], None
        return cls(plan.source.name, before, tuple(map(_small, images)) if changed else (), last)


def _small(image: "PIL.Image.Image") -> "PIL.Image.Image":
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE))
    return small


def draw(project: Project, pairs: Sequence[Pair]) -> str:
    """Draws the sheet into the project; gives its path, empty where there is nothing to show."""
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import Cell, labelled_grid

    if not pairs:
        return ""
    cells: dict[tuple[str, str], Cell] = {}
    columns = ["before", "last time", "after"] if any(pair.last for pair in pairs) else ["before", "after"]
    for pair in pairs:
        cells[pair.name, "before"] = pair.before
        cells[pair.name, "after"] = pair.after
        if pair.last is not None:
            cells[pair.name, "last time"] = pair.last
    project.sheets.mkdir(exist_ok=True)
    path: Path = project.sheets / "touch-up.png"
    save_png(labelled_grid(columns, [pair.name for pair in pairs], cells, cell=_SIDE), path)
    return str(path)
