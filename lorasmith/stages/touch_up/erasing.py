"""touch-up's erase: the marks that are found, less those that a person leaves, and what a person boxes or paints."""

from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.stages.touch_up.erase import without
from lorasmith.stages.touch_up.work import Done, Work, sides_of, words_of

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.marks import Mark

WRITING = {"signature", "watermark", "text"}
REPEATED = "repeated"  # the same mark at the same place of several pictures
PAINTED = "mask"  # only what a person boxes or paints
EMANATA = "emanata"
KINDS = ("signature", "watermark", "text", "bubble", EMANATA, REPEATED, PAINTED)


def check_kinds(arguments: str) -> None:
    """Demands one or more kinds of marks."""
    kinds = words_of(arguments)
    if not kinds or any(kind not in KINDS for kind in kinds):
        raise UsageError(f"erase what? Write erase and one or more of {', '.join(KINDS)}, not '{arguments}'.")


def erase_marks(work: Work, arguments: str) -> Done | str:
    """Erases the marks that are found of the kinds asked for, and once what a person boxed or painted."""
    found, marks = marks_of(work, set(words_of(arguments)))
    told = [told_of(work, mark, len(work.marks) + place) for place, mark in enumerate(marks, 1)]
    work.marks += told
    gone = [mark for mark, row in zip(marks, told, strict=True) if row["erased"]]
    hole = _hole(work, gone)
    if hole is None:  # where all that was erased before is to stay, the picture as it was takes the erased one's place
        return Done({"marks": told, "by": "nobody", "area": []}, {}) if work.again and told else _why_nothing(work, told)
    work.image = without(work.image, hole, work.choice.how, work.renderer, lambda progress: None)
    by = "OpenCV" if work.renderer is None else type(work.renderer).__name__
    return Done({"marks": told, "by": by, "area": list(hole.getbbox() or ())}, _ended(work, gone, found))


def _why_nothing(work: Work, told: "list[dict[str, Any]]") -> str:
    if told:
        return "all that was found is to stay"
    return "the box lies beside the picture" if work.choice.boxes else "nothing of the kind was found"


def marks_of(work: Work, wanted: set[str]) -> "tuple[list[Mark], list[Mark]]":
    """Gives all marks that are found on a picture, and those of the wanted kinds that are sure enough, as they are numbered."""
    from lorasmith.imaging.marks import find_marks

    found = find_marks(work.image, frozenset(work.tags), signs=EMANATA in wanted) if wanted - {PAINTED} else []
    marks = [mark for mark in found if mark.kind in wanted and mark.confidence >= work.sure]
    if REPEATED in wanted:  # what is on many pictures at one place is no chance find
        marks += [mark for mark in work.repeated if mark not in marks]
    return found, marks


def told_of(work: Work, mark: "Mark", number: int) -> dict[str, Any]:
    """Gives a mark as a record keeps it."""
    row: dict[str, Any] = {
        "number": number, "kind": mark.kind, "words": mark.words, "sure": mark.confidence, "box": sides_of(mark.box),
    }  # fmt: skip
    if any(mark is one for one in work.repeated):  # only the set knows it: its outline must be told for another time
        row["outline"] = [list(point) for point in mark.outline]
    return row | {"erased": number not in work.choice.without}


def _hole(work: Work, marks: "list[Mark]") -> "PIL.Image.Image | None":
    """Masks the marks, and the first time what a person boxed and painted."""
    from PIL import Image, ImageChops, ImageDraw

    from lorasmith.imaging.marks import mask_of

    hole = mask_of(marks, work.image) if marks else Image.new("L", work.image.size)
    if not work.drawn:
        work.drawn = True
        pen = ImageDraw.Draw(hole)
        for left, top, right, bottom in work.choice.boxes:
            pen.rectangle((left, top, right - 1, bottom - 1), fill=255)
        if work.painted is not None:
            if work.painted.size != work.image.size:
                raise UsageError(
                    f"The mask is {work.painted.size} and the picture is {work.image.size} when it is erased in; "
                    "both must have one size."
                )
            hole = ImageChops.lighter(hole, work.painted)
    return None if hole.getbbox() is None else hole


def _kind_of(mark: "Mark") -> str:
    """Gives what a mark's tags are known by: of emanata the kind of sign."""
    return mark.words if mark.kind == "emanata" else mark.kind


def _ended(work: Work, gone: "list[Mark]", found: "list[Mark]") -> dict[str, str]:
    """Ends the tags of the kinds of marks of which none is left."""
    from lorasmith.tags.touched import after_erasing

    if not gone:
        return {}
    kinds: set[str] = {_kind_of(mark) for mark in gone}
    left: set[str] = {_kind_of(mark) for mark in found if mark not in gone and mark.confidence >= work.sure}  # no mere guesses
    if kinds & WRITING and not left & WRITING:
        kinds |= WRITING  # whatever kind of writing it was taken for: none is left
    return work.end(after_erasing(work.tags, kinds, left))
