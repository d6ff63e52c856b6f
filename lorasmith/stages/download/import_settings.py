"""import: the settings file of the usual e621 downloader becomes projects, one per batch."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from lorasmith.errors import UsageError
from lorasmith.project.project import Project, check_trigger
from lorasmith.project.sidecars import folder_word
from lorasmith.safety import demand_safe_text
from lorasmith.settings.downloader import Batch, read_batches
from lorasmith.settings.downloader_plan import Beside, Plan, plan
from lorasmith.settings.tables import TABLES, SiteSettings
from lorasmith.settings.toml import FILE_NAME, SITE, keep_choice, read_tables, resolve

PRESET = "character_sd15"
_LONGEST = 100  # letters of a value that is shown
_POST_LISTS = ("collect_from_listed_posts_file", "skip_posts_file")
_NOTES = (
    "Files come from the site itself, at its own pace and checked by md5: aria2c and addresses built from md5s are not used, "
    "and a post whose file the site does not show is left out.",
    "Posts tagged avoid_posting are left out, and what marks minors is refused, whatever the settings say.",
    "A caption begins with the trigger, which absorbs the core looks (absorb = false under [tag] leaves every tag), and the "
    'tagger adds what it sees (tagger = "none" writes the site\'s tags alone).',
)


@dataclass(frozen=True)
class SettingMade:
    """One setting that was written, its value as text, long ones shortened."""

    setting: str
    value: str


@dataclass(frozen=True)
class KeyChanged:
    """One key of the file that is not carried over as it is, and what holds here instead."""

    key: str
    here: str


@dataclass(frozen=True)
class KeyUnknown:
    """One key of the file that neither the downloader nor lorasmith knows, and the known one that is nearest."""

    key: str
    nearest: str


@dataclass(frozen=True)
class ImportedBatch:
    """What became of one batch."""

    project: Path
    batch: str
    trigger: str
    made: bool  # False: the project was there, and its settings were changed
    settings: tuple[SettingMade, ...]
    changed: tuple[KeyChanged, ...]


@dataclass(frozen=True)
class Imported:
    """What import did: the projects by batch ("batch 1"), the keys nobody knows, and what holds for every batch."""

    projects: Mapping[str, ImportedBatch]
    unknown: tuple[KeyUnknown, ...]
    notes: tuple[str, ...]
    next: str


@dataclass(frozen=True)
class _Ready:
    """A batch that is ready to be written: all that could be wrong was looked at."""

    batch: Batch
    folder: Path
    trigger: str
    there: bool
    tables: Mapping[str, Mapping[str, Any]]
    plan: Plan


def import_settings(file: Path, folder: Path, trigger: str = "") -> Imported:
    """Turns a settings file into projects: one batch into `folder`, several into folders in it, named by `batch_folder`.

    A project that is there already keeps all other settings. Nothing is written when one of the batches cannot be.
    """
    found = read_batches(_read(file), file.name)
    places = _folders(folder, found.batches)
    ready = [_look(batch, place, trigger, _beside(file, batch)) for batch, place in zip(found.batches, places, strict=True)]
    for each in ready:
        _write(each)
    notes = list(_NOTES)
    if trigger and len(ready) > 1:
        notes.append(
            f"All {len(ready)} projects have the trigger '{trigger}': their folders tell them apart, and so must you when you "
            "use two of the LoRAs. Import without --trigger to name each by the first tag it requires."
        )
    return Imported(
        {f"batch {each.batch.number}": _told(each) for each in ready},
        tuple(KeyUnknown(key, nearest) for key, nearest in found.unknown.items()),
        tuple(notes),
        f"lorasmith research {ready[0].folder}",
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); name the downloader's settings.json.") from error


def _folders(folder: Path, batches: Sequence[Batch]) -> list[Path]:
    """Gives each batch's project folder; names that Windows would take for one get a number."""
    if len(batches) == 1:
        return [folder]
    if (folder / FILE_NAME).exists():
        raise UsageError(f"{folder} is a project, and {len(batches)} batches need a folder round theirs; name another folder.")
    taken: set[str] = set()
    places = []
    for batch in batches:
        name = re.split(r"[\\/]", batch.text("batch_folder").strip("\\/"))[-1]
        demand_safe_text(name.replace("_", " "), f"batch_folder of batch {batch.number}")
        word = folder_word(name)
        number, free = 1, word
        while free.casefold() in taken:
            number += 1
            free = f"{word}_{number}"
        taken.add(free.casefold())
        places.append(folder / free)
    return places


