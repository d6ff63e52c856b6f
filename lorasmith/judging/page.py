"""The page `report.html`: opened by double click, no scripts, nothing from outside; pictures lie beside it."""

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from lorasmith.judging.rank import Standing
from lorasmith.judging.record import Evaluation, RenderRow, Row, rows
from lorasmith.judging.scores import CellScores, Spread, kept_share
from lorasmith.judging.style import STYLE

_BAKE = {"good": "good", "underbaked": "under", "overbaked": "over", "unjudged": "none"}
_EXPLAINED = {
    "likeness": "mean tagger score of the character's own tags",
    "leak": "likeness where nobody asked for the character: low is right",
    "looks followed by name": "the own tags written out, without the trigger",
}


def page(evaluation: Evaluation) -> str:
    """Gives the whole page."""
    parts = [
        _head(evaluation),
        _verdict(evaluation),
        _told(evaluation),
        _own_tags(evaluation),
        _candidates(evaluation),
        _grid(evaluation),
        _renders(evaluation),
        _details(evaluation),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(evaluation.trigger)}: evaluation {escape(evaluation.name)}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(evaluation: Evaluation) -> str:
    facts = [evaluation.base_model, f"tagger {evaluation.tagger}", evaluation.made]
    line = " · ".join(escape(fact) for fact in facts if fact)
    return (
        f"<header><p class='eyebrow'>Evaluation {escape(evaluation.name)}</p>"
        f"<h1>{escape(evaluation.trigger)}</h1><p class='quiet'>{line}</p></header>"
    )


def _verdict(evaluation: Evaluation) -> str:
    best, told, base = evaluation.ranking.best, evaluation.told, evaluation.told_base
    if best is None:
        return f"<section class='verdict none'><p class='advice'>{escape(evaluation.ranking.advice)}</p></section>"
    numbers = ""
    if told is not None and base is not None:
        numbers = "".join(
            [
                _figure("likeness with the LoRA", _mean(told.likeness), "now"),
                _figure("without it", _mean(base.likeness)),
                _figure("of the base's obedience kept", kept_share(told, base), percent=True),
            ]
        )
    return (
        f"<section class='verdict {_BAKE[best.bake]}'><div class='words'>{_badge(best)}"
        f"<h2>Epoch {best.epoch} at weight {best.weight:g}</h2>"
        f"<p class='advice'>{escape(evaluation.ranking.advice)}</p>"
        f"<p class='quiet'>{escape(evaluation.lora)}</p></div><div class='figures'>{numbers}</div></section>"
    )


def _mean(value: Spread | None) -> float | None:
    return None if value is None else value.mean


def _badge(standing: Standing) -> str:
    return f"<span class='badge {_BAKE[standing.bake]}'>{standing.bake}</span>"


def _figure(what: str, value: float | None, kind: str = "", percent: bool = False) -> str:
    shown = "–" if value is None else f"{value:.0%}" if percent else f"{value:.2f}"
    return f"<div class='figure {kind}'><b>{shown}</b><span>{escape(what)}</span></div>"


def _told(evaluation: Evaluation) -> str:
    table = rows(evaluation)
    if not table:
        return ""
    lines = "".join(_told_row(row) for row in table)
    diversity = "".join(
        f"{name} {cell.diversity:.3f}. "
        for name, cell in (("With the LoRA", evaluation.told), ("Without", evaluation.told_base))
        if cell is not None and cell.diversity is not None
    )
    note = f"<p class='quiet'>Difference between seeds of one prompt: {escape(diversity)}</p>" if diversity else ""
    return (
        "<section><h2>With and without</h2><p class='quiet'>On seeds that chose nothing. "
        "Mean ± deviation over renders, lowest to highest below.</p>"
        "<table><thead><tr><th></th><th>with LoRA</th><th>without</th><th>kept</th></tr></thead>"
        f"<tbody>{lines}</tbody></table>{note}</section>"
    )


def _told_row(row: Row) -> str:
    hint = f"<small>{escape(_EXPLAINED[row.what])}</small>" if row.what in _EXPLAINED else ""
    kept = "" if row.kept is None else f"{row.kept:.0%}"
    return (
        f"<tr><th>{escape(row.what)}{hint}</th><td>{_spread(row.with_lora, 'now')}</td>"
        f"<td>{_spread(row.without)}</td><td class='number'>{kept}</td></tr>"
    )


def _spread(value: Spread | None, kind: str = "") -> str:
    if value is None:
        return "<span class='quiet'>–</span>"
    return (
        f"{_bar(value.mean, kind)}<span class='number'>{value.mean:.2f} <i>± {value.deviation:.2f}</i></span>"
        f"<small>{value.low:.2f} to {value.high:.2f}, {value.count} renders</small>"
    )


def _bar(value: float, kind: str = "") -> str:
    width = round(100 * min(1.0, max(0.0, value)), 1)
    return f"<span class='bar {kind}'><span style='width:{width}%'></span></span>"


def _measured(value: float | None, kind: str = "", percent: bool = False) -> str:
    if value is None:
        return "<span class='quiet'>–</span>"
    shown = f"{value:.0%}" if percent else f"{value:.2f}"
    return f"<span class='measured'>{_bar(value, kind)}<span class='number'>{shown}</span></span>"


