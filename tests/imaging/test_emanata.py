"""Emanata are known by their shapes, and believed where the tags tell of them."""

import math

import numpy as np
from PIL import Image, ImageDraw

from lorasmith.imaging.crop import Box
from lorasmith.imaging.emanata import SIGNS, find_emanata
from lorasmith.imaging.logos import find_logos
from lorasmith.imaging.marks import find_marks, mask_of
from lorasmith.imaging.repeats import Look, look_of, repeated
from lorasmith.tags.emanata import EMANATA
from tests.imaging.writing import meadow


def heart(picture: Image.Image, middle: tuple[float, float], size: float, colour: object = (225, 40, 70)) -> Box:
    """Draws a heart and gives its box."""
    turns = [2 * math.pi * step / 90 for step in range(90)]
    points = [
        (16 * math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))) for t in turns
    ]
    placed = [(middle[0] + x * size / 32, middle[1] + y * size / 32) for x, y in points]
    ImageDraw.Draw(picture).polygon(placed, fill=colour, outline=(30, 10, 20), width=2)  # type: ignore[arg-type]
    across, down = [x for x, _ in placed], [y for _, y in placed]
    return Box(int(min(across)), int(min(down)), math.ceil(max(across)), math.ceil(max(down)))


def exclamation(picture: Image.Image, x: int, y: int, size: int) -> Box:
    pen, dot = ImageDraw.Draw(picture), size // 8
    pen.polygon([(x - dot, y), (x + dot, y), (x + dot // 2, y + 6 * dot), (x - dot // 2, y + 6 * dot)], fill=(20, 20, 30))
    pen.ellipse((x - dot, y + 7 * dot, x + dot, y + 9 * dot), fill=(20, 20, 30))
    return Box(x - dot, y, x + dot, y + 9 * dot)


def test_a_heart_is_found_where_the_tags_tell_of_one() -> None:
    picture = meadow(900, 700)
    box = heart(picture, (250, 130), 70)
    (sign,) = find_emanata(picture, frozenset(["solo", "heart"]))
    assert sign.kind == "heart" and sign.box.overlap(box) > 0.75 and len(sign.outline) > 5
    assert find_emanata(meadow(900, 700), frozenset(["heart", "sweatdrop", "!"])) == []


def test_the_two_parts_of_an_exclamation_mark_are_one_sign() -> None:
    picture = meadow(900, 700)
    box = exclamation(picture, 300, 60, 90)
    (sign,) = find_emanata(picture, frozenset(["!"]))
    assert sign.kind == "exclamation mark" and sign.box.overlap(box) > 0.7


def test_tags_that_tell_of_no_sign_ask_for_more() -> None:
    drawn, told, untold = 0, 0, 0
    for at in range(6):
        picture = meadow(800, 800)
        heart(picture, (120 + 20 * at, 100 + 8 * at), 40 + 8 * at)
        drawn += 1
        told += len(find_emanata(picture, frozenset(["heart"])))
        untold += len(find_emanata(picture, frozenset(["solo"])))
    assert told == drawn >= untold


def test_the_mask_covers_a_sign_and_little_else() -> None:
    picture = meadow(900, 700)
    box = heart(picture, (250, 130), 70)
    marks = [mark for mark in find_marks(picture, ["heart"]) if mark.kind == "emanata"]
    assert [mark.words for mark in marks] == ["heart"]
    mask = np.asarray(mask_of(marks, picture)) > 0
    changed = (np.asarray(picture).astype(int) != np.asarray(meadow(900, 700)).astype(int)).any(axis=2)
    assert (mask | ~changed).all() and mask.sum() < 1.6 * box.area
    assert not [mark for mark in find_marks(picture, ["heart"], signs=False) if mark.kind == "emanata"]


def test_every_kind_of_sign_has_its_tags() -> None:
    assert set(SIGNS[1:]) == EMANATA.keys()


def looks_of(picture: Image.Image) -> list[Look]:
    return [look_of(picture, mark) for mark in find_logos(picture)]


def stamped(number: int, there: bool = True) -> Image.Image:
    """Draws a meadow of one of three sizes; a small two-coloured sign stands in its lower right corner."""
    size = ((700, 700), (900, 700), (1050, 1050))[number % 3]
    picture = Image.new("RGB", size, ((190, 210, 230), (240, 240, 235), (120, 160, 120))[number % 3])
    short = min(size)
    x, y, side = size[0] - 0.1 * short, size[1] - 0.1 * short, 0.05 * short
    pen = ImageDraw.Draw(picture)
    if there:
        pen.polygon([(x - side, y + side), (x, y - side), (x + side, y + side)], fill=(60, 30, 90))
        pen.ellipse((x - 0.3 * side, y, x + 0.3 * side, y + 0.6 * side), fill=(250, 200, 40))
    else:
        pen.ellipse((0.1 * short, (0.1 + 0.05 * number) * short, 0.16 * short, (0.16 + 0.05 * number) * short), fill=(200, 40, 40))
    return picture


def test_a_logo_without_letters_is_found_by_its_repeating() -> None:
    looks = {str(number): looks_of(stamped(number)) for number in range(6)}
    looks |= {f"other {number}": looks_of(stamped(number, False)) for number in range(3)}
    (group,) = repeated(looks)
    assert group.corner == "bottom right" and {name for name, _ in group.marks} == {str(number) for number in range(6)}
    name, mark = group.marks[0]
    assert mark.kind == "logo" and mark.box.right > 0.9 * stamped(int(name)).width


def test_a_figure_on_two_pictures_is_no_logo() -> None:
    assert repeated({str(number): looks_of(stamped(number)) for number in range(2)}) == []
