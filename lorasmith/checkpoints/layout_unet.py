"""The names of U-Net tensors: single file (the original "LDM" and "SGM" code) against diffusers, for SD1.x and SDXL.

Both families have one topology with different depths, so one table generator serves both.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from lorasmith.checkpoints.topology import LAYERS, Base, Topology, count_after

UNET = "model.diffusion_model."
Pair = tuple[str, str]  # single-file name, our name

_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
           "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip


class Place(NamedTuple):
    """A block of the U-Net under both names; `depth` is its transformer blocks, `wider` says it has a shortcut."""

    file_name: str
    name: str
    depth: int = 0
    wider: bool = False


def both(file_name: str, name: str) -> Iterator[Pair]:
    """Gives the weight and the bias of a module."""
    for part in ("weight", "bias"):
        yield f"{file_name}.{part}", f"{name}.{part}"


def transformer_modules(depth: int = 1) -> Iterator[str]:
    """Names the modules of one U-Net transformer that a LoRA can change, relative to it, in the order of the model."""
    yield "proj_in"
    for block in range(depth):
        for attention in ("attn1", "attn2"):
            for projection in ("to_q", "to_k", "to_v", "to_out.0"):
                yield f"transformer_blocks.{block}.{attention}.{projection}"
        yield f"transformer_blocks.{block}.ff.net.0.proj"
        yield f"transformer_blocks.{block}.ff.net.2"
    yield "proj_out"


def transformers_of(topology: Topology) -> Iterator[Place]:
    """Lists the transformers of the U-Net: 16 in SD1.x, 11 in SDXL."""
    last = topology.levels - 1
    for level, depth in enumerate(topology.depths):
        for layer in range(LAYERS if depth else 0):
            yield Place(f"input_blocks.{1 + 3 * level + layer}.1", f"down_blocks.{level}.attentions.{layer}", depth)
    yield Place("middle_block.1", "mid_block.attentions.0", topology.middle)
    for level in range(topology.levels):
        depth = topology.depths[last - level]
        for layer in range(LAYERS + 1 if depth else 0):
            yield Place(f"output_blocks.{3 * level + layer}.1", f"up_blocks.{level}.attentions.{layer}", depth)


def resnets_of(topology: Topology) -> Iterator[Place]:
    """Lists the residual blocks of the U-Net: 22 in SD1.x, 17 in SDXL."""
    for level in range(topology.levels):
        for layer in range(LAYERS):
            wider = layer == 0 and level in (1, 2)
            name = f"down_blocks.{level}.resnets.{layer}"
            yield Place(f"input_blocks.{1 + 3 * level + layer}.0", name, wider=wider)
    yield Place("middle_block.0", "mid_block.resnets.0")
    yield Place("middle_block.2", "mid_block.resnets.1")
    for level in range(topology.levels):
        for layer in range(LAYERS + 1):
            yield Place(f"output_blocks.{3 * level + layer}.0", f"up_blocks.{level}.resnets.{layer}", wider=True)


def resnet_modules(wider: bool) -> Iterator[Pair]:
    """Gives the convolutions and projections of a residual block, relative to it: single-file name, our name."""
    for ours, theirs in _RESNET.items():
        if not ours.startswith("norm") and (wider or ours != "conv_shortcut"):
            yield theirs, ours


def samplers_of(topology: Topology) -> Iterator[Place]:
    """Lists the convolutions that halve and double the size between levels."""
    last = topology.levels - 1
    for level in range(last):
        yield Place(f"input_blocks.{3 + 3 * level}.0.op", f"down_blocks.{level}.downsamplers.0.conv")
    for level in range(last):
        index = 2 if topology.depths[last - level] else 1  # the upsampler stands after the attention, where there is one
        yield Place(f"output_blocks.{3 * level + 2}.{index}.conv", f"up_blocks.{level}.upsamplers.0.conv")


def _resnet(place: Place) -> Iterator[Pair]:
    for ours, theirs in _RESNET.items():
        if place.wider or ours != "conv_shortcut":
            yield from both(f"{place.file_name}.{theirs}", f"{place.name}.{ours}")


def _transformer(place: Place) -> Iterator[Pair]:
    file_name, name, depth, _ = place
    yield from both(f"{file_name}.norm", f"{name}.norm")
    for block in range(depth):
        for norm in ("norm1", "norm2", "norm3"):
            yield from both(f"{file_name}.transformer_blocks.{block}.{norm}", f"{name}.transformer_blocks.{block}.{norm}")
    for module in transformer_modules(depth):
        yield f"{file_name}.{module}.weight", f"{name}.{module}.weight"
        if ".attn" not in module or module.endswith("to_out.0"):
            yield f"{file_name}.{module}.bias", f"{name}.{module}.bias"


def _pairs(topology: Topology) -> Iterator[Pair]:
    yield from both("time_embed.0", "time_embedding.linear_1")
    yield from both("time_embed.2", "time_embedding.linear_2")
    if topology.base == "sdxl":
        yield from both("label_emb.0.0", "add_embedding.linear_1")
        yield from both("label_emb.0.2", "add_embedding.linear_2")
    yield from both("input_blocks.0.0", "conv_in")
    for place in resnets_of(topology):
        yield from _resnet(place)
    for place in samplers_of(topology):
        yield from both(place.file_name, place.name)
    for place in transformers_of(topology):
        yield from _transformer(place)
    yield from both("out.0", "conv_norm_out")
    yield from both("out.2", "conv_out")


@cache
def unet_names(topology: Topology) -> Mapping[str, str]:
    """Maps single-file names to diffusers names of the U-Net: 686 in SD1.x, 1680 in SDXL."""
    return {UNET + theirs: ours for theirs, ours in _pairs(topology)}


def depths_in(names: Iterable[str], base: Base) -> tuple[int, ...]:
    """Reads the transformer blocks of each level off the names of a file, single-file or diffusers names alike."""
    listed = list(names)
    levels = 4 if base == "sd1" else 3
    found = []
    for level in range(levels):
        starts = (f"{UNET}input_blocks.{1 + 3 * level}.1.", f"down_blocks.{level}.attentions.0.")
        found.append(max(count_after(listed, f"{start}transformer_blocks.") for start in starts))
    return tuple(found)
