"""masks: what of each picture is to be learnt, as files for `masked_loss = "file"`: bodies without their heads, grounds less."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import PictureError, UsageError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.train.training_set import MASKS

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.stages.touch_up.work import Work

_AROUND = 0.06  # of the head's longer side: hair, ears and horns that reach over the box
_LEAST_LEFT = 0.02  # of the picture: with less to learn from, a mask is no use
_SHEET = "sheets/masks.png"
_MOST_SHOWN = 36


@dataclass(frozen=True)
class Masked:
    """What masks did."""

    looked_at: int
    heads: int  # pictures whose heads are not learnt
    grounds: int  # pictures whose ground counts less
    not_done: dict[str, list[str]]  # why -> names of the originals
    sheet: str  # what is not learnt, darkened
    next: str


def write_masks(project: Project, heads: str = "", ground: float = 1.0, report: Report = silent) -> Masked:
    """Writes `masks/NAME.png` for what is trained on: white is learnt, black is not.

    On the pictures that fit the filter `heads` the head is black; on all of them the ground is as bright as `ground`, 0 to 1.
    A picture whose mask cannot be made is named, and keeps none. Existing masks are written anew.
    """
    from lorasmith.imaging.read import open_picture, png_of
    from lorasmith.stages.prepare.suggestions import finders_for
    from lorasmith.stages.touch_up.work import Work

    if not heads and ground >= 1:
        raise UsageError("Say what is not to be learnt: --heads FILTER, such as 'source:booru', or --ground 0.2, or both.")
    headless = _fitting(project, heads)
    pictures = [one for one in project.pictures.trained() if ground < 1 or one.name in headless]
    finders = cache(lambda: finders_for(project.settings(PrepareSettings), report))
    not_done: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    shown: list[tuple[str, PIL.Image.Image]] = []
    for place, picture in enumerate(pictures):
        report(Progress("masks", place, len(pictures), picture.name))
        try:
            work = Work(open_picture(project.file_of(picture)), (), finders=finders)
            mask = _mask(work, picture.name in headless, ground)
        except PictureError as error:
            not_done.setdefault(str(error), []).append(picture.name.split(".")[0])  # what `drop` takes
            _file(project, picture).unlink(missing_ok=True)
            continue
        write_atomic(_file(project, picture), png_of(mask))
        counts.update({"heads": picture.name in headless, "grounds": ground < 1})
        if len(shown) < _MOST_SHOWN:
            shown.append((picture.name, _darkened(work.image, mask)))
    _write_sheet(project, shown)
    report(Progress("masks", len(pictures), len(pictures), "done"))
    what = "Look at the sheet; paint in masks/ what is wrong, or drop the picture. Masks count with `train --masked-loss file`."
    return Masked(len(pictures), counts["heads"], counts["grounds"], not_done, _SHEET if shown else "", what)


def _fitting(project: Project, words: str) -> set[str]:
    from lorasmith.stages.tag.index import open_index
    from lorasmith.tags.filter import places_of, read_filter

    if not words:
        return set()
    index = open_index(project)
    return {index.names[place] for place in places_of(read_filter(words).holds(index))}


def _file(project: Project, picture: Picture) -> Path:
    return project.folder / MASKS / f"{project.file_of(picture).stem}.png"


def _mask(work: "Work", without_head: bool, ground: float) -> "PIL.Image.Image":
    """Gives what is learnt of one picture, greys of its size; raises `PictureError` saying why that cannot be told."""
    import numpy as np
    from PIL import Image

    character = work.mask()
    learnt = np.full(character.shape, 255, np.uint8)
    if ground < 1:
        if not character.any():
            raise PictureError("no character was found in front of a ground")
        learnt = np.where(character > 0, 255, round(255 * ground)).astype(np.uint8)
    if without_head:
        head = work.head(character)
        if head is None:
            raise PictureError("no head was found surely enough: paint its mask, or drop the picture")
        reach = round(_AROUND * max(head.width, head.height))
        learnt[max(0, head.top - reach) : head.bottom, max(0, head.left - reach) : head.right + reach] = 0
        if (character[learnt > 0] > 0).sum() < _LEAST_LEFT * character.size:
            raise PictureError("hardly more than the head is to be seen: drop the picture")
    return Image.fromarray(learnt)


def _darkened(image: "PIL.Image.Image", mask: "PIL.Image.Image") -> "PIL.Image.Image":
    """Shows a picture as far as it is learnt."""
    from PIL import Image

    small = image.convert("RGB")
    small.thumbnail((400, 400))
    return Image.composite(small, Image.new("RGB", small.size, (24, 24, 24)), mask.resize(small.size))


def _write_sheet(project: Project, shown: "list[tuple[str, PIL.Image.Image]]") -> None:
    from lorasmith.imaging.read import png_of
    from lorasmith.imaging.sheets import contact_sheet

    if shown:
        write_atomic(project.folder / _SHEET, png_of(contact_sheet(shown)))
