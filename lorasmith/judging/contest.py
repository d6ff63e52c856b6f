"""LoRAs side by side over one plan: a table, and which differences are more than luck."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lorasmith.judging.blend import blend_in
from lorasmith.judging.judge import Judge, Judged, Spread
from lorasmith.judging.record import compared
from lorasmith.judging.scores import CellScores, followed, likeness

SURE = 2.0  # standard errors from which a difference is called one


@dataclass(frozen=True)
class Difference:
    """How much more one LoRA has of something than another, over the same prompts and seeds: mean, its standard error."""

    what: str
    mean: float
    error: float
    renders: int

    @property
    def telling(self) -> bool:
        """Says whether it is more than luck."""
        return abs(self.mean) > SURE * self.error and abs(self.mean) >= 0.01


@dataclass(frozen=True)
class Line:
    """One line of the table: a value for each LoRA, in their order; the base alone stands first."""

    what: str
    values: tuple[Spread | None, ...]


@dataclass(frozen=True)
class Contest:
    """The table, for each LoRA but the first how it differs from the first, and the outcome in words."""

    names: tuple[str, ...]
    lines: tuple[Line, ...]
    differences: Mapping[str, tuple[Difference, ...]]
    words: tuple[str, ...]


def contest(names: Sequence[str], cells: Sequence[CellScores], renders: Sequence[Sequence[Judged]], judge: Judge) -> Contest:
    """Sets LoRAs side by side; `cells` and `renders` begin with the base alone, `renders` are in one order of prompt and seed."""
    columns = [{row.what: row.with_lora for row in compared(cell, cells[0])} for cell in cells]
    whats = list(dict.fromkeys(what for column in columns[1:] for what in column))
    lines = [Line(what, tuple(column.get(what) for column in columns)) for what in whats]
    lines = [line for line in lines if any(value is not None for value in line.values)]
    first, differences = renders[1], {}
    for name, its in zip(names[1:], renders[2:], strict=True):
        differences[name] = tuple(_differences(first, its, judge))
    words = [_words(names[0], name, found) for name, found in differences.items()]
    return Contest(tuple(names), tuple(lines), differences, tuple(words))


def _differences(one: Sequence[Judged], other: Sequence[Judged], judge: Judge) -> list[Difference]:
    measures: dict[str, Callable[[Judged], float | None]] = {
        "likeness": lambda render: likeness(render, judge) if render.prompt.has_trigger else None,
        "prompts followed": lambda render: followed(render, judge) if render.prompt.has_trigger else None,
        "leak": lambda render: likeness(render, judge) if render.prompt.kind == "plain" else None,
        "copies": lambda render: float(bool(render.copies)) if render.prompt.has_trigger and render.similarity is not None else None,
    }
    if judge.cast:
        measures["blend"] = lambda render: blend_in(render, judge)
    found = [difference(what, [(value(a), value(b)) for a, b in zip(one, other, strict=True)]) for what, value in measures.items()]
    return [each for each in found if each is not None]


def difference(what: str, pairs: Sequence[tuple[float | None, float | None]]) -> Difference | None:
    """Gives the mean of the second less the first over pairs that have both; None where there are fewer than two."""
    gaps = np.array([b - a for a, b in pairs if a is not None and b is not None], dtype=np.float64)
    if gaps.size < 2:
        return None
    return Difference(what, float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(gaps.size)), int(gaps.size))


def _words(first: str, name: str, found: Sequence[Difference]) -> str:
    telling = [f"{one.mean:+.2f} in {one.what} (± {one.error:.2f})" for one in found if one.telling]
    if not telling:
        count = max((one.renders for one in found), default=0)
        return f"{name} and {first}: no difference that {count} renders could tell from luck."
    return f"{name} against {first}: {', '.join(telling)}."
