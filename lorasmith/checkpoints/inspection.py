"""What a model file is, told from its header alone: for the command `inspect` and for check lists."""

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

from lorasmith.checkpoints.family import identify
from lorasmith.checkpoints.header import Header, TensorInfo, read_header

_SUMMARY = (
    "ss_output_name", "ss_sd_model_name", "ss_base_model_version", "ss_learning_rate", "ss_unet_lr",
    "ss_text_encoder_lr", "ss_epoch", "ss_num_epochs", "ss_steps", "ss_num_train_images", "ss_resolution",
    "ss_clip_skip", "ss_seed", "ss_optimizer", "ss_lr_scheduler", "ss_training_comment", "sshs_model_hash",
    "modelspec.title",
    "modelspec.architecture", "modelspec.prediction_type", "modelspec.trigger_phrase", "modelspec.date",
)  # fmt: skip
_TAGS = 40
_FORMS = {"F16": "<e", "F32": "<f", "F64": "<d"}


def inspect(path: Path | str) -> dict[str, Any]:
    """Describes a LoRA or a base model; raises `CheckpointError` for a file that is neither whole nor safetensors."""
    header = read_header(path)
    family = identify(header)
    told: dict[str, Any] = {
        "path": str(header.path),
        "bytes": header.path.stat().st_size,
        "kind": family.kind,
        "tensors": len(header.tensors),
        "dtypes": dict(Counter(info.dtype for info in header.tensors.values())),
    }
    if family.kind == "lora":
        told.update(_lora(header))
    else:
        told["prediction_type"] = family.prediction_type
        told["prediction_type_stated"] = family.stated
        told["zero_terminal_snr"] = family.zero_terminal_snr
    told["metadata"] = {key: header.metadata[key] for key in _SUMMARY if header.metadata.get(key, "None") != "None"}
    told["tag_frequency"] = tag_frequency(header)
    return told


def _lora(header: Header) -> dict[str, Any]:
    modules = {name.partition(".")[0] for name in header.tensors}
    downs = {name: info for name, info in header.tensors.items() if name.endswith(".lora_down.weight")}
    return {
        "base_version": header.metadata.get("ss_base_model_version", "unknown"),
        "modules": {
            "unet": sum(name.startswith("lora_unet") for name in modules),
            "text_encoder": sum(name.startswith("lora_te") for name in modules),
            "other": sum(not name.startswith(("lora_unet", "lora_te")) for name in modules),
        },
        "ranks": sorted({info.shape[0] for info in downs.values() if info.shape}),
        "alphas": _alphas(header),
    }


def _alphas(header: Header) -> list[float]:
    """Reads the alpha scalars, a few bytes each, out of the data."""
    with header.path.open("rb") as stream:
        found = set()
        for name, info in header.tensors.items():
            if name.endswith(".alpha"):
                stream.seek(header.data_start + info.begin)
                found.add(_scalar(info, stream.read(info.end - info.begin)))
    return sorted(found)


def _scalar(info: TensorInfo, raw: bytes) -> float:
    if info.dtype == "BF16":  # the upper half of a float32
        return float(struct.unpack("<f", b"\x00\x00" + raw)[0])
    return float(struct.unpack(_FORMS[info.dtype], raw)[0]) if info.dtype in _FORMS else float("nan")


def tag_frequency(header: Header) -> dict[str, int]:
    """Gives the most frequent training tags over all folders (`ss_tag_frequency`), the most frequent first."""
    try:
        folders = json.loads(header.metadata.get("ss_tag_frequency", "{}"))
        counts: Counter[str] = Counter()
        for tags in folders.values():
            counts.update({str(tag).strip(): int(count) for tag, count in tags.items()})
    except (ValueError, AttributeError, TypeError):
        return {}
    return dict(counts.most_common(_TAGS))
