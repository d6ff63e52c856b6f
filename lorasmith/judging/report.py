"""Writes an evaluation's two files: `scores.json` for programs and `report.html` for people."""

from pathlib import Path

from lorasmith.errors import RefusedError
from lorasmith.files import write_atomic
from lorasmith.judging.page import page
from lorasmith.judging.record import Evaluation, scores_json
from lorasmith.safety import text_is_refused


def write_report(folder: Path, evaluation: Evaluation) -> Path:
    """Writes `scores.json` and `report.html` into the evaluation's folder and gives the page's path.

    Raises `RefusedError` when a text on it marks minors.
    """
    texts = [evaluation.trigger, *(render.prompt.text for render in evaluation.renders)]
    if any(text_is_refused(text) for text in texts):
        raise RefusedError("A prompt of this evaluation carries a tag that marks minors; no report is written.")
    write_atomic(folder / "scores.json", scores_json(evaluation))
    write_atomic(folder / "report.html", page(evaluation))
    return folder / "report.html"
