"""The training settings that a LoRA file holds in its metadata: kohya's ss_*, or OneTrainer's own."""

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from lorasmith.settings.kohya_keys import KOHYA
from lorasmith.settings.trainer_dialects import METADATA_NAMES, METADATA_OWN
from lorasmith.settings.trainer_files import onetrainer, options, plain_value
from lorasmith.settings.trainer_plan import Given, TrainerFile

_CALL = re.compile(r"^([\w.]+)\s*(?:\((.*)\))?$", re.DOTALL)


def settings_in(metadata: Mapping[str, str]) -> TrainerFile:
    """Reads the settings under kohya's names; empty where the file says nothing."""
    if config := parsed(metadata.get("ot_config")):
        return onetrainer(config)
    values: dict[str, Given] = {}
    for key, text in metadata.items():
        bare = key.removeprefix("ss_")
        name = METADATA_NAMES.get(bare, bare)
        if key.startswith("ss_") and (bare in METADATA_NAMES or bare not in METADATA_OWN) and name in KOHYA:
            value = _value(text)
            if value is not None:
                values[name] = Given(key, value)
    values |= _optimizer(metadata) | _network(metadata) | _repeats(metadata)
    values.pop("caption_dropout_every_n_epochs", None)
    return TrainerFile("LoRA file", values, left_out={})


def _value(text: str) -> Any:
    """Reads a value as it is written there; several rates stand as a list."""
    if not text.startswith("["):
        return plain_value(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parsed(text: str | None) -> dict[str, Any]:
    """Reads a value that should be a JSON object; anything else is an empty one."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _optimizer(metadata: Mapping[str, str]) -> dict[str, Given]:
    """Reads `module.Class(k=v,...)`."""
    found = _CALL.match(metadata.get("ss_optimizer", "").strip())
    if not found or found[1] == "None":
        return {}
    values = {"optimizer_type": Given("ss_optimizer", found[1].rpartition(".")[2])}
    for name, value in _arguments(found[2] or "").items():
        if f"optimizer_args.{name}" in KOHYA:
            values[f"optimizer_args.{name}"] = Given("ss_optimizer", value)
    return values


def _arguments(text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        return {word.arg: ast.literal_eval(word.value) for word in getattr(call, "keywords", []) if word.arg}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _network(metadata: Mapping[str, str]) -> dict[str, Given]:
    found = options(parsed(metadata.get("ss_network_args")))
    rows = {f"network_args.{name}": Given(f"ss_network_args {name}", value) for name, value in found.items() if value is not None}
    return {name: given for name, given in rows.items() if name in KOHYA}


def _repeats(metadata: Mapping[str, str]) -> dict[str, Given]:
    folders = parsed(metadata.get("ss_dataset_dirs")).values()
    found = [int(each["n_repeats"]) for each in folders if isinstance(each, dict) and str(each.get("n_repeats", "")).isdigit()]
    return {"num_repeats": Given("ss_dataset_dirs", found)} if found else {}
