"""presets of a project changed: what another one would set otherwise, taking it, and putting back what was there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.settings.tables import TABLES
from lorasmith.settings.toml import FILE_NAME, keep_choice, preset_note, read_preset, read_tables, resolve

Tables = Mapping[str, Mapping[str, Any]]
# What is about this machine or this character, and not about a recipe: no preset takes it away.
_STAYS = frozenset(
    ["checkpoint", "sample_prompts", "subsets", "device", "processes", "precision", "base_precision", "cache_gb", "fit", "seed"]
)
_OF_THE_RESOLUTION = {"min_bucket", "max_bucket"}
_CHANGED = ("project", "train")  # tables of lorasmith.toml that taking a preset writes


@dataclass(frozen=True)
class Change:
    """A setting that would have another value."""

    stage: str
    name: str
    now: Any
    then: Any


@dataclass(frozen=True)
class PresetChange:
    """What taking a preset would change: the settings of the training first."""

    preset: str
    note: str
    sets: dict[str, Any]  # what it sets for the training
    changes: tuple[Change, ...]
    kept: tuple[str, ...]  # settings of [train] that were typed and stay


def preset_change(folder: Path, preset: str, *, all_else: bool) -> PresetChange:
    """Works out what a preset would change; with `all_else` what was typed under [train] goes too, but for what a recipe
    cannot know (base model, prompts, subsets, device)."""
    tables = read_tables(folder / FILE_NAME)
    sets = read_preset(preset).get("train", {})
    after = _after(tables, preset, _gone(tables, sets, all_else))
    order = ["train", *(stage for stage in TABLES if stage != "train")]
    changes = [change for stage in order for change in _changes(stage, tables, after)]
    return PresetChange(preset, preset_note(preset), dict(sets), tuple(changes), tuple(after["train"]))


def take_preset(folder: Path, preset: str, *, all_else: bool) -> dict[str, dict[str, Any]]:
    """Makes a preset the project's; gives what `put_back` needs. Nothing is written where a value cannot be."""
    file = folder / FILE_NAME
    tables = read_tables(file)
    gone = _gone(tables, read_preset(preset).get("train", {}), all_else)
    after = _after(tables, preset, gone)
    for stage in TABLES:
        resolve(stage, after)
    before = {"project": {"preset": tables.get("project", {}).get("preset")}, "train": {name: tables["train"][name] for name in gone}}
    keep_choice(file, "project", {"preset": preset})
    if gone:
        keep_choice(file, "train", dict.fromkeys(gone))
    return before


def put_back(folder: Path, before: Any) -> None:
    """Writes what was there before, None for a line that was not; raises `UsageError` for what cannot be."""
    if not isinstance(before, Mapping) or not all(name in _CHANGED and isinstance(values, Mapping) for name, values in before.items()):
        raise UsageError("What was there before is not known any more; choose the preset again.")
    file = folder / FILE_NAME
    after: dict[str, dict[str, Any]] = {name: dict(values) for name, values in read_tables(file).items()}
    for name, values in before.items():
        known = {"preset"} if name == "project" else set(TABLES["train"].model_fields)
        if not set(values) <= known:
            raise UsageError("What was there before is not known any more; choose the preset again.")
        table = after.setdefault(name, {}) | values
        after[name] = {key: value for key, value in table.items() if value is not None}
    for stage in TABLES:
        resolve(stage, after)
    for name, values in before.items():
        keep_choice(file, name, values)


def _gone(tables: Tables, sets: Mapping[str, Any], all_else: bool) -> list[str]:
    """Lists the lines of [train] that give way: what the preset sets, or all that a recipe may know."""
    gives_way = set(sets) | (_OF_THE_RESOLUTION if "resolution" in sets else set())
    return [name for name in tables.get("train", {}) if name in gives_way or (all_else and name not in _STAYS)]


def _after(tables: Tables, preset: str, gone: list[str]) -> dict[str, dict[str, Any]]:
    after = {name: dict(values) for name, values in tables.items()}
    after["project"] = after.get("project", {}) | {"preset": preset}
    after["train"] = {name: value for name, value in after.get("train", {}).items() if name not in gone}
    return after


def _changes(stage: str, before: Tables, after: Tables) -> list[Change]:
    now, then = resolve(stage, before), resolve(stage, after)
    return [
        Change(stage, name, getattr(now, name), getattr(then, name))
        for name in TABLES[stage].model_fields
        if getattr(now, name) != getattr(then, name)
    ]
