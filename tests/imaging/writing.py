"""Draws writing, bubbles and frames whose boxes are known, in the letters that Pillow brings along."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lorasmith.imaging.crop import Box


def meadow(width: int, height: int) -> Image.Image:
    """Draws a sky over a hill with a sun and a round face: shapes that are no writing."""
    picture = Image.new("RGB", (width, height), (150, 200, 240))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((-0.2 * width, 0.6 * height, 1.2 * width, 1.6 * height), fill=(90, 150, 80))
    pen.ellipse((0.78 * width, 0.06 * height, 0.92 * width, 0.2 * height), fill=(250, 220, 100))
    pen.ellipse((0.3 * width, 0.35 * height, 0.6 * width, 0.75 * height), fill=(200, 110, 50), outline=(30, 20, 20), width=6)
    for x in (0.38, 0.5):
        pen.ellipse(((x - 0.04) * width, 0.45 * height, (x + 0.04) * width, 0.56 * height), fill="white", outline="black")
        pen.ellipse(((x - 0.015) * width, 0.48 * height, (x + 0.015) * width, 0.53 * height), fill="black")
    return picture


def write(picture: Image.Image, words: str, middle: tuple[float, float], size: float, ink: object = "black") -> Box:
    """Writes words in the picture and gives the box of their pixels; `size` is of the letters, in pixels."""
    blank = Image.new("L", picture.size)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(blank).text(middle, words, fill=255, font=font, anchor="mm")
    picture.paste(Image.new("RGB", picture.size, ink), (0, 0), blank)  # type: ignore[arg-type]
    return Box(*(blank.getbbox() or (0, 0, 0, 0)))


def bubble(picture: Image.Image, box: Box, words: str, size: float, tail: bool = True) -> Box:
    """Draws an oval speech bubble with its words, and gives the words' box."""
    pen = ImageDraw.Draw(picture)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    edges = (box.left, box.top, box.right, box.bottom)
    corners = [(x - 18, y), (x + 18, y), (x + 30, box.bottom + 0.4 * box.height)]
    pen.ellipse(edges, fill="white", outline="black", width=8)
    if tail:
        pen.polygon(corners, fill="white", outline="black", width=5)
    pen.ellipse((edges[0] + 4, edges[1] + 4, edges[2] - 4, edges[3] - 4), fill="white")
    return write(picture, words, (x, y), size)


def covered(mask: Image.Image, box: Box) -> float:
    """Gives the share of a box that is white in a mask."""
    return float((np.asarray(mask)[box.top : box.bottom, box.left : box.right] > 0).mean())
