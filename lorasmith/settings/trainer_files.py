"""Other trainers' settings files: recognised by what is in them, and read under kohya's names.

LoRA Easy Training Scripts ("LETS") JSON and TOML, kohya's --config_file and --dataset_config TOML, the kohya_ss GUI's JSON, and
OneTrainer's JSON.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.settings import trainer_dialects as dialects
from lorasmith.settings.kohya_keys import KOHYA, LEFT_OUT, OF_THE_SET
from lorasmith.settings.trainer_plan import Given, TrainerFile

LARGEST_FILE = 16 << 20  # bytes
KNOWN = (
    "LoRA Easy Training Scripts (.json, .toml), kohya's config and dataset files (.toml), the kohya_ss GUI (.json), "
    "OneTrainer (.json), the e621 downloader (settings.json), and a LoRA that has its settings in it (.safetensors)"
)
_DOWNLOADER = ("batch_folder", "required_tags", "downloaded_posts_folder", "collect_from_listed_posts_file")
_LETS_SECTIONS = ("train_mode", "general_args", "network_args", "optimizer_args", "saving_args", "bucket_args", "noise_args",
                  "sample_args", "logging_args", "extra_args", "flux_args", "edm_loss_args", "sdxl_args")  # fmt: skip
_FEWEST = 2  # known keys from which a flat TOML counts as kohya's
_SUBSET_OWN = ("name", "id", "caption_dropout_rate_enabled", "random_crop_padding_percent")


def read_object(data: bytes, name: str) -> tuple[dict[str, Any], bool]:
    """Reads JSON or TOML, whichever the content is; gives it and whether it is JSON; raises `UsageError` with a sentence."""
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{name} has {len(data) >> 20} MB, which no settings file has; name a trainer's settings file.")
    try:
        text = data.decode(json.detect_encoding(data)).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not text that can be read; save it as UTF-8, or name a settings file.") from error
    if not text.strip():
        raise UsageError(f"{name} is empty; name a trainer's settings file.")
    as_json = text.lstrip()[:1] in "{["
    if text.lstrip().startswith("[") and not text.lstrip().startswith("[{"):
        as_json = False  # a table's head in TOML
    try:
        found = json.loads(text) if as_json else tomllib.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name} begins like JSON and is not (line {error.lineno}: {error.msg}); correct it.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is neither JSON nor TOML ({error}); lorasmith reads the settings of {KNOWN}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no settings file; lorasmith reads the settings of {KNOWN}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{name} holds a list, and a settings file has a name for each value.")
    return found, as_json


def is_downloader(found: Mapping[str, Any], as_json: bool) -> bool:
    """Says whether an object is an e621 downloader's settings; that file may leave out any key."""
    trainer = any(key in found for key in ("LoRA_type", "base_model", "training_method", "pretrained_model_name_or_path"))
    return as_json and not trainer and (not found or any(key in found for key in _DOWNLOADER) or not _known(found))


def read_trainer(found: Mapping[str, Any], as_json: bool, name: str) -> TrainerFile:
    """Reads what an object says, whichever trainer's it is; raises `UsageError` when it is nobody's."""
    reader = _reader(found, as_json)
    if reader is None:
        raise UsageError(f"{name} is of no trainer that lorasmith knows; it reads the settings of {KNOWN}.")
    return reader(found)


def _reader(found: Mapping[str, Any], as_json: bool) -> Callable[[Mapping[str, Any]], TrainerFile] | None:
    if as_json:
        if "LoRA_type" in found:
            return _gui
        if "base_model" in found and ("img_folder" in found or "net_dim" in found):
            return _lets_json
        if "training_method" in found or "base_model_name" in found:
            return _onetrainer
        return _dataset if isinstance(found.get("datasets"), list) else None
    if isinstance(found.get("datasets"), list):
        return _dataset
    if any(isinstance(found.get(section), Mapping) for section in ("train_mode", "general_args")) or "subsets" in found:
        return _lets_toml
    return _config if _known(_flat(found)) >= _FEWEST or "network_module" in _flat(found) else None


def _known(values: Mapping[str, Any]) -> int:
    return sum(key in KOHYA for key in values)


class _Reading:
    """What is read so far; `put` says where a key goes."""

    def __init__(self, maker: str, left_out: Mapping[str, Any] = LEFT_OUT) -> None:
        self.maker, self.left_out = maker, left_out
        self.values: dict[str, Given] = {}
        self.aside: dict[str, tuple[Any, str]] = {}
        self.unknown: dict[str, Any] = {}

    def put(self, key: str, value: Any, name: str = "") -> None:
        """Puts a value under kohya's name (`name`, else its own); its parts where it holds options of its own."""
        name = name or key
        if name in ("network_args", "optimizer_args"):
            for part, each in options(value).items():
                self.put(f"{key}.{part}", each, f"{name}.{part}")
        elif name in KOHYA or name.startswith("optimizer_args."):
            self.values[name] = Given(key, value)
        else:
            self.unknown[key] = value

    def done(self) -> TrainerFile:
        """Gives the whole."""
        return TrainerFile(self.maker, self.values, self.aside, self.unknown, self.left_out)


