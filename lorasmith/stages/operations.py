"""The operations of touch-up, a row each: what it needs to be told, what it does to a picture, and which tags it ends."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    from lorasmith.imaging.marks import Mark
    from lorasmith.rendering.prompt import Renderer

WRITING = {"signature", "watermark", "text"}
REPEATED = "repeated"  # the same mark at the same place of several pictures
KINDS = ("signature", "watermark", "text", "bubble", REPEATED)
GROUNDS = ("blur", "white", "grey", "pink")
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_NEAR = 26.0  # distance in CIE Lab within which a pixel has the colour that is to be turned
_LEAST = 0.0005  # share of the picture under which there is nothing to turn
_SURE_SPLIT = 0.6


@dataclass
class Work:
    """A picture on its way through the steps, and what is known of it."""

    image: "PIL.Image.Image"
    tags: tuple[str, ...]
    sure: float = 0.6
    renderer: "Renderer | None" = None
    brought: tuple[str, ...] = ()
    parts: list[tuple[int, int, int, int]] = field(default_factory=list)
    repeated: "Sequence[Mark]" = ()  # marks that the set has many times, on the picture as it was before all steps


@dataclass(frozen=True)
class Done:
    """What a step did: facts for the record, and the tags it ended, each with the reason."""

    facts: dict[str, Any]
    dropped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One operation: how it is written, a check of its arguments, and what it does (None: nothing to do here)."""

    usage: str
    check: Callable[[str], None]
    do: Callable[[Work, str], Done | None]


def _erase(work: Work, arguments: str) -> Done | None:
    """Erases the marks that are found of the kinds asked for."""
    from lorasmith.imaging.marks import find_marks, mask_of
    from lorasmith.stages.erase import How, without

    wanted = _kinds(arguments)
    found = find_marks(work.image, frozenset(work.tags))
    marks = [mark for mark in found if mark.kind in wanted and mark.confidence >= work.sure]
    if REPEATED in wanted:  # what is on many pictures at one place is no chance find
        marks += [mark for mark in work.repeated if mark not in marks]
    if not marks:
        return None
    from lorasmith.tags.touched import after_erasing

    hole = mask_of(marks, work.image)
    if hole.getbbox() is None:
        return None
    work.image = without(work.image, hole, How(), work.renderer, lambda progress: None)
    kinds: set[str] = {mark.kind for mark in marks}
    left: set[str] = {mark.kind for mark in found if mark not in marks}
    if kinds & WRITING and not left & WRITING:
        kinds |= WRITING  # whatever kind of writing it was taken for: none is left
    ended = after_erasing(work.tags, kinds, left)
    work.tags = ended.left
    told = [{"kind": mark.kind, "words": mark.words, "sure": mark.confidence, "box": _box(mark.box)} for mark in marks]
    by = "OpenCV" if work.renderer is None else type(work.renderer).__name__
    return Done({"marks": told, "by": by}, ended.dropped)


def _trim(work: Work, arguments: str) -> Done | None:
    """Cuts a plain border off."""
    from lorasmith.imaging.borders import find_border
    from lorasmith.imaging.crop import cut
    from lorasmith.tags.touched import after_erasing

    inside = find_border(work.image)
    if inside is None or not inside.area:
        return None
    work.image = cut(work.image, inside)
    ended = after_erasing(work.tags, ["border"])
    work.tags = ended.left
    return Done({"box": _box(inside)}, ended.dropped)


def _crop(work: Work, arguments: str) -> Done | None:
    """Cuts to a box that a person has drawn, as far as it lies on the picture."""
    from lorasmith.imaging.crop import Box, cut

    box = Box(*_numbers(arguments)).inside(work.image.size)
    if not box.area or box.area == work.image.width * work.image.height:
        return None
    work.image = cut(work.image, box)
    return Done({"box": _box(box)})


def _numbers(arguments: str) -> list[int]:
    return [int(word) for word in re.findall(r"-?\d+", arguments)]


