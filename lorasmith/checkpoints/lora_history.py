"""What a LoRA's metadata tells of its making: who made it, on what, how long, from which pictures and tags.

Keys are those of sd-scripts (ss_*, sshs_*), of Stability's modelspec, OneTrainer (ot_*), ai-toolkit, diffusers and PEFT. Words
that mark minors are counted and not shown.
"""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lorasmith.safety import is_refused, text_is_refused
from lorasmith.settings.lora_metadata import parsed

_HIDDEN = "(refused)"
_VERSIONS = (("sdxl", "SDXL"), ("sd_v2", "SD2.x"), ("sd_v1", "SD1.x"), ("sd_1", "SD1.x"), ("sd3", "SD3"), ("flux", "Flux"))
_ARCHITECTURES = (
    ("stable-diffusion-xl", "SDXL"), ("stable-diffusion-v2", "SD2.x"), ("stable-diffusion-v1", "SD1.x"), ("flux", "Flux"),
)  # fmt: skip


def value(metadata: Mapping[str, str], *keys: str) -> str:
    """Gives the first value that is there and says something."""
    for key in keys:
        text = metadata.get(key, "").strip()
        if text and text != "None":
            return _HIDDEN if text_is_refused(text) else text
    return ""


def maker_of(metadata: Mapping[str, str], names: list[str]) -> str:
    """Names the program that made a file, by its metadata, else by how its tensors are called."""
    software = parsed(metadata.get("software")).get("name") or metadata.get("software", "")
    network = metadata.get("ss_network_module", "")
    signs = (
        ("lorasmith_fingerprint" in metadata, "lorasmith"),
        (any(key.startswith("ot_") for key in metadata), "OneTrainer"),
        ("ai-toolkit" in str(software), "ai-toolkit"),
        (network.startswith("lycoris"), "kohya sd-scripts with LyCORIS"),
        (bool(network) or "ss_sd_scripts_commit_hash" in metadata, "kohya sd-scripts, or a program that writes as it does"),
        ("lora_adapter_metadata" in metadata, "diffusers with PEFT"),
        (bool(software), str(software)[:60]),
    )
    return next((name for holds, name in signs if holds), "") or _by_names(names)


def _by_names(names: list[str]) -> str:
    """Tells the maker from names alone; a file without metadata says no more."""
    if any(name.startswith("base_model.model.") for name in names):
        return "PEFT"
    if any("hada_w" in name or "lokr_w" in name or name.startswith("lycoris_") for name in names):
        return "LyCORIS (it says nothing itself)"
    if any(name.startswith(("unet.", "text_encoder.", "transformer.")) for name in names):
        return "diffusers" if any(".lora" in name or "_lora" in name for name in names) else "unknown"
    if any(name.startswith(("lora_unet_", "lora_te")) for name in names):
        return "unknown (kohya's names, and no word of who made it)"
    return "unknown"


def version_of(metadata: Mapping[str, str]) -> str:
    """Names the family of the base model as the file states it, or nothing."""
    stated = metadata.get("ss_base_model_version", "").lower()
    found = next((name for start, name in _VERSIONS if stated.startswith(start)), "")
    architecture = metadata.get("modelspec.architecture", "").lower()
    return found or next((name for start, name in _ARCHITECTURES if architecture.startswith(start)), "")


def base_told(metadata: Mapping[str, str], by_shapes: str) -> dict[str, Any]:
    """Gives what is known of the base model; where the file states another family than its shapes have, that is told."""
    stated = version_of(metadata)
    told: dict[str, Any] = {"family": by_shapes or stated or "unknown"}
    if stated and by_shapes and stated != by_shapes:
        told["states"] = f"{stated}, which its shapes are not: WebUIs hide it from the right models"
    rows = {
        "model": value(metadata, "ss_sd_model_name", "base_model", "lora_adapter_metadata.base_model_name_or_path"),
        "hash": value(metadata, "ss_new_sd_model_hash", "ss_sd_model_hash")[:10],
        "vae": value(metadata, "ss_vae_name"),
        "prediction": value(metadata, "modelspec.prediction_type"),
        "zero_terminal_snr": value(metadata, "ss_zero_terminal_snr").replace("False", ""),
        "clip_skip": value(metadata, "ss_clip_skip", "modelspec.encoder_layer"),
    }
    return told | {name: text for name, text in rows.items() if text}


