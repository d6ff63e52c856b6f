"""The pages of a comparison and of a sweep: one table, one picture, the outcome in words."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from lorasmith.judging.contest import Contest, Line
from lorasmith.judging.page import document
from lorasmith.judging.page_numbers import measured, spread
from lorasmith.judging.page_pictures import inlined
from lorasmith.judging.record import QUESTIONS

_PLOT, _GRID, _LOOK = 1400, 1400, 192  # pixels


def contest_page(folder: Path, title: str, contest: Contest, grids: Mapping[str, str]) -> str:
    """Gives the page of a comparison: the outcome, the table, a grid for each question."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("", "without LoRA", *contest.names))
    lines = "".join(f"<tr><th>{escape(line.what)}</th>{_values(line)}</tr>" for line in contest.lines)
    words = "".join(f"<p class='advice'>{escape(text)}</p>" for text in contest.words)
    shown = "".join(_grid(folder, kind, file) for kind, file in grids.items())
    body = (
        f"<header><p class='eyebrow'>Comparison</p><h1>{escape(title)}</h1></header><section class='verdict'>{words}</section>"
        "<section><h2>Side by side</h2><p class='quiet'>The same prompts and seeds for all. Mean ± deviation over renders.</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></section>"
        f"<section><h2>Questions</h2>{shown}</section>"
    )
    return document(f"{title}: comparison", body)


def _values(line: Line) -> str:
    return "".join(f"<td>{spread(value, 'now' if place else '')}</td>" for place, value in enumerate(line.values))


def _grid(folder: Path, kind: str, file: str) -> str:
    source = inlined(folder / file, _GRID)
    if not source:
        return ""
    return (
        f"<details class='question' open><summary>{escape(QUESTIONS.get(kind, kind))}</summary>"
        f"<img loading='lazy' decoding='async' src='{source}' alt='grid: {escape(kind)}'></details>"
    )


def sweep_page(title: str, advice: str, rows: Sequence[Mapping[str, object]], plot: Path) -> str:
    """Gives the page of a sweep: which run is best, the table, the plot. `rows` have the columns of the first one."""
    columns = [name for name in rows[0] if name != "best"]
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = "".join(
        f"<tr{' class=best' if row['best'] else ''}>{''.join(_cell(name, row[name]) for name in columns)}</tr>" for row in rows
    )
    body = (
        f"<header><p class='eyebrow'>Sweep</p><h1>{escape(title)}</h1></header>"
        f"<section class='verdict'><p class='advice'>{escape(advice)}</p></section>"
        f"<section><h2>Runs</h2><table class='cells'><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></section>"
        f"<section><h2>Plot</h2><img loading='lazy' src='{inlined(plot, _PLOT)}' alt='likeness and obedience by run'></section>"
    )
    return document(f"{title}: sweep", body)


def _cell(name: str, value: object) -> str:
    if name in ("likeness", "kept", "leak", "copies") and (value is None or isinstance(value, float)):
        return f"<td>{measured(value, 'now' if name == 'likeness' else '')}</td>"
    return f"<td>{escape('–' if value in (None, '') else str(value))}</td>"


def batch_page(title: str, rows: Sequence[Mapping[str, object]], reports: Sequence[str], looks: Sequence[Path]) -> str:
    """Gives the page of many characters: a row each, with a picture of its LoRA and a link to its report where there are."""
    columns = ("trigger", "state", "part", "pictures", "epoch", "weight", "likeness", "note")
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("", *columns))
    lines = "".join(
        f"<tr><td>{_look(look, str(row['trigger']))}</td>{_trigger(row, report)}"
        f"{''.join(_cell(name, row[name]) for name in columns[1:])}</tr>"
        for row, report, look in zip(rows, reports, looks, strict=True)
    )
    states = [str(row["state"]) for row in rows]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    body = (
        f"<header><p class='eyebrow'>Characters</p><h1>{escape(title)}</h1></header>"
        f"<section class='verdict'><p class='advice'>{len(rows)} characters: {escape(counts)}.</p></section>"
        f"<section><table class='cells'><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></section>"
    )
    return document(f"{title}: characters", body)


def _look(file: Path, trigger: str) -> str:
    source = inlined(file, _LOOK) if file.is_file() else ""
    if not source:
        return ""
    return f"<img loading='lazy' width='{_LOOK // 2}' style='max-width: none' src='{source}' alt='{escape(trigger)} by its LoRA'>"


def _trigger(row: Mapping[str, object], report: str) -> str:
    name = escape(str(row["trigger"]))
    return f"<th><a href='{escape(quote(report))}'>{name}</a></th>" if report else f"<th>{name}</th>"
