"""Finds what could be a logo without letters: small figures in the corners. Only that they repeat tells that they are one."""

from PIL import Image

from lorasmith.imaging.figures import Figure, find_figures
from lorasmith.imaging.marks import Mark

_CORNER = 0.28  # of the shorter side, from the corner to the figure's middle
_LEAST, _MOST = 0.025, 0.16  # of the shorter side, a figure's longer one
_STANDS_OUT = 14.0  # of 255 a channel, 8-bit Lab
_SURE = 0.5


def find_logos(image: Image.Image) -> list[Mark]:
    """Gives the small figures in the corners as marks of the kind "logo"; `repeats.repeated` tells which of them are one."""
    figures = [figure for figure in find_figures(image) if _could_be(figure, image.size)]
    marks = [Mark("logo", figure.box.inside(image.size), _SURE, "", figure.outline()) for figure in figures]
    return sorted((mark for mark in marks if mark.box.area), key=lambda mark: (mark.box.top, mark.box.left))


def _could_be(figure: Figure, size: tuple[int, int]) -> bool:
    (width, height), short, box = size, min(size), figure.box
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    cornered = max(min(x, width - x), min(y, height - y)) < _CORNER * short
    inside = box.left > 0 and box.top > 0 and box.right < width and box.bottom < height
    return cornered and inside and _LEAST < max(box.width, box.height) / short < _MOST and figure.apart > _STANDS_OUT
