"""Projects with drawn pictures, masks, and a renderer that paints, for the tests of erase and of what follows it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lorasmith.imaging.read import save_png
from lorasmith.progress import Report
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.rendering.prompt import STRENGTH, Edges, Prompt
from lorasmith.rendering.region import put_back

MARK = (560, 420, 630, 470)  # where the mark is that is erased: a corner
SIZE = (640, 480)


class Painter:
    """A renderer that paints green, also beyond the mask, as hosts do."""

    def __init__(self) -> None:
        self.asked: list[tuple[Prompt, tuple[int, ...] | None]] = []

    def render(self, prompts: Sequence[Prompt], report: Report | None = None) -> list[Image.Image]:
        """Paints flat pictures, another one with a LoRA."""
        self.asked += [(prompt, None) for prompt in prompts]
        colours = ((0, 90, 30 + 200 * bool(prompt.loras)) for prompt in prompts)
        return [
            Image.new("RGB", (prompt.width, prompt.height), colour)
            for prompt, colour in zip(prompts, colours, strict=True)
        ]

    def inpaint(
        self,
        picture: Image.Image,
        mask: Image.Image,
        prompt: Prompt,
        strength: float = STRENGTH,
        edges: Edges = Edges(),  # noqa: B008
    ) -> Image.Image:
        """Paints all green and puts it back through the mask."""
        self.asked.append((prompt, mask.getbbox()))
        green = Image.new("RGB", picture.size, (0, 200, 0))
        return put_back(picture, green, mask, (0, 0, *picture.size), edges.blur)


def add_picture(project: Project, name: str = "own_1") -> Picture:
    """Adds a picture: a figure in a wide empty space, so that prepare crops it, and a mark in a corner."""
    noise = np.random.default_rng(0).integers(235, 250, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    pen = ImageDraw.Draw(image)
    pen.ellipse((260, 120, 380, 240), (120, 40, 160))
    pen.rectangle((280, 230, 360, 420), (120, 40, 160))
    pen.ellipse((290, 160, 310, 180), "black")
    pen.ellipse((335, 160, 355, 180), "black")
    pen.text((570, 430), "(c) me", (200, 0, 0), font_size=20)
    path = project.images / f"{name}.png"
    save_png(image, path)
    picture = Picture(name, origin="folder", **facts_of(project.folder, path, image.size))
    project.pictures.add(picture)
    tags = [Tag("solo", "general", "sidecar"), Tag("watermark", "meta", "sidecar")]
    project.pictures.set_tags(name, "sidecar", tags)
    return picture


def mask_file(folder: Path, box: tuple[int, int, int, int] = MARK, size: tuple[int, int] = SIZE) -> Path:
    """Writes a mask that is white in a box."""
    mask = Image.new("L", size)
    mask.paste(255, box)
    path = folder / "mask.png"
    mask.save(path)
    return path


def difference(project: Project, one: Picture, other: Picture) -> np.ndarray:
    """Gives the largest difference of each pixel of two pictures of one size: [h, w]."""
    pixels = [np.asarray(Image.open(project.file_of(each)).convert("RGB")).astype(int) for each in (one, other)]
    largest: np.ndarray = np.abs(pixels[0] - pixels[1]).max(axis=2)
    return largest
