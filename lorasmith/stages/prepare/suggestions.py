"""Suggested crops, and a person's word on them: moved and accepted, refused, or the whole picture; every later prepare keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lorasmith.errors import ModelFileError, UsageError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import PERSON, TOUCH_UP, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TrainSettings
from lorasmith.stages.prepare.edits import add_edit

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.crop import Box
    from lorasmith.imaging.finding import Finders
    from lorasmith.imaging.framing import Framing
    from lorasmith.tags.crops import CropKind

Kind = Literal["crop", "head"]
MAKER = "prepare"
HAND = "by hand"  # the maker of crops whose box a person set
PANEL = "panel"
_LEAST_SIDE = 16  # pixels of a crop
_WHOLE: dict[Kind, tuple[str, ...]] = {"crop": ("crop", "resize"), "head": ("head",)}  # what one accepted crop stands in for


@dataclass(frozen=True)
class Suggestion:
    """One box on a picture: what is suggested, or what a person made of it.

    `state` is "suggested" (a crop is made of it), "possible" (nothing is made), "accepted" or "refused".
    """

    box: tuple[int, int, int, int]
    state: str
    edit: str = ""


@dataclass(frozen=True)
class Suggestions:
    """What a page needs to show the boxes of a picture and what training will make of them."""

    name: str
    source: str  # the version that is cropped: the newest one
    file: str
    sha256: str
    width: int
    height: int
    crop: Suggestion | None
    head: Suggestion | None
    buckets: tuple[tuple[int, int], ...]
    max_side: int


def roots_of(project: Project, original: Picture) -> list[Picture]:
    """Gives what is cropped of an original: itself, or the pictures that it was split into."""
    source = project.pictures.newest_version(original.name)
    parts = [edit for edit in project.pictures.edits_of(source.name) if edit.kind == PANEL]
    decisions = project.pictures.decisions_of(part.name for part in parts)
    left = [part for part in parts if part.name not in decisions or decisions[part.name].verdict == "keep"]
    return left or [original]


def root_of(project: Project, name: str) -> Picture:
    """Gives the picture that a version or a crop belongs to: an original, or a part of a split page."""
    picture = project.pictures.get(name)
    while picture.parent is not None and picture.kind != PANEL:
        picture = project.pictures.get(picture.parent)
    return picture


def edits_under(project: Project, root: Picture) -> list[Picture]:
    """Lists the crops, heads and smaller copies of a picture and of its versions, without those of the parts of a split."""
    found: list[Picture] = []
    for edit in project.pictures.edits_of(root.name):
        if edit.kind != PANEL:
            found += [edit, *edits_under(project, edit)]
    return [edit for edit in found if (edit.operation or {}).get("maker") in (MAKER, HAND)]


def words_on(project: Project, root: Picture) -> dict[str, tuple[Picture, str]]:
    """Gives what a person said of a picture's crops: kind -> the edit and the verdict; the newest of a kind counts."""
    edits = edits_under(project, root)
    decisions = project.pictures.decisions_of(edit.name for edit in edits)
    said = [(edit, decisions[edit.name]) for edit in edits if edit.name in decisions]
    said.sort(key=lambda one: int(one[0].name.rpartition(".")[2]))
    return {edit.kind: (edit, word.verdict) for edit, word in said if word.maker == PERSON}


def is_framed_by_hand(project: Project, source: Picture) -> bool:
    """Says whether a person has cut a version to a box (`touch-up "crop …"`): then no narrower crop is suggested."""
    at: Picture | None = source
    while at is not None and at.kind != PANEL:
        steps = (at.operation or {}).get("steps", []) if at.kind == TOUCH_UP else []
        if any(str(step.get("step", "")).startswith("crop ") for step in steps):
            return True
        at = project.pictures.get(at.parent) if at.parent else None
    return False


