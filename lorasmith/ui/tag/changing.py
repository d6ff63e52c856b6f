"""What a person changes on the Tag page: each is what a command does, and one step of the history."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.results import plain
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.run import keep_settings
from lorasmith.stages.tag.consolidate import Wanted, consolidate, set_outfit
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.ui.tag.asking import place_of_fault, wished

PREVIEWS = ("preview", "outfit-preview")  # these write nothing and need no lock
_MOST_LISTED = 300  # pictures of a difference that are shown
_MOST_WORDS = 1000
_MOST_PICTURES = 20_000


def is_preview(what: str) -> bool:
    """Says whether a question of the page only tells what would change."""
    return what in PREVIEWS


def change(project: Project, what: str, body: Any) -> Response:
    """Does what a person asked for, or says what it would do."""
    if what not in _CHANGES:
        raise UsageError(f"The Tag page cannot do '{what}'.")
    try:
        return JSONResponse(plain(_CHANGES[what](project, body)))
    except UsageError as error:
        return JSONResponse({"error": str(error)} | place_of_fault(str(error), str(body.get("where", ""))), 400)


def _edit(project: Project, body: Any, *, preview: bool = False) -> Any:
    edit = TagEdit(
        _text(body, "action"), _texts(body, "words", _MOST_WORDS), _text(body, "where"), _text(body, "set"),
        _texts(body, "pictures", _MOST_PICTURES),
    )  # fmt: skip
    return edit_tags(project, edit, preview=preview, shown=_MOST_LISTED)


def _consolidate(project: Project, body: Any) -> Any:
    wanted = Wanted(_texts(body, "core", _MOST_WORDS), _texts(body, "leave", _MOST_WORDS), body.get("none") is True)
    return consolidate(project, wanted, _text(body, "set"))


def _outfit(project: Project, body: Any, *, preview: bool = False) -> Any:
    return set_outfit(project, _text(body, "outfit"), _texts(body, "words", _MOST_WORDS), _text(body, "set"), preview=preview)


def _threshold(project: Project, body: Any) -> Any:
    """Writes a threshold to lorasmith.toml, as the form does."""
    flags = wished(project.settings(TagSettings), body)
    keep_settings(Path(project.folder), "tag", flags)
    return {"kept": flags}


def _text(body: Any, name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"Send {name} as a text.")
    return value


def _texts(body: Any, name: str, most: int) -> tuple[str, ...]:
    values = body.get(name, [])
    if not isinstance(values, list) or len(values) > most or not all(isinstance(value, str) for value in values):
        raise UsageError(f"Send {name} as a list of texts, {most} at the most.")
    return tuple(values)


_CHANGES: dict[str, Callable[[Project, Any], Any]] = {
    "edit": _edit,
    "preview": lambda project, body: _edit(project, body, preview=True),
    "consolidate": _consolidate,
    "outfit": _outfit,
    "outfit-preview": lambda project, body: _outfit(project, body, preview=True),
    "threshold": _threshold,
}
