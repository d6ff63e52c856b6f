"""The page `report.html`: opened by double click, no scripts, nothing from outside; its pictures are in it, so it can be moved."""

from html import escape
from pathlib import Path

from lorasmith.judging.page_numbers import BAKE, badge, figure, mean, measured, pairs, spread
from lorasmith.judging.page_pictures import Find, fixes_section, nowhere, questions, renders_section
from lorasmith.judging.rank import Standing
from lorasmith.judging.record import Evaluation, Row, rows
from lorasmith.judging.scores import CellScores, kept_share
from lorasmith.judging.style import STYLE

_EXPLAINED = {
    "likeness": "mean tagger score of the character's own tags",
    "leak": "likeness where nobody asked for the character: low is right",
    "looks followed by name": "the own tags written out, without the trigger",
    "near to the set": "to the nearest training picture, by what the tagger sees",
    "blend": "mean score of another character's looks where one is asked for; without the LoRA it is what comes by chance",
    "likeness together": "mean score of both characters' looks where both are asked for",
    "copies": "share of renders that nearly repeat a training picture",
    "marks and faults": "share of renders with a signature, text, blur or the like",
}


def page(folder: Path, evaluation: Evaluation, find: Find = nowhere) -> str:
    """Gives the whole page; `find` gives the file of a training picture by its name."""
    parts = [
        _head(evaluation),
        _verdict(evaluation),
        fixes_section(evaluation, find),
        _told(evaluation),
        questions(folder, evaluation),
        _own_tags(evaluation),
        _candidates(evaluation),
        renders_section(folder, evaluation),
        _details(evaluation),
    ]
    body = "\n".join(part for part in parts if part)
    return document(f"{evaluation.trigger}: evaluation {evaluation.name}", body)


def document(title: str, body: str) -> str:
    """Wraps a body as a page with the report's style."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
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
                figure("likeness with the LoRA", mean(told.likeness), "now"),
                figure("without it", mean(base.likeness)),
                figure("of the base's obedience kept", kept_share(told, base), percent=True),
                *([figure("blend of the characters", mean(told.blend))] if told.blend is not None else []),
            ]
        )
    return (
        f"<section class='verdict {BAKE[best.bake]}'><div class='words'>{badge(best)}"
        f"<h2>Epoch {best.epoch} at weight {best.weight:g}</h2>"
        f"<p class='advice'>{escape(evaluation.ranking.advice)}</p>"
        f"<p class='quiet'>{escape(evaluation.lora)}</p></div><div class='figures'>{numbers}</div></section>"
    )


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
        f"<tr><th>{escape(row.what)}{hint}</th><td>{spread(row.with_lora, 'now')}</td>"
        f"<td>{spread(row.without)}</td><td class='number'>{kept}</td></tr>"
    )


def _own_tags(evaluation: Evaluation) -> str:
    told, base = evaluation.told, evaluation.told_base
    if told is None or not told.by_tag:
        return ""
    before = base.by_tag if base is not None else {}
    lines = "".join(
        f"<tr><th>{escape(tag.replace('_', ' '))}</th><td>{measured(score, 'now')}</td>"
        f"<td>{measured(before.get(tag))}</td></tr>"
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
        f"<td>{measured(one.likeness, 'now')}</td><td>{measured(one.kept, percent=True)}</td>"
        f"<td>{badge(one)}</td><td class='reason'>{escape(one.reason)}</td></tr>"
    )


def _details(evaluation: Evaluation) -> str:
    prompts = {(row.prompt.kind, row.prompt.text, row.prompt.asked) for row in evaluation.renders}
    asked = pairs(
        (f"{kind}: {text}", f"asks for {', '.join(tags) or 'nothing else'}") for kind, text, tags in sorted(prompts)
    )
    settings = pairs((name, str(value)) for name, value in evaluation.settings.items())
    cells = pairs((_cell_name(cell), _cell_words(cell)) for cell in (evaluation.base, *evaluation.cells))
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


