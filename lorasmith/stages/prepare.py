"""prepare: crops to the character, head crops and sizes, each as a new picture; originals stay untouched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import PERSON, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TrainSettings
from lorasmith.stages.edits import add_edit

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.crop import Box
    from lorasmith.tags.crops import CropKind

MAKER = "prepare"
_MUCH_LOST, _MUCH_ENLARGED, _MOST_TOLD = 0.1, 1.5, 20
_HEAD_GAIN = 0.4  # a head crop that keeps more of the picture than the rest would be the same picture again


@dataclass(frozen=True)
class Prepared:
    """What prepare made."""

    pictures: int  # originals that are kept
    crops: int
    head_crops: int
    resized: int
    untouched: int
    made_now: int
    lost_in_buckets: float  # share of all pixels that the training buckets will cut off
    losing_most: "tuple[Loss, ...]"  # pictures of which much is cut off or that are enlarged much


@dataclass(frozen=True)
class Loss:
    """What a training bucket does to one picture: the pixels it cuts off, and how much it enlarges."""

    picture: str
    size: str
    bucket: str
    lost_pixels: int
    lost: float
    enlarged: float  # factor; 1 is not at all


def prepare(project: Project, settings: PrepareSettings, report: Report = silent) -> Prepared:
    """Makes the edits of every kept original that are not there yet; edits of earlier settings go to the trash."""
    originals = project.pictures.kept()
    heads_wanted = _wants_head(project, originals, settings)
    made_now = 0
    with project.change("prepare", "prepare"):
        for done, original in enumerate(originals):
            report(Progress("prepare", done, len(originals), original.name))
            made_now += _prepare_one(project, original, settings, original.name in heads_wanted)
    report(Progress("prepare", len(originals), len(originals), "done"))
    kinds = [[edit.kind for edit in project.pictures.edits_of(_source(project, each).name)] for each in originals]
    return Prepared(
        len(originals),
        crops=sum("crop" in of_one for of_one in kinds),
        head_crops=sum("head" in of_one for of_one in kinds),
        resized=sum("resize" in of_one for of_one in kinds),
        untouched=sum(not {"crop", "resize"} & set(of_one) for of_one in kinds),
        made_now=made_now,
        **_losses(project),
    )


def _losses(project: Project) -> dict[str, Any]:
    """Looks what the training buckets will do to what is trained on: the share lost in all, and the worst."""
    from lorasmith.imaging.crop import bucket_loss
    from lorasmith.training.buckets import buckets_of

    train = project.settings(TrainSettings)
    buckets = buckets_of(train)
    losses, lost, total = [], 0.0, 0
    for picture in project.pictures.trained():
        size = (picture.width, picture.height)
        found = bucket_loss(size, buckets)
        area = size[0] * size[1]
        lost, total = lost + found.lost * area, total + area
        if found.lost > _MUCH_LOST or found.factor > _MUCH_ENLARGED:
            losses.append(Loss(
                picture.name, "x".join(map(str, size)), "x".join(map(str, found.bucket)), round(found.lost * area),
                round(found.lost, 3), round(max(1.0, found.factor), 2),
            ))  # fmt: skip
    losses.sort(key=lambda one: (-one.lost - 0.1 * (one.enlarged - 1), one.picture))
    return {"lost_in_buckets": round(lost / max(1, total), 4), "losing_most": tuple(losses[:_MOST_TOLD])}


def _source(project: Project, original: Picture) -> Picture:
    """Gives the picture that an original's edits are made from: its newest erased version, or itself."""
    return project.pictures.newest_version(original.name)


def _wants_head(project: Project, originals: list[Picture], settings: PrepareSettings) -> set[str]:
    """Names the originals that a head crop is tried on: the largest that are no headshots, up to the share of all."""
    if not settings.head_crops:
        return set()
    others = [picture for picture in originals if not _is_head_already(project, picture)]
    by_size = sorted(others, key=lambda picture: (-picture.width * picture.height, picture.name))
    return {picture.name for picture in by_size[: round(len(originals) * settings.head_share)]}


