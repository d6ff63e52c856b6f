"""How many CLIP tokens a caption takes, tag by tag, and where the WebUIs' windows of 75 cut it; the vocabulary alone is read.

Byte-pair encoding as CLIP's own (Sennrich et al. 2016; Radford et al. 2021): lower case, words cut at letters, single digits
and runs of signs, then the pair of lowest rank is merged until none is left.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from lorasmith.checkpoints.emphasis import plain

WINDOW = 75  # tokens of text between the two marks
BACKTRACK = 20  # tokens that a cut may go back to reach a comma
LETTERS = 512  # ids below are single bytes, inside a word and at its end
COMMA = 267
_MERGES = 49152 - 256 - 2
_MARKS = {"<|startoftext|>": 49406, "<|endoftext|>": 49407}
_ENDINGS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_END = "</w>"
# The same cut for texts of ASCII letters alone, in one go; \s would take four control characters for space.
_ASCII_SPACE = re.compile(r"[ \t\n\r\f\v]+")
_ASCII_WORD = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[a-z]+|[0-9]|[^a-z0-9 \t\n\r\f\v]+")


class Token(NamedTuple):
    """One token: its number in the vocabulary, what it spells (a space ends a word), and where in the text it begins."""

    id: int
    text: str
    start: int


@dataclass(frozen=True)
class TagTokens:
    """One tag of a caption: its tokens with the comma behind it, the window (from 1) it begins in, and whether it is cut in two."""

    tag: str
    tokens: int
    window: int
    torn: bool


@dataclass(frozen=True)
class Crossing:
    """The tag at which a window is full: it moves whole into the next, or is cut in two (`torn`)."""

    window: int
    tag: str
    torn: bool


@dataclass(frozen=True)
class Meter:
    """What a caption costs: tokens and windows in all, each tag's share, and the tags at which windows end."""

    tokens: int
    windows: int
    tags: tuple[TagTokens, ...]
    crossings: tuple[Crossing, ...]


def count_tokens(text: str) -> int:
    """Counts the tokens of a text, marks and padding apart."""
    return sum(1 if word in _MARKS else len(_merged(word)) for word, _ in _words(normalised(text)))


def count_prompt(caption: str) -> int:
    """Counts the tokens of a caption as `meter` does: escaped brackets are the brackets they stand for."""
    return count_tokens(_spoken(caption))


def tokens_of(text: str) -> list[Token]:
    """Gives the tokens of a text as CLIP reads it; places are those in the normalised text."""
    found = []
    for word, start in _words(normalised(text)):
        if word in _MARKS:
            found.append(Token(_MARKS[word], word, start))
            continue
        place = start
        for number, spelled, begun in _told(word):
            found.append(Token(number, spelled, place))
            place += begun
    return found


def normalised(text: str) -> str:
    """Gives a text as CLIP reads it: composed (NFC), one space for any gap, lower case."""
    return _joined(unicodedata.normalize("NFC", text)).lower()


def meter(caption: str) -> Meter:
    """Counts a caption tag by tag, and cuts it as the WebUIs do: after 75 tokens, or at the last comma before when it is near.

    Escaped brackets count as the brackets they stand for, as a prompt's do.
    """
    text = _spoken(caption)
    read = normalised(text)
    tokens = tokens_of(text)
    windows = windows_of([token.id for token in tokens])
    ends, place = [], 0
    for part in read.split(","):
        place += len(part) + 1
        ends.append(place)
    of_tag: list[list[int]] = [[] for _ in ends]
    at = 0
    for number, token in enumerate(tokens):
        while token.start >= ends[at]:
            at += 1
        of_tag[at].append(number)
    tags = []
    for tag, numbers in zip((part.strip() for part in read.split(",")), of_tag, strict=True):
        said = [number for number in numbers if tokens[number].id != COMMA]
        if tag and said:
            first, last = windows[said[0]], windows[said[-1]]
            tags.append(TagTokens(tag, len(numbers), first + 1, first != last))
    return Meter(len(tokens), max(windows, default=0) + 1, tuple(tags), tuple(_crossings(tags)))


def _spoken(caption: str) -> str:
    return "".join(segment.text for segment in plain(caption))


def windows_of(ids: Sequence[int]) -> list[int]:
    """Gives for each token the window (from 0) that it falls into."""
    windows: list[int] = []
    start, comma = 0, -1  # of the window being filled, and of its last comma
    for place, token in enumerate(ids):
        length = place - start
        if token == COMMA:
            comma = length
        elif length == WINDOW and comma >= 0 and WINDOW - comma <= BACKTRACK:
            start += comma + 1
            windows[start:] = [windows[start - 1] + 1] * (place - start)
            comma = -1
        if place - start == WINDOW:
            start, comma = place, -1
        begins = place == start and place > 0
        windows.append((windows[-1] + begins) if windows else 0)
    return windows


