"""dataset/<caption-set>/<repeats>_<trigger>/: pictures and .txt sidecars, written from the master record.

A sidecar that another tool changed since it was written is noticed by its hash: what it added and took out is told
(`outside_edits`), so that it can be entered in the record before anything is written; nothing is overwritten unseen.
"""

import hashlib
import re
import shutil
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lorasmith.errors import UsageError
from lorasmith.files import disk_full_is_a_sentence, move_into_place, write_atomic
from lorasmith.project.encodings import decode
from lorasmith.project.pictures import Caption, Picture
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text

_LONGEST_WORD = 100  # bytes: file systems take 255 for a name, and Windows 260 for the whole path
# Names that no file can have on Windows, whatever its suffix.
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)

_EMPTY = " \t\r\f\v\0\ufeff\xa0"  # what a tag does not begin or end with; a damaged file is full of zeros
_FOLDER = re.compile(r"\d+_")  # <repeats>_<trigger>


@dataclass(frozen=True)
class Written:
    """What was written to the dataset folder."""

    folder: Path
    captions: int


@dataclass(frozen=True)
class OutsideEdit:
    """What another tool changed in a sidecar since it was written: tags as they are spelled there."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    order: tuple[str, ...] = ()  # all its tags, where somebody chose their order
    encoding: str = ""  # where it is not utf-8
    damaged: bool = False  # no text: nobody's word, what was written last comes back


def outside_edits(project: Project, caption_set: str, ours: Mapping[str, str]) -> dict[str, OutsideEdit]:
    """Finds the sidecars that were changed since they were written, by picture name.

    A sidecar that holds just what would be written now (`ours`) is no edit: a killed run got that far. Nor is one that
    holds nothing: a program that died while it wrote leaves such, and no caption is emptied by accident.
    """
    edits = {}
    announced = project.fact(f"sidecars_coming:{caption_set}") or {}
    for name, (where, text) in _last_written(project, caption_set).items():
        file = project.folder / where
        if not file.is_file():
            continue
        data = file.read_bytes()
        if data == text.encode("utf-8"):
            continue
        now = decode(data)
        written = [text, *(each[name] for each in (ours, announced) if name in each)]
        if now.text.strip() not in [each.strip() for each in written] and (after := tags_in(now.text)):
            edit = _edit(tags_in(text), after, "" if now.encoding.startswith("utf-8") else now.encoding)
            edits[name] = replace(edit, damaged=now.damaged)
            if now.damaged or not now.sure:
                _keep_bytes(project, name, data)
    return edits


def _edit(before: list[str], after: list[str], encoding: str) -> OutsideEdit:
    """Words an edit; its order counts where tags were moved, several were written, or one was put before others."""
    removed = tuple(tag for tag in before if tag not in after)
    added = tuple(tag for tag in after if tag not in before)
    stayed = [tag for tag in before if tag in after]
    moved = list(dict.fromkeys(tag for tag in after if tag in before)) != list(dict.fromkeys(stayed))
    placed = len(set(added)) > 1 or (bool(added) and after[-1] != added[0])
    return OutsideEdit(added, removed, tuple(after) if moved or placed else (), encoding)


def _keep_bytes(project: Project, name: str, data: bytes) -> None:
    """Keeps a sidecar that is damaged, or whose encoding had to be guessed, as it was: what is written next is utf-8."""
    place = project.folder / "sidecars-before"
    place.mkdir(exist_ok=True)
    kept = place / f"{name}.{hashlib.sha256(data).hexdigest()[:8]}.txt"
    if not kept.is_file():
        write_atomic(kept, data)


def announce_captions(project: Project, caption_set: str, captions: Mapping[str, str]) -> None:
    """Notes what is about to be written: a killed run leaves some of it in the sidecars, and that is nobody's edit."""
    project.remember(f"sidecars_coming:{caption_set}", dict(captions))


