"""Recipes of touch-up: steps and a filter under a name, in recipes.toml of the project."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.settings.stage import unknown_name
from lorasmith.stages.touch_up.operations import read_steps

RECIPES = "recipes.toml"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def _text(project: Project) -> str:
    file = project.folder / RECIPES
    try:
        return file.read_text(encoding="utf-8-sig") if file.is_file() else ""
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not valid TOML ({error}); correct it.") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error}).") from error


def _tables(project: Project) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(project))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{project.folder / RECIPES} is not valid TOML ({error}); correct it.") from error


def recipe_names(project: Project) -> list[str]:
    """Names the recipes of a project, in the order of the file."""
    return list(_tables(project))


def keep_recipe(project: Project, name: str, steps: Sequence[str], chosen: str) -> None:
    """Writes a recipe into recipes.toml, or a new one in the place of that name; the rest of the file stays as it is."""
    import tomlkit

    if not _NAME.fullmatch(name):
        raise UsageError(f"A recipe's name is made of letters, digits, - and _, such as no-logos; '{name}' is not.")
    read_steps(steps)
    _tables(project)  # a file that a person must correct is not written over
    document = tomlkit.parse(_text(project))
    document[name] = {"filter": chosen, "do": list(steps)}
    write_atomic(project.folder / RECIPES, tomlkit.dumps(document).encode("utf-8"))


def read_recipe(project: Project, name: str) -> tuple[tuple[str, ...], str]:
    """Gives the steps and the filter of a recipe; raises `UsageError` naming those there are."""
    file, tables = project.folder / RECIPES, _tables(project)
    if name not in tables or not isinstance(tables[name], dict):
        if not tables:
            raise UsageError(f'There are no recipes yet: write [{name}] and do = ["trim", …] into {file}.')
        raise UsageError(unknown_name(name, list(tables), f"{file} has no recipe '{name}'"))
    unknown = set(tables[name]) - {"do", "filter"}
    if unknown:
        raise UsageError(f"The recipe {name} in {file} has {sorted(unknown)[0]}, and only do and filter are known there.")
    steps, chosen = tables[name].get("do"), tables[name].get("filter", "")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps) or not isinstance(chosen, str):
        raise UsageError(f'The recipe {name} in {file} needs do = ["step", …], and may have filter = "tags".')
    try:
        read_steps(steps)
    except UsageError as error:
        raise UsageError(f"The recipe {name} in {file}: {error}") from error
    return tuple(steps), chosen
