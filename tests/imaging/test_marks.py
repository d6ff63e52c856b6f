"""Marks: what kind they are, what tags change, and masks that cover all of them and little else."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lorasmith.imaging.crop import Box
from lorasmith.imaging.erase import classical
from lorasmith.imaging.marks import Mark, find_marks, mask_of
from tests.imaging.writing import bubble, covered, meadow, write


def kinds(marks: list[Mark]) -> dict[str, str]:
    return {mark.words: mark.kind for mark in marks}


def test_a_scene_without_marks_has_none() -> None:
    assert find_marks(meadow(900, 700)) == []


def test_a_name_at_the_edge_is_a_signature_an_address_a_watermark_and_the_rest_text() -> None:
    picture = meadow(1000, 1000)
    write(picture, "Ink.W", (880, 965), 34)
    write(picture, "patreon.com/inkpaw", (500, 560), 36, "white")
    write(picture, "What is that?", (400, 240), 60)
    assert kinds(find_marks(picture)) == {
        "Ink.W": "signature",
        "patreon.com/inkpaw": "watermark",
        "What is that?": "text",
    }


def test_tags_say_that_a_name_at_the_edge_is_a_watermark() -> None:
    picture = meadow(800, 800)
    write(picture, "Inkpaw", (690, 770), 30)
    assert kinds(find_marks(picture, ["watermark"])) == {"Inkpaw": "watermark"}
    assert kinds(find_marks(picture, ["watermark", "signature"])) == {"Inkpaw": "signature"}


def test_tags_spelt_with_spaces_count_too() -> None:
    picture = meadow(800, 800)
    write(picture, "Inkpaw", (690, 770), 30)
    assert kinds(find_marks(picture, ["patreon logo"])) == {"Inkpaw": "watermark"}


@pytest.mark.parametrize("tail", [True, False])
def test_a_bubble_is_found_round_its_words(tail: bool) -> None:
    picture, body = meadow(1000, 800), Box(80, 60, 420, 240)
    words = bubble(picture, body, "LOOK OUT", 44, tail)
    marks = find_marks(picture)
    (found,) = (mark for mark in marks if mark.kind == "bubble")
    assert found.box.overlap(body) > 0.85
    assert found.words == "LOOK OUT"
    (said,) = (mark for mark in marks if mark.kind == "text")
    assert said.box.overlap(words) > 0.5


def test_words_on_a_white_wall_or_a_sun_are_in_no_bubble() -> None:
    wall = Image.new("RGB", (800, 600), "white")
    write(wall, "LOOK OUT", (400, 300), 44)
    sun = meadow(800, 800)
    ImageDraw.Draw(sun).ellipse((40, 300, 400, 660), fill=(250, 190, 30), outline="black", width=6)
    write(sun, "LOOK OUT", (220, 480), 44)
    for picture in (wall, sun):
        assert [mark.kind for mark in find_marks(picture)] == ["text"]


def test_a_bubble_that_cannot_be_read_is_found_where_tags_tell_of_one() -> None:
    picture = meadow(1000, 800)
    bubble(picture, Box(80, 60, 420, 240), "", 10)
    pen = ImageDraw.Draw(picture)
    for y in (120, 150, 180):
        pen.line([(160 + step * 15, y + 8 * (step % 2)) for step in range(12)], fill="black", width=4)
    assert "bubble" in [mark.kind for mark in find_marks(picture, ["speech_bubble"])]


def test_a_border_tells_the_inside_and_its_mask_is_the_outside() -> None:
    picture = Image.new("RGB", (640, 600), "black")
    picture.paste(meadow(600, 500), (20, 50))
    (mark,) = find_marks(picture)
    assert (mark.kind, mark.box) == ("border", Box(20, 50, 620, 550))
    mask = np.asarray(mask_of([mark], picture)) > 0
    assert mask.sum() == 640 * 600 - 600 * 500
    assert not mask[50:550, 20:620].any()


def test_strokes_on_plain_ground_are_masked_whole_and_erased_without_a_trace() -> None:
    plain = Image.new("RGB", (700, 500), (90, 130, 200))
    marked = plain.copy()
    write(marked, "SURPRISE", (300, 250), 60, "white")
    mask = mask_of(find_marks(marked), marked)
    changed = (np.asarray(marked) != np.asarray(plain)).any(axis=2)
    assert (np.asarray(mask)[changed] > 0).all()
    assert (np.asarray(mask) > 0).sum() < 3 * changed.sum()
    assert np.abs(np.asarray(classical(marked, mask), int) - np.asarray(plain)).max() <= 3


def test_writing_over_other_things_is_masked_as_a_whole_line() -> None:
    plain = meadow(900, 700)
    marked = plain.copy()
    box = write(marked, "Happy birthday", (400, 400), 50, "yellow")
    mask = mask_of(find_marks(marked), marked)
    changed = (np.asarray(marked) != np.asarray(plain)).any(axis=2)
    assert (np.asarray(mask)[changed] > 0).mean() > 0.995
    assert covered(mask, box) > 0.99


def test_a_bubble_is_masked_with_its_line_and_its_tail_only_if_asked() -> None:
    plain, body = meadow(1000, 800), Box(80, 60, 420, 240)
    marked = plain.copy()
    bubble(marked, body, "LOOK OUT", 44)
    marks = [mark for mark in find_marks(marked) if mark.kind == "bubble"]
    changed = (np.asarray(marked) != np.asarray(plain)).any(axis=2)
    assert (np.asarray(mask_of(marks, marked))[changed] > 0).mean() > 0.99
    without = np.asarray(mask_of(marks, marked, tails=False))
    assert not without[int(body.bottom + 0.3 * body.height) :].any()


def test_marks_and_masks_of_a_large_picture_are_in_its_own_pixels() -> None:
    picture = meadow(4000, 3000)
    box = write(picture, "Wait for me!", (1400, 500), 200)
    (mark,) = find_marks(picture)
    assert mark.box.overlap(box) > 0.5
    mask = mask_of([mark], picture)
    assert mask.size == picture.size
    assert covered(mask, box) > 0.2


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_pictures_of_other_modes_are_taken(mode: str) -> None:
    picture = meadow(500, 400)
    write(picture, "HELLO", (120, 60), 36)
    assert "HELLO" in kinds(find_marks(picture.convert(mode)))


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (16, 16)])
def test_tiny_pictures_have_no_marks(size: tuple[int, int]) -> None:
    assert find_marks(Image.new("RGB", size, "white"), ["signature", "speech_bubble"]) == []


def test_the_same_picture_gives_the_same_marks() -> None:
    picture = meadow(800, 600)
    bubble(picture, Box(60, 40, 360, 200), "OH NO", 40)
    write(picture, "Ink.W", (720, 575), 26)
    assert find_marks(picture) == find_marks(picture.copy())
