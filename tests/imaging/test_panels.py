import numpy as np
import pytest
from PIL import Image, ImageDraw

from lorasmith.demo.posts import posts
from lorasmith.demo.world import NEW_LOOKS, Scene
from lorasmith.imaging.crop import Box
from lorasmith.imaging.masks import character_mask
from lorasmith.imaging.panels import Split, figures, panels
from tests.imaging.drawing import BACKGROUNDS, POSES, creature

LAYOUTS = {
    "two rows": [(0, 0, 1, 0.45), (0, 0.45, 1, 1)],
    "two columns": [(0, 0, 0.5, 1), (0.5, 0, 1, 1)],
    "four": [(0, 0, 0.4, 0.5), (0.4, 0, 1, 0.5), (0, 0.5, 0.4, 1), (0.4, 0.5, 1, 1)],
    "one over two": [(0, 0, 1, 0.6), (0, 0.6, 0.5, 1), (0.5, 0.6, 1, 1)],
    "strip": [(0, 0, 0.25, 1), (0.25, 0, 0.5, 1), (0.5, 0, 0.75, 1), (0.75, 0, 1, 1)],
}


def _page(layout, framed, paper, size=(900, 1200)):
    page = Image.new("RGB", size, paper)
    pen = ImageDraw.Draw(page)
    gap, boxes = 14, []
    for place, sides in enumerate(LAYOUTS[layout]):
        left, top, right, bottom = (round(side * size[at % 2]) for at, side in enumerate(sides))
        box = Box(left + gap, top + gap, right - gap, bottom - gap)
        ground = ("beach", "forest", "inside", "night")[place % 4]
        scene = Scene((NEW_LOOKS,), ground, "full-length_portrait", "softpaw", place)
        page.paste(scene.draw(box.width, box.height), (box.left, box.top))
        if framed:
            pen.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), outline="black", width=4)
        boxes.append(box)
    return page, boxes


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("paper", "framed"), [("white", True), ("white", False), ("black", False)])
def test_the_panels_of_a_page_are_found_in_reading_order(layout, paper, framed):
    page, true = _page(layout, framed, paper)
    found = panels(page)
    assert len(found.boxes) == len(true) and found.confidence >= 0.5
    assert min(one.overlap(other) for one, other in zip(found.boxes, true, strict=True)) > 0.94


@pytest.mark.parametrize("kind", BACKGROUNDS)
@pytest.mark.parametrize("pose", POSES)
def test_a_single_picture_has_no_panels(kind, pose):
    assert panels(creature(pose, kind, (500, 640), seed=3).picture) == Split()


def test_no_picture_of_the_demos_world_is_parted():
    parted = [post.id for post in posts(count=60) if panels(post.scene.draw(post.width // 3, post.height // 3)).boxes]
    assert parted == []


@pytest.mark.parametrize("size", [(1, 1), (30, 900), (400, 300)])
def test_a_blank_picture_has_no_panels_and_no_figures(size):
    blank = Image.new("RGB", size, (200, 30, 90))
    assert panels(blank) == Split() == figures(blank, np.zeros(size[::-1], np.uint8))


def _sheet(poses, size=(500, 600), ground="white"):
    sheet, boxes, mask = Image.new("RGB", (size[0] * len(poses), size[1])), [], []
    for place, pose in enumerate(poses):
        drawing = creature(pose, ground, size, seed=9, fill=0.75)
        sheet.paste(drawing.picture, (place * size[0], 0))
        rows, columns = np.flatnonzero(drawing.mask.any(axis=1)), np.flatnonzero(drawing.mask.any(axis=0))
        boxes.append(Box(columns[0] + place * size[0], rows[0], columns[-1] + 1 + place * size[0], rows[-1] + 1))
        mask.append(drawing.mask)
    return sheet, np.concatenate(mask, axis=1), boxes


@pytest.mark.parametrize("poses", [("standing", "sitting"), ("standing", "sitting", "lying"), ("standing",) * 4])
def test_the_figures_of_a_model_sheet_get_a_box_each(poses):
    sheet, mask, true = _sheet(poses)
    found = figures(sheet, mask)
    assert len(found.boxes) == len(poses) and found.confidence > 0.5
    assert min(one.overlap(other) for one, other in zip(found.boxes, true, strict=True)) > 0.9


def test_the_figures_of_a_sheet_are_found_from_its_own_mask():
    sheet, _, true = _sheet(("standing", "sitting"))
    found = figures(sheet, character_mask(sheet))
    assert len(found.boxes) == 2 and min(a.overlap(b) for a, b in zip(found.boxes, true, strict=True)) > 0.9


def test_figures_in_a_scene_stay_together():
    sheet, mask, _ = _sheet(("standing", "sitting"), ground="room")
    assert len(figures(sheet, mask).boxes) == 1


@pytest.mark.parametrize("pose", POSES)
def test_one_figure_is_one_box(pose):
    drawing = creature(pose, "white", (500, 640), seed=1)
    assert len(figures(drawing.picture, drawing.mask).boxes) == 1
