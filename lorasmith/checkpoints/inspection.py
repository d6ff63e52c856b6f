"""What a model file is, told from its header alone: for the command `inspect` and for check lists. No tensor is loaded."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.checkpoints import lora_history as history
from lorasmith.checkpoints.family import identify
from lorasmith.checkpoints.header import Header, read_header
from lorasmith.checkpoints.lora_modules import base_of, groups_of, modules_of, network_of
from lorasmith.errors import CheckpointError
from lorasmith.safety import text_is_refused
from lorasmith.settings.lora_metadata import settings_in
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.trainer_plan import TrainerPlan, plan_of

TAGS = 40  # tags shown unless all are asked for
_BLOCK = 1 << 20
_TOLD_ELSEWHERE = ("ss_tag_frequency", "ss_dataset_dirs", "ss_reg_dataset_dirs", "ss_bucket_info", "ss_datasets",
                   "modelspec.thumbnail", "ssmd_cover_images")  # fmt: skip
_PEFT = ("adapter_model.safetensors", "adapter_config.json")


def inspect(path: Path | str | Header, *, everything: bool = False, hashed: bool = False) -> dict[str, Any]:
    """Describes a LoRA or a base model; raises `CheckpointError` for a file that is neither whole nor safetensors.

    `everything` gives all tags and the metadata as it stands; `hashed` reads the file's data to compute its hash.
    """
    header = open_header(path)
    family = identify(header)
    told: dict[str, Any] = {
        "file": str(header.path),
        "megabytes": round(header.size / 1e6, 1),
        "kind": family.kind,
    }
    modules = modules_of(header) if family.kind in ("lora", "unknown") else {}
    if modules:
        told |= {"kind": "lora"} | _lora(header, everything)
    elif family.kind not in ("lora", "unknown", "part"):
        told["prediction_type"] = family.prediction_type
        told["prediction_type_stated"] = family.stated
        told["zero_terminal_snr"] = family.zero_terminal_snr
    told["tensors"] = len(header.tensors)
    told["dtypes"] = dict(Counter(info.dtype for info in header.tensors.values()))
    if hashed:
        told["hash"] = (told.get("hash") or {}) | _computed(header)
    if everything:
        told["metadata"] = metadata_of(header)
    return told


def open_header(source: Path | str | Header) -> Header:
    """Reads the header of a file, or of what a PEFT adapter's folder holds; one that is read already is given back."""
    return source if isinstance(source, Header) else with_config_beside(read_header(_file_in(Path(source))))


def _file_in(path: Path) -> Path:
    """Gives the file that a PEFT adapter's folder holds; any other path as it is."""
    if path.is_dir():
        inside = path / _PEFT[0]
        if not inside.is_file():
            raise CheckpointError(f"{path} is a folder and holds no {_PEFT[0]}; name one .safetensors file.")
        return inside
    return path


def with_config_beside(header: Header) -> Header:
    """Adds what PEFT keeps in a file of its own (rank, alpha, base model) to the metadata."""
    config = header.path.with_name(_PEFT[1])
    if not any(name.startswith("base_model.model.") for name in header.tensors) or not config.is_file():
        return header
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return header
    if not isinstance(found, dict):
        return header
    more = {
        "ss_network_dim": found.get("r"),
        "ss_network_alpha": found.get("lora_alpha"),
        "base_model": found.get("base_model_name_or_path"),
    }
    words = {key: str(value) for key, value in more.items() if value is not None}
    return replace(header, metadata=words | dict(header.metadata))


def _lora(header: Header, everything: bool) -> dict[str, Any]:
    metadata, modules = header.metadata, modules_of(header)
    tags, refused = history.tags_told(metadata)
    told: dict[str, Any] = {
        "network": network_of(modules),
        "made_by": history.maker_of(metadata, list(header.tensors)),
        "name": history.value(metadata, "ss_output_name", "modelspec.title", "name"),
        "trigger": "; ".join(history.triggers_told(metadata))
        or history.value(metadata, "modelspec.trigger_phrase", "lorasmith_trigger", "ssmd_keywords"),
        "base": history.base_told(metadata, base_of(modules)),
        "modules": groups_of(modules),
        "training": history.length_told(metadata),
        "settings": plan_in(header).settings,
        "other_settings": _untaken(plan_in(header)),
        "folders": history.folders_told(metadata),
        "buckets": history.buckets_told(metadata),
        "hash": {"webui": metadata["sshs_model_hash"][:12]} if metadata.get("sshs_model_hash") else {},
        "tags": [{"tag": tag, "pictures": count} for tag, count in list(tags.items())[: None if everything else TAGS]],
    }
    if len(tags) > len(told["tags"]):
        told["more_tags"] = f"{len(tags) - TAGS}; --all shows them"
    if refused:
        told["refused_tags"] = refused
    return {name: value for name, value in told.items() if value not in ("", {}, [])}


