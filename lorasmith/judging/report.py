"""Writes an evaluation's two files: `report.html` for people and `scores.json` for programs."""

from pathlib import Path

from lorasmith.errors import RefusedError
from lorasmith.files import write_atomic
from lorasmith.judging.page import page
from lorasmith.judging.page_pictures import Find, nowhere
from lorasmith.judging.record import Evaluation, scores_json
from lorasmith.safety import text_is_refused


def write_page(folder: Path, evaluation: Evaluation, find: Find = nowhere) -> Path:
    """Writes `report.html` into the evaluation's folder and gives its path; `find` gives a training picture's file.

    Raises `RefusedError` when a text on it marks minors.
    """
    _demand_safe(evaluation)
    write_atomic(folder / "report.html", page(folder, evaluation, find))
    return folder / "report.html"


def write_scores(folder: Path, evaluation: Evaluation) -> Path:
    """Writes `scores.json`, whole and last: where it stands the evaluation has ended. Raises `RefusedError` as above."""
    _demand_safe(evaluation)
    write_atomic(folder / "scores.json", scores_json(evaluation))
    return folder / "scores.json"


def _demand_safe(evaluation: Evaluation) -> None:
    texts = [evaluation.trigger, *(render.prompt.text for render in evaluation.renders)]
    if any(text_is_refused(text) for text in texts):
        raise RefusedError("A prompt of this evaluation carries a tag that marks minors; no report is written.")
