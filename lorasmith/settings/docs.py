"""docs/settings.md, written from the settings models: `python -m lorasmith.settings.docs docs/settings.md`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import tomlkit

from lorasmith.files import write_atomic
from lorasmith.settings.stage import StageSettings
from lorasmith.settings.tables import TABLES, SiteSettings
from lorasmith.settings.toml import FILE_NAME, SITE, limits_text, preset_names, preset_note, read_preset

_INTRODUCTION = f"""# Settings

Written from the code by `python -m lorasmith.settings.docs docs/settings.md`; change `lorasmith/settings/tables.py`, not this page.

What holds, the later over the earlier: default, preset, `{FILE_NAME}` of the project, flag of the command.

- The preset is named under `[project]` of `{FILE_NAME}` (`lorasmith new DIR --trigger NAME --preset quick` writes it there).
- In `{FILE_NAME}` each stage has a table of its name. `[{SITE}]` holds what research and download share; a line in the
  stage's own table wins over it, and any line of the file wins over any line of the preset.
- A flag is the setting's name with hyphens: `min_score` is `--min-score`; switches have a `--no-` form; a list takes its flag
  several times. What is typed is kept in the file (of the site: in `[{SITE}]`).
- "unset" means that the program chooses: leave the line out. An unknown table or setting is an error, never passed over.
- Settings marked \\* are rarely needed; forms fold them away.
"""


def settings_page() -> str:
    """Gives the text of docs/settings.md: a table per stage, then the presets with what they set."""
    parts = [_INTRODUCTION, _section(SITE, SiteSettings, shared=False)]
    parts += [_section(name, model, shared=issubclass(model, SiteSettings)) for name, model in TABLES.items()]
    parts.append("## Presets\n")
    parts += [_preset(name) for name in preset_names()]
    return "\n".join(parts)


def _section(name: str, model: type[StageSettings], *, shared: bool) -> str:
    fields = [field for field in model.model_fields if not (shared and field in SiteSettings.model_fields)]
    lines = [f"## `[{name}]`\n", (model.__doc__ or "").strip()]
    if shared:
        lines[-1] += f" It also takes every setting of `[{SITE}]`."
    lines += ["", "| Setting | Default | Values | What it does |", "|---|---|---|---|"]
    return "\n".join(lines + [_row(model, field) for field in fields]) + "\n"


def _row(model: type[StageSettings], field: str) -> str:
    info = model.model_fields[field]
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    mark = " \\*" if extra.get("advanced") else ""
    default = info.get_default(call_default_factory=True)
    shown = "unset" if default is None else f"`{_toml(default)}`"
    values = ", ".join(
        part for part in (_kind(info.annotation), str(extra.get("unit", "")), limits_text(model, field)) if part
    )
    return f"| `{field}`{mark} | {shown} | {_cell(values)} | {_cell(info.description or '')} |"


def _kind(annotation: Any) -> str:
    """Words a setting's type: `number`, `list of text`, `one of 32, 64`."""
    choices = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(str, choices))
    if get_origin(annotation) is list:
        of = _kind(choices[0]).removeprefix("one of ")
        return f"list of {of}"
    if len(choices) == 1:  # X | None
        return _kind(choices[0])
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}[annotation]


def _preset(name: str) -> str:
    tables: Mapping[str, Mapping[str, Any]] = read_preset(name)
    lines = [f"### `{name}`\n", preset_note(name), "", "```toml"]
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{setting} = {_toml(value)}" for setting, value in values.items()), ""]
    return "\n".join([*lines[:-1], "```", ""])


def _toml(value: Any) -> str:
    return str(tomlkit.item(value).as_string())


def _cell(text: str) -> str:
    """Escapes what Markdown would read as its own."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("|", "\\|")


def main(words: list[str]) -> None:
    """Writes the page to the file that is named, or to standard output."""
    if words:
        write_atomic(Path(words[0]), settings_page())
    else:
        sys.stdout.write(settings_page())


if __name__ == "__main__":
    main(sys.argv[1:])
