"""Draws contact sheets and labelled grids of pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lorasmith.errors import PictureError
from lorasmith.imaging.read import thumbnail

Picture = Image.Image | Path
Cell = Picture | Sequence[Picture]

_GAP = 6
_INK = (20, 20, 20)
_EMPTY = (235, 235, 235)


def contact_sheet(pictures: Sequence[tuple[str, Picture]], columns: int = 6, cell: int = 200) -> Image.Image:
    """Draws thumbnails of at most `cell` pixels in rows, each with its label beneath; unreadable ones stay grey."""
    font = _font(cell)
    columns = max(1, min(columns, len(pictures)))
    caption = _line_height(font) * 2 + 4
    width, height = cell + _GAP, cell + caption + _GAP
    rows = max(1, -(-len(pictures) // columns))
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(pictures):
        left, top = _GAP + index % columns * width, _GAP + index // columns * height
        _paste(sheet, _small(picture, cell), left, top, cell)
        pen.multiline_text((left, top + cell + 2), _wrapped(label, font, cell, 2), _INK, font, spacing=2)
    return sheet


def labelled_grid(
    columns: Sequence[str], rows: Sequence[str], cells: Mapping[tuple[str, str], Cell], cell: int = 192
) -> Image.Image:
    """Draws pictures by row and column with headings; `cells` is keyed (row, column), several lie side by side.

    A missing cell stays grey. Every picture is at most `cell` pixels on its longer side; headings are wrapped and,
    where they are too long, cut with an ellipsis.
    """
    font = _font(cell)
    wide = max([1, *(len(_pictures(value)) for value in cells.values())])
    width, height = wide * (cell + 2) + _GAP, cell + _GAP
    head = _line_height(font) * 3 + 8
    side = max(60, round(cell * 0.9))
    grid = Image.new("RGB", (side + len(columns) * width + _GAP, head + len(rows) * height + _GAP), "white")
    pen = ImageDraw.Draw(grid)
    for place, column in enumerate(columns):
        text = _wrapped(column, font, width - _GAP, 3)
        pen.multiline_text((side + place * width, 4), text, _INK, font, spacing=2)
    for line, row in enumerate(rows):
        top = head + line * height
        text = _wrapped(row, font, side - 2 * _GAP, max(1, cell // _line_height(font)))
        pen.multiline_text((_GAP, top), text, _INK, font, spacing=2)
        for place, column in enumerate(columns):
            left = side + place * width
            shown = _pictures(cells[row, column]) if (row, column) in cells else []
            for index in range(wide):
                small = _small(shown[index], cell) if index < len(shown) else None
                _paste(grid, small, left + index * (cell + 2), top, cell)
    return grid


def numbered(picture: Image.Image, boxes: Sequence[tuple[int, tuple[int, ...], bool]], side: int) -> Image.Image:
    """Gives a small copy of a picture with boxes (left, top, right, bottom) and their numbers; red where the flag says so."""
    scale = min(1.0, side / max(picture.size))
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    pen, font = ImageDraw.Draw(small), ImageFont.load_default(14)
    for number, box, flagged in boxes:
        left, top, right, bottom = (round(edge * scale) for edge in box)
        colour = (220, 20, 30) if flagged else (30, 110, 220)
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=2)
        at = (min(max(0, left - 2), small.width - 12), top - 17 if top >= 17 else min(bottom + 1, small.height - 16))
        pen.text(at, str(number), colour, font, stroke_width=2, stroke_fill="white")
    return small


def _pictures(value: Cell) -> list[Picture]:
    return [value] if isinstance(value, Image.Image | Path) else list(value)


def _small(picture: Picture, side: int) -> Image.Image | None:
    if isinstance(picture, Path):
        try:
            return thumbnail(picture, side)
        except PictureError:
            return None
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _paste(sheet: Image.Image, small: Image.Image | None, left: int, top: int, cell: int) -> None:
    if small is None:
        sheet.paste(_EMPTY, (left, top, left + cell, top + cell))
    else:
        sheet.paste(small, (left + (cell - small.width) // 2, top + (cell - small.height) // 2))


def _font(cell: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(10, min(18, cell // 13)))


def _line_height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    _, top, _, bottom = font.getbbox("Ågj")
    return round(bottom - top) + 4


def _wrapped(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, most: int) -> str:
    """Breaks a label into at most `most` lines of `width` pixels, at spaces if there are any; the rest is elided."""
    lines: list[str] = []
    rest = " ".join(label.split())
    while rest and len(lines) < most:
        fits = len(rest)
        while fits > 1 and font.getlength(rest[:fits]) > width:
            fits -= 1
        at = rest.rfind(" ", 0, fits + 1) if fits < len(rest) else fits
        at = at if at > 0 else fits
        lines.append(rest[:at].strip())
        rest = rest[at:].strip()
    if rest and lines:
        last = lines[-1]
        while last and font.getlength(last + "…") > width:
            last = last[:-1]
        lines[-1] = last + "…"
    return "\n".join(lines)