def plan_in(header: Header) -> TrainerPlan:
    """Gives the training settings of a file under the names of [train]: those of its metadata, else what its shapes say."""
    plan = plan_of(settings_in(header.metadata))
    told = [name for name in TrainSettings.model_fields if name in plan.settings]
    settings = {name: plan.settings[name] for name in told if name not in ("checkpoint", "bucket_rule")}
    modules = modules_of(header)
    linear = [module for module in modules.values() if module.kernel == 1]
    for name in ("rank", "alpha"):
        found = {getattr(module, name) for module in linear}
        if name not in settings and len(found) == 1 and None not in found:
            settings[name] = found.pop()
    return TrainerPlan(settings, plan.keys, ())


def _untaken(plan: TrainerPlan) -> dict[str, str]:
    """Lists what the file sets and [train] has no setting for."""
    return {row.key.removeprefix("ss_"): row.there for row in plan.keys if row.fate == "not there yet"}


def _computed(header: Header) -> dict[str, str]:
    digest = hashlib.sha256()
    with header.path.open("rb") as stream:
        stream.seek(header.data_start)
        while block := stream.read(_BLOCK):
            digest.update(block)
    stored = header.metadata.get("sshs_model_hash", "")
    words = "as stored" if stored == digest.hexdigest() else "NOT as stored: the data was changed"
    words = words if stored else "no hash is stored"
    return {"data_sha256": digest.hexdigest(), "stored": words}


def metadata_of(header: Header) -> dict[str, str]:
    """Gives the metadata as it stands, but for what is told in tables; values that mark minors are not shown."""
    return {
        key: "(refused)" if text_is_refused(text) else text
        for key, text in sorted(header.metadata.items())
        if key not in _TOLD_ELSEWHERE
    }


def difference(one: Path | Header, two: Path | Header) -> list[dict[str, str]]:
    """Lists what differs between two files, the settings by name; raises `CheckpointError` as `inspect` does.

    Where nothing does, the data is read to say whether the weights are the same; of headers alone their stored hashes say it.
    """
    headers = [open_header(each) for each in (one, two)]
    a, b = (_flat(inspect(header, everything=True)) for header in headers)
    names = [name for name in dict.fromkeys((*a, *b)) if a.get(name) != b.get(name)]
    rows = [{"what": name, "a": a.get(name, "-"), "b": b.get(name, "-")} for name in names]
    if not rows:
        word = _same_weights(headers[0], headers[1], not isinstance(one, Header) and not isinstance(two, Header))
        rows.append({"what": "weights", "a": word, "b": word})
    return rows


def _same_weights(one: Header, two: Header, reading: bool) -> str:
    if reading:
        return "the same" if _computed(one)["data_sha256"] == _computed(two)["data_sha256"] else "differ"
    stored = [header.metadata.get("sshs_model_hash", "") for header in (one, two)]
    if not all(stored):
        return "not looked at, and no hash of them is stored"
    return "the same, by their stored hashes" if stored[0] == stored[1] else "differ, by their stored hashes"


def _flat(told: Mapping[str, Any]) -> dict[str, str]:
    """Writes what is told of a file as one name and one text each."""
    flat: dict[str, str] = {}
    for name, value in told.items():
        if name in ("metadata", "hash") or name == "file":
            continue
        if name == "modules":
            flat |= {f"{each.part}, {each.layers}": each.in_words for each in value}
        elif name == "tags":
            flat |= {f"tag {row['tag']}": f"{row['pictures']} pictures" for row in value}
        elif isinstance(value, Mapping):
            flat |= {f"{name} {key}" if name == "base" else str(key): str(each) for key, each in value.items()}
        elif isinstance(value, list):
            flat[name] = ", ".join(" ".join(map(str, row.values())) for row in value)
        else:
            flat[name] = str(value)
    return flat