def _last_written(project: Project, caption_set: str) -> dict[str, tuple[str, str]]:
    """Gives picture name -> (file, text) as last written: what lies on the disk, which an undo of the record does not change."""
    return {name: (where, text) for name, (where, text) in (project.fact(f"sidecars:{caption_set}") or {}).items()}


def write_dataset(project: Project, caption_set: str, captions: Mapping[str, str], repeats: int) -> Written:
    """Brings the dataset folder in line with the captions (picture name -> caption); gives what changed."""
    _demand_folder(project, caption_set)
    folder = project.dataset(caption_set) / f"{repeats}_{folder_word(project.trigger)}"
    before = project.pictures.captions(caption_set)
    with disk_full_is_a_sentence(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, tuple[str, str]] = {}
    for name, text in captions.items():
        demand_safe_text(text, f"caption of {name}")
        sidecar = folder / f"{name}.txt"
        _put_picture(project, project.pictures.get(name), folder)
        if not sidecar.is_file() or sidecar.read_bytes() != text.encode("utf-8"):
            write_atomic(sidecar, text)
        where = sidecar.relative_to(project.folder).as_posix()
        project.pictures.set_caption(caption_set, Caption(name, text, where, _sha(text)))
        written[name] = (where, text)
    for name in before.keys() - captions.keys():
        project.pictures.drop_caption(caption_set, name)
    known = {*project.pictures.every_name(), *_last_written(project, caption_set), *captions}  # an undo may have taken a row
    project.remember(f"sidecars:{caption_set}", written)
    _sweep(project.dataset(caption_set), folder, set(captions), known)
    return Written(folder, len(captions))


def _demand_folder(project: Project, caption_set: str) -> None:
    """Raises where Windows would make no folder of this name, or take it for another set's."""
    if _DEVICE.fullmatch(caption_set):
        raise UsageError(f"A caption set cannot be named '{caption_set}': Windows keeps that name for a device.")
    parent = project.dataset(caption_set).parent
    names = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    twin = next((name for name in names if name != caption_set and name.lower() == caption_set.lower()), None)
    if twin and caption_set not in names:
        raise UsageError(f"There is a caption set '{twin}' already, and Windows makes no difference between large and small letters.")


def folder_word(trigger: str) -> str:
    """Writes the trigger as part of a file's name: letters, digits and underscores, short, and no device of Windows."""
    word = re.sub(r"[\W_]+", "_", unicodedata.normalize("NFKC", trigger)).strip("_")
    word = word.encode("utf-8")[:_LONGEST_WORD].decode("utf-8", errors="ignore").strip("_") or "character"
    return f"{word}_character" if _DEVICE.fullmatch(word) else word


def tags_in(text: str) -> list[str]:
    """Lists the tags of a caption as they are spelled there."""
    return [tag for tag in (piece.strip(_EMPTY) for piece in re.split(r"[,\n]", text)) if tag]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _put_picture(project: Project, picture: Picture, folder: Path) -> None:
    """Copies a picture beside its sidecar (a copy, so that another tool cannot change the original through it)."""
    source = project.file_of(picture)
    target = folder / f"{picture.name}{source.suffix}"
    if target.exists() and target.stat().st_size == picture.bytes:
        return
    temporary = target.with_name(target.name + ".tmp")
    with disk_full_is_a_sentence(target):
        shutil.copyfile(source, temporary)
        move_into_place(temporary, target)


def _sweep(dataset: Path, folder: Path, names: set[str], known: set[str]) -> None:
    """Removes copies that are no longer captioned; only files named after pictures of this project are touched."""
    for place in dataset.iterdir():
        if not place.is_dir() or not _FOLDER.match(place.name):
            continue  # not a folder of ours
        for file in place.iterdir():
            stale = file.stem in known and (file.stem not in names or place != folder)
            if file.is_file() and (stale or file.suffix == ".tmp"):
                with suppress(OSError):  # open in another program: the next call sweeps it
                    file.unlink()
        if place != folder and not any(place.iterdir()):
            with suppress(OSError):
                place.rmdir()
