"""The names of VAE tensors: single file (the original "LDM" code) against diffusers; SD1.x and SDXL have the same."""

from collections.abc import Iterator, Mapping
from functools import cache

from lorasmith.checkpoints.layout_unet import Pair, both
from lorasmith.checkpoints.topology import LAYERS

VAE = "first_stage_model."
LEVELS = 4

_RESNET = ("norm1", "conv1", "norm2", "conv2")
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def _resnet(file_name: str, name: str, shortcut: bool) -> Iterator[Pair]:
    for part in _RESNET:
        yield from both(f"{file_name}.{part}", f"{name}.{part}")
    if shortcut:
        yield from both(f"{file_name}.nin_shortcut", f"{name}.conv_shortcut")


def _half(half: str) -> Iterator[Pair]:
    """Gives what encoder and decoder have alike."""
    yield from both(f"{half}.conv_in", f"{half}.conv_in")
    yield from both(f"{half}.conv_out", f"{half}.conv_out")
    yield from both(f"{half}.norm_out", f"{half}.conv_norm_out")
    for index in range(2):
        yield from _resnet(f"{half}.mid.block_{index + 1}", f"{half}.mid_block.resnets.{index}", shortcut=False)
    for ours, theirs in _ATTENTION.items():
        yield from both(f"{half}.mid.attn_1.{theirs}", f"{half}.mid_block.attentions.0.{ours}")


def _pairs() -> Iterator[Pair]:
    yield from both("quant_conv", "quant_conv")
    yield from both("post_quant_conv", "post_quant_conv")
    yield from _half("encoder")
    yield from _half("decoder")
    for level in range(LEVELS):
        for layer in range(LAYERS):
            wider = layer == 0 and level in (1, 2)
            down = f"encoder.down.{level}.block.{layer}"
            yield from _resnet(down, f"encoder.down_blocks.{level}.resnets.{layer}", shortcut=wider)
        theirs = f"decoder.up.{LEVELS - 1 - level}"  # the original counts from the output, diffusers from the input
        for layer in range(LAYERS + 1):
            narrower = layer == 0 and level in (2, 3)
            yield from _resnet(
                f"{theirs}.block.{layer}", f"decoder.up_blocks.{level}.resnets.{layer}", shortcut=narrower
            )
        if level < LEVELS - 1:
            down = f"encoder.down.{level}.downsample.conv"
            yield from both(down, f"encoder.down_blocks.{level}.downsamplers.0.conv")
            yield from both(f"{theirs}.upsample.conv", f"decoder.up_blocks.{level}.upsamplers.0.conv")


@cache
def vae_names() -> Mapping[str, str]:
    """Maps single-file names to diffusers names of the VAE (248)."""
    return {VAE + theirs: ours for theirs, ours in _pairs()}


def is_attention_projection(name: str) -> bool:
    """Says whether a VAE tensor is linear [out, in] here and a 1x1 conv [out, in, 1, 1] in the single file."""
    return ".mid_block.attentions.0.to_" in name and name.endswith(".weight")


def canonical_vae(name: str) -> str:
    """Gives today's diffusers name of a VAE tensor: older folders call the attention's projections otherwise."""
    for old, new in _OLD_ATTENTION.items():
        name = name.replace(old, new)
    return name
