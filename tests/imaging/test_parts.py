"""Parts of a drawn character: eyes, nose and fur where they truly are, and nothing where there are none."""

import numpy as np
import pytest
from PIL import Image

from lorasmith.demo.creature import Creature
from lorasmith.imaging.faceless import cover_head, face_of, smooth_face
from lorasmith.imaging.heads import head_box
from lorasmith.imaging.masks import character_mask
from lorasmith.imaging.parts import Part, find_part
from tests.imaging.drawing import creature
from tests.imaging.known_parts import drawn_creature

CAST = [
    Creature("red_fur", "pointy_ears", "green_eyes", "closed_mouth", "standing"),
    Creature("blue_fur", "round_ears", "yellow_eyes", "open_mouth", "standing"),
    Creature("brown_fur", "floppy_ears", "blue_eyes", "open_mouth", "sitting"),
]


@pytest.mark.parametrize("one", CAST)
@pytest.mark.parametrize(("part", "least"), [("eyes", 0.75), ("nose", 0.6), ("fur", 0.6)])
def test_a_part_is_found_where_it_is(one: Creature, part: Part, least: float) -> None:
    picture, truth = drawn_creature(one, part)
    mask = character_mask(picture)
    found = find_part(picture, mask, head_box(picture, mask), part)
    assert found is not None
    assert ((found > 127) & truth).sum() / ((found > 127) | truth).sum() > least


def test_nothing_is_found_without_a_head_or_without_eyes() -> None:
    drawing = creature("standing", "white", (300, 360), seed=2)
    blank = smooth_face(drawing.picture.convert("RGB"), drawing.mask, _box(drawing.head))
    assert find_part(blank, drawing.mask, None, "eyes") is None
    assert find_part(blank, drawing.mask, _box(drawing.head), "eyes") is None
    assert find_part(blank, drawing.mask, _box(drawing.head), "hair") is None


def test_hair_is_what_has_its_colour_and_hangs_on_from_the_head() -> None:
    picture = np.full((200, 200, 3), 255, np.uint8)
    picture[20:180, 60:140] = (200, 160, 120)
    picture[20:150, 60:80] = (60, 60, 200)  # long hair
    picture[160:180, 100:130] = (60, 60, 200)  # shoes
    mask = np.zeros((200, 200), np.uint8)
    mask[20:180, 60:140] = 255
    found = find_part(Image.fromarray(picture), mask, _box((50, 10, 150, 80)), "hair", (60, 60, 200))
    assert found is not None and found[140, 70] == 255 and found[170, 115] == 0


def test_a_face_stays_inside_the_head_and_a_covered_head_is_gone() -> None:
    drawing = creature("standing", "white", (300, 360), seed=2)
    head = _box(drawing.head)
    face = face_of(drawing.mask, head)
    outside = np.ones_like(face, bool)
    outside[head.top : head.bottom, head.left : head.right] = False
    assert face.any() and not face[outside].any() and not face[drawing.mask == 0].any()
    covered = np.asarray(cover_head(drawing.picture.convert("RGB"), drawing.mask, head))
    assert covered[head.top : head.bottom, head.left : head.right].min() > 240


def _box(sides: tuple[int, int, int, int]):  # type: ignore[no-untyped-def]
    from lorasmith.imaging.crop import Box

    return Box(*sides)
