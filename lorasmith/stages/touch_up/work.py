"""A picture on its way through the steps of touch-up: what is known of it, what a step is, and what it did."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.stages.touch_up.erase import How

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.crop import Box
    from lorasmith.imaging.finding import Finders
    from lorasmith.imaging.marks import Mark
    from lorasmith.imaging.masks import Mask
    from lorasmith.rendering.prompt import Renderer
    from lorasmith.tags.touched import Ended

Sides = tuple[int, int, int, int]  # left, top, right, bottom in pixels
SURE = 0.6  # marks found less surely are left
BOX = r"-?\d+(\s*[, ]\s*-?\d+){3}"  # left, top, right, bottom as they are typed


@dataclass(frozen=True)
class Choice:
    """What a person says about one erasing: how it is drawn, which marks stay, and what else goes, as the erasing sees it."""

    how: How = How()  # noqa: RUF009 - it is frozen
    without: tuple[int, ...] = ()  # numbers of marks that stay
    boxes: tuple[Sides, ...] = ()  # also erased

    def told(self) -> dict[str, Any]:
        """Gives it as a record keeps it."""
        return {"how": asdict(self.how), "without": list(self.without), "boxes": [list(box) for box in self.boxes]}


def choice_of(told: Mapping[str, Any]) -> Choice:
    """Reads a choice from a record, also one that an erase with a mask left."""
    sides = tuple(tuple(int(side) for side in box) for box in told.get("boxes", ()))
    return Choice(How(**told.get("how", {})), tuple(told.get("without", ())), sides)  # type: ignore[arg-type]


@dataclass
class Work:
    """A picture on its way through the steps, and what is known of it."""

    image: "PIL.Image.Image"
    tags: tuple[str, ...]
    sure: float = SURE
    renderer: "Renderer | None" = None
    danbooru: bool = False  # the words of Danbooru's family rather than e621's
    file: Path | None = None  # what the picture was opened from, as long as no step changed it
    choice: Choice = Choice()  # noqa: RUF009 - it is frozen
    painted: "PIL.Image.Image | None" = None  # white is erased too
    repeated: "Sequence[Mark]" = ()  # marks that the set has many times, on the picture as it was before all steps
    brought: tuple[str, ...] = ()
    parts: list[Sides] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)  # numbered from 1, also those that stay
    finders: "Callable[[], Finders] | None" = None  # the models that the project chose; None: what ships
    again: bool = False  # a step that was done before is done another time
    drawn: bool = False  # the boxes and the mask have been erased
    missed: dict[str, str] = field(default_factory=dict)  # step -> why it could do nothing

    def mask(self) -> "Mask":
        """Finds the character: 255 where it is, uint8 [height, width]."""
        from lorasmith.imaging.masks import character_mask

        return character_mask(self.image) if self.finders is None else self.finders().mask(self.image)

    def head(self, mask: "Mask") -> "Box | None":
        """Finds the head: by the project's detector where one is set and sees it, else by its shape, else by its eyes."""
        from lorasmith.imaging.heads import head_box
        from lorasmith.imaging.parts import head_by_eyes

        seen = None if self.finders is None else self.finders().head(self.image, mask)
        return seen.box if seen else head_box(self.image, mask) or head_by_eyes(self.image, mask)

    def end(self, ended: "Ended") -> dict[str, str]:
        """Takes over what a step left of the tags; gives those that it ended."""
        self.tags = ended.left
        self.brought = tuple(dict.fromkeys(tag for tag in (*self.brought, *ended.brought) if tag in ended.left))
        return ended.dropped


@dataclass(frozen=True)
class Done:
    """What a step did: facts for the record, and the tags it ended, each with the reason."""

    facts: dict[str, Any]
    dropped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One operation: how it is written, a check of its arguments, and what it does.

    Where there is nothing to do it gives None, or in words why it could not be done.
    """

    usage: str
    check: Callable[[str], None]
    do: Callable[[Work, str], Done | str | None]


def sides_of(box: "Box") -> list[int]:
    """Gives a box as a record keeps it."""
    return [box.left, box.top, box.right, box.bottom]


def words_of(arguments: str) -> list[str]:
    """Parts the arguments of a step at commas and spaces."""
    return arguments.replace(",", " ").split()


def numbers_of(arguments: str) -> list[int]:
    """Reads the whole numbers of a step's arguments."""
    return [int(word) for word in re.findall(r"-?\d+", arguments)]
