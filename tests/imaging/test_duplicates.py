import io
import time
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from lorasmith.imaging.duplicates import Twin, best, better, families, is_near
from lorasmith.imaging.measure import Measures, measure_picture
from tests.imaging.drawing import BACKGROUNDS, POSES, creature

FIRST = creature("sitting", "meadow", (400, 500), seed=5).picture
MEASURES = measure_picture(FIRST)


def _jpeg(image, quality=60):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def _made(dhash, phash, sha, telling=True, colour=0, width=400) -> Measures:
    return replace(
        MEASURES, dhash=f"{dhash:016x}", phash=f"{phash:016x}", pixel_sha=str(sha), telling=telling,
        colours=bytes([colour] * 48).hex(), width=width,
    )


def _brute(measures, bits):
    groups = [{name} for name in measures]
    for one in measures:
        for other in measures:
            if is_near(measures[one], measures[other], bits):
                joined = [group for group in groups if one in group or other in group]
                groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return sorted(tuple(sorted(group)) for group in groups if len(group) > 1)


def test_copies_are_found_and_other_drawings_are_not():
    pictures = {
        f"other{index}": creature(POSES[index % 3], BACKGROUNDS[index % 6], (400, 500), seed=index).picture
        for index in range(20, 32)
    }
    pictures |= {"a": FIRST, "same": FIRST.copy(), "jpeg": _jpeg(FIRST), "small": FIRST.resize((200, 250))}
    found = families({name: measure_picture(picture) for name, picture in pictures.items()}, 4)
    assert found == [("a", "jpeg", "same", "small")]


def test_a_recoloured_copy_is_another_picture_though_its_grey_is_alike():
    red, green, blue = FIRST.split()
    recoloured = measure_picture(Image.merge("RGB", (blue, green, red)))
    assert not is_near(MEASURES, recoloured, 4)


def test_a_cut_copy_of_another_shape_is_another_picture():
    assert not is_near(MEASURES, replace(MEASURES, pixel_sha="x", width=500), 4)


def test_blank_pictures_are_twins_only_of_the_same_blank():
    blanks = {
        "white": Image.new("RGB", (300, 300), "white"),
        "white too": Image.new("RGB", (300, 300), "white"),
        "ivory": Image.new("RGB", (300, 300), (253, 252, 250)),
    }
    assert families({name: measure_picture(picture) for name, picture in blanks.items()}) == [("white", "white too")]


bit_patterns = st.integers(0, 2**64 - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(bit_patterns, min_size=1, max_size=4),
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sets(st.integers(0, 63), max_size=6), st.sets(st.integers(0, 63), max_size=6),
            st.integers(0, 8), st.booleans(), st.sampled_from((0, 20, 60)), st.sampled_from((400, 410, 500)),
        ),
        max_size=14,
    ),
    st.integers(0, 16),
)
def test_families_are_those_of_comparing_all_with_all(roots, rows, bits):
    measures = {}
    for index, (root, dflips, pflips, sha, telling, colour, width) in enumerate(rows):
        base = roots[root % len(roots)]
        dhash, phash = base, base
        for flip in dflips:
            dhash ^= 1 << flip
        for flip in pflips:
            phash ^= 1 << flip
        measures[f"n{index}"] = _made(dhash, phash, sha, telling, colour, width)
    assert families(measures, bits) == _brute(measures, bits)


def test_many_pictures_are_compared_in_little_time():
    dice = np.random.default_rng(1)
    hashes = dice.integers(0, 2**63, 20000).tolist()
    measures = {f"{index:05}": _made(value, value, index) for index, value in enumerate(hashes)}
    measures["twin"] = _made(hashes[7] ^ 5, hashes[7], "twin")
    start = time.process_time()
    assert families(measures, 4) == [("00007", "twin")]
    assert time.process_time() - start < 20


def test_the_kept_twin_is_explained():
    whole = Twin("b", MEASURES)
    cases = {
        "more pixels": replace(MEASURES, width=200, height=250),
        "lossless": replace(MEASURES, lossless=False),
        "compression": replace(MEASURES, blockiness=MEASURES.blockiness + 0.2),
        "clearly sharper": replace(MEASURES, sharpness=MEASURES.sharpness * 0.4, width=4000, height=5000),
    }
    for words, worse in cases.items():
        choice = better(Twin("a", worse), whole)
        assert choice.kept == whole and words in choice.reason
        assert better(whole, Twin("a", worse)) == choice
    assert "score" in better(Twin("a", MEASURES, 3), Twin("b", MEASURES, 9)).reason
    assert better(Twin("b", MEASURES), Twin("a", MEASURES)).kept.name == "a"


def test_an_enlarged_copy_loses_against_its_original():
    large = FIRST.resize((2000, 2500), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    twins = [Twin("large", measure_picture(large)), Twin("jpeg", measure_picture(_jpeg(FIRST))), Twin("png", MEASURES)]
    assert best(twins).name == "png" == best(twins[::-1]).name
