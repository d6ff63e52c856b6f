"""A file of characters: one row each, with what all of them have in common, read into the settings of their projects."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.project.project import check_trigger
from lorasmith.project.sidecars import folder_word
from lorasmith.safety import demand_safe_query
from lorasmith.settings.stage import unknown_name
from lorasmith.settings.tables import TABLES, SiteSettings
from lorasmith.settings.toml import SITE, demand_tables, read_preset, resolve

ROWS = "character"
_TABLES = (SITE, *TABLES)
_COMMON = ("preset", "to", "projects", ROWS, *_TABLES)
_OF_A_ROW = ("trigger", "query", "preset", "folder", *_TABLES)
_PATHS = (("train", "checkpoint"), ("evaluate", "checkpoint"), ("tag", "tagger"))  # relative to the file


@dataclass(frozen=True)
class Character:
    """One row: its trigger, the folder of its project, its preset, and its settings by table."""

    trigger: str
    folder: Path
    preset: str
    tables: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Characters:
    """All rows, in their order, and the last stage that they are taken to."""

    rows: tuple[Character, ...]
    to: str


def read_characters(file: Path) -> Characters:
    """Reads the file; raises `UsageError` for whatever could not work, with the row it stands in, before anything is made."""
    try:
        found = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); name a file of characters, such as characters.toml.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML ({error}); correct that line and run the command again.") from error
    _demand_names(found, _COMMON, file.name)
    rows = found.get(ROWS)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{file.name} has no characters: write [[character]] and trigger = '...' below it, once for each.")
    to = found.get("to", "evaluate")
    if to not in TABLES:
        raise UsageError(unknown_name(str(to), list(TABLES), f"{file.name}: to = '{to}' is no stage"))
    home = (file.parent / _text(found, "projects", file.name)).resolve()
    read = tuple(_row(row, number, found, file, home) for number, row in enumerate(rows, 1))
    _demand_apart(read, file.name)
    return Characters(read, to)


def _row(row: dict[str, Any], number: int, common: Mapping[str, Any], file: Path, home: Path) -> Character:
    trigger = row.get("trigger")
    where = f"{file.name}, character {number}" + (f" ({trigger})" if isinstance(trigger, str) and trigger.isprintable() else "")
    try:
        _demand_names(row, _OF_A_ROW, where)
        if not isinstance(trigger, str):
            raise UsageError("it has no trigger: write trigger = '...', the word that calls the character.")
        check_trigger(trigger)
        preset = _text(row, "preset", where) or _text(common, "preset", file.name) or "character_sd15"
        read_preset(preset)
        tables = {name: {**common.get(name, {}), **row.get(name, {})} for name in _TABLES if name in common or name in row}
        if query := _text(row, "query", where):
            tables[SITE] = {**tables.get(SITE, {}), "query": query}
        tables = {name: _with_whole_paths(name, values, file.parent) for name, values in tables.items()}
        demand_tables(tables, where)
        for stage in TABLES:
            settings = resolve(stage, {"project": {"preset": preset}, **tables})
            if isinstance(settings, SiteSettings):
                demand_safe_query(settings.query)
    except LorasmithError as error:
        told = str(error)
        raise type(error)(told if told.startswith(file.name) else f"{where}: {told}") from error
    folder = Path(_text(row, "folder", where) or folder_word(trigger))
    return Character(trigger, (home / folder).resolve(), preset, tables)


def _text(table: Mapping[str, Any], name: str, where: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"{where}: {name} must be text in quotes, not {value!r}.")
    return value


def _with_whole_paths(table: str, values: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Makes a path that is there, seen from the file, whole: the jobs run elsewhere."""
    whole = dict(values)
    for name in (name for its, name in _PATHS if its == table):
        if isinstance(whole.get(name), str) and whole[name] and (place := home / Path(whole[name]).expanduser()).exists():
            whole[name] = str(place.resolve())
    return whole


def _demand_names(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name, value in table.items():
        if name not in known:
            raise UsageError(unknown_name(name, list(known), f"{where} has an unknown name '{name}'"))
        if name in _TABLES and not isinstance(value, dict):
            raise UsageError(f"{where}: '{name}' must be a table, such as {name}.NAME = ... or [{name}].")


def _demand_apart(rows: tuple[Character, ...], where: str) -> None:
    """Raises when two rows share a folder, as Windows sees it."""
    seen: dict[str, str] = {}
    for row in rows:
        place = str(row.folder).casefold()
        if place in seen:
            raise UsageError(
                f"{where}: '{seen[place]}' and '{row.trigger}' would share the folder {row.folder.name}; "
                "give one of them folder = '...'."
            )
        seen[place] = row.trigger
