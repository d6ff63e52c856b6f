"""The tables that a download and its plan leave, read again: what became of each post, counted and listed."""

import csv
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from lorasmith.project.project import Project
from lorasmith.stages.download.plan import PLAN
from lorasmith.stages.download.stage import REPORT
from lorasmith.stages.research.wall import is_out

Kind = Literal["plan", "done"]


@dataclass(frozen=True)
class Outcome:
    """What became of one post, or would; `page` is its address on the site, empty where it is not known."""

    post: str
    page: str
    outcome: str
    reason: str


def read_outcomes(project: Project, kind: Kind) -> list[Outcome]:
    """Gives the rows of the last plan or download; none where there was none or the table cannot be read."""
    path = project.folder / (PLAN if kind == "plan" else REPORT)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [Outcome(row["post"], _web(row["page"]), row["outcome"], row["reason"] or "") for row in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    decisions = project.pictures.decisions()
    return [one for one in rows if not is_out(decisions.get(one.post))]


def counted(rows: list[Outcome]) -> list[tuple[str, str, int]]:
    """Counts (outcome, kind of reason, posts): the commonest reasons first; sentences of their own count as one kind."""
    counts = Counter((one.outcome, kind_of(one)) for one in rows)
    order = sorted(counts.items(), key=lambda row: (row[0][0], -row[1], row[0][1]))
    return [(outcome, reason, count) for (outcome, reason), count in order]


def kind_of(one: Outcome) -> str:
    """Gives a reason without the name or the sentence that is each post's own."""
    if one.outcome in ("failed", "taken down"):
        return ""
    return "the same picture as a better one" if one.reason.startswith("the same picture as") else one.reason


def _web(address: str) -> str:
    return address if address.startswith(("https://", "http://")) else ""
