"""A base model as a diffusers folder: `model_index.json`, and a folder of .safetensors and `config.json` per part."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.checkpoints.checkpoint import Checkpoint, PartName, PartOnDisk, Stored
from lorasmith.checkpoints.family import Family, Kind, demand_usable
from lorasmith.checkpoints.header import read_header
from lorasmith.checkpoints.layout_text import PROJECTION, clip_pairs
from lorasmith.checkpoints.layout_unet import depths_in, unet_names
from lorasmith.checkpoints.layout_vae import canonical_vae, vae_names
from lorasmith.checkpoints.topology import Topology, count_after
from lorasmith.errors import CheckpointError

INDEX = "model_index.json"
_STEMS: Mapping[PartName, str] = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}
_VARIANTS = ("", ".fp16", ".bf16")
_TAKEN: Mapping[PartName, tuple[str, ...]] = {  # what shapes do not tell and a config may say otherwise
    "unet": ("norm_num_groups", "attention_head_dim"),
    "vae": ("norm_num_groups",),
    "text_encoder": ("num_attention_heads", "hidden_act"),
    "text_encoder_2": ("num_attention_heads", "hidden_act"),
}
_CONTEXT = "down_blocks.{}.attentions.0.transformer_blocks.0.attn2.to_k.weight"


def open_folder(path: Path) -> Checkpoint:
    """Opens a diffusers folder; raises `CheckpointError` when it is not one or cannot be used."""
    if not (path / INDEX).is_file():
        raise CheckpointError(
            f"{path} is a folder without {INDEX}, so it is not a model in diffusers' form. Choose a .safetensors file, "
            "or a folder that has one."
        )
    names: list[PartName] = ["unet", "vae", "text_encoder"]
    if (path / "text_encoder_2").is_dir():
        names.append("text_encoder_2")
    found = {name: _tensors(path, name) for name in names}
    kind = _kind(found)
    family = _family(kind, path)
    demand_usable(family, str(path))
    topology = Topology(
        family.base,
        depths_in(found["unet"], family.base),
        count_after(found["text_encoder"], "encoder.layers."),
        count_after(found.get("text_encoder_2", {}), "encoder.layers."),
    )
    parts = {name: _on_disk(topology, name, tensors) for name, tensors in found.items()}
    stated = {name: _stated(path, name) for name in found}
    return Checkpoint(path, family, topology, parts, stated)


def weight_files(path: Path, part: str, stem: str) -> list[Path]:
    """Lists the files that hold a part's weights: one, or the shards of one; the fullest precision there is."""
    for variant in _VARIANTS:
        whole = path / part / f"{stem}{variant}.safetensors"
        if whole.is_file():
            return [whole]
        if shards := sorted((path / part).glob(f"{stem}{variant}-*-of-*.safetensors")):
            return shards
    pickles = [file.name for file in (path / part).glob("*.bin")]
    more = f"; it has {pickles[0]}, a pickle, which can run any program when it is opened" if pickles else ""
    raise CheckpointError(f"{path / part} has no {stem}.safetensors{more}. Convert the model to .safetensors.")


def files_of(path: Path) -> list[Path]:
    """Lists all weight files of a diffusers folder that are used."""
    return [file for part, stem in _STEMS.items() if (path / part).is_dir() for file in weight_files(path, part, stem)]


def _tensors(path: Path, part: PartName) -> dict[str, Stored]:
    """Lists a part's tensors by our names."""
    found = {}
    for file in weight_files(path, part, _STEMS[part]):
        header = read_header(file)
        for name in header.tensors:
            found[_our_name(part, name)] = Stored(header, name)
    return found


def _our_name(part: PartName, name: str) -> str:
    return canonical_vae(name) if part == "vae" else name.removeprefix("text_model.")


def _kind(found: Mapping[PartName, Mapping[str, Stored]]) -> Kind:
    unet = found["unet"]
    if "conv_in.weight" not in unet:
        return "unknown"
    inpainting = unet["conv_in.weight"].shape[1] == 9
    if "add_embedding.linear_1.weight" in unet:
        if "text_encoder_2" not in found:
            return "part"
        return "sdxl_inpainting" if inpainting else "sdxl"
    context = _CONTEXT.format(0)
    if context not in unet:
        return "unknown"
    if unet[context].shape[1] == 1024:
        return "sd2"
    return "sd1_inpainting" if inpainting else "sd1"


def _family(kind: Kind, path: Path) -> Family:
    """Reads what the U-Net predicts from the scheduler's config."""
    said = _json(path / "scheduler" / "scheduler_config.json")
    velocity = said.get("prediction_type") == "v_prediction"
    ztsnr = said.get("rescale_betas_zero_snr") is True
    return Family(kind, "v_prediction" if velocity else "epsilon", ztsnr, "prediction_type" in said)


def _on_disk(topology: Topology, part: PartName, tensors: Mapping[str, Stored]) -> PartOnDisk:
    expected = _expected(topology, part)
    strange = [name for name in tensors if name not in expected] if part in ("unet", "vae") else []
    return PartOnDisk(
        {name: tensors[name] for name in expected if name in tensors},
        tuple(name for name in expected if name not in tensors),
        tuple(strange),
    )


def _expected(topology: Topology, part: PartName) -> list[str]:
    if part == "unet":
        return list(unet_names(topology).values())
    if part == "vae":
        return list(vae_names().values())
    if part == "text_encoder":
        return [ours for _, ours in clip_pairs(topology.text_layers)]
    return [*(ours for _, ours in clip_pairs(topology.text_layers_2)), PROJECTION]


def _stated(path: Path, part: PartName) -> dict[str, Any]:
    said = _json(path / part / "config.json")
    return {key: said[key] for key in _TAKEN[part] if said.get(key) is not None}


def _json(path: Path) -> dict[str, Any]:
    """Reads a config; an empty one where there is none."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}). Fetch the model again.") from error
    return found if isinstance(found, dict) else {}
