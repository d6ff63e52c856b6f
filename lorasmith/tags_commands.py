"""The commands under `lorasmith tags`: edit, count and look over the tags of a project's pictures, and its caption sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

Folder = Annotated[Path, Parameter(help="the project folder")]
Where = Annotated[
    str,
    Parameter(help="the pictures meant: 'smile AND NOT closed_eyes', 'score(smile)>0.3 -smile', group:mouth, is:head; left out: all"),
]


def tags_app(sort_key: int) -> App:
    """Builds the sub-commands."""
    app = App(name="tags", help="Edit, count and look over tags and captions.", sort_key=sort_key)
    commands: tuple[Callable[..., Any], ...] = (count, edit)
    for place, command in enumerate(commands):
        app.command(command, sort_key=place)
    return app


def count(folder: Folder, *, where: Where = "") -> Any:
    """Count the tags of the pictures that are trained on."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag_index import count_tags

    with Project.open(folder, writing=False) as project:
        return count_tags(project, where)


def edit(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    action: Annotated[str, Parameter(help="add, remove, replace, rename, regex, dedupe, first, last or sort")],
    *words: Annotated[str, Parameter(help="its tags: 'add TAG …', 'replace OLD NEW', 'regex PATTERN NEW'", allow_leading_hyphen=True)],
    where: Where = "",
    set: Annotated[str, Parameter(help="the caption set, for first, last and sort; left out: the one under [tag]")] = "",
    preview: Annotated[bool, Parameter(help="only show what would change", negative="")] = False,
    show: Annotated[int, Parameter(help="pictures listed; 0 lists all")] = 40,
) -> Any:
    """Edit the tags of many pictures: what would change is shown first with --preview; undo takes an edit back."""
    from lorasmith.project.project import Project
    from lorasmith.stages.edit_tags import TagEdit, edit_tags

    with Project.open(folder, writing=not preview) as project:
        return edit_tags(project, TagEdit(action, words, where, set), preview=preview, shown=show)
