"""The pictures behind those that are trained on: what is said of a crop is said of them too, so that one made anew has it."""

from collections.abc import Collection, Iterator

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project


def pictures_behind(project: Project, chosen: Collection[str]) -> list[str]:
    """Names the originals and versions, not trained on themselves, that the chosen pictures stand for.

    A page in parts is meant where all its parts are; a close-up beside a crop shows a detail and does not speak for what
    is behind both.
    """
    trained = project.pictures.trained()
    seen, known = {picture.name for picture in trained}, {picture.name: picture for picture in project.pictures.all()}
    wanted = set(chosen)
    stand: dict[str, set[str]] = {}
    details: dict[str, set[str]] = {}
    for picture in trained:
        for name, whole in _ancestors(picture, known, seen):
            (stand if whole else details).setdefault(name, set()).add(picture.name)
    return [name for name in stand | details if (stand.get(name) or details[name]) <= wanted]


def _ancestors(picture: Picture, known: dict[str, Picture], seen: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yields what a picture was made from, step by step, and whether it takes the place of that."""
    whole, parent = picture.replaces_parent, known.get(picture.parent or "")
    while parent is not None and parent.name not in seen:
        yield parent.name, whole
        whole, parent = whole and parent.replaces_parent, known.get(parent.parent or "")
