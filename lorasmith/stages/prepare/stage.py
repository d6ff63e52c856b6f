"""prepare: crops to the character, crops of the best heads, and sizes, each as a new picture; originals stay untouched."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import PERSON, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TrainSettings
from lorasmith.stages.prepare.headshots import Headshots, choose_heads
from lorasmith.stages.prepare.suggestions import (
    MAKER,
    add_crop,
    crop_operation,
    edits_under,
    finders_for,
    hand_over_tags,
    is_framed_by_hand,
    look_at,
    moved_by,
    roots_of,
    words_on,
)

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.crop import Box
    from lorasmith.imaging.framing import Framing

_MUCH_LOST, _MUCH_ENLARGED, _MOST_TOLD = 0.1, 1.5, 20


@dataclass(frozen=True)
class Prepared:
    """What prepare made."""

    pictures: int  # originals that are kept
    crops: int
    head_crops: int
    headshots: Headshots
    resized: int
    untouched: int
    made_now: int
    refused: int  # suggestions that a person refused: they are not made again
    lost_in_buckets: float  # share of all pixels that the training buckets will cut off
    losing_most: "tuple[Loss, ...]"  # pictures of which much is cut off or that are enlarged much
    failed: tuple[str, ...]  # sentences: pictures that could not be read, of which nothing was made


@dataclass(frozen=True)
class Loss:
    """What a training bucket does to one picture: the pixels it cuts off, and how much it enlarges."""

    picture: str
    size: str
    bucket: str
    lost_pixels: int
    lost: float
    enlarged: float  # factor; 1 is not at all


@dataclass(frozen=True)
class _Wanted:
    """An edit that a picture should have: its operation, the box that is cut (None: all), and its size."""

    operation: dict[str, Any]
    box: "Box | None"
    size: tuple[int, int]

    def made_of(self, image: "PIL.Image.Image") -> "PIL.Image.Image":
        """Cuts and shrinks the opened version."""
        from lorasmith.imaging.crop import cut, fit_within

        return fit_within(image if self.box is None else cut(image, self.box), max(self.size))


def prepare(project: Project, settings: PrepareSettings, report: Report = silent) -> Prepared:
    """Makes the edits of every kept original that are not there yet; edits of earlier settings go to the trash.

    What a person said of an edit holds: one that was accepted stays with its box, one that was refused is not made again.
    """
    originals = project.pictures.kept()
    made_now, failed = 0, dict[str, str]()
    with project.change("prepare", "prepare"):
        looks = _look_at_all(project, originals, settings, report, failed)
        heads_wanted, headshots = choose_heads(project, looks, settings)
        for done, original in enumerate(originals):
            report(Progress("prepare", done, len(originals), original.name))
            roots = roots_of(project, original)
            for root in (one for one in roots if one.name not in failed):
                seen = looks[root.name][1] if root.name in looks else None
                try:
                    made_now += _prepare_one(project, root, settings, seen, root.name in heads_wanted)
                except PictureError as error:
                    failed[root.name] = str(error)
            if original not in roots:
                _clear_page(project, original)
    report(Progress("prepare", len(originals), len(originals), "done"))
    return Prepared(
        len(originals), headshots=headshots, made_now=made_now, failed=tuple(failed.values()),
        **_counted(project, originals), **_losses(project),
    )  # fmt: skip


def _look_at_all(
    project: Project, originals: list[Picture], settings: PrepareSettings, report: Report, failed: dict[str, str]
) -> "dict[str, tuple[Picture, Framing]]":
    """Looks at the newest version of all that is cropped, where anything is to be decided of it; `failed` gets what is broken."""
    if not (settings.crop or settings.head_crops):
        return {}
    looks = {}
    finders = finders_for(settings, report)
    for done, original in enumerate(originals):
        report(Progress("prepare", done, len(originals), f"looking at {original.name}"))
        for root in roots_of(project, original):
            source = project.pictures.newest_version(root.name)
            try:
                looks[root.name] = source, look_at(project, source, finders)
            except PictureError as error:
                failed[root.name] = str(error)
    return looks


def _counted(project: Project, originals: list[Picture]) -> dict[str, Any]:
    """Counts the edits that stand, and those that a person refused."""
    decisions = project.pictures.decisions()
    stand, refused, untouched = Counter[str](), 0, 0
    for root in (root for original in originals for root in roots_of(project, original)):
        source = project.pictures.newest_version(root.name)
        edits = edits_under(project, root)
        left = [edit for edit in edits if edit.name not in decisions or decisions[edit.name].verdict == "keep"]
        refused += len(edits) - len(left)
        kinds = [edit.kind for edit in left if edit.parent == source.name]
        stand.update(kinds)
        untouched += not {"crop", "resize"} & set(kinds)
    return {
        "crops": stand["crop"], "head_crops": stand["head"], "resized": stand["resize"], "untouched": untouched, "refused": refused,
    }  # fmt: skip


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


def _clear_page(project: Project, original: Picture) -> None:
    """Puts crops of a whole page in the trash when it was split: its parts stand for it; and remembers that it was looked at."""
    for edit in edits_under(project, original):
        project.pictures.trash(edit.name)
    project.remember(f"prepared:{original.name}", {"of": project.pictures.newest_version(original.name).sha256})


def _prepare_one(
    project: Project, root: Picture, settings: PrepareSettings, seen: "Framing | None", head: bool
) -> int:
    """Brings one picture's edits up to the settings; gives how many were made."""
    source = project.pictures.newest_version(root.name)
    existing, words = edits_under(project, root), words_on(project, root)
    wish = {
        "crop": settings.crop, "margin": settings.margin, "min_gain": settings.min_gain,
        "seen": None if seen is None else seen.to_dict(), "head": head, "max_side": settings.max_side, "of": source.sha256,
        "said": sorted([edit.name, verdict] for edit, verdict in words.values()),
    }  # fmt: skip
    if project.fact(f"prepared:{root.name}") == wish and all(project.file_of(edit).exists() for edit in existing):
        return 0
    wanted = _decide(project, source, settings, seen if head or seen is None else replace(seen, head=None), words)
    # An edit that is wanted again stays what it is, with its name and what a person said of it.
    same = [edit for edit in existing if edit.parent == source.name and any(_is_same(project, edit, each) for each in wanted)]
    refused = [edit for edit, verdict in words.values() if verdict == "drop"]
    new = [each for each in wanted if not any(_is_same(project, edit, each) for edit in same)]
    images = _made(project, source, new)
    with project.transaction():
        for edit in existing:
            if edit not in same and edit not in refused:
                project.pictures.trash(edit.name)
        for each, image in zip(new, images, strict=True):
            made = add_crop(project, source, each.operation, image)
            for edit in existing:
                if edit not in refused and edit.replaces_parent is made.replaces_parent:
                    _hand_over(project, edit, made, words)
        project.remember(f"prepared:{root.name}", wish)
    return len(new)


