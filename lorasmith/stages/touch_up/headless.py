"""touch-up's faceless and head-out: for pictures that are to teach the body and its clothes, and no face."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.stages.touch_up.erase import How, without
from lorasmith.stages.touch_up.work import BOX, Done, Work, numbers_of, sides_of

if TYPE_CHECKING:
    import numpy as np

    from lorasmith.imaging.crop import Box
    from lorasmith.tags.touched import Ended

_MOST_HEAD = 0.5  # of the picture: a portrait without its face shows nothing
_LEAST_LEFT = 0.35  # of the picture under a head that is cut off
_NO_HEAD = "no head was found surely enough; give its box"
_BLANK = How(prompt="faceless, no face, no eyes, no mouth, blank face", negative="eyes, mouth, nose, face", denoise=0.5)


def check_faceless(arguments: str) -> None:
    """Demands nothing, the word cover, a box of the head, or both."""
    rest = arguments.removeprefix("cover").strip()
    if rest and not re.fullmatch(BOX, rest):
        raise UsageError(
            "faceless stands alone, or with cover, or with the head's left, top, right and bottom in pixels, such as "
            f"faceless 120,40,300,210, not with '{arguments}'."
        )


def check_head_out(arguments: str) -> None:
    """Demands nothing, or a box of the head."""
    if arguments and not re.fullmatch(BOX, arguments):
        raise UsageError(
            f"head-out stands alone, or with the head's left, top, right and bottom in pixels, not with '{arguments}'."
        )


def faceless(work: Work, arguments: str) -> Done | str:
    """Smooths the face over, or with `cover` paints the whole head over with the colour round it."""
    from PIL import Image

    from lorasmith.imaging.faceless import cover_head, face_of, head_of, smooth_face
    from lorasmith.imaging.parts import head_by_eyes
    from lorasmith.tags.touched import after_faceless

    covered = arguments.startswith("cover")
    mask, head = _head_of(work, arguments)
    if head is None:
        return _NO_HEAD
    if not covered and not numbers_of(arguments):  # round the eyes, where they are seen: horns, ears and hair are no face
        head = head_by_eyes(work.image, mask, head) or head
    if head.share_of(work.image.size) > _MOST_HEAD:
        return "it shows hardly more than the head"
    hole = head_of(mask, head) if covered else face_of(mask, head)
    work.image = cover_head(work.image, mask, head) if covered else smooth_face(work.image, mask, head)
    if work.renderer is not None and hole.any():
        how = replace(_BLANK, prompt="no humans, background") if covered else _BLANK
        how = replace(how, seed=work.choice.how.seed)
        work.image = without(work.image, Image.fromarray(hole), how, work.renderer, lambda progress: None)
    return Done({"head": sides_of(head)}, work.end(after_faceless(work.tags, covered, work.danbooru)))


def head_out(work: Work, arguments: str) -> Done | str:
    """Cuts the picture off under the head."""
    from lorasmith.imaging.crop import Box, cut
    from lorasmith.tags.touched import after_faceless

    _, head = _head_of(work, arguments)
    if head is None:
        return _NO_HEAD
    left = Box(0, head.bottom, *work.image.size)
    if left.share_of(work.image.size) < _LEAST_LEFT:
        return "too little of the picture lies under the head"
    work.image = cut(work.image, left)
    return Done({"box": sides_of(left)}, work.end(after_faceless(work.tags, True, work.danbooru)))


def still_said(project: Project, picture: Picture, tags: Iterable[str]) -> "Ended | None":
    """Says which of some tags a picture can still have, when its face or head was taken away here; None when none was.

    A tagger guesses eyes and ears where none are left, and a crop of such a picture is as headless as the picture.
    """
    from lorasmith.tags.boards import vocabulary_of
    from lorasmith.tags.touched import after_faceless

    steps, one = list[str](), picture
    while one.parent:
        steps += [str(step.get("step", "")) for step in (one.operation or {}).get("steps", ())]
        one = project.pictures.get(one.parent)
    taken = [step for step in steps if step.startswith(("faceless", "head-out"))]
    if not taken:
        return None
    site = str(picture.post.get("site") or "")
    headless = any(step.startswith(("faceless cover", "head-out")) for step in taken)
    return after_faceless(tags, headless, bool(site) and vocabulary_of(site) == "danbooru")


def _head_of(work: Work, arguments: str) -> "tuple[np.ndarray[Any, Any], Box | None]":
    """Gives the character's mask and the head's box: the one that a person gave, else the one that is found."""
    from lorasmith.imaging.crop import Box

    mask = work.mask()
    typed = numbers_of(arguments)
    if not typed:
        return mask, work.head(mask)
    box = Box(*typed).inside(work.image.size)
    return mask, box if box.area else None
