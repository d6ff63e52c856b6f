"""touch-up's colours: one part of the character turned into another colour, transparency laid on a chosen one."""

import re
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.stages.touch_up.work import Done, Work

if TYPE_CHECKING:
    import numpy as np

Rgb = tuple[int, int, int]
PARTS = ("eyes", "nose", "fur", "hair")
_ASK_COLOUR = ("hair",)  # parts that are not found by their shape
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_LEAST = 0.0005  # share of the picture under which there is nothing to turn
_LEAST_PART = 0.00005  # the same where a part was looked for: a nose is small
_SEEN_THROUGH = 0.001  # share of a picture that is transparent
_MUCH = 0.15  # the same where the ground is


def check_colours(arguments: str) -> None:
    """Demands a part, or an old colour, or both, and the new colour."""
    words = arguments.split()
    part = words[0] if words and words[0] in PARTS else ""
    colours = words[1:] if part else words
    if not all(_COLOUR.fullmatch(word) for word in colours) or len(colours) not in ((1, 2) if part else (2,)):
        raise UsageError(
            "recolour takes two colours such as #30a040 #2050ff, the old and the new one, or a part "
            f"({', '.join(PARTS)}) and its new colour, such as eyes #2050ff, not '{arguments}'."
        )
    if part in _ASK_COLOUR and len(colours) == 1:
        raise UsageError(f"Where the {part} is, only its colour tells: write recolour {part} #old #new.")


def recolour_part(work: Work, arguments: str) -> Done | str | None:
    """Turns one colour, or one part, of the character into another colour; its shades go along."""
    from lorasmith.imaging.recolour import recolour
    from lorasmith.stages.touch_up.erase import How, without
    from lorasmith.tags.touched import after_recolouring

    words = arguments.split()
    part = words.pop(0) if words[0] in PARTS else ""
    new = _rgb(words[-1])
    region = _region_of(work, part, _rgb(words[0]) if len(words) == 2 else None)
    if region is None:
        return f"{part} not found surely enough" + ("" if len(words) == 2 else f": recolour {part} #old {words[0]} may help")
    share = float((region > 0).mean())
    if share < (_LEAST_PART if part else _LEAST):
        return "nothing has that colour"
    work.image = recolour(work.image, region, new)
    if work.renderer is not None:  # drawn again by the model, lightly, so that edges and shine fit the new colour
        from PIL import Image

        how = How(prompt=part, negative="", denoise=0.35, seed=work.choice.how.seed)
        work.image = without(work.image, Image.fromarray(region).point(lambda value: 255 * (value > 127)), how, work.renderer,
                             lambda progress: None)  # fmt: skip
    ended = work.end(after_recolouring(work.tags, part, new)) if part else {}
    return Done({"share": round(share, 5)}, ended)


def _region_of(work: Work, part: str, old: Rgb | None) -> "np.ndarray[Any, Any] | None":
    from lorasmith.imaging.crop import character_box
    from lorasmith.imaging.parts import coloured, find_part

    mask = work.mask()
    if not part:
        assert old is not None
        return coloured(work.image, mask, old)
    head = None if part == "fur" else work.head(mask)
    if head is None and old is not None:
        head = character_box(mask, 0.0)  # its colour tells alone
    return find_part(work.image, mask, head, part, old)  # type: ignore[arg-type]


def check_flatten(arguments: str) -> None:
    """Demands a colour by name or by its number."""
    from lorasmith.tags.touched import PLAIN_GROUNDS

    if arguments not in PLAIN_GROUNDS and not _COLOUR.fullmatch(arguments):
        raise UsageError(
            f"On which colour? Write flatten and one of {', '.join(PLAIN_GROUNDS)} or a colour such as #80a0c0, not '{arguments}'."
        )


def flatten_alpha(work: Work, arguments: str) -> Done | str:
    """Lays what is transparent in the file on a colour."""
    from lorasmith.imaging.backgrounds import GROUNDS
    from lorasmith.imaging.read import open_picture, transparent_share
    from lorasmith.tags.touched import after_flattening

    share = 0.0 if work.file is None else transparent_share(work.file)
    if work.file is None or share < _SEEN_THROUGH:
        return "nothing in it is transparent"
    work.image = open_picture(work.file, ground=GROUNDS.get(arguments) or _rgb(arguments))
    ended = work.end(after_flattening(work.tags, arguments)) if share >= _MUCH else {}
    return Done({"transparent": round(share, 3)}, ended)


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
