"""What is trained on: the kept pictures with their captions, parted into subsets, and folders that are not the project's."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.safety import text_is_refused
from lorasmith.settings.tables import TagSettings, TrainSettings

if TYPE_CHECKING:
    from lorasmith.project.pictures import Picture
    from lorasmith.training.dataset import TrainingPicture
    from lorasmith.training.subsets import Subset

MASKS = "masks"  # folder of the project with masks by picture name
_COUNTED = re.compile(r"(\d{1,3})_(.+)")  # a folder as kohya's trainer wants it: repeats, underscore, name
_CAPTIONS = (".txt", ".caption")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]")  # control characters that no editor writes


@dataclass(frozen=True)
class TrainingSet:
    """What is trained on, and what a person should know of how it was parted."""

    pictures: "list[TrainingPicture]"
    notes: tuple[str, ...] = ()


def training_set(project: Project, settings: TrainSettings) -> TrainingSet:
    """Gives what is trained on: the kept pictures that have a caption in the caption set, and the subsets' folders.

    Raises `UsageError` when a subset cannot be read, or its folder holds nothing.
    """
    from lorasmith.training.balance import balance_notes
    from lorasmith.training.subsets import read_subsets, with_repeats

    subsets = read_subsets(settings.subsets)
    members = _parted(project, _own(project, settings), subsets)
    for subset in subsets:
        if subset.folder:
            members[subset.name] = read_folder(subset.name, Path(subset.folder).expanduser(), settings.repeats)
    pictures = with_repeats(members, subsets, settings.repeats)
    notes = list(_notes(subsets, members, pictures))
    cast = project.settings(TagSettings).cast
    if cast:
        pictures = _of_several(pictures, list(cast), settings)
        notes += balance_notes(pictures, cast, subsets=bool(subsets))
    return TrainingSet(pictures, tuple(notes))


def _of_several(pictures: "list[TrainingPicture]", triggers: list[str], settings: TrainSettings) -> "list[TrainingPicture]":
    """Balances several characters where no subsets do, and keeps all triggers of a caption in front."""
    from lorasmith.training.balance import balanced, seen, with_triggers_held

    if settings.balance and not settings.subsets:
        pictures = balanced(pictures, triggers, settings.repeats)
    there = max(1, sum(row.pictures > 0 for row in seen(pictures, triggers)))
    return [
        replace(each, caption=with_triggers_held(each.caption, triggers, settings.keep_tokens), characters=there)
        for each in pictures
    ]  # fmt: skip


def _notes(
    subsets: "list[Subset]", members: "Mapping[str, list[TrainingPicture]]", pictures: "list[TrainingPicture]"
) -> Iterator[str]:
    """Says how often each subset is seen, and which have no picture."""
    draws = {picture.name: picture.repeats for picture in pictures}
    everything = sum(draws.values())
    for subset in subsets:
        own = members.get(subset.name, [])
        if own:
            seen = sum(draws[picture.name] for picture in own)
            yield f"Subset {subset.name}: {len(own)} pictures, {seen / everything:.0%} of the draws."
        elif subset.where:
            yield f"Subset {subset.name}: no picture fits 'where {subset.where}'."


def _own(project: Project, settings: TrainSettings) -> "dict[str, TrainingPicture]":
    from lorasmith.project.sidecars import folder_word
    from lorasmith.training.dataset import TrainingPicture, mask_file

    captions = project.pictures.captions(project.settings(TagSettings).caption_set)
    folder = f"{settings.repeats}_{folder_word(project.trigger)}"
    masked = settings.masked_loss == "file"

    def row(picture: "Picture") -> TrainingPicture:
        path = project.file_of(picture)
        mask = mask_file(path, project.folder / MASKS) if masked else None
        return TrainingPicture(picture.name, path, captions[picture.name].text, settings.repeats, folder, mask=mask)

    return {picture.name: row(picture) for picture in project.pictures.trained() if picture.name in captions}


def _parted(
    project: Project, own: "Mapping[str, TrainingPicture]", subsets: "list[Subset]"
) -> "dict[str, list[TrainingPicture]]":
    """Gives the project's pictures by subset: each in the first whose filter it fits, else in the one that takes the rest."""
    filters = [each for each in subsets if each.where and not each.folder]
    rest = next((each.name for each in subsets if each.takes_the_rest), "")
    fitting = _fitting(project, filters) if filters else {}
    members: dict[str, list[TrainingPicture]] = {}
    for name, picture in own.items():
        place = next((each.name for each in filters if name in fitting[each.name]), rest)
        folder = picture.folder if not place else f"{picture.repeats}_{_word(place)}"
        members.setdefault(place, []).append(replace(picture, folder=folder))
    return members


def _fitting(project: Project, subsets: "list[Subset]") -> dict[str, set[str]]:
    """Gives the names of the pictures that fit each subset's filter."""
    from lorasmith.stages.tag.index import open_index
    from lorasmith.tags.filter import places_of, read_filter

    index = open_index(project)
    return {each.name: {index.names[place] for place in places_of(read_filter(each.where).holds(index))} for each in subsets}


def read_folder(name: str, folder: Path, repeats: int) -> "list[TrainingPicture]":
    """Reads pictures and captions out of any folder; folders named like `5_mia` in it bring their repeats.

    A caption stands beside its picture as .txt or .caption; without one the folder's name is it. Files that mark minors, by
    name, folder or caption, are passed over. Raises `UsageError` when there is no such folder, no picture in it, or a caption
    that is no text.
    """
    from lorasmith.stages.add.stage import decode, is_refused_file, picture_files
    from lorasmith.training.dataset import TrainingPicture, mask_file

    if not folder.is_dir():
        raise UsageError(f"The subset {name} wants the folder {folder}, which is not there.")
    files = [path for path in picture_files(folder, folder / MASKS) if not path.stem.endswith("-masklabel")]
    found = []
    for path in files:
        counted = _COUNTED.fullmatch(path.parent.name)
        caption = counted[2].replace("_", " ") if counted else ""
        for sidecar in (path.with_suffix(suffix) for suffix in _CAPTIONS):
            if sidecar.is_file():
                caption = decode(sidecar.read_bytes()).strip()
                if _NO_TEXT.search(caption):
                    raise UsageError(f"{sidecar} is no text: write the caption of {path.name} anew, or remove the file.")
                break
        if is_refused_file(path, folder.parent) or text_is_refused(caption):
            continue
        stem = "_".join([_word(name), *path.relative_to(folder).with_suffix("").parts])
        times = int(counted[1]) if counted else repeats
        found.append(TrainingPicture(stem, path, caption, max(1, times), f"{times}_{_word(name)}", mask=mask_file(path)))
    if not found:
        raise UsageError(f"The subset {name} wants the folder {folder}, which holds no pictures that can be trained on.")
    return found


def _word(name: str) -> str:
    from lorasmith.project.sidecars import folder_word

    return folder_word(name)
