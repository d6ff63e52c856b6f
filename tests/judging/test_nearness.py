"""Nearness to the training set, and copies of it, on drawn pictures."""

import random

import numpy as np
import pytest
from PIL import Image, ImageOps

from lorasmith.demo import world
from lorasmith.judging.nearness import Known, look_of, looks_of, near, unit

FEATURES = np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.1], [0.9, 0.1, 0.9]])


def drawing(seed: int, size: tuple[int, int] = (384, 512)) -> Image.Image:
    rng = random.Random(seed)
    return world.random_scene(rng, (world.random_creature(rng),)).draw(*size)


@pytest.fixture(scope="module")
def known() -> Known:
    return Known(("one", "two", "three"), unit(FEATURES), tuple(looks_of(drawing(seed), 1.0) for seed in range(3)))


def test_a_picture_cut_to_the_renders_shape_or_mirrored_is_a_copy(known: Known) -> None:
    cut = ImageOps.fit(drawing(1), (128, 128))
    for copy in (cut, ImageOps.mirror(cut), drawing(1).resize((192, 256))):
        found = near(known, FEATURES[1], look_of(copy))
        assert found is not None and (found.name, found.copies) == ("two", "two")
        assert found.similarity == pytest.approx(1.0)


def test_another_drawing_with_the_same_tags_is_near_and_no_copy(known: Known) -> None:
    found = near(known, FEATURES[1], look_of(drawing(77, (128, 128))))
    assert found is not None and (found.name, found.copies) == ("two", "") and found.similarity > 0.99


def test_a_copy_that_the_tagger_reads_otherwise_must_be_nearer_to_count(known: Known) -> None:
    noisy = np.asarray(ImageOps.fit(drawing(1), (128, 128))).astype(int) + np.random.default_rng(1).integers(-6, 7, (128, 128, 3))
    look = look_of(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    found = near(known, FEATURES[0], look)
    assert found is not None and found.name == "one" and found.copies == "two"


def test_a_blank_render_copies_nothing(known: Known) -> None:
    found = near(known, FEATURES[0], look_of(Image.new("RGB", (128, 128), "white")))
    assert found is not None and found.copies == ""


def test_how_near_training_pictures_are_to_each_other_is_the_measure(known: Known) -> None:
    cosines = unit(FEATURES) @ unit(FEATURES).T
    np.fill_diagonal(cosines, -1)
    assert known.typical() == pytest.approx(cosines.max(axis=1).mean())
    assert Known((), np.zeros((0, 3)), ()).typical() is None
    assert near(Known((), np.zeros((0, 3)), ()), FEATURES[0], look_of(drawing(1))) is None
