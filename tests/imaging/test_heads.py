import numpy as np
import pytest
from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.heads import head_box
from tests.imaging.drawing import POSES, creature


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("seed", range(6))
def test_the_head_of_a_creature_is_found_in_every_pose(pose, seed):
    size = (480, 600) if pose != "lying" else (660, 440)
    drawing = creature(pose, "white", size, seed=seed, fill=0.75)
    true, found = Box(*drawing.head).inside(size), head_box(drawing.picture, drawing.mask)
    assert found is not None
    left, top = max(true.left, found.left), max(true.top, found.top)
    common = Box(left, top, min(true.right, found.right), min(true.bottom, found.bottom))
    assert common.area > 0.85 * true.area and found.area < 2.5 * true.area
    assert 0.6 < found.width / found.height < 1.8 and found == found.inside(size)


def test_no_character_has_no_head():
    picture = Image.new("RGB", (200, 300), "white")
    assert head_box(picture, np.zeros((300, 200), np.uint8)) is None


def test_it_says_nothing_about_a_shape_without_a_head():
    mask = np.zeros((100, 400), np.uint8)
    mask[40:60, 20:380] = 255
    picture = Image.fromarray(mask).convert("RGB")
    assert head_box(picture, mask) is None
