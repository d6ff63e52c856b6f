"""The page's scripts and styles as two files."""

import gzip
import re
from pathlib import Path

import pytest

from lorasmith.ui import assets


def test_every_script_and_style_of_the_folder_is_in_the_two_files() -> None:
    static = Path(assets.__file__).parent / "static"
    joined = sorted(part for _, parts in assets.JOINED.values() for part in parts)
    assert joined == sorted(path.name for path in static.iterdir())


def test_a_browser_gets_the_same_content_compressed_or_not_and_may_keep_it() -> None:
    plain, packed = (assets.answer("lorasmith.js", given) for given in ({}, {"accept-encoding": "gzip, br"}))
    assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 3
    assert packed.headers["content-encoding"] == "gzip" and "immutable" in packed.headers["cache-control"]
    with pytest.raises(FileNotFoundError):
        assets.answer("../server.py", {})


def test_the_addresses_have_a_word_of_the_content_and_are_relative() -> None:
    assert len(re.findall(r'"api/static/lorasmith\.(?:js|css)\?v=[0-9a-f]{12}"', assets.head())) == 2
