"""Text of other programs in whatever encoding it was saved: utf-8 and utf-16, with a mark or without, cp932, cp1252."""

import re
from dataclasses import dataclass

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LOOKED_AT = 64  # bytes in which utf-16 without a mark shows itself
_JAPANESE = re.compile(r"[\u3040-\u30ff]|[\u3400-\u9fff]{2}|(?<![^\W\d_])[\u3400-\u9fff](?![^\W\d_])")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")  # no editor of texts leaves these
_LONELY = re.compile(r"[A-Za-z][\u3400-\u9fff\uff61-\uff9f]|[\u3400-\u9fff\uff61-\uff9f][a-z]")


@dataclass(frozen=True)
class Decoded:
    """A text and the encoding it was read in; `sure` is false where the bytes do not say it themselves."""

    text: str
    encoding: str
    sure: bool = True

    @property
    def damaged(self) -> bool:
        """Says whether it holds what no text holds: control characters of a file that broke, or was never a text."""
        return _NO_TEXT.search(self.text) is not None


def decode(data: bytes) -> Decoded:
    """Reads bytes as text without ever putting a stand-in for what it cannot read; line ends become plain ones."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding) or Decoded(data.decode("latin-1"), "latin-1", sure=False)
    if encoding := _bare_utf_16(data):
        found = _decoded(data, encoding)
        if found is not None:
            return found
    return _decoded(data, "utf-8") or _of_windows(data)


def _decoded(data: bytes, encoding: str) -> Decoded | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), encoding)


def _bare_utf_16(data: bytes) -> str:
    """Names utf-16 without a mark: every other byte of Latin text is zero."""
    head = data[:_LOOKED_AT]
    if len(head) < 4 or len(data) % 2:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 <= len(head):
        return ""
    return "utf-16-be" if even > odd else "utf-16-le"


def _of_windows(data: bytes) -> Decoded:
    """Reads what is no utf-8: Japanese where it reads as such, else Western; these two are told apart by likelihood."""
    japanese = _decoded(data, "cp932")
    if japanese is not None and _JAPANESE.search(japanese.text) and not _LONELY.search(japanese.text):
        return Decoded(japanese.text, "cp932", sure=False)
    western = _decoded(data, "cp1252") or _decoded(data, "latin-1")
    assert western is not None  # latin-1 has a letter for every byte
    return Decoded(western.text, western.encoding, sure=False)
