"""How the report writes numbers: bars, means with their spread, badges, lists of names and values. All text is escaped."""

from collections.abc import Iterable
from html import escape

from lorasmith.judging.judge import Spread
from lorasmith.judging.rank import Bake, Standing

BAKE: dict[Bake, str] = {"good": "good", "underbaked": "under", "overbaked": "over", "unjudged": "none"}


def mean(value: Spread | None) -> float | None:
    """Gives the mean of a spread, or None."""
    return None if value is None else value.mean


def badge(standing: Standing) -> str:
    """Writes the word for how well a cell is baked."""
    return f"<span class='badge {BAKE[standing.bake]}'>{standing.bake}</span>"


def figure(what: str, value: float | None, kind: str = "", percent: bool = False) -> str:
    """Writes one large number with what it is."""
    shown = "–" if value is None else f"{value:.0%}" if percent else f"{value:.2f}"
    return f"<div class='figure {kind}'><b>{shown}</b><span>{escape(what)}</span></div>"


def spread(value: Spread | None, kind: str = "") -> str:
    """Writes a mean with its bar, its deviation, and how far it is luck."""
    if value is None:
        return "<span class='quiet'>–</span>"
    luck = "" if value.over_seeds is None else f", ± {value.over_seeds:.2f} over seeds"
    return (
        f"{bar(value.mean, kind)}<span class='number'>{value.mean:.2f} <i>± {value.deviation:.2f}</i></span>"
        f"<small>{value.low:.2f} to {value.high:.2f}, {value.count} renders{luck}</small>"
    )


def bar(value: float, kind: str = "") -> str:
    """Draws a share of 1 as a bar."""
    width = round(100 * min(1.0, max(0.0, value)), 1)
    return f"<span class='bar {kind}'><span style='width:{width}%'></span></span>"


def measured(value: float | None, kind: str = "", percent: bool = False) -> str:
    """Writes a number with its bar."""
    if value is None:
        return "<span class='quiet'>–</span>"
    shown = f"{value:.0%}" if percent else f"{value:.2f}"
    return f"<span class='measured'>{bar(value, kind)}<span class='number'>{shown}</span></span>"


def pairs(entries: Iterable[tuple[str, str]]) -> str:
    """Writes names and values as a list of definitions."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in entries)
    return f"<dl>{lines}</dl>"
