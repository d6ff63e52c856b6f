"""SDXL in one file: the prefixes of its parts, and a whole state dict written in that layout.

The first text encoder is CLIP-L under transformers' names, the second OpenCLIP bigG under its own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lorasmith.checkpoints.layout_sd1 import position_ids, vae_to_single_file
from lorasmith.checkpoints.layout_text import clip_pairs, open_clip_pieces
from lorasmith.checkpoints.layout_unet import unet_names
from lorasmith.checkpoints.topology import Topology

if TYPE_CHECKING:
    from torch import Tensor

TEXT_SHORT = "conditioner.embedders.0.transformer."
TEXT = TEXT_SHORT + "text_model."
TEXT_2 = "conditioner.embedders.1.model."


def to_single_file(topology: Topology, parts: "Mapping[str, Mapping[str, Tensor]]") -> "dict[str, Tensor]":
    """Renames the state dicts `unet`, `vae`, `text_encoder` and `text_encoder_2` into one in the single-file layout.

    Raises KeyError when a tensor of the layout is missing.
    """
    tensors: dict[str, Tensor] = {
        theirs: parts["unet"][ours] for theirs, ours in unet_names(topology).items()
    }  # fmt: skip
    tensors.update(vae_to_single_file(parts["vae"]))
    for theirs, ours in clip_pairs(topology.text_layers):
        tensors[TEXT + theirs] = parts["text_encoder"][ours]
    tensors[TEXT + "embeddings.position_ids"] = position_ids(parts["text_encoder"])
    tensors.update(_open_clip(topology, parts["text_encoder_2"]))
    return tensors


def _open_clip(topology: Topology, ours: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Gives our second text encoder in OpenCLIP's layout, q, k and v fused."""
    fused: dict[str, list[Tensor]] = {}
    tensors: dict[str, Tensor] = {}
    for piece in open_clip_pieces(topology.text_layers_2):
        tensor = ours[piece.name]
        if piece.cut in ("q", "k", "v"):
            fused.setdefault(TEXT_2 + piece.stored, []).append(tensor)
        else:
            tensors[TEXT_2 + piece.stored] = tensor.T.contiguous() if piece.cut == "turned" else tensor
    for name, (query, key, value) in fused.items():
        rows = query.new_empty((3 * query.shape[0], *query.shape[1:]))
        for index, tensor in enumerate((query, key, value)):
            rows[index * query.shape[0] : (index + 1) * query.shape[0]] = tensor
        tensors[name] = rows
    return tensors
