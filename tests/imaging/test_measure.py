import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lorasmith.imaging.measure import Measures, _walked, measure, measure_picture
from lorasmith.settings.tables import PruneSettings
from tests.imaging.drawing import creature

BLUR = PruneSettings().blur
DRAWINGS = [
    creature("standing", "white", seed=1).picture,
    creature("sitting", "meadow", seed=2).picture,
    creature("lying", "room", (900, 600), seed=3).picture,
    creature("sitting", "gradient", (1400, 1800), seed=4).picture,
]


def _jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def _enlarged(image, times):
    small = image.resize((image.width // times, image.height // times), Image.Resampling.LANCZOS)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _bits(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


@pytest.mark.parametrize("picture", DRAWINGS)
def test_sharpness_tells_clean_drawings_from_blurred_and_enlarged_ones(picture):
    assert measure_picture(picture).sharpness > 2 * BLUR
    assert measure_picture(_jpeg(picture, 40)).sharpness > 2 * BLUR
    side = max(picture.size) / 1024
    blurred = picture.filter(ImageFilter.GaussianBlur(3 * max(1, side)))
    assert measure_picture(blurred).sharpness < BLUR
    assert measure_picture(_enlarged(picture, round(5 * max(1, side)))).sharpness < BLUR


def test_a_signature_does_not_make_a_blurred_picture_sharp():
    picture = DRAWINGS[1].filter(ImageFilter.GaussianBlur(4))
    stripes = np.indices((20, 120)).sum(axis=0) % 8 < 4
    picture.paste(Image.fromarray((stripes * 255).astype(np.uint8)).convert("RGB"), (20, 20))
    assert measure_picture(picture).sharpness < BLUR


@pytest.mark.parametrize("picture", DRAWINGS)
def test_blockiness_rises_with_compression(picture):
    clean, good, bad = (measure_picture(item).blockiness for item in (picture, _jpeg(picture, 92), _jpeg(picture, 15)))
    assert clean < 0.1 and good < bad and bad > clean + 0.05


@pytest.mark.parametrize("picture", DRAWINGS)
def test_hashes_stay_when_a_picture_is_recompressed_or_resized(picture):
    first = measure_picture(picture)
    for other in (_jpeg(picture, 50), picture.resize((picture.width // 2, picture.height // 2)), _enlarged(picture, 3)):
        second = measure_picture(other)
        assert max(_bits(first.dhash, second.dhash), _bits(first.phash, second.phash)) <= 4
        assert first.pixel_sha != second.pixel_sha


def test_hashes_of_different_drawings_differ():
    measures = [measure_picture(picture) for picture in DRAWINGS]
    for index, one in enumerate(measures):
        for other in measures[index + 1 :]:
            assert _bits(one.dhash, other.dhash) > 4 or _bits(one.phash, other.phash) > 4


def test_blank_pictures_are_blank_and_their_hashes_tell_nothing():
    for colour in ("white", "black", (120, 40, 200)):
        blank = measure_picture(_jpeg(Image.new("RGB", (300, 200), colour), 80))
        assert blank.blank and not blank.telling and blank.sharpness == 0
    assert measure_picture(DRAWINGS[0]).telling and not measure_picture(DRAWINGS[0]).blank


def test_grey_is_seen_through_three_channels_and_colour_through_little_of_it():
    grey = DRAWINGS[1].convert("L").convert("RGB")
    assert measure_picture(_jpeg(grey, 60)).is_grey
    grey.paste((200, 40, 40), (300, 300, 400, 400))
    assert not measure_picture(grey).is_grey


def test_the_border_is_measured():
    measures = measure_picture(DRAWINGS[0])
    assert measures.border == (255, 255, 255) and measures.border_spread == 0
    assert measure_picture(DRAWINGS[1]).border_spread > 10


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 3), (17, 17)])
def test_tiny_pictures_are_measured_too(size):
    measures = measure_picture(DRAWINGS[1].resize(size))
    assert (measures.width, measures.height) == size and 0 <= measures.sharpness <= 1


def test_measures_travel_through_json(tmp_path):
    DRAWINGS[1].save(tmp_path / "a.png")
    measures = measure(tmp_path / "a.png")
    assert measures.lossless and (measures.width, measures.height) == DRAWINGS[1].size
    assert Measures.from_dict(json.loads(json.dumps(measures.to_dict()))) == measures
    assert measures == measure_picture(DRAWINGS[1])


@pytest.mark.parametrize("side", [96, 128, 170, 256])
def test_a_small_clean_drawing_is_not_called_blurred(side: int) -> None:
    large = Image.new("RGB", (side * 2, side * 2), "white")
    draw = ImageDraw.Draw(large)
    draw.ellipse((side * 0.4, side * 0.5, side * 1.6, side * 1.7), fill="#203060")
    draw.ellipse((side * 0.7, side * 0.8, side * 0.9, side), fill="white")
    small = large.resize((side, side), Image.Resampling.LANCZOS)
    assert measure_picture(small).sharpness > 0.4
    assert measure_picture(small.filter(ImageFilter.GaussianBlur(3))).sharpness < 0.3


@pytest.mark.parametrize("size", [(1301, 1283), (1923, 1441), (1280, 960)])
def test_one_pixel_or_a_shade_makes_another_picture_and_a_lossless_copy_does_not(size, tmp_path):
    picture = DRAWINGS[1].resize(size)
    first = measure_picture(picture)
    picture.save(tmp_path / "a.webp", lossless=True, method=0)
    assert measure(tmp_path / "a.webp").pixel_sha == first.pixel_sha
    pixels = np.array(picture)
    pixels[size[1] // 2, size[0] - 1] ^= 255
    assert measure_picture(Image.fromarray(pixels)).pixel_sha != first.pixel_sha
    red, green, blue = picture.split()
    bluer = Image.merge("RGB", (red, green, blue.point(lambda level: min(255, level + 4))))
    assert measure_picture(bluer).pixel_sha != first.pixel_sha


def test_large_pictures_are_reduced_as_pillow_reduces_them():
    for size in ((1921, 1083), (1280, 31), (1999, 2), (1500, 1)):
        picture = DRAWINGS[1].resize(size)
        times = 4 if max(size) >= 1920 else 2
        grey, lesser = _walked(picture, times)
        expected = np.asarray(picture.reduce(times), np.int16)
        inside = np.s_[: max(1, size[1] // times), : size[0] // times]
        assert lesser.shape == expected.shape and np.abs(lesser - expected)[inside].max(initial=0) <= 1
        assert grey.shape == size[::-1]
