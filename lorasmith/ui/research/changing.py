"""What a person changes on the Research page: each is one step of the history."""

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.results import plain
from lorasmith.settings.tables import DownloadSettings
from lorasmith.settings.toml import SITE
from lorasmith.stages.research.profile_table import put_in_class
from lorasmith.stages.research.sheet_text import SheetChangedError, save_sheet
from lorasmith.stages.research.site import query_of
from lorasmith.ui.research.asking import settings_for, wished

_MOST = 100_000  # of a score either way


def change(project: Project, what: str, body: Any) -> Response:
    """Does what a person asked for; a sheet that was changed meanwhile comes back with the answer."""
    if what not in _CHANGES:
        raise UsageError(f"The Research page cannot do '{what}'.")
    try:
        return JSONResponse(_CHANGES[what](project, body))
    except SheetChangedError as error:
        return JSONResponse({"error": str(error), "now": plain(error.now)}, 409)


def _search(project: Project, body: Any) -> dict[str, Any]:
    """Writes the search to the settings that research and download share."""
    settings = settings_for(project, body)
    built = query_of(project, settings)
    project.write_settings({SITE: wished(body)}, f"the search: {built}"[:120])
    return {"built": built}


def _min_score(project: Project, body: Any) -> dict[str, Any]:
    value = body.get("value")
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MOST:
        raise UsageError(f"A minimum score is a whole number from {-_MOST} to {_MOST}.")
    project.settings(DownloadSettings, {"min_score": value})
    project.write_settings({"download": {"min_score": value}}, f"minimum score {value}")
    return {"now": value}


def _class(project: Project, body: Any) -> dict[str, Any]:
    put_in_class(project, str(body.get("tag", "")), str(body.get("cls", "")))
    return {"moved": True}


def _sheet(project: Project, body: Any) -> dict[str, Any]:
    text, version = body.get("text"), body.get("version")
    if not isinstance(text, str) or not isinstance(version, str):
        raise UsageError("Send text and version.")
    return plain(save_sheet(project, text, version))


_CHANGES: dict[str, Callable[[Project, Any], dict[str, Any]]] = {
    "search": _search, "min-score": _min_score, "class": _class, "sheet": _sheet,
}  # fmt: skip
