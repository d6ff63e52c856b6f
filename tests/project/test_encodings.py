"""Texts of other programs are read as they were meant, and never with a stand-in for a letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.project.encodings import decode


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("solo, fox", "utf-8"), ("solo, fox", "utf-8-sig"), ("solo, fox", "utf-16"), ("solo, fox", "utf-16-le"),
        ("solo, fox", "utf-16-be"), ("pokémon, fox", "cp1252"), ("über, naïve", "cp1252"), ("ポケモン, solo", "cp932"),
        ("夜, solo", "cp932"), ("初音ミク, 1girl", "cp932"), ("1girl, 笑顔", "utf-8"), ("1girl, 笑顔", "utf-16"),
        ("café crème, “quoted”", "cp1252"), ("señor, pose", "cp1252"),
    ],
)  # fmt: skip
def test_a_text_is_read_as_it_was_saved(text: str, encoding: str) -> None:
    found = decode(text.encode(encoding))
    assert (found.text, found.encoding) == (text, encoding)
    assert found.sure == (encoding not in ("cp1252", "cp932"))


def test_line_ends_of_all_systems_are_one() -> None:
    assert decode(b"a\r\nb\rc\nd").text == "a\nb\nc\nd"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_and_none_is_replaced(data: bytes) -> None:
    found = decode(data)
    assert "\ufffd" not in found.text or found.encoding.startswith("utf"), "only a text that holds the sign itself has it"


@given(st.text(max_size=100))
def test_any_text_in_utf_8_comes_back(text: str) -> None:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    found = decode(text.encode("utf-8"))
    assert found.text in (plain, plain.removeprefix("\ufeff")) or found.encoding.startswith("utf-16")


@pytest.mark.parametrize(
    ("data", "damaged"),
    [
        (b"solo, fox\0\0\0", True), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", True), (b"\xff\xd8\xff\xe0\0\x10JFIF\0", True),
        (b"a\x07, b", True),
        (b"solo,\tfox\r\n\x0c", False), ("caf\xe9, \u591c".encode(), False), ("caf\xe9".encode("cp1252"), False),
        ("solo".encode("utf-16"), False),
    ],
)  # fmt: skip
def test_what_is_no_text_is_called_damaged(data: bytes, damaged: bool) -> None:
    assert decode(data).damaged is damaged
