"""The prompt language of the WebUIs: `(more)`, `[less]`, `(text:1.3)`, `\\(` for a bracket, BREAK for a new chunk.

Written from the behaviour of AUTOMATIC1111's parser, so that a prompt means the same here and there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

STEP = 1.1  # one pair of round brackets
_PIECE = re.compile(r"\\[()\[\]\\]|\\|:\s*([+-]?[\d.]+)\s*\)|[()\[\]:]|[^\\()\[\]:]+")
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_ESCAPED = re.compile(r"\\([()\[\]])")


@dataclass(frozen=True)
class Segment:
    """A run of prompt text with one weight; `starts_chunk` says that a BREAK stood before it."""

    text: str
    weight: float = 1.0
    starts_chunk: bool = False


def plain(text: str) -> list[Segment]:
    """Takes a caption as it is, only with escaped brackets unescaped."""
    return [Segment(_ESCAPED.sub(r"\1", text))]


def parse(text: str) -> list[Segment]:
    """Reads a prompt in the WebUI's language into segments; neighbours of one weight are one segment."""
    runs: list[tuple[str, float]] = []
    round_starts: list[int] = []
    square_starts: list[int] = []
    for match in _PIECE.finditer(text):
        piece = match.group(0)
        if piece == "(":
            round_starts.append(len(runs))
        elif piece == "[":
            square_starts.append(len(runs))
        elif piece.endswith(")") and not piece.startswith("\\") and round_starts:
            _scale(runs, round_starts.pop(), _number(match.group(1)))
        elif piece == "]" and square_starts:
            _scale(runs, square_starts.pop(), 1 / STEP)
        elif piece != "\\":
            runs.append((piece[1:] if piece.startswith("\\") else piece, 1.0))
    for start in round_starts:
        _scale(runs, start, STEP)
    for start in square_starts:
        _scale(runs, start, 1 / STEP)
    return list(_segments(runs))


def _number(text: str | None) -> float:
    try:
        return STEP if text is None else float(text)
    except ValueError:
        return 1.0


def _scale(runs: list[tuple[str, float]], start: int, factor: float) -> None:
    runs[start:] = [(text, weight * factor) for text, weight in runs[start:]]


def _segments(runs: list[tuple[str, float]]) -> Iterator[Segment]:
    """Joins neighbours of one weight and cuts at each BREAK."""
    joined: list[tuple[str, float]] = []
    for text, weight in runs or [("", 1.0)]:
        if joined and joined[-1][1] == weight:
            joined[-1] = (joined[-1][0] + text, weight)
        else:
            joined.append((text, weight))
    for text, weight in joined:
        for index, piece in enumerate(_BREAK.split(text)):
            yield Segment(piece, weight, starts_chunk=index > 0)
