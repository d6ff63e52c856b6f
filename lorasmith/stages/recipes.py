"""Recipes of touch-up: steps and a filter under a name, in recipes.toml of the project."""

import tomllib
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.stage import unknown_name
from lorasmith.stages.operations import read_steps

RECIPES = "recipes.toml"


def read_recipe(project: Project, name: str) -> tuple[tuple[str, ...], str]:
    """Gives the steps and the filter of a recipe; raises `UsageError` naming those there are."""
    file = project.folder / RECIPES
    try:
        tables: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8-sig")) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML ({error}); correct it.") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error}).") from error
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