def options(value: Any) -> dict[str, Any]:
    """Reads options of a network or an optimizer: a table, a list of `k=v`, or one string of them."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(each) for key, each in value.items()}
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            value = value.split()
    if not isinstance(value, list | tuple):
        value = ()  # a switch or a number says nothing that could be read
    pairs = [str(each).partition("=") for each in value]
    return {name.strip(): plain_value(text.strip()) for name, _, text in pairs if name.strip()}


def plain_value(value: Any) -> Any:
    """Reads text that is a number, a truth or nothing as that; anything else stays."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.lower() in ("none", "null"):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """Takes sections away, one level, as the trainer does; a section's name means nothing."""
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, Mapping) and key not in KOHYA and key not in ("network_args", "optimizer_args"):
            flat |= value
        else:
            flat[key] = value
    return flat


def _config(found: Mapping[str, Any]) -> TrainerFile:
    flat = _flat(found)
    has_set = "train_data_dir" in flat or "resolution" in flat  # else a dataset file was given beside it
    left_out = LEFT_OUT if has_set else {key: value for key, value in LEFT_OUT.items() if key not in OF_THE_SET}
    reading = _Reading("kohya config file", left_out)
    for key, value in flat.items():
        reading.put(key, value)
    return reading.done()


def _dataset(found: Mapping[str, Any]) -> TrainerFile:
    """kohya's dataset file: what stands nearest to the pictures wins, subset before dataset before general."""
    reading = _Reading("kohya dataset file", {})
    _put_dataset(reading, found.get("general") or {}, found.get("datasets") or [])
    return reading.done()


def with_dataset(file: TrainerFile, found: Mapping[str, Any]) -> TrainerFile:
    """Gives a config file's settings with those of the dataset file that it names; what that one says wins."""
    more = _dataset(found)
    values, unknown = {**file.values, **more.values}, {**file.unknown, **more.unknown}
    return TrainerFile(f"{file.maker} and its dataset file", values, dict(file.aside), unknown, LEFT_OUT)


def _put_dataset(reading: _Reading, general: Mapping[str, Any], datasets: list[Any]) -> None:
    subsets = []
    for each in datasets:
        subsets += [general | each | subset for subset in each.get("subsets") or [{}]]
    keys = dict.fromkeys(key for subset in subsets for key in subset if key != "subsets")
    for key in keys:
        values = [subset[key] for subset in subsets if key in subset]
        alike = all(value == values[0] for value in values)
        name = "train_batch_size" if key == "batch_size" else key
        if key in ("image_dir", "num_repeats", "class_tokens", "metadata_file"):
            reading.put(key, values[0] if len(values) == 1 else values, name)
        else:
            reading.put(key if alike else f"{key} (they differ; the first)", values[0], name)


def _lets_json(found: Mapping[str, Any]) -> TrainerFile:
    reading = _Reading("LoRA Easy Training Scripts (JSON)")
    for key, value in found.items():
        if key in dialects.LETS_ASIDE:
            reading.aside[key] = (value, dialects.LETS_ASIDE[key])
        else:
            reading.put(key, value, dialects.LETS_NAMES.get(key, ""))
    if found.get("height_resolution"):
        reading.put("train_resolution", [found.get("train_resolution"), found["height_resolution"]], "resolution")
    if found.get("lyco") and "algo" not in options(found.get("network_args")):
        reading.put("lyco", "lycoris.kohya", "network_module")
    if not found.get("locon"):
        for name in ("network_args.conv_dim", "network_args.conv_alpha"):
            given = reading.values.get(name)
            if given is not None and given.key.startswith("locon"):
                del reading.values[name]
                reading.aside[given.key] = (given.value, "locon is off there")
    for key, name in (("use_8bit_adam", "AdamW8bit"), ("use_lion", "Lion")):
        if found.get(key) and not found.get("optimizer_type"):
            reading.put(key, name, "optimizer_type")
    return reading.done()


def _lets_toml(found: Mapping[str, Any]) -> TrainerFile:
    reading = _Reading("LoRA Easy Training Scripts (TOML)")
    mode = str((found.get("train_mode") or {}).get("train_mode", "lora"))
    if mode != "lora":
        raise UsageError(f"That file trains with the mode '{mode}'; lorasmith trains LoRAs, so there is nothing to take from it.")
    for section, tables in found.items():
        if section in ("subsets", "train_mode"):
            continue
        if not isinstance(tables, Mapping):
            reading.unknown[section] = tables
            continue
        for part in ("args", "dataset_args"):
            for key, value in (tables.get(part) or {}).items():
                _put_lets(reading, key, value)
        reading.unknown |= {key: value for key, value in tables.items() if key not in ("args", "dataset_args")}
    subsets = [{key: value for key, value in each.items() if key not in _SUBSET_OWN} for each in found.get("subsets") or []]
    _put_dataset(reading, {}, [{"subsets": subsets}] if subsets else [])
    return reading.done()


