"""The record of an evaluation: what was found, as the table that people see and the JSON that programs read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lorasmith.judging.asked import FLEXIBILITY
from lorasmith.judging.fixes import Fix
from lorasmith.judging.judge import Spread
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.rank import Ranking
from lorasmith.judging.scores import CellScores, kept_by_group, kept_share

FORMAT = 2


@dataclass(frozen=True)
class RenderRow:
    """One render: its file relative to the evaluation folder, what it was asked, its scores.

    `epoch` None is the base alone; `told` marks the seeds that chose nothing.
    """

    file: str
    prompt: PlannedPrompt
    seed: int
    epoch: int | None
    weight: float
    likeness: float | None = None
    followed: float | None = None
    told: bool = False
    title: str = ""
    name: str = ""
    lora: str = ""
    own_scores: Mapping[str, float] = field(default_factory=dict)
    similarity: float | None = None
    nearest: str = ""  # the training picture that it is nearest to
    copies: str = ""  # the one that it nearly repeats


@dataclass(frozen=True)
class Evaluation:
    """Everything that an evaluation found: `told` and `told_base` come from the seeds that chose nothing.

    `cells` and `base` come from the choosing seeds; `grid` is a picture's name in the folder, or empty; `grids` has one for
    each kind of prompt. `fixes` is what to fix in the set; `features` says what similarity is measured by, and `typical` how
    near one training picture is to the next.
    """

    name: str
    trigger: str
    base_model: str
    lora: str
    tagger: str
    core: tuple[str, ...]
    base: CellScores
    cells: tuple[CellScores, ...]
    ranking: Ranking
    told: CellScores | None
    told_base: CellScores | None
    renders: tuple[RenderRow, ...] = ()
    unknown: tuple[str, ...] = ()
    grid: str = ""
    made: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""
    fixes: tuple[Fix, ...] = ()
    grids: Mapping[str, str] = field(default_factory=dict)
    features: str = ""
    typical: float | None = None
    pictures: int = 0


@dataclass(frozen=True)
class Row:
    """One line of the table (with LoRA, without): `kept` is their ratio where that says something."""

    what: str
    with_lora: Spread | None
    without: Spread | None
    kept: float | None = None


def rows(evaluation: Evaluation) -> list[Row]:
    """Gives the table that the command line and the page show: likeness, what is followed, leak."""
    told, base = evaluation.told, evaluation.told_base
    if told is None or base is None:
        return []
    return [row for row in compared(told, base) if row.with_lora is not None or row.without is not None]


def compared(one: CellScores, other: CellScores) -> list[Row]:
    """Gives the rows of two cells side by side: likeness, blend, what is followed, outfits, leak, copies, marks and faults."""
    kept = kept_by_group(one, other)
    kinds = [kind for kind in (*FLEXIBILITY, "blend", "group", "toggle", "extra", "described", "others") if kind in one.followed]
    table = [Row("likeness", one.likeness, other.likeness)]
    table += _rows_of_several(one, other)
    table += [Row(NAMES[kind], one.followed[kind], other.followed.get(kind), kept.get(kind)) for kind in kinds]
    for word, control in one.outfit.items():
        alone = other.outfit.get(word)
        name = word.replace("_", " ")
        table.append(Row(f"{name}, asked", control.asked, None if alone is None else alone.asked))
        table.append(Row(f"{name}, not asked", control.unasked, None if alone is None else alone.unasked))
    table.append(Row("leak", one.leak, other.leak))
    table.append(Row("near to the set", one.similarity, other.similarity))
    table.append(Row("copies", one.copies, other.copies))
    table.append(Row("marks and faults", one.artefacts, other.artefacts))
    return table


def _rows_of_several(one: CellScores, other: CellScores) -> list[Row]:
    """Gives the rows that several characters in one LoRA have besides: each one's likeness, blends, two together."""
    table = [Row(f"likeness of {name}", value, other.each.get(name)) for name, value in one.each.items()]
    before = {(each.asked, each.other): each.shown for each in other.blends}
    pairs = [(f"{each.other} where {each.asked} is asked", each) for each in one.blends]
    table += [Row("blend", one.blend, other.blend)] if one.blend is not None else []
    table += [Row(what, each.shown, before.get((each.asked, each.other))) for what, each in pairs]
    return table + ([Row("likeness together", one.together, other.together)] if one.together is not None else [])


QUESTIONS = {
    "likeness": "Is it the character?",
    "blend": "Is each itself, with nothing of another?",
    "group": "Do they come together?",
    "framing": "Is it framed as asked?",
    "view": "Is it seen from where it is asked?",
    "pose": "Does it take the pose?",
    "expression": "Does its face do as asked?",
    "background": "Is it where it is asked to be?",
    "clothing": "Does it wear what the set rarely shows?",
    "toggle": "Does it put its outfits on?",
    "described": "Does it come when it is described, without the trigger?",
    "others": "Does it let others be drawn?",
    "plain": "Does it stay away where nobody asks for it?",
    "extra": "Your own prompts",
}
NAMES = {
    "framing": "framing followed",
    "view": "view followed",
    "pose": "pose followed",
    "expression": "expression followed",
    "background": "background followed",
    "clothing": "clothing followed",
    "blend": "alone when asked alone",
    "group": "two when asked for two",
    "toggle": "outfit followed",
    "extra": "own prompts followed",
    "described": "looks followed by name",
    "others": "looks of others followed",
}


def scores_json(evaluation: Evaluation) -> str:
    """Writes the record as JSON, numbers to four digits: the same record gives the same bytes."""
    content = asdict(evaluation)
    content["format"] = FORMAT
    if evaluation.told is not None and evaluation.told_base is not None:
        content["kept"] = kept_share(evaluation.told, evaluation.told_base)
        content["kept_by_group"] = kept_by_group(evaluation.told, evaluation.told_base)
    return json.dumps(rounded(content), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def rounded(value: Any) -> Any:
    """Gives values as JSON holds them, numbers to four digits."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {str(key): rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