def moved_by(project: Project, name: str, newer: Picture) -> tuple[int, int]:
    """Gives the pixels that were cut off at the left and the top between a version and a newer one made from it."""
    across = down = 0
    at = newer
    while at.name != name and at.parent is not None:
        for step in (at.operation or {}).get("steps", []) if at.kind == TOUCH_UP else []:
            if str(step.get("step", "")).split(" ")[0] in ("trim", "crop") and "box" in step:
                across, down = across + step["box"][0], down + step["box"][1]
        at = project.pictures.get(at.parent)
    return across, down


def finders_for(settings: PrepareSettings, report: Report = silent, *, offline: bool = False) -> "Finders":
    """Opens what looks at pictures; a model that is not here yet is fetched, told before, unless `offline`."""
    from lorasmith.imaging.finding import Finders

    def tell(sentence: str) -> None:
        report(Progress("prepare", 0, None, sentence))

    return Finders(settings.mask_model, settings.head_model, tell, offline=offline)


def _finders_here(settings: PrepareSettings) -> "Finders":
    """Opens the chosen models when they are on this machine, else what ships: a person may set a box before they are fetched."""
    try:
        return finders_for(settings, offline=True)
    except ModelFileError:
        return finders_for(PrepareSettings())


def look_at(project: Project, source: Picture, finders: "Finders", *, keep: bool = True) -> "Framing":
    """Looks where the character and its head are; a look is kept for the file's content and the models that were asked."""
    from lorasmith.imaging.framing import Framing
    from lorasmith.imaging.read import open_picture

    key = f"look:{source.sha256}{finders.key}"
    known = Framing.from_dict(project.caches.measures(key))
    if known is not None:
        return known
    seen = finders.look(open_picture(project.file_of(source)))
    if keep:
        project.caches.keep_measures(key, seen.to_dict())
    return seen


def suggestions_for(project: Project, name: str, settings: PrepareSettings) -> Suggestions:
    """Gives the boxes of a picture as they stand; changes nothing."""
    from lorasmith.imaging.crop import worth_cropping
    from lorasmith.training.buckets import buckets_of

    root = root_of(project, name)
    source = project.pictures.newest_version(root.name)
    size = (source.width, source.height)
    seen = look_at(project, source, _finders_here(settings), keep=False)
    body = None if seen.body is None else seen.body.grown(settings.margin).inside(size)
    worth = body is not None and settings.crop and worth_cropping(body, size, settings.min_gain)
    crop = None if body is None else Suggestion(_numbers(body), "suggested" if worth else "possible")
    head = None if seen.head is None else Suggestion(_numbers(seen.head.box), "possible")
    return Suggestions(
        root.name, source.name, source.file, source.sha256, *size,
        crop=_as_it_stands(project, root, source, "crop", crop), head=_as_it_stands(project, root, source, "head", head),
        buckets=tuple(buckets_of(project.settings(TrainSettings))), max_side=settings.max_side,
    )  # fmt: skip


def _as_it_stands(
    project: Project, root: Picture, source: Picture, kind: Kind, otherwise: Suggestion | None
) -> Suggestion | None:
    """Gives the box of the edit that there is, with a person's word on it; where there is none, the suggestion."""
    said = words_on(project, root).get(kind)
    live = [edit for edit in edits_under(project, root) if edit.kind == kind and edit.parent == source.name]
    edit = said[0] if said is not None else live[-1] if live else None
    if edit is None or "box" not in (edit.operation or {}) or not _is_as_large(project, edit, source):
        return otherwise
    state = "suggested" if said is None else "accepted" if said[1] == "keep" else "refused"
    left, top, right, bottom = (edit.operation or {})["box"]
    return Suggestion((left, top, right, bottom), state, edit.name)


def _is_as_large(project: Project, edit: Picture, source: Picture) -> bool:
    """Says whether an edit's box fits a version: it was set on a version of the same size."""
    parent = project.pictures.get(edit.parent or "")
    return (parent.width, parent.height) == (source.width, source.height)