def _put_lets(reading: _Reading, key: str, value: Any) -> None:
    names = {"batch_size": "train_batch_size", "warmup_ratio": "lr_warmup_steps"}
    if key in ("sdxl", "multires_noise_enabled"):
        reading.aside[key] = (value, "read off the base model itself" if key == "sdxl" else "a switch of the window")
    else:
        reading.put(key, value, names.get(key, ""))


def _gui(found: Mapping[str, Any]) -> TrainerFile:
    """The kohya_ss GUI: numbers are often text, and an empty text means unset."""
    reading = _Reading("kohya_ss GUI")
    kind = str(found.get("LoRA_type") or "Standard").lower()
    if kind == "standard":  # the fields of other networks stay in the file
        found = {key: value for key, value in found.items() if key not in ("conv_dim", "conv_alpha")}
    multires = str(found.get("noise_offset_type", "Original")).lower() == "multires"
    for key, value in found.items():
        value = _gui_value(key, plain_value(value))
        other = key.startswith("multires_noise") if not multires else key in ("noise_offset", "adaptive_noise_scale")
        if key in dialects.GUI_ASIDE or (other and value):
            reading.aside[key] = (value, dialects.GUI_ASIDE.get(key, "the other kind of noise is chosen there"))
        elif not other:
            reading.put(key, value, dialects.GUI_NAMES.get(key, ""))
    algo = dialects.GUI_KINDS.get(kind, kind.rpartition("/")[2])
    if algo:
        reading.put("LoRA_type", algo, "network_args.algo")
        reading.aside.pop("LoRA_type", None)
    if found.get("lr_warmup_steps"):
        reading.put("lr_warmup_steps", plain_value(found["lr_warmup_steps"]))
    if found.get("use_8bit_adam") and not found.get("optimizer"):
        reading.put("use_8bit_adam", "AdamW8bit", "optimizer_type")
    _put_flags(reading, str(found.get("additional_parameters") or ""))
    return reading.done()


def _gui_value(key: str, value: Any) -> Any:
    if key == "lr_warmup":
        try:
            return float(value or 0) / 100
        except (TypeError, ValueError):
            return value  # no percentage: the plan says so
    zero_is_unset = ("unet_lr", "max_train_steps", "max_train_epochs", "save_every_n_steps", "lr_warmup_steps")
    return None if key in zero_is_unset and not value else value


def _put_flags(reading: _Reading, text: str) -> None:
    """Reads the command line that the GUI's free field holds."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    flags: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if re.match(r"--\w", word):
            name, _, first = word.lstrip("-").partition("=")
            name = name.replace("-", "_")
            flags[name] = [first] if first else []
        elif name:
            flags[name].append(word)
    for name, values in flags.items():
        value: Any = True if not values else plain_value(values[0]) if len(values) == 1 else values
        reading.put(f"--{name}", values if name in ("network_args", "optimizer_args") else value, name)


def _onetrainer(found: Mapping[str, Any]) -> TrainerFile:
    if str(found.get("training_method", "LORA")).upper() != "LORA":
        raise UsageError(
            f"That file trains with OneTrainer's method {found['training_method']}; lorasmith trains LoRAs, "
            "so there is nothing to take."
        )
    return onetrainer(found)


def onetrainer(found: Mapping[str, Any]) -> TrainerFile:
    """Reads OneTrainer's settings: those that its table knows; its many others are of other kinds of models."""
    reading = _Reading("OneTrainer", {})
    nested = {f"{key}.{part}": each for key, value in found.items() if isinstance(value, Mapping) for part, each in value.items()}
    for key, name in dialects.ONETRAINER_NAMES.items():
        value = found.get(key, nested.get(key))
        if value is not None and not isinstance(value, Mapping):
            reading.put(key, _onetrainer_value(key, value), name)
    if isinstance(found.get("text_encoder"), Mapping) and found["text_encoder"].get("train") is False:
        reading.put("text_encoder.train", True, "network_train_unet_only")
    if str(found.get("loss_weight_fn", "")).upper() == "MIN_SNR_GAMMA":
        reading.put("loss_weight_strength", found.get("loss_weight_strength", 5), "min_snr_gamma")
    return reading.done()


def _onetrainer_value(key: str, value: Any) -> Any:
    if key == "text_encoder_layer_skip":
        try:
            return int(value) + 1
        except (TypeError, ValueError):
            return value
    if key in ("train_dtype", "output_dtype"):
        return {"FLOAT_16": "fp16", "BFLOAT_16": "bf16", "FLOAT_32": "fp32", "TFLOAT_32": "fp32"}.get(str(value), str(value).lower())
    return plain_value(value.lower() if isinstance(value, str) and value.isupper() else value)
