"""The module names of kohya LoRA files, from our own table.

SD1.x: 192 in the U-Net under diffusers' paths, 72 in the text encoder (`lora_te_`). SDXL: 722 in the U-Net under the
original paths, 72 and 192 in the text encoders (`lora_te1_`, `lora_te2_`), both under transformers' names. With the
convolutions (LoCon) 86 more in SD1.x's U-Net and 66 more in SDXL's. A name is a prefix and the module's path with dots
turned to underscores; text encoder names keep the `text_model` of older transformers.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from lorasmith.checkpoints.checkpoint import PartName
from lorasmith.checkpoints.layout_unet import (
    Place,
    resnet_modules,
    resnets_of,
    samplers_of,
    transformer_modules,
    transformers_of,
)
from lorasmith.checkpoints.topology import Base, Topology

UNET_PREFIX = "lora_unet_"
_TEXT_PREFIXES: Mapping[Base, tuple[str, ...]] = {"sd1": ("lora_te",), "sdxl": ("lora_te1", "lora_te2")}
_TEXT_MODULES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
_BLOCK = re.compile(r"(input_blocks|middle_block|output_blocks)\.(\d+)\.")
BLOCKS: Mapping[Base, tuple[int, int, int]] = {"sd1": (12, 1, 12), "sdxl": (9, 3, 9)}  # down, middle, up


class LoraModule(NamedTuple):
    """A module that a LoRA can change: the part of the model, its path there, the U-Net block, whether it is a 3x3 conv.

    `block` counts the U-Net's blocks from the input as kohya's lists of weights do; -1 in a text encoder.
    """

    part: PartName
    path: str
    block: int = -1
    spatial: bool = False


@cache
def lora_modules(topology: Topology, convolutions: bool = False) -> Mapping[str, LoraModule]:
    """Maps each kohya module name to its module, with those of the residual blocks and samplers where asked for."""
    modules: dict[str, LoraModule] = {}
    for file_name, path, spatial in _unet_modules(topology, convolutions):
        named = file_name if topology.base == "sdxl" else path
        module = LoraModule("unet", path, block_of(topology.base, file_name), spatial)
        modules[UNET_PREFIX + named.replace(".", "_")] = module
    parts: tuple[PartName, ...] = ("text_encoder", "text_encoder_2")
    layers = (topology.text_layers, topology.text_layers_2)
    for part, prefix, count in zip(parts, _TEXT_PREFIXES[topology.base], layers, strict=False):
        modules.update(_text_modules(part, prefix, count))
    return modules


def _unet_modules(topology: Topology, convolutions: bool) -> Iterator[tuple[str, str, bool]]:
    """Gives (single-file path, our path, 3x3 conv) of each module of the U-Net."""
    for place in transformers_of(topology):
        for module in transformer_modules(place.depth):
            yield f"{place.file_name}.{module}", f"{place.name}.{module}", False
    if not convolutions:
        return
    for place in resnets_of(topology):
        yield from _resnet(place)
    for place in samplers_of(topology):
        yield place.file_name, place.name, True


def _resnet(place: Place) -> Iterator[tuple[str, str, bool]]:
    for theirs, ours in resnet_modules(place.wider):
        yield f"{place.file_name}.{theirs}", f"{place.name}.{ours}", ours in ("conv1", "conv2")


def _text_modules(part: PartName, prefix: str, layers: int) -> Iterator[tuple[str, LoraModule]]:
    for layer in range(layers):
        for module in _TEXT_MODULES:
            path = f"encoder.layers.{layer}.{module}"
            yield f"{prefix}_text_model_{path.replace('.', '_')}", LoraModule(part, path)


def block_of(base: Base, file_name: str) -> int:
    """Gives the place of a module in the list of block weights, from its path in the single-file layout."""
    down, middle, _ = BLOCKS[base]
    found = _BLOCK.match(file_name)
    if not found:
        return -1
    number = int(found[2])
    if found[1] == "input_blocks":
        return number
    return down + min(number, middle - 1) if found[1] == "middle_block" else down + middle + number
