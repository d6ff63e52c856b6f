"""What one setting is: written once as a pydantic field, read by flags, TOML, forms and docs/settings.md."""

import difflib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lorasmith.errors import UsageError


def setting(default: Any, help: str, *, unit: str = "", advanced: bool = False, lines: bool = False, **bounds: Any) -> Any:
    """Declares one setting: its default, its help, its unit, pydantic's bounds (ge, le, gt, lt), and how forms show it.

    `advanced` ones are folded away; the entries of a list with `lines` may hold commas, and stand one on a line.

    A list or other mutable default is given as a function (`list`) and becomes the field's factory.
    """
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "lines": lines}
    if callable(default):
        return Field(default_factory=default, description=help, json_schema_extra=extra, **bounds)
    return Field(default=default, description=help, json_schema_extra=extra, **bounds)


class StageSettings(BaseModel):
    """The settings of one stage: immutable, and a stranger to unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @classmethod
    def build(cls, values: Mapping[str, Any], table: str) -> Self:
        """Makes the settings from a plain mapping; raises `UsageError` with one sentence per fault.

        `table` is the stage's name, for the sentence.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise UsageError(" ".join(_sentence(cls, table, fault) for fault in error.errors())) from error


def _sentence(cls: type[StageSettings], table: str, fault: Any) -> str:
    """Words one pydantic fault for a person."""
    name = ".".join(str(part) for part in fault["loc"]) or table
    if fault["type"] == "extra_forbidden":
        return unknown_name(name, list(cls.model_fields), f"{table} has no setting '{name}'")
    message = (fault["msg"][0].lower() + fault["msg"][1:]).removeprefix("value error, ")
    if not fault["loc"]:  # a rule that spans several settings
        return f"{table}: {message}."
    return f"{table}.{name}: {message}, not {fault['input']!r}."


def unknown_name(name: str, known: list[str], start: str) -> str:
    """Says that a name is unknown, with the nearest known one or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"{start}; did you mean '{near[0]}'?" if near else f"{start}; it has: {', '.join(known)}."