def _crossings(tags: Sequence[TagTokens]) -> Iterator[Crossing]:
    """Finds the tags at which one window ends and another begins."""
    window = 1
    for tag in tags:
        if tag.window > window:
            yield Crossing(window, tag.tag, False)
        if tag.torn:
            yield Crossing(tag.window, tag.tag, True)
        window = tag.window + tag.torn


def _joined(text: str) -> str:
    """Puts one space for every run of white space."""
    if text.isascii():
        return _ASCII_SPACE.sub(" ", text)
    return "".join(
        " " if _kind(letter) == "space" else letter
        for place, letter in enumerate(text)
        if not (place and _kind(letter) == "space" == _kind(text[place - 1]))
    )


def _words(text: str) -> Iterator[tuple[str, int]]:
    """Cuts a text into words: endings such as 's, runs of letters, single digits, runs of signs."""
    if text.isascii() and "<|" not in text:
        yield from ((match[0], match.start()) for match in _ASCII_WORD.finditer(text))
        return
    place = 0
    while place < len(text):
        start = place
        known = next((word for word in (*_MARKS, *_ENDINGS) if text.startswith(word, place)), None)
        kind = _kind(text[place])
        place += len(known) if known else 1
        if known is None and kind == "space":
            continue
        if known is None and kind != "digit":
            while place < len(text) and _kind(text[place]) == kind and not _mark_at(text, place):
                place += 1
        yield text[start:place], start


def _mark_at(text: str, place: int) -> bool:
    return text[place] == "<" and any(text.startswith(mark, place) for mark in _MARKS)


@lru_cache(maxsize=1 << 12)
def _kind(letter: str) -> str:
    """Says what a letter is to the cutting of words (Unicode's L, N, white space, and all else)."""
    if letter.isspace() and letter not in "\x1c\x1d\x1e\x1f":  # those four are no white space to the tokenizer
        return "space"
    return {"L": "letter", "N": "digit"}.get(unicodedata.category(letter)[0], "sign")


@lru_cache(maxsize=1 << 14)
def _merged(word: str) -> tuple[str, ...]:
    """Merges the bytes of a word into the pieces of the vocabulary."""
    letters = [_byte_letters()[byte] for byte in word.encode("utf-8")]
    pieces = [*letters[:-1], letters[-1] + _END]
    ranks = _ranks()
    while len(pieces) > 1:
        best = min(zip(pieces, pieces[1:], strict=False), key=lambda pair: ranks.get(pair, _MERGES))
        if best not in ranks:
            break
        joined: list[str] = []
        place = 0
        while place < len(pieces):
            pair = place + 1 < len(pieces) and (pieces[place], pieces[place + 1]) == best
            joined.append("".join(best) if pair else pieces[place])
            place += 1 + pair
        pieces = joined
    return tuple(pieces)


@lru_cache(maxsize=1 << 14)
def _told(word: str) -> tuple[tuple[int, str, int], ...]:
    """Gives of each piece of a word its number, what it spells, and how many letters begin in it."""
    return tuple((_vocabulary()[piece], _spelled(piece), _letters_begun(piece)) for piece in _merged(word))


def _spelled(piece: str) -> str:
    """Writes a piece as people read it; bytes that are no letter alone show as such."""
    ends = piece.endswith(_END)
    data = bytes(_bytes()[letter] for letter in piece.removesuffix(_END))
    return data.decode("utf-8", "backslashreplace") + (" " if ends else "")


def _letters_begun(piece: str) -> int:
    """Counts the letters that begin in a piece: the bytes that do not go on one."""
    return sum(_bytes()[letter] & 0xC0 != 0x80 for letter in piece.removesuffix(_END))


@cache
def _byte_letters() -> tuple[str, ...]:
    """Gives the letter that stands for each byte: printable ones for themselves, the others from code point 256 up."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(256))


@cache
def _bytes() -> Mapping[str, int]:
    return {letter: byte for byte, letter in enumerate(_byte_letters())}


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    packed = files("lorasmith.checkpoints.clip").joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : 1 + _MERGES]
    return tuple((left, right) for left, right in (line.split() for line in lines))


@cache
def _ranks() -> Mapping[tuple[str, str], int]:
    return {pair: rank for rank, pair in enumerate(_pairs())}


@cache
def _vocabulary() -> Mapping[str, int]:
    """Numbers the pieces: bytes in the alphabet's order, the same at a word's end, then the merges by rank."""
    alphabet = sorted(_byte_letters(), key=lambda letter: (ord(letter) > 255, ord(letter)))
    pieces = [*alphabet, *(letter + _END for letter in alphabet), *("".join(pair) for pair in _pairs())]
    return {piece: number for number, piece in enumerate(pieces)}
