"""Small pictures: one per content, and no more than the ceiling allows."""

import os
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.ui.thumbs import Thumbs


def drawn(path: Path, seed: int) -> Path:
    Image.effect_noise((300 + seed, 300), 60).convert("RGB").save(path)
    return path


def test_copies_of_a_file_share_one_small_picture_and_another_content_gets_its_own(tmp_path: Path) -> None:
    thumbs = Thumbs(tmp_path / "thumbs")
    one, copy = drawn(tmp_path / "one.png", 1), tmp_path / "moved" / "copy.png"
    copy.parent.mkdir()
    copy.write_bytes(one.read_bytes())
    first = thumbs.get(one, 256)
    assert thumbs.get(copy, 200) == first and thumbs.get(one, 1024) != first
    drawn(one, 2)
    assert thumbs.get(one, 256) != first
    assert max(Image.open(thumbs.get(one, 256)).size) == 256


def test_what_was_used_longest_ago_goes_first_when_there_is_too_much(tmp_path: Path) -> None:
    thumbs = Thumbs(tmp_path / "thumbs")
    made = [thumbs.get(drawn(tmp_path / f"{number}.png", number), 256) for number in range(10)]
    for age, place in enumerate(reversed(made)):
        os.utime(place, (10**9 + 100 * age, 10**9 + 100 * age))
    thumbs.get(tmp_path / "9.png", 256)  # its use makes it the youngest
    size = sum(place.stat().st_size for place in made)
    Thumbs(tmp_path / "thumbs", most_bytes=size).sweep()
    assert all(place.is_file() for place in made)
    Thumbs(tmp_path / "thumbs", most_bytes=size // 2).sweep()
    left = [number for number, place in enumerate(made) if place.is_file()]
    assert {0, 9} <= set(left) and not {5, 6, 7, 8} & set(left)
    assert sum(made[number].stat().st_size for number in left) <= 0.8 * (size // 2)


def test_a_file_that_has_gone_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Thumbs(tmp_path / "thumbs").get(tmp_path / "none.png", 256)
