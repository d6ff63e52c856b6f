"""SD1.x in one file: the prefixes of its parts, and a whole state dict there and back.

The topology is the one of the family: four U-Net levels of two layers with attention in the first three, a four-level
VAE, and CLIP text layers as many as the file has. Text encoder names are those of transformers >= 5.6 (no `text_model.`
before them).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from lorasmith.checkpoints.layout_text import clip_pairs
from lorasmith.checkpoints.layout_unet import UNET
from lorasmith.checkpoints.layout_unet import unet_names as unet_names_of
from lorasmith.checkpoints.layout_vae import VAE, is_attention_projection, vae_names
from lorasmith.checkpoints.topology import SD1, count_after

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["POSITION_IDS", "TEXT", "TEXT_SHORT", "UNET", "VAE"]

TEXT = "cond_stage_model.transformer.text_model."
TEXT_SHORT = "cond_stage_model.transformer."  # written by some merge tools
POSITION_IDS = TEXT + "embeddings.position_ids"


def unet_names() -> Mapping[str, str]:
    """Maps single-file names to diffusers names of the U-Net (686)."""
    return unet_names_of(SD1)


@cache
def text_encoder_names(layers: int = SD1.text_layers) -> Mapping[str, str]:
    """Maps single-file names to transformers names of the text encoder (196 for 12 layers), `position_ids` apart."""
    return {TEXT + theirs: ours for theirs, ours in clip_pairs(layers)}


def canonical(name: str, short: str = TEXT_SHORT) -> str:
    """Gives the usual single-file name of a tensor: some tools leave `text_model.` out after the prefix `short`."""
    full = short + "text_model."
    if name.startswith(short) and not name.startswith(full):
        rest = name.removeprefix(short)
        if rest.startswith(("embeddings.", "encoder.", "final_layer_norm.")):
            return full + rest
    return name


def text_layers_in(names: Iterable[str]) -> int:
    """Counts the text encoder's layers among single-file names."""
    return count_after(map(canonical, names), TEXT + "encoder.layers.")


def vae_to_single_file(vae: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Renames a diffusers VAE; its attention weights become 1x1 convs."""
    return {
        theirs: vae[ours][:, :, None, None] if is_attention_projection(ours) else vae[ours]
        for theirs, ours in vae_names().items()
    }


def position_ids(text_encoder: "Mapping[str, Tensor]") -> "Tensor":
    """Counts the positions as the original files hold them (int64 [1, 77])."""
    positions = text_encoder["embeddings.position_embedding.weight"]
    counted: Tensor = positions.new_ones(positions.shape[0]).double().cumsum(0).long() - 1
    return counted[None]


def to_single_file(
    unet: "Mapping[str, Tensor]", vae: "Mapping[str, Tensor]", text_encoder: "Mapping[str, Tensor]"
) -> "dict[str, Tensor]":
    """Renames three state dicts (diffusers, diffusers, transformers >= 5.6) into one in the single-file layout.

    Raises KeyError when a tensor of the layout is missing.
    """
    tensors: dict[str, Tensor] = {theirs: unet[ours] for theirs, ours in unet_names().items()}
    tensors.update(vae_to_single_file(vae))
    layers = text_layers_in(TEXT + name for name in text_encoder)
    for theirs, ours in text_encoder_names(layers).items():
        tensors[theirs] = text_encoder[ours]
    tensors[POSITION_IDS] = position_ids(text_encoder)
    return tensors


def from_single_file(
    tensors: "Mapping[str, Tensor]",
) -> "tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]":
    """Splits a single-file state dict into U-Net, VAE and text encoder state dicts; other tensors are left out."""
    named = {canonical(name): tensor for name, tensor in tensors.items()}
    unet = {ours: named[theirs] for theirs, ours in unet_names().items()}
    vae = {}
    for theirs, ours in vae_names().items():
        tensor = named[theirs]
        flat = is_attention_projection(ours) and tensor.ndim == 4
        vae[ours] = tensor[:, :, 0, 0] if flat else tensor
    layers = text_layers_in(named)
    text_encoder = {ours: named[theirs] for theirs, ours in text_encoder_names(layers).items()}
    return unet, vae, text_encoder
