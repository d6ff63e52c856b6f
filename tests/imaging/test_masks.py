import hashlib

import numpy as np
import pytest
from PIL import Image

from lorasmith.imaging import masks
from lorasmith.imaging.masks import character_mask
from tests.imaging.drawing import BACKGROUNDS, POSES, creature


def _overlap(found, true):
    return ((found > 0) & (true > 0)).sum() / ((found > 0) | (true > 0)).sum()


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("background", [kind for kind in BACKGROUNDS if kind != "room"])
def test_the_character_is_found_before_every_background(pose, background):
    drawing = creature(pose, background, (480, 600) if pose != "lying" else (660, 440), seed=11, fill=0.7)
    found = character_mask(drawing.picture)
    assert found.dtype == np.uint8 and found.shape == drawing.mask.shape and set(np.unique(found)) <= {0, 255}
    assert _overlap(found, drawing.mask) > 0.85


@pytest.mark.parametrize("pose", POSES)
def test_no_part_of_the_character_is_lost_before_furniture(pose):
    drawing = creature(pose, "room", (480, 600) if pose != "lying" else (660, 440), seed=4, fill=0.7)
    assert character_mask(drawing.picture)[drawing.mask > 0].mean() > 0.9 * 255


def test_an_empty_picture_has_no_character():
    for size in ((300, 200), (5, 5), (1, 40)):
        found = character_mask(Image.new("RGB", size, (90, 140, 200)))
        assert found.shape == size[::-1] and not found.any()


def test_the_same_picture_gives_the_same_mask():
    picture = creature("sitting", "meadow", (300, 400), seed=2).picture
    assert (character_mask(picture) == character_mask(picture)).all()


def test_a_small_signature_is_not_part_of_the_character():
    drawing = creature("standing", "white", (480, 600), seed=3, fill=0.7)
    drawing.picture.paste((40, 40, 40), (20, 560, 70, 575))
    assert not character_mask(drawing.picture)[555:, :80].any()


def test_the_network_file_is_the_one_the_notice_names():
    content = masks._NETWORK_FILE.read_bytes()
    notice = masks._NETWORK_FILE.with_name("NOTICE").read_text("utf-8")
    assert hashlib.sha256(content).hexdigest() in notice
