import numpy as np
import pytest
from PIL import Image

from lorasmith.imaging.sheets import _font, _wrapped, contact_sheet, labelled_grid
from tests.imaging.drawing import creature

PICTURE = creature("sitting", "meadow", (200, 260)).picture


def test_a_contact_sheet_shows_every_picture_with_words_beneath(tmp_path):
    paths = []
    for index, kind in enumerate(("png", "jpg", "webp", "gif")):
        paths.append(tmp_path / f"e621_{index}.{kind}")
        PICTURE.save(paths[-1])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    pictures = [(f"{path.stem}: near duplicate of e621_77", path) for path in [*paths, tmp_path / "broken.png"]]
    sheet = contact_sheet(pictures, columns=3, cell=120)
    assert sheet.width >= 3 * 120 and sheet.height >= 2 * 120
    first = np.asarray(sheet.convert("L"))[126:150, 6:126]
    assert first.min() < 100 and first.mean() > 150


def test_an_empty_contact_sheet_is_a_white_page():
    assert contact_sheet([]).getextrema() == ((255, 255),) * 3


def test_a_grid_puts_each_picture_in_its_row_and_column(tmp_path):
    PICTURE.save(tmp_path / "a.png")
    red, blue = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    cells = {
        ("standing", "no LoRA"): [red, blue], ("standing", "epoch 3"): tmp_path / "a.png", ("sitting", "epoch 3"): red,
    }
    grid = labelled_grid(["no LoRA", "epoch 3"], ["standing", "sitting"], cells, cell=64)
    pixels = np.asarray(grid)
    is_red = (pixels == (255, 0, 0)).all(axis=2)
    is_blue = (pixels == (0, 0, 255)).all(axis=2)
    assert is_red.sum() >= 2 * 64 * 64 and is_blue.sum() >= 64 * 64
    assert np.flatnonzero(is_blue.any(axis=0))[0] > np.flatnonzero(is_red.any(axis=0))[0]
    upper, lower = is_red[: grid.height // 2], is_red[grid.height // 2 + 30 :]
    assert np.flatnonzero(upper.any(axis=0))[0] < np.flatnonzero(lower.any(axis=0))[0]


@pytest.mark.parametrize("label", ["a_long_tag_without_any_space_at_all_in_it", "many short words that go on for ever"])
def test_a_long_label_is_wrapped_and_then_cut(label):
    font = _font(192)
    lines = _wrapped(label, font, 90, 2).split("\n")
    assert len(lines) == 2 and lines[-1].endswith("…") and all(font.getlength(line) <= 90 for line in lines)
    assert _wrapped("short", font, 90, 2) == "short"
