"""lorasmith.toml: written with every setting as a commented line, read with unknown names refused, edited with comments kept.

Precedence: default < preset < lorasmith.toml < flag or form. The table `[site]` holds what research and download share
(site, site_url, query, ...); a stage's own table overrides it. TOML has no null: a setting that can be unset is unset by
leaving its line out.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import tomlkit

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.settings.stage import StageSettings, unknown_name
from lorasmith.settings.tables import TABLES, SiteSettings

FILE_NAME = "lorasmith.toml"
SITE = "site"
_PROJECT_KEYS = ["trigger", "preset"]
SWEEP = "sweep"  # lists of values for settings of [train]
_TABLE_NAMES = ["project", SITE, *TABLES, SWEEP]


def preset_names() -> list[str]:
    """Lists the presets that ship with the package."""
    folder = resources.files("lorasmith.presets")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_preset(name: str) -> dict[str, dict[str, Any]]:
    """Reads a preset's tables; raises `UsageError` for an unknown name."""
    if name not in preset_names():
        raise UsageError(unknown_name(name, preset_names(), f"There is no preset '{name}'"))
    return demand_tables(tomllib.loads(_preset_text(name)), f"preset {name}")


def preset_note(name: str) -> str:
    """Gives what a preset says of itself: its first comment."""
    return _preset_text(name).split("\n", 1)[0].removeprefix("#").strip()


def _preset_text(name: str) -> str:
    return resources.files("lorasmith.presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def read_tables(path: Path) -> dict[str, dict[str, Any]]:
    """Reads lorasmith.toml as plain tables; raises `UsageError` for bad TOML, unknown tables and unknown settings."""
    try:
        tables = tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML ({error}); correct that line and run the command again.") from error
    return demand_tables(tables, path.name)


def _text(path: Path) -> str:
    """Reads the file as it is, line ends included, without the mark that some Windows editors put before it."""
    return path.read_bytes().decode("utf-8-sig")


def demand_tables(tables: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """Raises `UsageError` for unknown tables and unknown settings; gives the tables back."""
    for table, values in tables.items():
        if table not in _TABLE_NAMES:
            raise UsageError(unknown_name(table, _TABLE_NAMES, f"{where} has an unknown table [{table}]"))
        if not isinstance(values, dict):
            raise UsageError(f"{where}: '{table}' must be a table, written as [{table}].")
        for name in values:
            if name not in _names_of(table):
                raise UsageError(unknown_name(name, _names_of(table), f"{where}: [{table}] has no setting '{name}'"))
    return tables


def _names_of(table: str) -> list[str]:
    if table == "project":
        return _PROJECT_KEYS
    model = SiteSettings if table == SITE else TABLES["train" if table == SWEEP else table]
    return list(model.model_fields)


def resolve(
    stage: str, tables: Mapping[str, Mapping[str, Any]], flags: Mapping[str, Any] | None = None
) -> StageSettings:
    """Gives a stage's settings from the preset, the file's tables and the flags a person typed."""
    model = TABLES[stage]
    preset_name = str(tables.get("project", {}).get("preset", ""))
    preset = read_preset(preset_name) if preset_name else {}
    values: dict[str, Any] = {}
    for source in (preset, tables):
        if issubclass(model, SiteSettings):
            values |= source.get(SITE, {})
        values |= source.get(stage, {})
    values |= flags or {}
    return model.build(values, stage)


def new_document(trigger: str, preset: str, chosen: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Writes the text of a new lorasmith.toml: every setting commented out with its help, the chosen ones set."""
    chosen = chosen or {}
    preset_tables = read_preset(preset) if preset else {}
    document = tomlkit.document()
    document.add(tomlkit.comment("The settings of this project. Default < preset < this file < flag."))
    document.add(
        tomlkit.comment("A line that begins with '# name =' shows what holds now: remove the '# ' to change it.")
    )
    project = tomlkit.table()
    project.add("trigger", trigger)
    if preset:
        project.add("preset", preset)
    document.add("project", project)
    for name in (SITE, *TABLES):
        model = SiteSettings if name == SITE else TABLES[name]
        document.add(tomlkit.nl())
        document.add(name, _commented_table(name, model, preset_tables.get(name, {}), chosen.get(name, {})))
    return tomlkit.dumps(document)


def _commented_table(
    name: str, model: type[StageSettings], preset: Mapping[str, Any], chosen: Mapping[str, Any]
) -> Any:
    table = tomlkit.table()
    table.add(tomlkit.comment((model.__doc__ or "").strip()))
    defaults = model()
    shared = set(SiteSettings.model_fields) if name != SITE and issubclass(model, SiteSettings) else set()
    for field, info in model.model_fields.items():
        if field in shared and field not in preset and field not in chosen:
            continue
        table.add(tomlkit.comment(f"  {info.description}{bounds_text(model, field)}"))
        if field in chosen:
            table.add(field, chosen[field])
            continue
        value = preset.get(field, getattr(defaults, field))
        shown = "" if value is None else '""' if value == "" else tomlkit.item(value).as_string()
        table.add(tomlkit.comment(f"{field} = {shown}"))
    return table


def bounds_text(model: type[StageSettings], field: str) -> str:
    """Words a setting's unit and bounds: ` (pixels, 64 to 2048)`, or nothing."""
    info = model.model_fields[field]
    extra = info.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    words = ", ".join(part for part in (unit, limits_text(model, field)) if part)
    return f" ({words})" if words else ""


def limits_text(model: type[StageSettings], field: str) -> str:
    """Words a setting's bounds: `64 to 2048`, `from 1`, `above 0`, or nothing."""
    found: dict[str, Any] = {}
    for bound in model.model_fields[field].metadata:
        found |= {name: getattr(bound, name) for name in ("ge", "gt", "le", "lt") if hasattr(bound, name)}
    if "ge" in found and "le" in found:
        return f"{found['ge']} to {found['le']}"
    words = {"ge": "from", "gt": "above", "le": "up to", "lt": "below"}
    return ", ".join(f"{words[name]} {value}" for name, value in found.items())


def keep_choice(path: Path, table: str, values: Mapping[str, Any]) -> None:
    """Writes values into a table of lorasmith.toml, or takes them out (None); everything else, comments too, stays as it is."""
    document = tomlkit.parse(_text(path))
    if table not in document:
        document.add(table, tomlkit.table())
    chosen: Any = document[table]
    for name, value in values.items():
        if value is not None:
            chosen[name] = value
        elif name in chosen:
            del chosen[name]
    write_atomic(path, tomlkit.dumps(document))
