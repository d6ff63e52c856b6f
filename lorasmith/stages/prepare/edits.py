"""How an edit is put down: its file, its row, and the tags that are still on it; the same for every stage that makes one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.files import write_atomic
from lorasmith.project.pictures import PERSON, TAGGER, Picture, Tag, facts_of
from lorasmith.project.project import Project

if TYPE_CHECKING:
    import PIL.Image

Left = Callable[[Mapping[str, Tag]], Iterable[str]]  # a source's tags by name -> the names of those that still hold


def add_edit(  # noqa: PLR0913 - all that an edit is
    project: Project, source: Picture, operation: Mapping[str, Any], image: "PIL.Image.Image", left: Left = list,
    brought: Sequence[str] = (), painted: "PIL.Image.Image | None" = None,
) -> Picture:  # fmt: skip
    """Adds a picture made from another one, the tags that making it brought, and the mask that a person painted for it.

    A tagger's tags are not taken over: it will look at the edit itself.
    """
    from lorasmith.imaging.read import png_of

    name = _put_down(project, source, png_of(image), None if painted is None else png_of(painted))
    path = project.edits / f"{name}.png"
    facts = facts_of(project.folder, path, image.size)
    edit = Picture(name, origin="edit", parent=source.name, operation=operation, post=source.post, **facts)
    by_source: dict[str, dict[str, Tag]] = {}
    for tag in project.pictures.tags(source.name):
        if not tag.source.startswith(TAGGER):
            by_source.setdefault(tag.source, {})[tag.tag] = tag
    said = next((said_by for said_by in by_source if said_by != PERSON), "sidecar")  # who says what was brought
    by_source.setdefault(said, {})
    with project.transaction():
        project.pictures.add(edit)
        for said_by, tags in by_source.items():
            names = dict.fromkeys((*left(tags), *(brought if said_by == said else ())))
            kept = [tags.get(each, Tag(each, "general", said_by)) for each in names]
            project.pictures.set_tags(name, said_by, kept)
    return edit


def _put_down(project: Project, source: Picture, picture: bytes, painted: bytes | None) -> str:
    """Writes the files of an edit under the next name whose files are not there, or hold these very bytes; gives the name.

    What was undone may be redone, and needs its files as they were; what a killed run wrote is found again.
    """
    root, _, first = project.pictures.next_edit_name(source.name).rpartition(".")
    name = next(name for number in count(int(first)) if _is_free(project, name := f"{root}.{number}", picture, painted))
    for path, content in ((mask_file(project, name), painted), (project.edits / f"{name}.png", picture)):
        if content is not None and not path.exists():
            write_atomic(path, content)
    return name


def _is_free(project: Project, name: str, picture: bytes, painted: bytes | None) -> bool:
    file, mask = project.edits / f"{name}.png", mask_file(project, name)
    if file.exists() and file.read_bytes() != picture:
        return False
    return not mask.exists() or mask.read_bytes() == painted


def mask_file(project: Project, name: str) -> Path:
    """Gives where the mask lies that a person painted for an edit."""
    return project.edits / f"{name}.mask.png"
