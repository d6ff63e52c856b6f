"""The names of text encoder tensors: CLIP as transformers (>= 5.6) names it, and OpenCLIP as SDXL files hold it.

OpenCLIP fuses q, k and v into one `in_proj` (rows in this order) and holds its text projection as [in, out], which is
turned round here.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from lorasmith.checkpoints.layout_unet import Pair, both

Cut = Literal["", "q", "k", "v", "turned"]  # which part of the stored tensor is meant, or that it is stored transposed
PROJECTION = "text_projection.weight"

_CLIP_MODULES = ("layer_norm1", "layer_norm2", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                 "self_attn.out_proj", "mlp.fc1", "mlp.fc2")  # fmt: skip
_OPEN_CLIP_MODULES = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj",
                      "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}  # fmt: skip
_FUSED: tuple[Cut, ...] = ("q", "k", "v")


class Piece(NamedTuple):
    """Our tensor's name, the stored one it comes from, and what of it."""

    name: str
    stored: str
    cut: Cut = ""


def clip_pairs(layers: int) -> Iterator[Pair]:
    """Gives (name below `text_model.` in files, our name) of a CLIP text encoder; the two are the same."""
    for table in ("token_embedding", "position_embedding"):
        yield f"embeddings.{table}.weight", f"embeddings.{table}.weight"
    for layer in range(layers):
        for module in _CLIP_MODULES:
            yield from both(f"encoder.layers.{layer}.{module}", f"encoder.layers.{layer}.{module}")
    yield from both("final_layer_norm", "final_layer_norm")


def open_clip_pieces(layers: int) -> Iterator[Piece]:
    """Gives where each tensor of our text encoder is in an OpenCLIP text model (517 for the 32 layers of bigG)."""
    yield Piece("embeddings.token_embedding.weight", "token_embedding.weight")
    yield Piece("embeddings.position_embedding.weight", "positional_embedding")
    for layer in range(layers):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for cut in _FUSED:
            for part in ("weight", "bias"):
                yield Piece(f"{ours}.self_attn.{cut}_proj.{part}", f"{theirs}.attn.in_proj_{part}", cut)
        for module, stored in _OPEN_CLIP_MODULES.items():
            for stored_name, name in both(f"{theirs}.{stored}", f"{ours}.{module}"):
                yield Piece(name, stored_name)
    for stored_name, name in both("ln_final", "final_layer_norm"):
        yield Piece(name, stored_name)
    yield Piece(PROJECTION, "text_projection", "turned")
