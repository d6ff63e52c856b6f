"""Renders made, judged and written down: what evaluate and refine do alike with a bench."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lorasmith.safety import is_seen, refused_places
from lorasmith.stages.evaluate.bench import Bench
from lorasmith.stages.evaluate.renders import Cell, Wanted, common_prompt, render_missing, scores_of

if TYPE_CHECKING:
    import numpy as np

    from lorasmith.judging.judge import Judged
    from lorasmith.judging.record import RenderRow

Scores = Mapping[str, "np.ndarray"]  # render name -> the tagger's score of each label


def render(bench: Bench, renders: Sequence[Wanted]) -> int:
    """Makes the renders that are not there yet; gives how many."""
    (bench.folder / "renders").mkdir(parents=True, exist_ok=True)
    common = replace(common_prompt(bench.settings, bench.clip_skip), loras=bench.others)
    return render_missing(bench.folder, renders, bench.renderer, common, bench.report, bench.settings.batch_size)


def judge_renders(bench: Bench, renders: Sequence[Wanted]) -> "dict[Cell, list[Judged]]":
    """Scores renders by tags, nearness to the training set, and copies, column by column."""
    from lorasmith.imaging.read import open_picture
    from lorasmith.judging.judge import Judged
    from lorasmith.judging.nearness import look_of, near

    scores = scores_of(bench.project, bench.tagger, bench.folder, renders, bench.report)
    judged: dict[Cell, list[Judged]] = {}
    for one in renders:
        vector = scores[one.name]
        found = near(bench.known, vector, look_of(open_picture(bench.folder / one.file)))
        row = Judged(one.prompt, one.seed, vector)
        if found is not None:
            row = replace(row, similarity=found.similarity, nearest=found.name, copies=found.copies)
        judged.setdefault(one.cell, []).append(row)
    return judged


def rows_of(
    bench: Bench, renders: Sequence[Wanted], judged: "Sequence[Judged]", shown: "set[str]"
) -> "list[RenderRow]":
    """Gives a row for each render that may be shown; `judged` is in the order of `renders`."""
    from lorasmith.judging.record import RenderRow
    from lorasmith.judging.scores import followed, likeness

    known = [tag for tag in bench.judge.core if tag in bench.judge.index]
    rows = []
    for one, seen in zip(renders, judged, strict=True):
        if one.name not in shown:
            continue
        own = {tag: round(float(seen.scores[bench.judge.index[tag]]), 4) for tag in known}
        rows.append(RenderRow(
            one.file, one.prompt, one.seed, one.cell.epoch, one.cell.weight, likeness(seen, bench.judge),
            followed(seen, bench.judge), one.told, name=one.name, lora="" if one.cell.lora is None else one.cell.lora.name,
            own_scores=own, similarity=seen.similarity, nearest=seen.nearest, copies=seen.copies,
        ))  # fmt: skip
    return rows


def without_refused(bench: Bench, renders: Sequence[Wanted], scores: Scores) -> list[Wanted]:
    """Leaves out, and removes, the renders on which the tagger sees what marks minors: nobody is shown them."""
    places = refused_places(label.name for label in bench.tagger.labels)
    refused = {name for name, vector in scores.items() if is_seen(vector, places)}
    for one in renders:
        if one.name in refused:
            (bench.folder / one.file).unlink(missing_ok=True)
    return [one for one in renders if one.name not in refused]
