"""The scores of an evaluation over its epochs, a line for each weight: what the page plots."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lorasmith.ui.evaluate.reading import cell_of, spread_of

if TYPE_CHECKING:
    from lorasmith.judging.judge import Spread
    from lorasmith.judging.rank import Bars
    from lorasmith.judging.scores import CellScores

# measure -> (title, what it says, the question whose renders show it)
MEASURES: dict[str, tuple[str, str, str]] = {
    "likeness": ("Likeness", "is it the character? Higher is better.", "likeness"),
    "flexibility": ("Flexibility", "what is still followed of what the base alone follows. Higher is better.", "pose"),
    "control": ("Outfit control", "outfits come at their word and stay away without it. Higher is better.", "toggle"),
    "blend": ("Blend", "how much one character shows of another. Lower is better.", "blend"),
    "leak": ("Leak", "is it the character though nobody asked? Lower is better.", "plain"),
    "others": ("Others", "what others, described in words, keep of the looks that the base gives them. Higher is better.", "others"),
    "diversity": ("Diversity", "how much seeds differ, beside the base alone. Low means that all renders are alike.", "likeness"),
    "copies": ("Copies", "share of renders that nearly repeat a training picture. Lower is better.", "likeness"),
}
Point = dict[str, Any]


def plots_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gives a plot for each measure that was taken: its lines with their bands, the base alone, and the bar of the verdict."""
    from lorasmith.judging.rank import Bars

    cells = [cell_of(each) for each in told["cells"] if isinstance(each, dict)]
    base = cell_of(told.get("base") or {})
    weights = sorted({cell.weight for cell in cells})
    bars, found = Bars(), []
    for name, (title, words, kind) in MEASURES.items():
        take = _TAKERS[name]
        lines = [
            {"weight": weight, "points": [point for cell in sorted(cells, key=lambda one: one.epoch or 0)
                                          if cell.weight == weight and (point := take(cell, base)) is not None]}
            for weight in weights
        ]  # fmt: skip
        if not any(line["points"] for line in lines):
            continue
        alone = None if name in ("flexibility", "others") else take(base, base)
        found.append({
            "measure": name, "title": title, "words": words, "kind": kind, "lines": [line for line in lines if line["points"]],
            "base": None if alone is None else alone["mean"], "bar": _bar(name, bars, base),
        })  # fmt: skip
    return found


def _bar(name: str, bars: "Bars", base: "CellScores") -> float | None:
    """Gives the value of a measure at which the verdict changes."""
    if name == "copies":
        return None if base.copies is None else min(1.0, base.copies.mean + bars.copies)
    if name == "leak":
        return None if base.leak is None else min(1.0, base.leak.mean + bars.leak)
    return {"likeness": bars.likeness, "flexibility": bars.kept, "diversity": bars.diversity, "others": bars.others}.get(name)


def _spread(cell: "CellScores", spread: "Spread | None") -> Point | None:
    if spread is None:
        return None
    low, high = spread.mean - spread.deviation, spread.mean + spread.deviation
    return _point(cell, spread.mean, max(0.0, low), min(1.0, high), spread.count)


def _point(
    cell: "CellScores", mean: float | None, low: float | None = None, high: float | None = None, count: int = 0
) -> Point | None:
    if mean is None:
        return None
    numbers = {"mean": mean, "low": mean if low is None else low, "high": mean if high is None else high}
    return {"epoch": cell.epoch, "count": count} | {name: round(value, 4) for name, value in numbers.items()}


def _flexibility(cell: "CellScores", base: "CellScores") -> Point | None:
    """The kept share; its band goes from the group of prompts that is followed worst to the best."""
    from lorasmith.judging.scores import kept_by_group, kept_share

    groups = [min(1.0, share) for share in kept_by_group(cell, base).values()]
    count = sum(share.count for share in cell.followed.values())
    return _point(cell, kept_share(cell, base), min(groups, default=None), max(groups, default=None), count)


def _control(cell: "CellScores", base: "CellScores") -> Point | None:
    """The mean over the outfits; its band goes from the one that is controlled worst to the best."""
    values = [one.control for one in cell.outfit.values() if one.control is not None]
    return _point(cell, cell.control, min(values, default=None), max(values, default=None), len(values))


def _others(cell: "CellScores", base: "CellScores") -> Point | None:
    from lorasmith.judging.scores import kept_share

    return _point(cell, kept_share(cell, base, ("others",)), count=cell.followed["others"].count if "others" in cell.followed else 0)


def _diversity(cell: "CellScores", base: "CellScores") -> Point | None:
    if cell.diversity is None or not base.diversity:
        return None
    return _point(cell, cell.diversity / base.diversity)


_TAKERS: dict[str, Callable[["CellScores", "CellScores"], Point | None]] = {
    "likeness": lambda cell, base: _spread(cell, cell.likeness),
    "flexibility": _flexibility,
    "control": _control,
    "blend": lambda cell, base: _spread(cell, cell.blend),
    "leak": lambda cell, base: _spread(cell, cell.leak),
    "others": _others,
    "diversity": _diversity,
    "copies": lambda cell, base: _spread(cell, cell.copies),
}


def table_of(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Gives the rows of two columns side by side, as the report has them: with the LoRA, without, and what is kept."""
    from lorasmith.judging.record import compared

    if not one or not other:
        return []
    rows = compared(cell_of(one), cell_of(other))
    return [
        {"what": row.what, "with": _told(row.with_lora), "without": _told(row.without), "kept": row.kept}
        for row in rows if row.with_lora is not None or row.without is not None
    ]  # fmt: skip


def _told(spread: "Spread | None") -> dict[str, Any] | None:
    if spread is None:
        return None
    return {"mean": round(spread.mean, 4), "deviation": round(spread.deviation, 4), "count": spread.count}


def mean_of(told: Any) -> float | None:
    """Gives the mean of a spread as it stands in a file."""
    spread = spread_of(told)
    return None if spread is None else round(spread.mean, 4)
