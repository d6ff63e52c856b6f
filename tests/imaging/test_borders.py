"""Borders: found to the pixel, and not seen in skies, floors and plain backgrounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lorasmith.imaging.borders import find_border
from lorasmith.imaging.crop import Box
from tests.imaging.writing import meadow, write


def framed(inside: Image.Image, across: int, down: int, colour: object) -> tuple[Image.Image, Box]:
    size = (inside.width + 2 * across, inside.height + 2 * down)
    full = Image.new("RGB", size, colour)  # type: ignore[arg-type]
    full.paste(inside, (across, down))
    return full, Box(across, down, across + inside.width, down + inside.height)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(8, 60),
    st.integers(8, 60),
    st.sampled_from(["black", "white", (90, 20, 60), (240, 236, 224)]),
    st.sampled_from([(400, 300), (301, 455), (1500, 900)]),
)
def test_a_frame_is_found_to_the_pixel(across: int, down: int, colour: object, size: tuple[int, int]) -> None:
    across, down = max(across, size[0] // 50), max(down, size[1] // 50)
    picture, inside = framed(meadow(*size), across, down, colour)
    assert find_border(picture) == inside


@pytest.mark.parametrize(("across", "down"), [(0, 50), (70, 0)])
def test_letterbox_bars_are_found(across: int, down: int) -> None:
    picture, inside = framed(meadow(600, 500), across, down, "black")
    assert find_border(picture) == inside


def test_a_black_bar_at_one_side_is_found() -> None:
    picture = Image.new("RGB", (600, 460), "black")
    picture.paste(meadow(600, 400), (0, 0))
    assert find_border(picture) == Box(0, 0, 600, 400)


def test_words_in_a_bar_do_not_hide_it() -> None:
    picture, inside = framed(meadow(600, 500), 0, 80, "white")
    write(picture, "drawn by nobody", (300, 620), 24)
    assert find_border(picture) == inside


def test_a_frame_with_a_line_within_is_taken_off_whole() -> None:
    lined, _ = framed(meadow(600, 500), 4, 4, "black")
    picture, _ = framed(lined, 30, 30, "white")
    assert find_border(picture) == Box(34, 34, 634, 534)


def test_a_frame_of_a_jpeg_is_found_within_two_pixels(tmp_path: object) -> None:
    picture, inside = framed(meadow(600, 500), 33, 27, "black")
    picture.save(f"{tmp_path}/a.jpg", quality=60)
    with Image.open(f"{tmp_path}/a.jpg") as opened:
        found = find_border(opened.convert("RGB"))
    assert found is not None
    assert max(abs(getattr(found, side) - getattr(inside, side)) for side in ("left", "top", "right", "bottom")) <= 2


def on_plain_ground(colour: object) -> Image.Image:
    picture = Image.new("RGB", (500, 600), colour)  # type: ignore[arg-type]
    ImageDraw.Draw(picture).ellipse((100, 150, 400, 500), fill=(200, 80, 40))
    return picture


def over_a_floor() -> Image.Image:
    picture = meadow(500, 600)
    ImageDraw.Draw(picture).rectangle((0, 480, 500, 600), fill=(160, 100, 60))
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        meadow(640, 480),
        on_plain_ground("white"),
        on_plain_ground("black"),
        over_a_floor(),
        Image.new("RGB", (300, 300), "white"),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (5000, 3)),
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)),
    ],
)
def test_what_is_no_frame_is_left(picture: Image.Image) -> None:
    assert find_border(picture) is None
