"""A sweep: lists of values for settings of [train] make a grid of trainings, each named by what differs."""

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.settings.stage import unknown_name
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.trainer_plan import fitted, shown

MOST = 100  # trainings of one grid
_STRANGE = re.compile(r"[^A-Za-z0-9.]+")
_LONGEST_WORD = 24


@dataclass(frozen=True)
class Point:
    """One training of a grid: its name, and what is set otherwise than in the project."""

    name: str
    settings: Mapping[str, Any]

    @property
    def flags(self) -> list[str]:
        """The settings as the command line takes them."""
        words: list[str] = []
        for name, value in self.settings.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                words += [f"--{flag}", f"{value}"]
        return words


def typed(words: Iterable[str]) -> dict[str, list[Any]]:
    """Reads `name=value,value` words."""
    found: dict[str, list[Any]] = {}
    for word in words:
        name, sign, values = word.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or not name:
            raise UsageError(f"A sweep is written name=value,value, such as rank=8,16; '{word}' is not.")
        if name in found:
            raise UsageError(f"The sweep has '{name}' twice; write its values behind one another: {name}=1,2.")
        found[name] = [value.strip() for value in values.split(",")]
    return found


def grid(lists: Mapping[str, Any]) -> list[Point]:
    """Gives every training of a sweep, in the order of the lists; raises `UsageError` for what cannot be swept."""
    axes = {name: _values(name, values) for name, values in lists.items()}
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST:
        raise UsageError(f"The sweep has {count} trainings; {MOST} is the most. Take values out.")
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    return [Point(", ".join(f"{name} {shown(value)}" for name, value in point.items()), point) for point in points]


def _values(name: str, values: Any) -> list[Any]:
    if name not in TrainSettings.model_fields:
        raise UsageError(unknown_name(name, list(TrainSettings.model_fields), f"A sweep has no setting '{name}'"))
    if isinstance(getattr(TrainSettings(), name), list):
        raise UsageError(f"'{name}' is a list itself and cannot be swept; change it in the project, and train again.")
    found = []
    for value in values if isinstance(values, list) else [values]:
        right, fault = (None, "is empty") if value == "" else fitted(name, value)
        if fault:
            raise UsageError(f"The sweep's {name} {fault}.")
        found.append(right)
    if len({json.dumps(value, default=str) for value in found}) != len(found) or not found:
        raise UsageError(f"The sweep's {name} has {'a value twice' if found else 'no value'}; each makes a training of its own.")
    return found


def name_of_differences(settings: TrainSettings, usual: TrainSettings) -> str:
    """Names settings by what differs from the usual ones, as a part of a file's name; nothing where nothing does."""
    words: list[str] = []
    for name in TrainSettings.model_fields:
        value = getattr(settings, name)
        if value != getattr(usual, name):
            words.append(f"{name}_{_word(value)}")
    return "-".join(words[:4])


def _word(value: Any) -> str:
    if isinstance(value, str | Sequence):
        text = re.split(r"[\\/]", value)[-1].removesuffix(".safetensors") if isinstance(value, str) else "own"
    else:
        text = f"{value:g}" if isinstance(value, float) else str(value).lower()
    return _STRANGE.sub("_", text)[:_LONGEST_WORD].strip("_.") or "none"
