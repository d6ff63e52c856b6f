"""The operations of touch-up, a row each: what it needs to be told, what it does to a picture, and which tags it ends."""

import re
from collections.abc import Sequence

from lorasmith.errors import UsageError
from lorasmith.settings.stage import unknown_name
from lorasmith.stages.touch_up.colouring import check_colours, check_flatten, flatten_alpha, recolour_part
from lorasmith.stages.touch_up.erasing import KINDS, REPEATED, check_kinds, erase_marks
from lorasmith.stages.touch_up.headless import check_faceless, check_head_out, faceless, head_out
from lorasmith.stages.touch_up.work import BOX, Done, Step, Work, numbers_of, sides_of, words_of

GROUNDS = ("blur", "white", "grey", "pink")
AGAIN = ("again", "redo")  # no operation on a picture: the last erasing another time
_SURE_SPLIT = 0.6


def _trim(work: Work, arguments: str) -> Done | str:
    """Cuts a plain border off."""
    from lorasmith.imaging.borders import find_border
    from lorasmith.imaging.crop import cut
    from lorasmith.tags.touched import after_erasing

    inside = find_border(work.image)
    if inside is None or not inside.area:
        return "there is no plain border"
    work.image = cut(work.image, inside)
    return Done({"box": sides_of(inside)}, work.end(after_erasing(work.tags, ["border"])))


def _crop(work: Work, arguments: str) -> Done | str:
    """Cuts to a box that a person has drawn, as far as it lies on the picture."""
    from lorasmith.imaging.crop import Box, cut

    box = Box(*numbers_of(arguments)).inside(work.image.size)
    if not box.area:
        return "the box lies beside the picture"
    if box.area == work.image.width * work.image.height:
        return "the box is the whole picture"
    work.image = cut(work.image, box)
    return Done({"box": sides_of(box)})


def _background(work: Work, arguments: str) -> Done | str:
    """Blurs the ground, or puts the character on a plain one."""
    from lorasmith.imaging.backgrounds import with_background
    from lorasmith.tags.touched import after_background

    mask = work.mask()
    share = float((mask > 0).mean())
    if not 0.01 < share < 0.98:
        return "no character was found in front of a ground"
    work.image = with_background(work.image, mask, arguments)  # type: ignore[arg-type]
    return Done({"character": round(share, 3)}, work.end(after_background(work.tags, arguments)))


def _split(work: Work, arguments: str) -> Done | str:
    """Finds the panels of a page, or the figures of a sheet, each to become a picture of its own."""
    from lorasmith.imaging.panels import figures, panels

    found = panels(work.image) if arguments == "panels" else figures(work.image, work.mask())
    if len(found.boxes) < 2 or found.confidence < max(work.sure, _SURE_SPLIT):
        return f"no two {arguments} are surely there"
    work.parts = [(box.left, box.top, box.right, box.bottom) for box in found.boxes]
    return Done({"parts": len(found.boxes), "sure": round(found.confidence, 2), "changes": False})


def _check_ground(arguments: str) -> None:
    if arguments not in GROUNDS:
        raise UsageError(f"Which background? Write background and one of {', '.join(GROUNDS)}, not '{arguments}'.")


def _check_split(arguments: str) -> None:
    if arguments not in ("panels", "figures"):
        raise UsageError(f"Split into what? Write split panels or split figures, not '{arguments}'.")


_LEAST_SIDE = 8  # pixels of a crop that is meant


def _check_box(arguments: str) -> None:
    if not re.fullmatch(BOX, arguments):
        raise UsageError(f"crop takes left, top, right and bottom in pixels, such as crop 10,20,500,600, not '{arguments}'.")
    left, top, right, bottom = map(int, re.findall(r"-?\d+", arguments))
    if right - left < _LEAST_SIDE or bottom - top < _LEAST_SIDE:
        raise UsageError(
            f"crop {arguments} leaves {right - left} x {bottom - top} pixels; right must be beyond left and bottom below top, "
            f"by {_LEAST_SIDE} pixels at least."
        )


def _check_nothing(arguments: str) -> None:
    if arguments:
        raise UsageError(f"trim takes nothing more, not '{arguments}'.")


OPERATIONS: dict[str, Step] = {
    "erase": Step(f"erase {','.join(KINDS)}", check_kinds, erase_marks),
    "trim": Step("trim (a border)", _check_nothing, _trim),
    "crop": Step("crop LEFT,TOP,RIGHT,BOTTOM", _check_box, _crop),
    "background": Step("background blur|white|grey|pink", _check_ground, _background),
    "flatten": Step("flatten white|grey|pink|#rrggbb (what is transparent)", check_flatten, flatten_alpha),
    "recolour": Step("recolour [eyes|nose|fur|hair] [#old] #new", check_colours, recolour_part),
    "faceless": Step("faceless [cover] [LEFT,TOP,RIGHT,BOTTOM of the head]", check_faceless, faceless),
    "head-out": Step("head-out (cut it off) [LEFT,TOP,RIGHT,BOTTOM of the head]", check_head_out, head_out),
    "split": Step("split panels|figures", _check_split, _split),
}


def read_steps(words: Sequence[str]) -> list[tuple[Step, str, str]]:
    """Reads the steps (`erase signature,watermark`, `background grey`, …); gives each with its arguments and its words."""
    if not words:
        raise UsageError(f"Say what to do: {'; '.join(each.usage for each in OPERATIONS.values())}; or again.")
    steps = []
    for place, each in enumerate(words):
        name, _, rest = each.strip().partition(" ")
        if name in AGAIN:
            raise UsageError(f"`{name}` stands alone: it makes the last erasing another time, and the steps after it.")
        if name not in OPERATIONS:
            raise UsageError(unknown_name(name, list(OPERATIONS), f"There is no operation '{name}'"))
        OPERATIONS[name].check(rest.strip())
        if place and name == "flatten":
            raise UsageError("`flatten` must be the first step: nothing is transparent any more after another one.")
        if place and name == "erase" and REPEATED in words_of(rest):
            raise UsageError("`erase repeated` must be the first step: it looks at the pictures as they are before all others.")
        steps.append((OPERATIONS[name], rest.strip(), each.strip()))
    if sum(step is OPERATIONS["split"] for step, _, _ in steps) > 1:
        raise UsageError("One split at a time: the steps after it are done to each part; split the parts by another touch-up.")
    return steps
