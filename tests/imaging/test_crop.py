import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.crop import Box, bucket_loss, character_box, cut, fit_within, worth_cropping
from lorasmith.training.buckets import bucket_sizes, fit, nearest_bucket
from tests.imaging.drawing import creature

sides = st.integers(1, 400)
places = st.integers(-500, 900)
boxes = st.builds(lambda a, b, c, d: Box(min(a, c), min(b, d), max(a, c), max(b, d)), places, places, places, places)


@given(boxes, sides, sides)
def test_a_box_put_inside_a_picture_lies_on_it_and_grows_no_larger(box, width, height):
    inside = box.inside((width, height))
    assert 0 <= inside.left <= inside.right <= width and 0 <= inside.top <= inside.bottom <= height
    assert inside.area <= box.area and 0 <= inside.share_of((width, height)) <= 1
    assert inside.inside((width, height)) == inside


@given(boxes, boxes)
def test_overlap_is_the_same_both_ways_and_whole_with_itself(one, other):
    assert one.overlap(other) == other.overlap(one) and 0 <= one.overlap(other) <= 1
    assert one.area == 0 or one.overlap(one) == 1


@given(boxes, st.floats(0, 1))
def test_a_grown_box_holds_the_box(box, margin):
    grown = box.grown(margin)
    assert grown.left <= box.left and grown.bottom >= box.bottom and grown.area >= box.area


@given(st.integers(0, 59), st.integers(0, 39), sides, sides, st.floats(0, 0.5))
def test_the_character_box_holds_all_of_the_mask(left, top, width, height, margin):
    mask = np.zeros((40, 60), np.uint8)
    mask[top : top + height, left : left + width] = 255
    box = character_box(mask, margin)
    assert box is not None and mask[box.top : box.bottom, box.left : box.right].sum() == mask.sum()
    if not margin:
        assert box.area * 255 == mask.sum()


def test_no_mask_has_no_box():
    assert character_box(np.zeros((5, 7), np.uint8)) is None


def test_the_box_of_a_drawing_keeps_the_margin():
    drawing = creature("standing", "white", (400, 600), fill=0.5)
    tight, wide = character_box(drawing.mask, 0), character_box(drawing.mask, 0.1)
    assert tight.left - wide.left == tight.top - wide.top == round(0.1 * tight.height)


def test_a_crop_is_worth_it_when_it_takes_enough_away():
    assert worth_cropping(Box(0, 0, 84, 100), (100, 100), 0.15)
    assert not worth_cropping(Box(0, 0, 90, 100), (100, 100), 0.15)
    assert not worth_cropping(Box(50, 50, 50, 50), (100, 100), 0.15)


@given(sides, sides, st.integers(1, 500))
def test_a_fitted_picture_keeps_its_shape_and_is_never_enlarged(width, height, side):
    fitted = fit_within(Image.new("L", (width, height)), side)
    assert max(fitted.size) == min(side, max(width, height)) and min(fitted.size) >= 1
    assert abs(fitted.width - width * max(fitted.size) / max(width, height)) <= 0.5 or fitted.width == 1


@pytest.mark.parametrize("box", [Box(10, 20, 60, 50), Box(-10, -10, 30, 30)])
def test_a_cut_holds_the_pixels_of_the_box(box):
    picture = creature("sitting", "meadow", (100, 120)).picture
    inside = box.inside(picture.size)
    expected = np.asarray(picture)[inside.top : inside.bottom, inside.left : inside.right]
    assert (np.asarray(cut(picture, box)) == expected).all()


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([512, 768, 1024]))
def test_the_loss_told_is_the_one_that_training_has(width, height, resolution):
    buckets = bucket_sizes(resolution, resolution // 2, resolution * 2, 64)
    told, real = bucket_loss((width, height), buckets), fit((width, height), nearest_bucket((width, height), buckets))
    assert (told.bucket, told.lost, told.factor) == (real.bucket, real.loss, real.scale) and 0 <= told.lost < 1


def test_no_buckets_and_no_pixels_are_refused():
    for size, buckets in (((10, 10), []), ((0, 10), [(512, 512)])):
        with pytest.raises(UsageError, match="cannot be compared"):
            bucket_loss(size, buckets)
