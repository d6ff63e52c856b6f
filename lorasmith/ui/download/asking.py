"""What the Download page asks: what would be fetched, what became of each post, and the pictures that are here."""

from collections.abc import Callable
from typing import Any

from lorasmith.project.project import Project
from lorasmith.stages.download.outcomes import Kind, counted, kind_of, read_outcomes
from lorasmith.stages.download.plan import last_plan
from lorasmith.stages.status import last_result
from lorasmith.ui.answering import Words, over_project
from lorasmith.ui.research.asking import number_of

ROWS = 60


def _all(project: Project, words: Words) -> dict[str, Any]:
    """The last plan, the last download, and how many posts had which outcome in each."""
    done = last_result(project, "download")
    return {
        "plan": last_plan(project), "done": {name: value for name, value in done.items() if name != "report"},
        "planned": counted(read_outcomes(project, "plan")), "became": counted(read_outcomes(project, "done")),
    }  # fmt: skip


def _posts(project: Project, words: Words) -> dict[str, Any]:
    """One page of the posts with one outcome for one kind of reason."""
    kind: Kind = "plan" if words.get("of") == "plan" else "done"
    asked = (words.get("outcome", ""), words.get("reason", ""))
    rows = [one for one in read_outcomes(project, kind) if (one.outcome, kind_of(one)) == asked]
    pages = max(1, -(-len(rows) // ROWS))
    page = min(max(1, number_of(words.get("page"))), pages)
    part = rows[(page - 1) * ROWS : page * ROWS]
    return {"rows": [[one.post, one.page, one.reason] for one in part], "total": len(rows), "page": page, "pages": pages}


_ANSWERS: dict[str, Callable[[Project, Words], dict[str, Any]]] = {"all": _all, "posts": _posts}
show = over_project("Download", _ANSWERS)
