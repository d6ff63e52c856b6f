import random

import cv2
import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging.backgrounds import GROUNDS, _from_other_side, _widely, alpha_matte, cut_out, with_background
from lorasmith.imaging.masks import character_mask
from tests.imaging.drawing import POSES, creature

SIZE = (480, 600)


def _rough(mask):
    """A mask with an edge that is some pixels wrong, as one made small and enlarged has."""
    small = Image.fromarray(mask).resize((mask.shape[1] // 8, mask.shape[0] // 8), Image.Resampling.BOX)
    return np.asarray(small.resize(mask.shape[::-1]).point(lambda value: 255 * (value > 90)))


def _band(mask, reach):
    from cv2 import MORPH_GRADIENT, morphologyEx

    return morphologyEx(mask, MORPH_GRADIENT, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("background", ["white", "plain", "room"])
def test_the_matte_is_nearer_to_the_truth_than_the_mask_it_came_from(pose, background):
    drawing = creature(pose, background, (960, 1200), seed=5, fill=0.7)
    rough = _rough(drawing.mask)
    alpha = alpha_matte(drawing.picture, rough)
    assert alpha.dtype == np.float32 and alpha.shape == drawing.mask.shape and 0 <= alpha.min() <= alpha.max() <= 1
    true, band = drawing.mask / 255, _band(drawing.mask, 6)
    assert np.abs(alpha - true)[band].mean() < 0.6 * np.abs(rough / 255 - true)[band].mean()


@pytest.mark.parametrize("pose", POSES)
def test_nothing_of_the_old_ground_stays_beyond_the_edge(pose):
    drawing = creature(pose, "plain", SIZE, seed=7, fill=0.7)
    old = np.asarray(drawing.picture)[2, 2].astype(int)
    replaced = np.asarray(with_background(drawing.picture, character_mask(drawing.picture), "grey")).astype(int)
    outside = (drawing.mask == 0) & ~_band(drawing.mask, 1)
    assert (np.abs(replaced - old).max(axis=2)[outside] > 20).all()
    assert (np.abs(replaced - GROUNDS["grey"]).max(axis=2)[outside] <= 2).mean() > 0.999


def test_an_inked_edge_keeps_its_ink_and_loses_the_ground_in_it():
    from lorasmith.demo.world import NEW_LOOKS, Scene

    scene = Scene((NEW_LOOKS,), "beach", "full-length_portrait", "boldline", random.Random(3).getrandbits(48))
    picture = scene.draw(600, 800)
    mask = character_mask(picture)
    whole = cut_out(picture, mask)
    on_pink = np.asarray(with_background(picture, mask, "pink")).astype(int)
    laid = Image.new("RGBA", whole.size, (*GROUNDS["pink"], 255))
    laid.alpha_composite(whole)
    assert np.abs(np.asarray(laid.convert("RGB")).astype(int) - on_pink).max() <= 3
    soft = np.asarray(whole)[(np.asarray(whole)[..., 3] > 100) & (np.asarray(whole)[..., 3] < 250)]
    assert len(soft) > 50 and np.median(soft[:, :3].max(axis=1)) < 110  # the sky behind it is (150, 218, 250)


def test_keep_changes_nothing_and_blur_changes_only_the_ground():
    drawing = creature("sitting", "room", SIZE, seed=2, fill=0.6)
    before = np.asarray(drawing.picture)
    assert (np.asarray(with_background(drawing.picture, drawing.mask, "keep")) == before).all()
    blurred = np.asarray(with_background(drawing.picture, drawing.mask, "blur")).astype(int)
    inside = (drawing.mask > 0) & ~_band(drawing.mask, 3)
    assert np.abs(blurred - before)[inside].max() <= 1
    assert np.abs(blurred - before)[drawing.mask == 0].mean() > 1


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (90, 70)])
def test_masks_of_nothing_and_of_everything_are_taken_at_their_word(size, value):
    picture = Image.new("RGB", size, (10, 200, 30))
    mask = np.full(size[::-1], value, np.uint8)
    assert cut_out(picture, mask).getchannel("A").getextrema() == (value, value)
    wanted = (10, 200, 30) if value else GROUNDS["white"]
    assert with_background(picture, mask, "white").getpixel((0, 0)) == wanted
    assert with_background(picture, mask, "blur").size == size


def test_a_mask_of_another_size_and_an_unknown_word_are_refused():
    picture = Image.new("RGB", (20, 10))
    with pytest.raises(UsageError, match="must have one size"):
        cut_out(picture, np.zeros((20, 10), np.uint8))
    with pytest.raises(UsageError, match="no background"):
        with_background(picture, np.zeros((10, 20), np.uint8), "mauve")


def test_the_same_picture_gives_the_same_cut_out():
    drawing = creature("lying", "meadow", (300, 200), seed=4)
    assert cut_out(drawing.picture, drawing.mask).tobytes() == cut_out(drawing.picture, drawing.mask).tobytes()


def test_a_wide_blur_made_small_is_the_plain_one():
    field = np.random.default_rng(5).random((700, 900, 3)).astype(np.float32) * np.linspace(0, 1, 900, dtype=np.float32)[:, None]
    plain = cv2.GaussianBlur(field, (0, 0), 22.5)
    assert np.abs(_widely(field, 22.5) - plain).max() < 1.5 / 255


def test_how_far_the_other_side_is_is_measured_from_both():
    mask = np.zeros((9, 9), bool)
    mask[:, 5:] = True
    assert (_from_other_side(mask)[4] == [5, 4, 3, 2, 1, 1, 2, 3, 4]).all()
