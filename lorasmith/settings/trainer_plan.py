"""What another trainer's settings are in [train], and what becomes of each of their keys: pure, file contents to sentences."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from lorasmith.settings.kohya_keys import KOHYA, LEFT_OUT, Goes, Stays
from lorasmith.settings.tables import TrainSettings

Fate = Literal["taken", "changed", "not applicable", "not there yet", "unknown"]
FATES: tuple[Fate, ...] = ("taken", "changed", "not there yet", "not applicable", "unknown")
# Options that rules count with; anything else in them is told and left out.
_NUMBERS = frozenset(
    "network_dim network_alpha learning_rate unet_lr text_encoder_lr lr_warmup_steps max_train_epochs max_train_steps num_repeats "
    "min_bucket_reso max_bucket_reso seed clip_skip save_n_epoch_ratio token_warmup_step multires_noise_discount "
    "multires_noise_iterations lr_scheduler_num_cycles lr_scheduler_power lr_scheduler_min_lr_ratio".split()
)
_SEVERAL = ("text_encoder_lr", "num_repeats")  # may hold a list of them
_LONGEST = 60  # letters of a value that is shown


@dataclass(frozen=True)
class Given:
    """One value of a file: the key as it stands there, and the value."""

    key: str
    value: Any


@dataclass(frozen=True)
class TrainerFile:
    """A trainer's settings under kohya's names; what has no such name stands in `aside` (with why) or in `unknown`.

    `left_out` says what holds for what it leaves out, as the trainer's command line takes it; empty for a file that is no
    whole training.
    """

    maker: str
    values: Mapping[str, Given]
    aside: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    unknown: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, Any] = field(default_factory=lambda: LEFT_OUT)


@dataclass(frozen=True)
class KeyTold:
    """One key of the file, its value there, what became of it, and what holds here."""

    key: str
    there: str
    fate: Fate
    here: str


@dataclass(frozen=True)
class TrainerPlan:
    """The settings of [train], what became of each key, and the folders of pictures that the file names."""

    settings: Mapping[str, Any]
    keys: tuple[KeyTold, ...]
    folders: tuple[str, ...]


class Draft:
    """A plan while it is made: rules look values up in it and say what became of them."""

    def __init__(self, given: Mapping[str, Any], left_out: Mapping[str, Any]) -> None:
        self._given = given
        self._left_out = left_out
        self.settings: dict[str, Any] = {}
        self.told: dict[str, tuple[Fate, str]] = {}

    def has(self, key: str) -> bool:
        """Says whether the file has a value for a key."""
        return self._given.get(key) not in (None, "")

    def get(self, key: str, default: Any = None) -> Any:
        """Gives a value of the file, else what holds there where it is left out."""
        value = self._given.get(key)
        return self._left_out.get(key, default) if value in (None, "") else value

    def knows(self, key: str) -> bool:
        """Says whether a value is known: it stands in the file, or the trainer has one of its own."""
        return self.has(key) or key in self._left_out

    def optimizer_arguments(self) -> list[tuple[str, Any]]:
        """Lists the arguments of the optimizer that have no setting of their own."""
        return [(key, value) for key, value in self._given.items() if key.startswith("optimizer_args.") and key not in KOHYA]

    def take(self, key: str, name: str, value: Any, how: str = "") -> None:
        """Takes a value into a setting; `how` says what is different. One that cannot be there is told and left."""
        if name not in TrainSettings.model_fields:
            self.later(key, name)
            return
        value, fault = fitted(name, value)
        if fault:
            self.leave(key, f"{name} {fault}; it stays as it is", "changed")
            return
        self.settings[name] = value
        here = f"{name} = {shown(value)}"
        self.told[key] = ("changed", f"{here}: {how}") if how else ("taken", here)

    def leave(self, key: str, why: str, fate: Fate = "not applicable") -> None:
        """Leaves a key out, and says why."""
        self.told[key] = (fate, why)

    def later(self, key: str, name: str) -> None:
        """Says that lorasmith has no such setting yet."""
        self.told[key] = ("not there yet", name)


def fitted(name: str, value: Any) -> tuple[Any, str]:
    """Gives a value as a setting of [train] takes it, and what is wrong with it, else nothing."""
    info = TrainSettings.model_fields[name]
    if value is None:
        value = False if info.annotation is bool else value if info.default is None else 0
    try:
        kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        found = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        message = str(error.errors()[0]["msg"]).removeprefix("Input ")
        return None, f"cannot be {shown(value)} here ({message[0].lower()}{message[1:]})"
    return found, ""


def plan_of(file: TrainerFile) -> TrainerPlan:
    """Works out what a file means here."""
    from lorasmith.settings.trainer_rules import RULES

    given = {key: _counted(key, entry.value) for key, entry in file.values.items()}
    no_numbers = [key for key, value in given.items() if value is _NO_NUMBER]
    given = {key: value for key, value in given.items() if value is not _NO_NUMBER}
    draft = Draft(given, file.left_out)
    for key in no_numbers:
        draft.leave(key, "it must be a number; left out", "changed")
    for key in (*given, *file.left_out):
        if key not in draft.told:
            _by_table(draft, key, draft.get(key))
    for rule in RULES:
        rule(draft)
    return TrainerPlan(draft.settings, tuple(_keys(file, draft)), _folders(given))


_NO_NUMBER = object()


def _counted(key: str, value: Any) -> Any:
    """Gives a value as a rule can count with it: numbers in text are numbers, and what is none is marked."""
    if key not in _NUMBERS or value in (None, ""):
        return value
    if isinstance(value, list) and key in _SEVERAL:
        found = [_counted(key, each) for each in value]
        return found if all(each is not _NO_NUMBER for each in found) else _NO_NUMBER
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _NO_NUMBER
    if isinstance(value, bool) or not math.isfinite(number):
        return _NO_NUMBER
    return int(number) if number.is_integer() and "lr" not in key and "rate" not in key else number


def _by_table(draft: Draft, key: str, value: Any) -> None:
    row = KOHYA.get(key)
    if isinstance(row, Stays):
        draft.leave(key, row.why)
    elif isinstance(row, Goes):
        if row.to not in TrainSettings.model_fields and _means_off(value, row):
            draft.told[key] = ("taken", "off, as here")
        else:
            draft.take(key, row.to, value)


def _means_off(value: Any, row: Goes) -> bool:
    if isinstance(value, str):
        value = value.strip().lower()
    return any(value == off and isinstance(value, bool) in (isinstance(off, bool), value == 0) for off in row.off)


def _keys(file: TrainerFile, draft: Draft) -> list[KeyTold]:
    rows = []
    for key, entry in file.values.items():
        fate, here = draft.told.get(key) or _unsaid(key)
        rows.append(KeyTold(entry.key, shown(entry.value), fate, here))
    for key, (fate, here) in draft.told.items():
        if key not in {**file.values, **file.aside} and fate in ("taken", "changed") and not here.endswith("as here"):
            rows.append(KeyTold(key, f"left out: {shown(LEFT_OUT[key])} there" if key in LEFT_OUT else "-", fate, here))
    rows += [KeyTold(key, shown(value), "not applicable", why) for key, (value, why) in file.aside.items()]
    for key, value in file.unknown.items():
        near = difflib.get_close_matches(key, KOHYA, n=1, cutoff=0.6)
        rows.append(KeyTold(key, shown(value), "unknown", f"did you mean {near[0]}?" if near else "nobody knows it"))
    return sorted(rows, key=lambda row: FATES.index(row.fate))


def _unsaid(key: str) -> tuple[Fate, str]:
    if key in KOHYA:
        return "not applicable", "it says something only together with others"
    near = difflib.get_close_matches(key, KOHYA, n=1, cutoff=0.6)
    return "unknown", f"did you mean {near[0]}?" if near else "nobody knows it"


def _folders(given: Mapping[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for key in ("train_data_dir", "image_dir"):
        value = given.get(key)
        found += [str(each) for each in (value if isinstance(value, list) else [value]) if each]
    return tuple(dict.fromkeys(found))


def shown(value: Any) -> str:
    """Writes a value for a person, shortened."""
    if isinstance(value, str):
        text = value or '""'
    elif isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "none"}[value]
    elif isinstance(value, float):
        text = f"{value:g}"
    elif isinstance(value, Sequence | Mapping):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
