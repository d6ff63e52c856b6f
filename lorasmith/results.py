"""A stage's result as plain values: what is written as JSON, kept in the project, and shown by every front-end."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """Turns dataclasses, sets, tuples and paths into what JSON has words for; a number that is none becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.as_posix() if isinstance(value, Path) else value


def in_short(value: Any) -> str:
    """Writes a plain value on one line for a person."""
    if value is None or value == [] or value == "" or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{str(key).replace('_', ' ')} {in_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(" ".join(map(in_short, item)) if isinstance(item, list) else in_short(item) for item in value)
    return str(value)