def _own_tags(evaluation: Evaluation) -> str:
    told, base = evaluation.told, evaluation.told_base
    if told is None or not told.by_tag:
        return ""
    before = base.by_tag if base is not None else {}
    lines = "".join(
        f"<tr><th>{escape(tag.replace('_', ' '))}</th><td>{_measured(score, 'now')}</td>"
        f"<td>{_measured(before.get(tag))}</td></tr>"
        for tag, score in sorted(told.by_tag.items(), key=lambda item: -item[1])
    )
    unknown = ", ".join(tag.replace("_", " ") for tag in evaluation.unknown)
    note = f"<p class='quiet'>The tagger cannot see: {escape(unknown)}.</p>" if unknown else ""
    return (
        "<section><h2>The character's own tags</h2><table><thead><tr><th></th><th>with LoRA</th><th>without</th></tr>"
        f"</thead><tbody>{lines}</tbody></table>{note}</section>"
    )


def _candidates(evaluation: Evaluation) -> str:
    if not evaluation.ranking.order:
        return ""
    lines = "".join(_candidate(one, one is evaluation.ranking.best) for one in evaluation.ranking.order)
    return (
        f"<section><h2>Epochs and weights</h2><p class='quiet'>{escape(evaluation.ranking.rule)}</p>"
        "<table class='cells'><thead><tr><th>epoch</th><th>weight</th><th>likeness</th><th>kept</th><th></th><th></th>"
        f"</tr></thead><tbody>{lines}</tbody></table></section>"
    )


def _candidate(one: Standing, is_best: bool) -> str:
    return (
        f"<tr{' class=best' if is_best else ''}><th>{one.epoch}</th><td class='number'>{one.weight:g}</td>"
        f"<td>{_measured(one.likeness, 'now')}</td><td>{_measured(one.kept, percent=True)}</td>"
        f"<td>{_badge(one)}</td><td class='reason'>{escape(one.reason)}</td></tr>"
    )


def _grid(evaluation: Evaluation) -> str:
    if not evaluation.grid:
        return ""
    source = quote(evaluation.grid)
    return (
        f"<section><h2>Grid</h2><a href='{source}'><img class='grid' src='{source}' "
        "alt='grid of epochs, weights and prompts'></a></section>"
    )


def _renders(evaluation: Evaluation) -> str:
    """Shows the told renders prompt by prompt, each beside the base's; all renders where none is marked as told."""
    shown = [row for row in evaluation.renders if row.told] or list(evaluation.renders)
    prompts = dict.fromkeys((row.prompt.kind, row.prompt.text) for row in shown)
    blocks = [
        _prompt_block(kind, text, [row for row in shown if (row.prompt.kind, row.prompt.text) == (kind, text)])
        for kind, text in prompts
    ]
    return f"<section><h2>Renders</h2>{''.join(blocks)}</section>" if blocks else ""


def _prompt_block(kind: str, text: str, shown: Sequence[RenderRow]) -> str:
    ordered = sorted(shown, key=lambda row: (row.epoch is None, row.epoch or 0, row.weight, row.seed))
    cards = "".join(_card(row) for row in ordered)
    return f"<h3><span class='kind'>{escape(kind)}</span>{escape(text)}</h3><div class='cards'>{cards}</div>"


def _card(row: RenderRow) -> str:
    what = "base alone" if row.epoch is None else f"epoch {row.epoch} · {row.weight:g}"
    numbers = [
        f"{name} {value:.2f}"
        for name, value in (("likeness", row.likeness), ("followed", row.followed))
        if value is not None
    ]
    return (
        f"<figure class='{'base' if row.epoch is None else 'lora'}'><a href='{quote(row.file)}'>"
        f"<img loading='lazy' src='{quote(row.thumbnail or row.file)}' alt='{escape(row.prompt.text, quote=True)}'></a>"
        f"<figcaption><b>{what}</b> seed {row.seed}<br>{escape(', '.join(numbers))}</figcaption></figure>"
    )


def _details(evaluation: Evaluation) -> str:
    prompts = {(row.prompt.kind, row.prompt.text, row.prompt.asked) for row in evaluation.renders}
    asked = _pairs(
        (f"{kind}: {text}", f"asks for {', '.join(tags) or 'nothing else'}") for kind, text, tags in sorted(prompts)
    )
    settings = _pairs((name, str(value)) for name, value in evaluation.settings.items())
    cells = _pairs((_cell_name(cell), _cell_words(cell)) for cell in (evaluation.base, *evaluation.cells))
    return (
        f"<section class='details'><details><summary>Prompts</summary>{asked}</details>"
        f"<details><summary>Scores on the choosing seeds</summary>{cells}</details>"
        f"<details><summary>Settings</summary>{settings}</details></section>"
    )


def _cell_name(cell: CellScores) -> str:
    return "base alone" if cell.epoch is None else f"epoch {cell.epoch}, weight {cell.weight:g}"


def _cell_words(cell: CellScores) -> str:
    spreads = [("likeness", cell.likeness), *cell.followed.items(), ("leak", cell.leak)]
    words = [f"{name} {one.mean:.2f} ± {one.deviation:.2f}" for name, one in spreads if one is not None]
    return ", ".join([*words, *([] if cell.diversity is None else [f"diversity {cell.diversity:.3f}"])])


def _pairs(entries: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in entries)
    return f"<dl>{lines}</dl>"