def accept(project: Project, name: str, kind: Kind, box: tuple[int, int, int, int], settings: PrepareSettings) -> str:
    """Makes a crop at a person's box, in the place of what was suggested or made before; one entry of the history.

    Gives the new picture's name, or that of the standing one where the box is the same. The whole picture as a crop is `refuse`.
    """
    from lorasmith.imaging.crop import Box, cut, fit_within
    from lorasmith.imaging.read import open_picture

    root = root_of(project, name)
    source = project.pictures.newest_version(root.name)
    wanted = Box(*box).inside((source.width, source.height))
    if min(wanted.width, wanted.height) < _LEAST_SIDE:
        raise UsageError(f"A crop of {wanted.width} x {wanted.height} pixels is too small; {_LEAST_SIDE} a side are the least.")
    if wanted.area == source.width * source.height:
        return refuse(project, name, kind, settings)
    old = [edit for edit in edits_under(project, root) if edit.kind in _WHOLE[kind]]
    word = Decision("keep", PERSON, "a person's box")
    with project.change(HAND, f"{kind} of {root.name}"), project.transaction():
        for edit in old:
            if edit.kind == kind and edit.parent == source.name and (edit.operation or {}).get("box") == _numbers(wanted, list):
                project.pictures.decide(edit.name, word, maker=PERSON)
                return edit.name
        operation = crop_operation(kind, wanted, HAND)
        image = fit_within(cut(open_picture(project.file_of(source)), wanted), settings.max_side)
        made = add_crop(project, source, operation, image)
        for edit in old:
            hand_over_tags(project, edit, made.name)
            project.pictures.trash(edit.name)
        project.pictures.decide(made.name, word, maker=PERSON)
    return made.name


def refuse(project: Project, name: str, kind: Kind, settings: PrepareSettings) -> str:
    """Drops a picture's crop or head crop for good: no later prepare makes one. Gives the name of the dropped edit.

    Where there is none yet it is made and dropped at once: a refusal is a person's word on an edit, and is undone like any other.
    """
    from lorasmith.imaging.crop import Box, cut, fit_within
    from lorasmith.imaging.read import open_picture

    root = root_of(project, name)
    source = project.pictures.newest_version(root.name)
    edits = [edit for edit in edits_under(project, root) if edit.kind == kind]
    with project.change(HAND, f"no {kind} of {root.name}"), project.transaction():
        if not edits:
            shown = getattr(suggestions_for(project, name, settings), kind)
            box = Box(*shown.box) if shown is not None else Box(0, 0, source.width, source.height)
            image = fit_within(cut(open_picture(project.file_of(source)), box), settings.max_side)
            edits = [add_crop(project, source, crop_operation(kind, box, MAKER), image)]
        for edit in edits:
            project.pictures.decide(edit.name, Decision("drop", PERSON, "a person's drop"), maker=PERSON)
    return edits[-1].name


def crop_operation(kind: str, box: "Box | None", maker: str) -> dict[str, Any]:
    """Writes what an edit of prepare is, as its row keeps it."""
    operation: dict[str, Any] = {"kind": kind, "maker": maker, "replaces_parent": kind in ("crop", "resize")}
    if box is not None:
        operation["box"] = _numbers(box, list)
    return operation


def add_crop(project: Project, source: Picture, operation: Mapping[str, Any], image: "PIL.Image.Image") -> Picture:
    """Adds one edit, with the tags of what a crop still shows."""
    from lorasmith.tags.crops import visible

    kind: CropKind = "head" if operation["kind"] == "head" else "body"
    return add_edit(project, source, operation, image, lambda tags: visible(tags, kind))


def hand_over_tags(project: Project, old: Picture, name: str) -> None:
    """Gives an edit that is made anew the tags that a person set on the old one."""
    said = [tag for tag in project.pictures.tags(old.name) if tag.source == PERSON]
    if said:
        project.pictures.set_tags(name, PERSON, said)


def _numbers(box: "Box", form: Any = tuple) -> Any:
    return form((box.left, box.top, box.right, box.bottom))
