"""The pictures of the report: a grid for each question, what to fix with the training pictures, and the renders.

Small copies are written into the page itself, so that it can be moved or sent; the links lead to the whole renders where
these still lie beside it.
"""

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from lorasmith.judging.fixes import Fix
from lorasmith.judging.page_numbers import measured
from lorasmith.judging.record import QUESTIONS, Evaluation, RenderRow
from lorasmith.judging.scores import kept_by_group

Find = Callable[[str], Path | None]

_THUMBNAIL, _GRID, _SMALL = 176, 1400, 96  # pixels
_QUALITY = 82
_MOST_PICTURES = 12  # training pictures shown of one thing to fix


def nowhere(name: str) -> Path | None:
    """Finds no picture."""
    return None


def inlined(file: Path, side: int) -> str:
    """Gives a small copy of a picture as a data address; nothing where the file cannot be read."""
    try:
        with Image.open(file) as picture:
            small = picture.convert("RGB")
            small.thumbnail((side, side * 8), Image.Resampling.LANCZOS)
    except (OSError, ValueError):
        return ""
    data = io.BytesIO()
    small.save(data, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _image(file: Path | None, side: int, alt: str) -> str:
    source = "" if file is None else inlined(file, side)
    if not source:
        return f"<span class='gone'>{escape(alt)}</span>"
    return f"<img loading='lazy' decoding='async' src='{source}' alt='{escape(alt, quote=True)}'>"


def questions(folder: Path, evaluation: Evaluation) -> str:
    """Shows one grid for each question that was asked, with how it was answered."""
    blocks = "".join(
        _question(folder, evaluation, kind, question) for kind, question in QUESTIONS.items() if kind in evaluation.grids
    )
    if not blocks:
        return ""
    return f"<section><h2>Questions</h2><p class='quiet'>Rows are prompts, columns epochs and weights.</p>{blocks}</section>"


def _question(folder: Path, evaluation: Evaluation, kind: str, question: str) -> str:
    file = evaluation.grids[kind]
    answer, told, base = "", evaluation.told, evaluation.told_base
    if told is not None and base is not None and kind in told.followed:
        kept = kept_by_group(told, base, (kind,)).get(kind)
        without = None if kind not in base.followed else base.followed[kind].mean
        answer = (
            f"<p class='answer'><span>with {measured(told.followed[kind].mean, 'now')}</span>"
            f"<span>without {measured(without)}</span>{'' if kept is None else f'<span>kept {kept:.0%}</span>'}</p>"
        )
    link = quote(file)
    return (
        f"<details class='question' open><summary>{escape(question)}</summary>{answer}"
        f"<a href='{link}'>{_image(folder / file, _GRID, f'grid: {kind}')}</a></details>"
    )


def fixes_section(evaluation: Evaluation, find: Find) -> str:
    """Shows what to fix, each with the training pictures that matter."""
    if evaluation.told is None:
        return ""
    if not evaluation.fixes:
        return "<section><h2>What to fix</h2><p class='quiet'>Nothing was found that the set should be mended for.</p></section>"
    blocks = "".join(_fix(fix, find) for fix in evaluation.fixes)
    return f"<section><h2>What to fix</h2>{blocks}</section>"


def _fix(fix: Fix, find: Find) -> str:
    shown = fix.pictures[:_MOST_PICTURES]
    strip = "".join(
        f"<figure>{_image(find(name), _SMALL, name)}<figcaption>{escape(name)}</figcaption></figure>" for name in shown
    )
    more = len(fix.pictures) - len(shown)
    rest = ""
    if more > 0:
        names = ", ".join(fix.pictures[len(shown) :])
        rest = f"<details><summary>{more} more</summary><p class='quiet'>{escape(names)}</p></details>"
    return (
        f"<div class='fix'><p><span class='kind'>{escape(fix.kind.replace('_', ' '))}</span>{escape(fix.words)}</p>"
        f"<p class='quiet'>Where to mend it: {fix.stage}</p><div class='strip'>{strip}</div>{rest}</div>"
    )


def renders_section(folder: Path, evaluation: Evaluation) -> str:
    """Shows the told renders prompt by prompt, each beside the base's; all renders where none is marked as told."""
    shown = [row for row in evaluation.renders if row.told] or list(evaluation.renders)
    prompts = dict.fromkeys((row.prompt.kind, row.prompt.text) for row in shown)
    blocks = [
        _prompt_block(folder, kind, text, [row for row in shown if (row.prompt.kind, row.prompt.text) == (kind, text)])
        for kind, text in prompts
    ]
    return f"<section><h2>Renders</h2>{''.join(blocks)}</section>" if blocks else ""


def _prompt_block(folder: Path, kind: str, text: str, shown: Sequence[RenderRow]) -> str:
    ordered = sorted(shown, key=lambda row: (row.epoch is None, row.epoch or 0, row.weight, row.seed))
    cards = "".join(_card(folder, row) for row in ordered)
    return f"<h3><span class='kind'>{escape(kind)}</span>{escape(text)}</h3><div class='cards'>{cards}</div>"


def _card(folder: Path, row: RenderRow) -> str:
    what = row.title or ("base alone" if row.epoch is None else f"epoch {row.epoch} · {row.weight:g}")
    numbers = [
        f"{name} {value:.2f}"
        for name, value in (("likeness", row.likeness), ("followed", row.followed))
        if value is not None
    ]
    numbers += [f"nearly repeats {row.copies}"] if row.copies else []
    return (
        f"<figure class='{'lora' if row.lora or row.epoch is not None else 'base'}'><a href='{quote(row.file)}'>"
        f"{_image(folder / row.file, _THUMBNAIL, row.prompt.text)}</a>"
        f"<figcaption><b>{escape(what)}</b> seed {row.seed}<br>{escape(', '.join(numbers))}</figcaption></figure>"
    )
