"""The preparation of pictures beside a reference written from the contract alone, on fifty odd pictures."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lorasmith.taggers.contract import _KERNELS, Contract, fitted, prepare, squared
from lorasmith.taggers.labels import read_labels
from lorasmith.taggers.models import CLIP_DEVIATION, CLIP_MEAN, TAGGERS, WD, Pixels
from lorasmith.taggers.onnx import Tagger

WriteTagger = Callable[..., Path]
SIDE = 64  # the arithmetic is the same at 448, and the reference here is written for clearness
LEVEL = 1.001  # one of 255


def contract(pixels: Pixels = WD, channels_first: bool = False, side: int = SIDE) -> Contract:
    return Contract("in", "out", channels_first, side, side, None, np.float32, pixels)


def kernel(x: float, name: str) -> float:
    """The kernel of Keys (1981) with a = -1/2, or the triangle."""
    x = abs(x)
    if name == "bilinear":
        return max(0.0, 1 - x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def weights(source: int, target: int, name: str) -> np.ndarray:
    """The matrix of an antialiased resize: the kernel is widened by the scale, cut at the edges, and sums to one."""
    scale = source / target
    wide = max(1.0, scale)
    reach = (2.0 if name == "bicubic" else 1.0) * wide
    rows = np.zeros((target, source))
    for row in range(target):
        centre = (row + 0.5) * scale
        first, last = max(0, int(centre - reach + 0.5)), min(source, int(centre + reach + 0.5))
        taps = np.array([kernel((column - centre + 0.5) / wide, name) for column in range(first, last)])
        rows[row, first:last] = taps / taps.sum()
    return rows


def rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, 255)


def reference(pixels: np.ndarray, orientation: int = 1, wants: Pixels = WD, side: int = SIDE) -> np.ndarray:
    """Works the contract out in numbers, from 8-bit RGB or RGBA; result: the tensor's [height, width, 3] in its order."""
    turned = {1: lambda p: p, 2: np.fliplr, 3: lambda p: p[::-1, ::-1], 4: np.flipud, 5: lambda p: p.transpose(1, 0, 2)}
    turned |= {6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].transpose(1, 0, 2), 8: lambda p: np.rot90(p)}
    upright = np.asarray(turned[orientation](pixels), dtype=np.float64)
    rgb = upright[..., :3]
    if upright.shape[2] == 4:
        alpha = upright[..., 3:] / 255
        rgb = rounded(rgb * alpha + 255 * (1 - alpha))
    if wants.fit == "pad":
        longest = max(rgb.shape[:2])
        square = np.full((longest, longest, 3), 255.0)
        top, left = (longest - rgb.shape[0]) // 2, (longest - rgb.shape[1]) // 2
        square[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
        rgb = square
    if rgb.shape[1] != side:
        rgb = rounded(np.einsum("tw,hwc->htc", weights(rgb.shape[1], side, wants.kernel), rgb, optimize=True))
    if rgb.shape[0] != side:
        rgb = rounded(np.einsum("th,hwc->twc", weights(rgb.shape[0], side, wants.kernel), rgb, optimize=True))
    if wants.normalised:
        rgb = (rgb / 255 - np.array(wants.mean)) / np.array(wants.deviation)
    return rgb[..., ::-1] if wants.order == "BGR" else rgb


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth colours with hard edges and single dots: what resizing gets wrong first."""
    dice = np.random.default_rng(seed + 7 * width + height)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 120 * np.sin(x / (3 + c) + dice.uniform(0, 6)) * np.cos(y / (5 + c)) for c in range(channels)], -1)
    waves[dice.random((height, width)) < 0.05] = dice.integers(0, 256, channels)
    waves[: height // 3, width // 2 :] = dice.integers(0, 256, channels)
    return waves.clip(0, 255).astype(np.uint8)


SIZES = [
    (64, 64), (65, 64), (64, 65), (63, 64), (1, 1), (1, 50), (50, 1), (2, 3), (7, 200), (200, 7), (128, 128), (128, 127), (127, 128),
    (31, 97), (97, 31), (300, 200), (200, 300), (301, 199), (640, 3), (3, 640), (448, 448), (100, 99), (511, 257), (33, 32),
]  # fmt: skip


def odd_pictures() -> dict[str, tuple[Image.Image, np.ndarray, int]]:
    """Fifty: name -> picture as Pillow has it, the same as plain RGB or RGBA numbers, EXIF orientation."""
    odd: dict[str, tuple[Image.Image, np.ndarray, int]] = {}
    for width, height in SIZES:
        pixels = noise(width, height)
        odd[f"RGB {width}x{height}"] = Image.fromarray(pixels), pixels, 1
    for orientation in range(1, 9):
        pixels = noise(90, 41, seed=orientation)
        picture = Image.fromarray(pixels)
        picture.getexif()[0x0112] = orientation
        odd[f"EXIF {orientation}"] = picture, pixels, orientation
    for width, height in ((64, 64), (120, 45), (45, 120), (5, 5)):
        pixels = noise(width, height, 4)
        odd[f"RGBA {width}x{height}"] = Image.fromarray(pixels), pixels, 1
    for level in (0, 1, 128, 254, 255):
        pixels = np.concatenate([noise(80, 50), np.full((50, 80, 1), level, np.uint8)], -1)
        odd[f"alpha {level}"] = Image.fromarray(pixels), pixels, 1
    grey = noise(77, 90, 1)
    odd["grey"] = Image.fromarray(grey[..., 0]), np.repeat(grey, 3, -1), 1
    both = noise(77, 60, 2)
    odd["grey with alpha"] = Image.fromarray(both, "LA"), np.concatenate([np.repeat(both[..., :1], 3, -1), both[..., 1:]], -1), 1
    ink = (grey[..., 0] > 127).astype(np.uint8) * 255
    odd["black and white"] = Image.fromarray(ink).convert("1", dither=Image.Dither.NONE), np.repeat(ink[..., None], 3, -1), 1
    deep = grey[..., 0].astype(np.uint16) * 256 + 77
    odd["16 bits"] = Image.fromarray(deep), np.repeat(grey, 3, -1), 1
    palette = Image.fromarray(noise(60, 85)).quantize(17)
    odd["palette"] = palette, np.asarray(palette.convert("RGB")), 1
    holed = palette.copy()
    holed.info["transparency"] = 3
    numbers = np.dstack([np.asarray(palette.convert("RGB")), np.where(np.asarray(palette) == 3, 0, 255).astype(np.uint8)])
    odd["palette with a hole"] = holed, numbers, 1
    key = Image.fromarray(np.where(noise(40, 70) > 127, np.uint8(255), np.uint8(0)))
    key.info["transparency"] = (255, 0, 0)
    red = (np.asarray(key) == (255, 0, 0)).all(-1)
    odd["RGB with a key colour"] = key, np.dstack([np.asarray(key), np.where(red, 0, 255).astype(np.uint8)]), 1
    cmyk = Image.fromarray(noise(50, 66)).convert("CMYK")
    odd["CMYK"] = cmyk, np.asarray(cmyk.convert("RGB")), 1
    turned = Image.fromarray(noise(33, 71, 4))
    turned.getexif()[0x0112] = 6
    odd["alpha and EXIF"] = turned, noise(33, 71, 4), 6
    return odd


ODD = odd_pictures()


def test_there_are_fifty_odd_pictures() -> None:
    assert len(ODD) == 50


@pytest.mark.parametrize("name", ODD)
def test_preparation_equals_the_contract_within_one_level(name: str) -> None:
    picture, pixels, orientation = ODD[name]
    ours = prepare(picture, contract())
    assert ours.dtype == np.float32 and ours.shape == (SIDE, SIDE, 3)
    assert np.abs(ours - reference(pixels, orientation)).max() <= LEVEL


@pytest.mark.parametrize("name", ["RGB 300x200", "RGB 31x97", "RGBA 120x45", "EXIF 6", "RGB 2x3"])
@pytest.mark.parametrize(
    "wants",
    [
        TAGGERS["eva02-vit-large-448-8046"].pixels,
        Pixels("RGB", normalised=True),
        Pixels("BGR", normalised=True, kernel="bilinear"),
        Pixels("RGB", normalised=True, mean=CLIP_MEAN, deviation=CLIP_DEVIATION),
    ],
)
def test_the_other_families_equal_their_contracts_within_one_level(name: str, wants: Pixels) -> None:
    picture, pixels, orientation = ODD[name]
    ours = prepare(picture, contract(wants, channels_first=True))
    assert ours.shape == (3, SIDE, SIDE)
    gap = np.abs(ours.transpose(1, 2, 0) - reference(pixels, orientation, wants))
    assert (gap * 255 * np.array(wants.deviation)).max() <= LEVEL


def test_a_large_picture_equals_the_contract_at_the_side_of_the_real_models() -> None:
    pixels = noise(460, 690)
    ours = prepare(Image.fromarray(pixels), contract(side=448))
    assert np.abs(ours - reference(pixels, side=448)).max() <= LEVEL


def test_a_squashing_model_gets_the_whole_picture_and_no_white(write_tagger: WriteTagger, tmp_path: Path) -> None:
    folder = write_tagger(tmp_path, layout="NCHW", activated=False)
    (folder / "preprocess.json").write_text(
        '{"stages": [{"type": "resize", "size": [8, 8], "interpolation": "bilinear"}, {"type": "normalize", "mean": [0, 0, 0],'
        ' "std": [1, 1, 1]}]}',
        encoding="utf-8",
    )
    black = Tagger(folder).score([Image.new("RGB", (80, 8), "black")])
    np.testing.assert_allclose(black, [[0.5, 0.5, 0.5]], atol=1e-6)


def test_a_tag_mapping_means_blue_first(write_tagger: WriteTagger, tmp_path: Path) -> None:
    folder = write_tagger(tmp_path, layout="NCHW", activated=False)
    (folder / "selected_tags.csv").unlink()
    mapping = ", ".join(f'"{place}": {{"tag": "{name}", "category": "General"}}' for place, name in enumerate("bgr"))
    (folder / "tag_mapping.json").write_text("{" + mapping + "}", encoding="utf-8")
    tagger = Tagger(folder)
    assert [(label.name, label.category) for label in tagger.labels] == [(name, "general") for name in "bgr"]
    high, low = 1 / (1 + math.exp(-4)), 1 / (1 + math.exp(4))
    np.testing.assert_allclose(tagger.score([Image.new("RGB", (9, 9), "blue")]), [[high, low, low]], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tags.json", '["fox tail", "wolf"]'),
        ("tags.json", '{"wolf": 1, "fox_tail": 0}'),
        ("classes.json", '{"0": "fox_tail", "1": "wolf"}'),
        ("top_tags.txt", "fox_tail\nwolf\n"),
    ],
)
def test_lists_in_json_and_text_are_read_in_the_order_of_the_outputs(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    labels = read_labels(tmp_path / name, ("placeholder_0",), ("explicit",))
    assert [label.name for label in labels] == ["placeholder_0", "fox_tail", "wolf", "explicit"]
    assert [label.category for label in labels] == ["placeholder", "general", "general", "rating"]


@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    side=st.sampled_from([8, 224, 448]),
    kernel=st.sampled_from(list(_KERNELS)),
)
@settings(max_examples=25, deadline=None)
def test_leaving_out_what_stays_white_changes_nothing(
    width: int, height: int, side: int, kernel: Literal["bicubic", "bilinear"]
) -> None:
    picture = Image.fromarray(noise(width, height, seed=side))
    whole = squared(picture).resize((side, side), _KERNELS[kernel])
    ours = fitted(picture, contract(Pixels(kernel=kernel), side=side))
    assert np.abs(ours.astype(int) - np.asarray(whole).astype(int)).max() <= 1