def triggers_told(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Gives the triggers of a LoRA that holds several characters; those that mark minors are left out."""
    try:
        found = json.loads(metadata.get("lorasmith_triggers", "[]"))
    except (ValueError, RecursionError):
        return ()
    return tuple(str(each) for each in found if not text_is_refused(str(each))) if isinstance(found, list) else ()


def length_told(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Gives when it was trained, how long, and on how much."""
    info = parsed(metadata.get("training_info"))  # ai-toolkit's
    epoch, epochs = value(metadata, "ss_epoch") or str(info.get("epoch", "")), value(metadata, "ss_num_epochs")
    steps, most = value(metadata, "ss_steps") or str(info.get("step", "")), value(metadata, "ss_max_train_steps")
    rows = {
        "trained": _day(metadata),
        "took": _took(metadata),
        "epoch": f"{epoch} of {epochs}" if epoch and epochs else epoch,
        "steps": f"{steps} of {most}" if steps and most and most != steps else steps,
        "pictures": _pictures(metadata),
        "draws_an_epoch": value(metadata, "ss_num_train_images"),
        "regularisation": value(metadata, "ss_num_reg_images").removeprefix("0"),
        "mean_loss": value(metadata, "lorasmith_loss"),
        "comment": value(metadata, "ss_training_comment", "modelspec.description"),
    }
    return {name: text for name, text in rows.items() if text}


def _day(metadata: Mapping[str, str]) -> str:
    for key in ("ss_training_started_at", "ss_training_finished_at"):
        try:
            return datetime.fromtimestamp(float(metadata.get(key, "")), UTC).strftime("%Y-%m-%d %H:%M UTC")
        except (ValueError, OverflowError, OSError):
            continue
    return value(metadata, "modelspec.date")[:32]


def _took(metadata: Mapping[str, str]) -> str:
    try:
        seconds = float(metadata["ss_training_finished_at"]) - float(metadata["ss_training_started_at"])
        minutes, hours = round(seconds / 60), round(seconds // 3600)
    except (KeyError, ValueError, OverflowError):
        return ""
    if seconds < 0:
        return ""
    return f"{hours} h {minutes - 60 * hours} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _pictures(metadata: Mapping[str, str]) -> str:
    counts = [row["pictures"] for row in folders_told(metadata)]
    return str(sum(counts)) if counts else ""


def folders_told(metadata: Mapping[str, str]) -> list[dict[str, Any]]:
    """Lists the folders that were trained on; of a data set file's subsets too."""
    rows = []
    for key, kind in (("ss_dataset_dirs", ""), ("ss_reg_dataset_dirs", " (regularisation)")):
        for name, facts in parsed(metadata.get(key)).items():
            if isinstance(facts, dict):
                shown = _HIDDEN if text_is_refused(name.replace("_", " ")) else name
                counts = {"repeats": _int(facts.get("n_repeats")), "pictures": _int(facts.get("img_count"))}
                rows.append({"folder": f"{shown}{kind}"} | counts)
    return rows


def buckets_told(metadata: Mapping[str, str]) -> list[dict[str, Any]]:
    """Lists the sizes that were trained at, the most frequent first."""
    infos = [parsed(metadata.get("ss_bucket_info"))]
    infos += [each.get("bucket_info") or {} for each in datasets_of(metadata)]
    counts: Counter[str] = Counter()
    for info in infos:
        buckets = info.get("buckets") if isinstance(info, dict) else None
        for row in buckets.values() if isinstance(buckets, dict) else ():
            side = row.get("resolution") if isinstance(row, dict) else None
            if isinstance(side, list) and len(side) == 2:
                counts[f"{side[0]} x {side[1]}"] += _int(row.get("count"))
    return [{"size": size, "draws": count} for size, count in counts.most_common()]


def datasets_of(metadata: Mapping[str, str]) -> list[dict[str, Any]]:
    """Gives the data sets of a training from a data set file (`ss_datasets`)."""
    try:
        found = json.loads(metadata.get("ss_datasets", "[]"))
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def tags_told(metadata: Mapping[str, str]) -> tuple[dict[str, int], int]:
    """Gives every training tag with its pictures over all folders, the most frequent first, and how many are not shown."""
    counts: Counter[str] = Counter()
    for tags in parsed(metadata.get("ss_tag_frequency")).values():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            counts[str(tag).strip()] += _int(count)
    refused = [tag for tag in counts if is_refused(tag) or text_is_refused(tag)]
    for tag in refused:
        del counts[tag]
    return dict(counts.most_common()), len(refused)


def _int(number: Any) -> int:
    try:
        return int(number)
    except (TypeError, ValueError, OverflowError):
        return 0
