"""Writing: found where it is, read as it says, in one piece or many, and the same each time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.imaging import text
from lorasmith.imaging.crop import Box
from lorasmith.imaging.text import find_lines
from tests.imaging.writing import meadow, write


def read_well(picture: Image.Image) -> dict[str, Box]:
    return {line.words: line.box for line in find_lines(picture) if line.read > 0.8}


@pytest.mark.parametrize("ink", ["black", "white", (120, 20, 60)])
def test_words_are_found_and_read_where_they_are(ink: object) -> None:
    picture = meadow(900, 700)
    box = write(picture, "Hello there", (300, 120), 40, ink)
    assert read_well(picture)["Hello there"].overlap(box) > 0.5


def test_turned_words_are_read() -> None:
    layer = Image.new("RGB", (400, 400), "white")
    write(layer, "By the river", (200, 200), 40)
    assert "By the river" in read_well(layer.rotate(25, fillcolor="white"))
    assert "By the river" in read_well(layer.rotate(90, fillcolor="white"))


def test_a_line_knows_the_height_of_its_letters_whichever_way_it_is_turned() -> None:
    layer = Image.new("RGB", (400, 400), "white")
    box = write(layer, "WHEREVER", (200, 200), 40)
    for turn in (0, 20, 90):
        (line,) = find_lines(layer.rotate(turn, fillcolor="white"))
        assert 0.8 * box.height < line.height < 2 * box.height


@pytest.mark.parametrize("size", [(8000, 300), (300, 8000)])
def test_long_and_narrow_pictures_are_looked_at_part_by_part(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (200, 220, 250))
    ends = [(180, 150), (size[0] - 180, size[1] - 150), (size[0] // 2, size[1] // 2)]
    boxes = [write(picture, "Wait", middle, 60) for middle in ends]
    found = [line.box for line in find_lines(picture) if line.words == "Wait"]
    assert len(found) == 3
    assert all(max(box.overlap(other) for other in found) > 0.4 for box in boxes)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (30, 20), (5000, 2)])
def test_pictures_too_small_to_write_in_have_no_lines(size: tuple[int, int]) -> None:
    assert find_lines(Image.new("RGB", size, "white")) == []


def test_the_same_picture_gives_the_same_lines() -> None:
    picture = meadow(700, 700)
    write(picture, "again", (350, 80), 36)
    assert find_lines(picture) == find_lines(picture.copy())


@pytest.fixture
def without_networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(text, "_PACKAGE", "no_such_package_is_here")
    text._session.cache_clear()
    yield
    text._session.cache_clear()


def test_where_the_networks_are_missing_a_sentence_says_what_to_do(without_networks: None) -> None:
    with pytest.raises(UsageError, match=r"install\.py setup"):
        find_lines(Image.new("RGB", (64, 64), "white"))


def test_the_networks_package_is_not_imported() -> None:
    source = Path(text.__file__).read_text(encoding="utf-8")
    assert "import rapidocr" not in source
    assert "from rapidocr" not in source
