"""The record of an evaluation: what was found, as the table that people see and the JSON that programs read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lorasmith.judging.plan import FLEXIBILITY, PlannedPrompt
from lorasmith.judging.rank import Ranking
from lorasmith.judging.scores import CellScores, Spread, kept_by_group, kept_share

FORMAT = 1


@dataclass(frozen=True)
class RenderRow:
    """One render: its file (and smaller copy) relative to the evaluation folder, what it was asked, its scores.

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
    thumbnail: str = ""


@dataclass(frozen=True)
class Evaluation:
    """Everything that an evaluation found: `told` and `told_base` come from the seeds that chose nothing.

    `cells` and `base` come from the choosing seeds; `grid` is a picture's name in the folder, or empty.
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
    kept = kept_by_group(told, base)
    kinds = [kind for kind in (*FLEXIBILITY, "extra", "described") if kind in told.followed]
    table = [Row("likeness", told.likeness, base.likeness)]
    table += [Row(_NAMES[kind], told.followed[kind], base.followed.get(kind), kept.get(kind)) for kind in kinds]
    if told.leak is not None:
        table.append(Row("leak", told.leak, base.leak))
    return table


_NAMES = {
    "pose": "pose followed",
    "framing": "framing followed",
    "background": "background followed",
    "extra": "own prompts followed",
    "described": "looks followed by name",
}


def scores_json(evaluation: Evaluation) -> str:
    """Writes the record as JSON, numbers to four digits."""
    content = asdict(evaluation)
    content["format"] = FORMAT
    if evaluation.told is not None and evaluation.told_base is not None:
        content["kept"] = kept_share(evaluation.told, evaluation.told_base)
        content["kept_by_group"] = kept_by_group(evaluation.told, evaluation.told_base)
    return json.dumps(_rounded(content), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {str(key): _rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(entry) for entry in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
