"""import: another trainer's settings file, or a LoRA that has its settings in it, becomes [train] of a project."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.lora_metadata import settings_in
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import FILE_NAME, keep_choice, read_tables, resolve
from lorasmith.settings.trainer_files import KNOWN, is_downloader, read_object, read_trainer, with_dataset
from lorasmith.settings.trainer_plan import FATES, KeyTold, TrainerFile, TrainerPlan, plan_of

PRESET = "character_sd15"
_KEY_FILE = "pretrained_model_name_or_path"


@dataclass(frozen=True)
class KeyHere:
    """One key of the file, its value there, and what holds here."""

    key: str
    there: str
    here: str


@dataclass(frozen=True)
class ImportedTraining:
    """What import did, or would do: the settings, and what became of each key of the file."""

    file: Path
    maker: str
    project: Path | None
    written: bool
    train: tuple[str, ...]  # the lines as they stand, or would stand, in lorasmith.toml
    taken: tuple[KeyHere, ...]
    changed: tuple[KeyHere, ...]
    not_there_yet: tuple[KeyHere, ...]
    not_applicable: tuple[KeyHere, ...]
    unknown: tuple[KeyHere, ...]
    next: tuple[str, ...]


def is_downloaders(file: Path) -> bool:
    """Says whether a file is an e621 downloader's settings; a LoRA is not looked into."""
    if file.suffix.lower() == ".safetensors":
        return False
    return is_downloader(*read_object(_read(file), file.name))


def import_training(
    file: Path, folder: Path | None, trigger: str = "", *, dataset: Path | None = None, dry_run: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> ImportedTraining:  # fmt: skip
    """Takes a training's settings into a project; without one, or as a dry run, it only says what they would be.

    `metadata` is that of a LoRA which is not at hand itself: then `file` is only its name. Nothing is written when the settings
    cannot hold together with those of the project.
    """
    read = _read_settings(file, dataset) if metadata is None else settings_in(metadata)
    plan = _with_checkpoint(plan_of(read), read, file.absolute().parent)
    if not plan.settings:
        raise UsageError(f"{file.name} has no training settings that could be taken; {_kinds(read)}")
    there = folder is not None and (folder / FILE_NAME).exists()
    if folder is not None and not there and not trigger and not dry_run:
        raise UsageError(f"There is no project in {folder}; `lorasmith import {file.name} {folder} --trigger NAME` makes one.")
    if there and trigger:
        raise UsageError(f"{folder} is a project already and keeps its trigger; leave --trigger out.")
    tables = read_tables(folder / FILE_NAME) if there and folder else {"project": {"preset": PRESET}}
    resolve("train", {**tables, "train": {**tables.get("train", {}), **plan.settings}})
    writes = folder is not None and not dry_run
    if writes and folder is not None:
        _write(folder, there, trigger, plan.settings)
    return _told(file, read, plan, folder, writes)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); lorasmith reads the settings of {KNOWN}.") from error


def _read_settings(file: Path, dataset: Path | None) -> TrainerFile:
    """Reads the file, and the files beside it that it names: its data set's and its prompts."""
    if file.suffix.lower() == ".safetensors":
        from lorasmith.checkpoints.header import read_header

        return settings_in(read_header(file).metadata)
    found, as_json = read_object(_read(file), file.name)
    read = read_trainer(found, as_json, file.name)
    named = dataset or _beside(file, read, "dataset_config")
    if named is not None:
        more, _ = read_object(_read(named), named.name)
        if not isinstance(more.get("datasets"), list):
            raise UsageError(f"{named.name} is no dataset file of kohya's: it has no [[datasets]].")
        read = with_dataset(read, more)
    prompts = _beside(file, read, "sample_prompts")
    if prompts is not None and prompts.suffix.lower() == ".txt":
        text = prompts.read_text(encoding="utf-8", errors="replace")
        values = {**read.values, "sample_prompts": replace(read.values["sample_prompts"], value=text)}
        read = replace(read, values=values)
    return read


def _beside(file: Path, read: TrainerFile, key: str) -> Path | None:
    """Gives the file that a key names, from where the settings lie or from where we stand."""
    name = read.values[key].value if key in read.values else None
    if not isinstance(name, str) or not name.strip() or "\n" in name or len(name) > 1000:
        return None
    for path in (file.parent / name, Path(name).expanduser()):
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def _with_checkpoint(plan: TrainerPlan, read: TrainerFile, folder: Path) -> TrainerPlan:
    """Makes the base model's path absolute; one that is not here is told and left out."""
    named = plan.settings.get("checkpoint")
    if named is None:
        return plan
    settings = {name: value for name, value in plan.settings.items() if name != "checkpoint"}
    found = _beside(folder / "settings", read, _KEY_FILE)
    if found is not None:
        return replace(plan, settings=settings | {"checkpoint": str(found.absolute())})
    why = f"there is no file {named} on this machine; set checkpoint"
    key = read.values[_KEY_FILE].key
    keys = tuple(replace(row, fate="changed", here=why) if row.key == key else row for row in plan.keys)
    return replace(plan, settings=settings, keys=keys)


def _kinds(read: TrainerFile) -> str:
    if read.maker == "LoRA file":
        return "whoever made it wrote none into it."
    return f"lorasmith reads the settings of {KNOWN}."


def _write(folder: Path, there: bool, trigger: str, settings: Mapping[str, Any]) -> None:
    if not there:
        Project.create(folder, trigger, preset=PRESET, chosen={"train": dict(settings)}).close()
        return
    with Project.open(folder):
        keep_choice(folder / FILE_NAME, "train", settings)


def _told(file: Path, read: TrainerFile, plan: TrainerPlan, folder: Path | None, written: bool) -> ImportedTraining:
    rows: dict[str, list[KeyHere]] = {fate: [] for fate in FATES}
    for row in plan.keys:
        rows[row.fate].append(_row(row))
    return ImportedTraining(
        file, read.maker, folder, written, _as_toml(plan.settings), tuple(rows["taken"]), tuple(rows["changed"]),
        tuple(rows["not there yet"]), tuple(rows["not applicable"]), tuple(rows["unknown"]), _next(file, plan, folder, written),
    )  # fmt: skip


def _row(row: KeyTold) -> KeyHere:
    return KeyHere(row.key, row.there, row.here)


def _as_toml(settings: Mapping[str, Any]) -> tuple[str, ...]:
    table = tomlkit.table()
    for name in TrainSettings.model_fields:
        if name in settings:
            table.add(name, settings[name])
    return ("[train]", *tomlkit.dumps(table).strip().splitlines())


def _next(file: Path, plan: TrainerPlan, folder: Path | None, written: bool) -> tuple[str, ...]:
    if not written:
        place = folder or "PROJECT"
        return (f"lorasmith import {file} {place} writes this into {place}/{FILE_NAME}",)
    adds = tuple(f'lorasmith add {folder} "{path}"' for path in plan.folders if Path(path).expanduser().is_dir())
    return (*adds, f"lorasmith check {folder}")
