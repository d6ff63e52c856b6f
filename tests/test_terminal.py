"""What a person sees: lines, a bar, or one JSON object."""

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.progress import Progress
from lorasmith.terminal import Bar, as_json, as_lines


@dataclass(frozen=True)
class Inner:
    name: str
    score: float


@dataclass(frozen=True)
class Result:
    kept: int
    folder: Path
    reasons: dict[str, int]
    best: tuple[Inner, ...]
    done: bool = True
    note: str | None = None


RESULT = Result(3, Path("a") / "b", {"too small": 2}, (Inner("own_1", 0.123456), Inner("own_2", float("nan"))))


def test_a_result_is_one_json_object() -> None:
    assert json.loads(as_json(RESULT)) == {
        "kept": 3,
        "folder": "a/b",
        "reasons": {"too small": 2},
        "best": [{"name": "own_1", "score": 0.123456}, {"name": "own_2", "score": None}],
        "done": True,
        "note": None,
    }


@pytest.mark.parametrize("value", [3, "text", [1, 2], None, ("ü",)])
def test_what_is_no_object_becomes_one(value: Any) -> None:
    assert json.loads(as_json(value)) == {"result": list(value) if isinstance(value, tuple) else value}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(Path("x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3) | st.sets(st.integers()),
    max_leaves=8,
)  # fmt: skip


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@given(VALUES)
def test_any_result_is_strict_json_on_one_line_and_can_be_shown(value: Any) -> None:
    text = as_json(value)
    assert "\n" not in text
    assert isinstance(json.loads(text, parse_constant=_no_constant), dict)
    assert isinstance(as_lines(value), str)


def test_a_result_as_lines_for_a_person() -> None:
    assert as_lines(RESULT).splitlines() == [
        "kept     3",
        "folder   a/b",
        "reasons  too small 2",
        "best:",
        "  name   score",
        "  own_1  0.1235",
        "  own_2  -",
        "done     yes",
        "note     -",
    ]


def test_without_a_terminal_there_is_a_line_for_each_stage_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        for done in range(101):
            bar(Progress("train", done, 100, f"step {done}"))
        bar(Progress("tag", 0, None, "begins"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["train: 0 of 100 step 0", "train: 100 of 100 step 100", "tag: 0 begins"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("note", ["[/bold] fox [red].png", "a [artist] b", "x" * 500, "", "[", "\\["])
def test_the_bar_shows_any_note_as_it_is(monkeypatch: pytest.MonkeyPatch, note: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    with Bar() as bar:
        bar(Progress("download", 0, None, note))
        bar(Progress("download", 2, 2, note))
        bar(Progress("prune", 1, 4, note))
    assert "download" in terminal.getvalue() and "prune" in terminal.getvalue()
    assert note[:60].strip() in terminal.getvalue()


def test_a_bar_that_never_began_ends_quietly() -> None:
    with Bar():
        pass