def _made(project: Project, source: Picture, wanted: list[_Wanted]) -> "list[PIL.Image.Image]":
    from lorasmith.imaging.read import open_picture

    if not wanted:
        return []
    image = open_picture(project.file_of(source))
    return [each.made_of(image) for each in wanted]


def _hand_over(project: Project, old: Picture, made: Picture, words: dict[str, tuple[Picture, str]]) -> None:
    """Gives an edit that is made anew, of another version or at another size, what a person said of the old one."""
    accepted = words.get(old.kind)
    if old.parent == made.parent and (accepted is None or accepted[0] != old or made.kind != old.kind):
        return  # other settings: another picture
    hand_over_tags(project, old, made.name)
    decision = project.pictures.decisions_of([old.name]).get(old.name)
    if decision is not None and decision.maker == PERSON:
        project.pictures.decide(made.name, decision, maker=PERSON)


def _is_same(project: Project, edit: Picture, wanted: _Wanted) -> bool:
    return edit.operation == wanted.operation and (edit.width, edit.height) == wanted.size and project.file_of(edit).exists()


def _decide(
    project: Project, source: Picture, settings: PrepareSettings, seen: "Framing | None", words: dict[str, tuple[Picture, str]]
) -> list[_Wanted]:
    """Gives the edits a picture should have: a person's boxes first, then what was seen."""
    from lorasmith.imaging.crop import worth_cropping

    size = (source.width, source.height)
    wanted = []
    crop = _by_hand(project, source, settings, words, "crop")
    body = None if seen is None or seen.body is None else seen.body.grown(settings.margin).inside(size)
    free = settings.crop and "crop" not in words and not is_framed_by_hand(project, source)
    if crop is None and free and body is not None and worth_cropping(body, size, settings.min_gain):
        crop = _cut_to(body, crop_operation("crop", body, MAKER), settings)
    if crop is not None:
        wanted.append(crop)
    elif max(size) > settings.max_side and words.get("resize", (None, "keep"))[1] == "keep":
        wanted.append(_cut_to(None, crop_operation("resize", None, MAKER), settings, size))
    head = _by_hand(project, source, settings, words, "head")
    if head is None and "head" not in words and seen is not None and seen.head is not None:
        head = _cut_to(seen.head.box, crop_operation("head", seen.head.box, MAKER), settings)
    return wanted if head is None else [*wanted, head]


def _by_hand(
    project: Project, source: Picture, settings: PrepareSettings, words: dict[str, tuple[Picture, str]], kind: str
) -> _Wanted | None:
    """Gives the crop that a person accepted, at its box; moved along where the version was trimmed since."""
    from lorasmith.imaging.crop import Box

    edit, verdict = words.get(kind, (None, ""))
    if edit is None or verdict != "keep":
        return None
    operation = dict(edit.operation or {})
    box = Box(*operation["box"])
    across, down = moved_by(project, edit.parent or "", source)
    box = Box(box.left - across, box.top - down, box.right - across, box.bottom - down).inside((source.width, source.height))
    if not box.area or box.area == source.width * source.height:
        return None  # nothing of it is left to cut
    return _cut_to(box, operation | {"box": [box.left, box.top, box.right, box.bottom]}, settings)


def _cut_to(
    box: "Box | None", operation: dict[str, Any], settings: PrepareSettings, size: tuple[int, int] = (0, 0)
) -> _Wanted:
    from lorasmith.imaging.crop import size_within

    return _Wanted(operation, box, size_within(size if box is None else (box.width, box.height), settings.max_side))