def _background(work: Work, arguments: str) -> Done | None:
    """Blurs the ground, or puts the character on a plain one."""
    from lorasmith.imaging.backgrounds import with_background
    from lorasmith.imaging.masks import character_mask
    from lorasmith.tags.touched import after_background

    mask = character_mask(work.image)
    share = float((mask > 0).mean())
    if not 0.01 < share < 0.98:
        return None  # no character was found, or nothing but one
    work.image = with_background(work.image, mask, arguments)  # type: ignore[arg-type]
    ended = after_background(work.tags, arguments)
    work.tags, work.brought = ended.left, ended.brought
    return Done({"character": round(share, 3)}, ended.dropped)


def _recolour(work: Work, arguments: str) -> Done | None:
    """Turns one colour of the character into another; its shades go along."""
    from PIL import ImageColor

    from lorasmith.imaging.recolour import recolour

    old, new = (ImageColor.getrgb(colour)[:3] for colour in arguments.split())
    region = _region_of(work.image, old)
    share = float((region > 0).mean())
    if share < _LEAST:
        return None
    work.image = recolour(work.image, region, new)
    return Done({"share": round(share, 4)})


def _region_of(image: "PIL.Image.Image", colour: tuple[int, ...]) -> "np.ndarray[Any, Any]":
    """Masks the pixels of the character that have a colour or a shade of it."""
    import cv2
    import numpy as np

    from lorasmith.imaging.masks import character_mask

    pixels = np.asarray(image.convert("RGB"))
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    wanted = cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    apart = (lab - wanted) * np.array([0.5, 1.0, 1.0], np.float32)  # shades of one colour differ in lightness first
    near = (np.linalg.norm(apart, axis=2) < _NEAR) & (character_mask(image) > 0)
    return cv2.GaussianBlur(near.astype(np.uint8) * 255, (3, 3), 0)


def _split(work: Work, arguments: str) -> Done | None:
    """Finds the panels of a page, or the figures of a sheet, each to become a picture of its own."""
    from lorasmith.imaging.masks import character_mask
    from lorasmith.imaging.panels import figures, panels

    found = panels(work.image) if arguments == "panels" else figures(work.image, character_mask(work.image))
    if len(found.boxes) < 2 or found.confidence < max(work.sure, _SURE_SPLIT):
        return None
    work.parts = [(box.left, box.top, box.right, box.bottom) for box in found.boxes]
    return Done({"parts": len(found.boxes), "sure": round(found.confidence, 2), "changes": False})


def _box(box: Any) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def _kinds(arguments: str) -> list[str]:
    return [word for word in arguments.replace(",", " ").split() if word]


def _check_kinds(arguments: str) -> None:
    kinds = _kinds(arguments)
    if not kinds or any(kind not in KINDS for kind in kinds):
        raise UsageError(f"erase what? Write erase and one or more of {', '.join(KINDS)}, not '{arguments}'.")


def _check_ground(arguments: str) -> None:
    if arguments not in GROUNDS:
        raise UsageError(f"Which background? Write background and one of {', '.join(GROUNDS)}, not '{arguments}'.")


def _check_colours(arguments: str) -> None:
    words = arguments.split()
    if len(words) != 2 or not all(_COLOUR.fullmatch(word) for word in words):
        raise UsageError(f"recolour takes two colours such as #30a040 #2050ff, the old and the new one, not '{arguments}'.")


def _check_split(arguments: str) -> None:
    if arguments not in ("panels", "figures"):
        raise UsageError(f"Split into what? Write split panels or split figures, not '{arguments}'.")


def _check_box(arguments: str) -> None:
    if not re.fullmatch(r"-?\d+(\s*[, ]\s*-?\d+){3}", arguments):
        raise UsageError(f"crop takes left, top, right and bottom in pixels, such as crop 10,20,500,600, not '{arguments}'.")


def _check_nothing(arguments: str) -> None:
    if arguments:
        raise UsageError(f"trim takes nothing more, not '{arguments}'.")


OPERATIONS: dict[str, Step] = {
    "erase": Step("erase signature,watermark,text,bubble,repeated", _check_kinds, _erase),
    "trim": Step("trim (a border)", _check_nothing, _trim),
    "crop": Step("crop LEFT,TOP,RIGHT,BOTTOM", _check_box, _crop),
    "background": Step("background blur|white|grey|pink", _check_ground, _background),
    "recolour": Step("recolour #old #new", _check_colours, _recolour),
    "split": Step("split panels|figures", _check_split, _split),
}