def _beside(file: Path, batch: Batch) -> Beside:
    """Looks for the files that a batch names, beside the settings file and in the batch's folder."""
    roots = (file.parent, file.parent / batch.text("batch_folder"))
    paths = {key: _find(roots, batch.text(key)) for key in ("remove_tags_list", "replace_tags_list", *_POST_LISTS)}
    named = [key for key in _POST_LISTS if batch.text(key)]
    lists = {key: str(paths[key] or (file.parent / batch.text(key)).absolute()) for key in named}
    return Beside(
        _text(paths["remove_tags_list"]),
        _text(paths["replace_tags_list"]),
        lists.get(_POST_LISTS[0], ""),
        lists.get(_POST_LISTS[1], ""),
        frozenset(key for key in named if paths[key] is None),
    )


def _find(roots: Sequence[Path], name: str) -> Path | None:
    """Gives the full path of a file that one of the folders has, or None."""
    for root in roots if name.strip() else ():
        path = (root / name).absolute()
        if os.path.isfile(path):  # noqa: PTH113 - a name that no file can have is False here, and an error there
            return path
    return None


def _text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text; save it as UTF-8.") from error


def _look(batch: Batch, folder: Path, typed: str, beside: Beside) -> _Ready:
    """Works a batch out, with everything that could be wrong said before anything is written."""
    made = plan(batch, beside)
    there = (folder / FILE_NAME).exists()
    tables = read_tables(folder / FILE_NAME) if there else {"project": {"preset": PRESET}}
    _demand_e621(folder, tables)
    trigger = _trigger(batch, made, typed, str(tables.get("project", {}).get("trigger", "")))
    ours: dict[str, dict[str, Any]] = {name: dict(values) for name, values in made.tables.items()}
    ours[SITE]["character"] = made.plain_tag if made.plain_tag and made.plain_tag != trigger else ""
    whole = {name: {**tables.get(name, {}), **ours.get(name, {})} for name in {*tables, *ours}}
    for stage in _asking():
        whole[stage] = {name: value for name, value in whole.get(stage, {}).items() if name not in ours[SITE]}
    for stage in (*_asking(), "tag"):
        resolve(stage, whole)
    return _Ready(batch, folder, trigger, there, ours, made)


def _demand_e621(folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    for table in (SITE, *_asking()):
        site = str(tables.get(table, {}).get("site", "e621"))
        if site not in ("e621", "e926"):
            raise UsageError(f"{folder} is a project of {site}, and the settings are for e621; name another folder.")


def _trigger(batch: Batch, made: Plan, typed: str, there: str) -> str:
    """Gives the trigger: that of the project that is there, the one typed, or the first plain tag that is required."""
    if there and typed and typed != there:
        raise UsageError(
            f"Batch {batch.number} belongs to a project with the trigger '{there}', not '{typed}'; choose another folder."
        )
    trigger = there or typed or made.plain_tag
    if not trigger:
        raise UsageError(
            f"Batch {batch.number} ({batch.text('batch_folder')}) requires no tag that could be its trigger; give --trigger NAME."
        )
    check_trigger(trigger)
    return trigger


def _asking() -> list[str]:
    return [name for name, model in TABLES.items() if issubclass(model, SiteSettings)]


def _write(ready: _Ready) -> None:
    """Makes the project, or changes the settings of the one that is there; a stage's own line would win over [site], so it goes."""
    if not ready.there:
        Project.create(ready.folder, ready.trigger, preset=PRESET, chosen=ready.tables).close()
        return
    file = ready.folder / FILE_NAME
    with Project.open(ready.folder):
        for table, values in ready.tables.items():
            keep_choice(file, table, values)
        for stage in _asking():
            own = read_tables(file).get(stage, {})
            keep_choice(file, stage, {name: None for name in ready.tables[SITE] if name in own})


def _told(ready: _Ready) -> ImportedBatch:
    settings = [
        SettingMade(f"{table}.{name}", _shown(value))
        for table, values in ready.tables.items()
        for name, value in values.items()
    ]
    changed = [KeyChanged(key, sentence) for key, sentence in ready.plan.changed.items()]
    name = ready.batch.text("batch_folder")
    return ImportedBatch(ready.folder, name, ready.trigger, not ready.there, tuple(settings), tuple(changed))


def _shown(value: Any) -> str:
    text = str(tomlkit.item(value).as_string()) if value != "" else '""'
    if len(text) <= _LONGEST:
        return text
    count = f" ({len(value)} in all)" if isinstance(value, list) else ""
    return f"{text[:_LONGEST]}...{count}"
