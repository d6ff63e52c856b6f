import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.recolour import main_colour, recolour

colours = st.tuples(*[st.integers(0, 255)] * 3)
ALL = np.full((60, 80), 255, np.uint8)


def _shaded(colour):
    """A patch with shading, a black line and a white highlight."""
    ramp = np.linspace(0.7, 1.1, 80)[None, :, None]
    pixels = np.clip(np.array(colour) * ramp * np.ones((60, 1, 1)), 0, 255).astype(np.uint8)
    pixels[28:32] = (16, 14, 18)
    cv2.circle(pixels, (60, 12), 5, (255, 255, 255), -1)
    return Image.fromarray(pixels)


def _lightness(image):
    return cv2.cvtColor(np.asarray(image).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]


@pytest.mark.parametrize("old", [(136, 52, 204), (208, 40, 38), (142, 146, 152), (84, 184, 70), (246, 138, 30)])
@pytest.mark.parametrize("new", [(52, 112, 226), (252, 220, 70), (124, 74, 42), (60, 60, 66), (252, 148, 192)])
def test_the_main_colour_becomes_the_wanted_one_and_lines_and_highlights_stay(old, new):
    picture = _shaded(old)
    turned = recolour(picture, ALL, new)
    middle = np.asarray(turned)[10, 60 - 20]
    lab = [cv2.cvtColor(np.array([[c]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0] for c in (middle, new)]
    assert np.linalg.norm(lab[0] - lab[1]) < 16
    assert np.abs(np.asarray(turned)[30].astype(int) - (16, 14, 18)).max() < 26
    assert np.asarray(turned)[12, 60].min() > 245
    before, after = _lightness(picture)[50], _lightness(turned)[50]
    assert (np.diff(after) >= -0.6).all() and after[-1] > after[0]
    assert np.corrcoef(before, after)[0, 1] > 0.9


def test_pixels_outside_of_the_mask_keep_their_exact_value():
    picture, mask = _shaded((200, 60, 60)), np.zeros((60, 80), np.uint8)
    mask[5:20, 5:30] = 255
    before, after = np.asarray(picture), np.asarray(recolour(picture, mask, (0, 90, 250)))
    assert (before[mask == 0] == after[mask == 0]).all() and (before[mask > 0] != after[mask > 0]).any()
    assert (np.asarray(recolour(picture, mask * 0, (0, 90, 250))) == before).all()


@settings(max_examples=40, deadline=None)
@given(colours, colours)
def test_any_colour_into_any_other_gives_a_picture(old, new):
    turned = recolour(Image.new("RGB", (80, 60), old), ALL, new)
    assert turned.mode == "RGB" and turned.size == (80, 60) and len(turned.getcolors()) == 1


def test_its_own_colour_changes_next_to_nothing():
    picture = _shaded((136, 52, 204))
    turned = recolour(picture, ALL, main_colour(picture, ALL))
    assert np.abs(np.asarray(turned).astype(int) - np.asarray(picture)).max() <= 3


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(UsageError, match="one size"):
        recolour(Image.new("RGB", (4, 5)), np.zeros((4, 5), np.uint8), (1, 2, 3))
