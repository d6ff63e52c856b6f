"""Tests of the words that travel with a render, and of the place an inpainting works in."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lorasmith.files import sha256_of
from lorasmith.rendering.prompt import LoraUse, Prompt, infotext
from lorasmith.rendering.region import PADDING, latent_mask, put_back, region_of


def test_the_infotext_is_what_webuis_read_back(tiny: Path, lora: Path) -> None:
    prompt = Prompt("a fox", "bad", 64, 96, 20, 7.5, 3, 2, (LoraUse(lora, 0.8),))
    lines = infotext(prompt, tiny).split("\n")
    assert lines[0] == "a fox <lora:hero:0.8>"
    assert lines[1] == "Negative prompt: bad"
    assert lines[2].startswith(
        f"Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 3, Size: 64x96, Model hash: {sha256_of(tiny)[:10]}, "
        'Model: tiny, Clip skip: 2, Lora hashes: "hero: '
    )
    assert len(lines) == 3


def test_a_name_that_would_break_the_line_is_quoted(tiny: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a, b.safetensors"
    odd.write_bytes(tiny.read_bytes())
    assert 'Model: "a, b"' in infotext(Prompt("x"), odd)


@settings(max_examples=200, deadline=None)
@given(
    size=st.tuples(st.integers(8, 400), st.integers(8, 400)),
    spot=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    shape=st.sampled_from([(512, 512), (512, 768), (768, 512), (64, 640)]),
)
def test_the_region_holds_the_mask_and_lies_in_the_picture(
    size: tuple[int, int], spot: tuple[float, float], shape: tuple[int, int]
) -> None:
    mask = Image.new("L", size)
    x, y = int(spot[0] * (size[0] - 1)), int(spot[1] * (size[1] - 1))
    mask.putpixel((x, y), 255)
    box = region_of(mask, *shape)
    assert box is not None
    assert 0 <= box[0] <= max(0, x - PADDING)
    assert 0 <= box[1] <= max(0, y - PADDING)
    assert min(size[0], x + PADDING) <= box[2] <= size[0]
    assert min(size[1], y + PADDING) <= box[3] <= size[1]


def test_a_region_with_room_has_the_shape_of_the_prompt() -> None:
    mask = Image.new("L", (1000, 1000))
    mask.paste(255, (480, 480, 520, 520))
    box = region_of(mask, 512, 768)
    assert box is not None
    assert abs((box[2] - box[0]) / (box[3] - box[1]) - 2 / 3) < 0.02
    assert region_of(Image.new("L", (50, 50)), 64, 64) is None


def test_a_latent_cell_is_masked_when_any_pixel_of_it_is() -> None:
    mask = Image.new("L", (64, 64))
    mask.putpixel((9, 17), 255)
    cells = latent_mask(mask, 64, 64)
    assert cells.shape == (8, 8)
    assert np.argwhere(cells).tolist() == [[2, 1]]


def test_a_soft_mask_blends_and_black_keeps_the_exact_value() -> None:
    picture, drawn = Image.new("RGB", (40, 40), (10, 20, 30)), Image.new("RGB", (8, 8), (200, 200, 200))
    mask = Image.new("L", (40, 40))
    mask.paste(255, (10, 10, 30, 30))
    result = np.asarray(put_back(picture, drawn, mask, (0, 0, 40, 40)))
    assert result[9, 20].tolist() == [10, 20, 30]
    assert result[20, 20].tolist() == [200, 200, 200]
    assert 10 < result[10, 20, 0] < 200
