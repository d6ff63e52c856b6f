"""The pictures behind those that are trained on: what is said of a crop is said of them too, so that one made anew has it."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project


class Behind:
    """Which originals and versions, not trained on themselves, stand behind those that are trained on; `pictures` lists them.

    Read once for a whole edit: asked picture by picture, a project of 10,000 would be read 10,000 times.
    """

    def __init__(self, trained: Sequence[Picture], known: Mapping[str, Picture]) -> None:
        seen = {picture.name for picture in trained}
        self._of: dict[str, list[str]] = {}
        stand: dict[str, set[str]] = {}
        details: dict[str, set[str]] = {}
        for picture in trained:
            for name, whole in _ancestors(picture, known, seen):
                (stand if whole else details).setdefault(name, set()).add(picture.name)
                self._of.setdefault(picture.name, []).append(name)
        self._wanted = details | stand  # behind -> all that must be chosen, so that it is meant
        self.pictures = [known[name] for name in self._wanted]

    @classmethod
    def of(cls, project: Project) -> "Behind":
        """Reads it off a project as it is now."""
        return cls(project.pictures.trained(), {picture.name: picture for picture in project.pictures.all()})

    def meant_by(self, chosen: Collection[str]) -> list[str]:
        """Names those that the chosen pictures stand for.

        A page in parts is meant where all its parts are; a close-up beside a crop shows a detail and does not speak for what
        is behind both.
        """
        asked = set(chosen)
        near = dict.fromkeys(name for each in chosen for name in self._of.get(each, ()))
        return [name for name in near if self._wanted[name] <= asked]


def _ancestors(picture: Picture, known: Mapping[str, Picture], seen: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yields what a picture was made from, step by step, and whether it takes the place of that."""
    whole, parent = picture.replaces_parent, known.get(picture.parent or "")
    while parent is not None and parent.name not in seen:
        yield parent.name, whole
        whole, parent = whole and parent.replaces_parent, known.get(parent.parent or "")
