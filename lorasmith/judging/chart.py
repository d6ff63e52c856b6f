"""A plot of several runs: likeness and obedience of each with its spread over seeds, drawn by Pillow."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_INK, _QUIET, _LINE = (29, 29, 34), (107, 107, 118), (228, 226, 220)
_COLOURS = ((79, 70, 200), (28, 124, 77), (179, 55, 47), (154, 103, 0))
_LEFT, _TOP, _BOTTOM, _STEP, _HEIGHT = 56, 64, 96, 132, 300  # pixels


@dataclass(frozen=True)
class Mark:
    """One value of one run, 0 to 1, with its deviation."""

    value: float
    deviation: float = 0.0


@dataclass(frozen=True)
class Series:
    """What is measured: a value for each run, None where there is none."""

    name: str
    marks: tuple[Mark | None, ...]


def chart(title: str, names: Sequence[str], series: Sequence[Series], best: int | None = None) -> Image.Image:
    """Draws runs from left to right, each series in its colour; the best run's column is tinted."""
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    width = _LEFT + max(3, len(names)) * _STEP + 24
    picture = Image.new("RGB", (width, _TOP + _HEIGHT + _BOTTOM), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((_LEFT, 10), title, _INK, font)
    if best is not None:
        pen.rectangle((_LEFT + best * _STEP, _TOP, _LEFT + (best + 1) * _STEP, _TOP + _HEIGHT), (238, 237, 251))
    for tick in range(6):
        height = _y(tick / 5)
        pen.line((_LEFT, height, width - 24, height), _LINE)
        pen.text((16, height - 8), f"{tick / 5:.1f}", _QUIET, small)
    left = _LEFT
    for place, one in enumerate(series):
        colour = _COLOURS[place % len(_COLOURS)]
        pen.rectangle((left, 40, left + 11, 51), colour)
        pen.text((left + 17, 38), one.name, _INK, small)
        left += 35 + round(small.getlength(one.name))
        _draw_series(pen, one, place - (len(series) - 1) / 2, colour)
    for place, name in enumerate(names):
        lines = _wrapped(name, small, _STEP - 10)
        pen.multiline_text((_LEFT + place * _STEP + 5, _TOP + _HEIGHT + 8), lines, _INK, small, spacing=3)
    return picture


def _draw_series(pen: ImageDraw.ImageDraw, series: Series, shift: float, colour: tuple[int, int, int]) -> None:
    for place, mark in enumerate(series.marks):
        if mark is None:
            continue
        x = round(_LEFT + (place + 0.5) * _STEP + shift * 26)
        low, high = _y(mark.value - mark.deviation), _y(mark.value + mark.deviation)
        pen.line((x, high, x, low), colour, 2)
        for end in (low, high):
            pen.line((x - 5, end, x + 5, end), colour, 2)
        pen.ellipse((x - 6, _y(mark.value) - 6, x + 6, _y(mark.value) + 6), colour)
        pen.text((x + 9, _y(mark.value) - 8), f"{mark.value:.2f}", colour, ImageFont.load_default(12))


def _y(value: float) -> int:
    return round(_TOP + _HEIGHT * (1 - min(1.0, max(0.0, value))))


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and font.getlength(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines[:5])
