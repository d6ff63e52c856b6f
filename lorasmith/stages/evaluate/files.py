"""What an evaluation leaves beside its numbers: the grids, and what WebUIs read beside the recommended LoRA."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.stages.evaluate.bench import Bench
from lorasmith.stages.evaluate.renders import Cell, Wanted

if TYPE_CHECKING:
    from lorasmith.judging.record import Evaluation
    from lorasmith.stages.evaluate.card import Card

GRID = "grid.png"
_CELL = 192  # pixels of a render in a grid


def draw_grids(bench: Bench, record: "Evaluation", cells: Sequence[Cell], renders: Sequence[Wanted]) -> "Evaluation":
    """Draws the grid of everything and one for each kind of prompt: rows are prompts, columns epochs and weights."""
    grids = draw_question_grids(bench, cells, renders)
    _draw(bench, cells, renders, [prompt.text for prompt in bench.prompts], GRID)
    return replace(record, grid=GRID, grids=grids)


def draw_question_grids(bench: Bench, cells: Sequence[Cell], renders: Sequence[Wanted]) -> dict[str, str]:
    """Draws one grid for each kind of prompt, and gives their names by kind."""
    grids: dict[str, str] = {}
    for kind in dict.fromkeys(prompt.kind for prompt in bench.prompts):
        grids[kind] = f"grid-{kind}.png"
        _draw(bench, cells, renders, [prompt.text for prompt in bench.prompts if prompt.kind == kind], grids[kind])
    return grids


def _draw(bench: Bench, cells: Sequence[Cell], renders: Sequence[Wanted], rows: Sequence[str], name: str) -> None:
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import labelled_grid

    at: dict[tuple[str, str], list[Path]] = {}
    for render in renders:
        if render.prompt.text in rows:
            at.setdefault((render.prompt.text, render.cell.title), []).append(bench.folder / render.file)
    size = min(_CELL, max(bench.settings.width, bench.settings.height))
    save_png(labelled_grid([cell.title for cell in cells], rows, at, cell=size), bench.folder / name)


def picture_file(project: Project, name: str) -> Path | None:
    """Gives the file of a picture, where it is still known."""
    found = project.pictures.find(name)
    return None if found is None else project.file_of(found)


def write_sidecars(bench: Bench, best: Cell, record: "Evaluation") -> None:
    """Writes what WebUIs read beside the recommended LoRA: its card (.json), its text to publish (.txt), a preview (.png)."""
    from lorasmith.stages.evaluate.card import card_of, publication

    if best.lora is None:
        return
    card: Card = card_of(bench.project, best.lora)
    notes = [f"lorasmith: {record.ranking.advice}", *(f"To fix: {fix.words}" for fix in record.fixes)]
    facts = card.facts(best.weight, bench.settings.negative, notes)
    write_atomic(best.lora.with_suffix(".json"), json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    write_atomic(best.lora.with_suffix(".txt"), publication(card, best.weight, record))
    of_best = [row for row in record.renders if row.epoch == best.epoch and row.weight == best.weight]
    if of_best:
        preview = max(of_best, key=lambda row: (row.prompt.has_trigger, row.likeness or 0.0, row.file))
        write_atomic(best.lora.with_suffix(".png"), (bench.folder / preview.file).read_bytes())
