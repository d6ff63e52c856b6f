"""What the page asks and says of a picture's crop and head: the boxes as they stand, and a person's word on them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import RefusedError, UsageError
from lorasmith.project.pictures import REFUSED
from lorasmith.project.project import Project
from lorasmith.results import plain
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.prepare.suggestions import Kind, accept, refuse, root_of, suggestions_for
from lorasmith.ui import html
from lorasmith.ui.answering import fresh
from lorasmith.ui.context import Context

_KINDS: dict[str, Kind] = {"crop": "crop", "head": "head"}
_VERDICTS = ("accept", "refuse", "whole")
_FARTHEST = 1_000_000  # pixels; what lies farther out is no place on a picture


def show(context: Context, request: Request, body: Any) -> Response:
    """Gives the boxes of a picture, where it is shown, and the buckets that a crop can fall into."""
    asked = request.query_params
    id = asked.get("project", "")
    with Project.open(context.projects.folder_of(id), writing=False) as project:
        name = asked.get("name", "")
        demand_allowed(project, name)
        found = suggestions_for(project, name, project.settings(PrepareSettings))
    content = plain(found) | {
        "large": html.file_address(id, found.file),
        "small": html.thumbnail_address(id, found.file, 1024, found.sha256),
    }
    return fresh(content)


def decide(project: Project, body: Any) -> Response:
    """Does what a person said; gives the name of the picture that was made or dropped."""
    kind, verdict, name = body.get("kind"), body.get("verdict"), body.get("name")
    if kind not in _KINDS or verdict not in _VERDICTS or not isinstance(name, str):
        raise UsageError("Send name, kind (crop or head) and verdict (accept with a box, refuse, or whole).")
    demand_allowed(project, name)
    settings = project.settings(PrepareSettings)
    if verdict == "accept":
        made = accept(project, name, _KINDS[kind], _box(body.get("box")), settings)
    else:
        made = refuse(project, name, "crop" if verdict == "whole" else _KINDS[kind], settings)
    word = project.pictures.decisions_of([made])[made]
    return JSONResponse({"name": made, "refused": word.verdict == "drop"})


def _box(given: Any) -> tuple[int, int, int, int]:
    if (
        not isinstance(given, list) or len(given) != 4
        or not all(isinstance(edge, int) and not isinstance(edge, bool) and abs(edge) < _FARTHEST for edge in given)
    ):  # fmt: skip
        raise UsageError("Send box as four whole numbers: left, top, right, bottom.")
    left, top, right, bottom = given
    return left, top, right, bottom


def demand_allowed(project: Project, name: str) -> None:
    """Raises for a picture that safety refused, in the trash, or not there."""
    if project.pictures.get(name).trashed:
        raise UsageError(f"{name} is in the trash; undo what put it there, or choose another picture.")
    said = project.pictures.decisions_of({name, root_of(project, name).name, name.split(".")[0]})
    if any(word.maker == REFUSED for word in said.values()):
        raise RefusedError(f"{name} is refused by the safety rules; it is not worked on.")
