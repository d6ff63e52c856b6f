"""The table of optimizers, light enough to be read before torch is loaded: where each is found, and how it is named."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.settings.tables import TrainSettings

OWN_RATE = frozenset(["prodigy"])  # find the rate themselves: the learning rate is a factor of it, 1 unless set
WANTS_MATRICES = frozenset(["adafactor"])  # look at rows and columns: they get the weights one by one, not as one
NO_SCHEDULE = frozenset(["adamw_schedule_free"])  # their averaging stands in the place of a falling rate


@dataclass(frozen=True)
class Row:
    """Where an optimizer is found, the arguments it gets unless told otherwise, and how it is named in metadata."""

    module: str
    kind: str
    package: str = ""  # what pip calls it; empty where torch brings it
    arguments: tuple[tuple[str, Any], ...] = ()


# Prodigy's arguments: those its author and kohya's users give for LoRAs (reference: its README).
OPTIMIZERS: dict[str, Row] = {
    "adamw": Row("torch.optim", "AdamW"),
    "adamw8bit": Row("bitsandbytes.optim", "AdamW8bit", "bitsandbytes"),
    "prodigy": Row(
        "prodigyopt", "Prodigy", "prodigyopt",
        (("betas", (0.9, 0.99)), ("decouple", True), ("use_bias_correction", True), ("safeguard_warmup", True)),
    ),
    "adafactor": Row("torch.optim", "Adafactor"),
    "lion": Row("lion_pytorch", "Lion", "lion-pytorch"),
    "adamw_schedule_free": Row("schedulefree", "AdamWScheduleFree", "schedulefree"),
}  # fmt: skip


def read_arguments(words: Sequence[str]) -> dict[str, Any]:
    """Reads `name=value` words, values as Python writes them (`0.9, 0.99`, True, None); raises `UsageError`."""
    found: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.partition("=")
        try:
            if not sign or not name.strip().isidentifier():
                raise ValueError
            found[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError) as error:
            raise UsageError(f"optimizer_args has '{word}'; write name=value, such as betas=(0.9, 0.99).") from error
    return found


def in_words(settings: TrainSettings) -> str:
    """Names the optimizer and its arguments as kohya's metadata does: module.Class(name=value,…)."""
    row = OPTIMIZERS[settings.optimizer]
    arguments = {**dict(row.arguments), "weight_decay": settings.weight_decay, **read_arguments(settings.optimizer_args)}
    module = "torch.optim.adamw" if row.kind == "AdamW" else row.module
    return f"{module}.{row.kind}({','.join(f'{name}={value}' for name, value in arguments.items())})"