def _prepare_one(project: Project, original: Picture, settings: PrepareSettings, head: bool) -> int:
    """Brings one original's edits up to the settings; gives how many were made."""
    source = _source(project, original)
    wish = {
        "crop": settings.crop, "margin": settings.margin, "min_gain": settings.min_gain,
        "head": head, "max_side": settings.max_side, "of": source.sha256,
    }  # fmt: skip
    existing = [
        edit for edit in project.pictures.all_edits_of(original.name) if (edit.operation or {}).get("maker") == MAKER
    ]
    if project.fact(f"prepared:{original.name}") == wish and all(project.file_of(edit).exists() for edit in existing):
        return 0
    edits = _decide(project, source, settings, head)
    # An edit that is wanted again stays what it is, with its name and what a person said of it.
    of_source = [edit for edit in existing if edit.parent == source.name]
    same = [edit for edit in of_source if any(_is_same(project, edit, *each) for each in edits)]
    new = [each for each in edits if not any(_is_same(project, edit, *each) for edit in same)]
    with project.transaction():
        for edit in existing:
            if edit not in same:
                project.pictures.trash(edit.name)
        for operation, image in new:
            made = _add(project, source, operation, image)
            for edit in existing:
                if edit.parent != source.name and edit.replaces_parent is made.replaces_parent:
                    _hand_over(project, edit, made.name)
        project.remember(f"prepared:{original.name}", wish)
    return len(new)


def _add(project: Project, source: Picture, operation: Mapping[str, Any], image: "PIL.Image.Image") -> Picture:
    """Adds one edit, with the tags of what a crop still shows."""
    from lorasmith.tags.crops import visible

    kind: CropKind = "head" if operation["kind"] == "head" else "body"
    return add_edit(project, source, operation, image, lambda tags: visible(tags, kind))


def _hand_over(project: Project, old: Picture, name: str) -> None:
    """Gives an edit that is made anew, from a version in which something was erased, what a person said of the old one."""
    said = [tag for tag in project.pictures.tags(old.name) if tag.source == PERSON]
    if said:
        project.pictures.set_tags(name, PERSON, said)
    decision = project.pictures.decisions().get(old.name)
    if decision is not None and decision.maker == PERSON:
        project.pictures.decide(name, decision, maker=PERSON)


def _is_same(project: Project, edit: Picture, operation: Mapping[str, Any], image: "PIL.Image.Image") -> bool:
    return edit.operation == operation and (edit.width, edit.height) == image.size and project.file_of(edit).exists()


def _decide(
    project: Project, source: Picture, settings: PrepareSettings, head: bool
) -> "list[tuple[dict[str, Any], PIL.Image.Image]]":
    """Gives the edits a picture should have, as operations and pictures."""
    from lorasmith.imaging.crop import character_box, cut, fit_within, worth_cropping
    from lorasmith.imaging.heads import head_box
    from lorasmith.imaging.masks import character_mask
    from lorasmith.imaging.read import open_picture

    image = open_picture(project.file_of(source))
    mask = character_mask(image) if settings.crop or head else None
    edits: list[tuple[dict[str, Any], PIL.Image.Image]] = []
    box = character_box(mask, settings.margin) if mask is not None and settings.crop else None
    if box is not None and worth_cropping(box, image.size, settings.min_gain):
        edits.append((_operation("crop", box), fit_within(cut(image, box), settings.max_side)))
    elif max(image.size) > settings.max_side:
        edits.append((_operation("resize", None), fit_within(image, settings.max_side)))
    head_at = head_box(image, mask) if mask is not None and head else None
    if head_at is not None and worth_cropping(head_at, image.size, _HEAD_GAIN):
        edits.append((_operation("head", head_at), fit_within(cut(image, head_at), settings.max_side)))
    return edits


def _is_head_already(project: Project, original: Picture) -> bool:
    from lorasmith.tags.crops import kind_of_framing
    from lorasmith.tags.groups import group_of

    framings = [tag for tag in project.pictures.said(original.name) if group_of(tag) == "framing"]
    # e621's `portrait` is implied by every framing, full-length too: only when nothing else is said does it mean the head.
    return bool(framings) and all(kind_of_framing(tag) == "head" for tag in framings)


def _operation(kind: str, box: "Box | None") -> dict[str, Any]:
    operation: dict[str, Any] = {"kind": kind, "maker": MAKER, "replaces_parent": kind in ("crop", "resize")}
    if box is not None:
        operation["box"] = [box.left, box.top, box.right, box.bottom]
    return operation
