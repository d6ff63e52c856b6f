"""The names of SD1.x tensors: single file (the layout of the original "LDM" code) against diffusers and transformers.

The table is generated from the one topology of the family: four U-Net levels of two layers with attention in the first
three, a four-level VAE, and CLIP text layers as many as the file has. Text encoder names are those of
transformers >= 5.6 (no `text_model.` before them).
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
TEXT_SHORT = "cond_stage_model.transformer."  # written by some merge tools
POSITION_IDS = TEXT + "embeddings.position_ids"
LEVELS = 4
LAYERS = 2
TEXT_LAYERS = 12

_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
           "conv2": "out_layers.3"}  # fmt: skip
_VAE_RESNET = ("norm1", "conv1", "norm2", "conv2")
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_ATTENTION_BIASED = ("to_out.0",)
_TEXT_MODULES = ("layer_norm1", "layer_norm2", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                 "self_attn.out_proj", "mlp.fc1", "mlp.fc2")  # fmt: skip

Pair = tuple[str, str]  # single-file name, our name


def _both(file_name: str, name: str) -> Iterator[Pair]:
    """Gives the weight and the bias of a module."""
    for part in ("weight", "bias"):
        yield f"{file_name}.{part}", f"{name}.{part}"


def _resnet(file_name: str, name: str, shortcut: bool) -> Iterator[Pair]:
    for ours, theirs in _RESNET.items():
        yield from _both(f"{file_name}.{theirs}", f"{name}.{ours}")
    if shortcut:
        yield from _both(f"{file_name}.skip_connection", f"{name}.conv_shortcut")


def transformer_modules() -> Iterator[str]:
    """Names the modules of one U-Net transformer that a LoRA can change, relative to it, in the order of the model."""
    yield "proj_in"
    for attention in ("attn1", "attn2"):
        for projection in ("to_q", "to_k", "to_v", "to_out.0"):
            yield f"transformer_blocks.0.{attention}.{projection}"
    yield "transformer_blocks.0.ff.net.0.proj"
    yield "transformer_blocks.0.ff.net.2"
    yield "proj_out"


def _transformer(file_name: str, name: str) -> Iterator[Pair]:
    yield from _both(f"{file_name}.norm", f"{name}.norm")
    for norm in ("norm1", "norm2", "norm3"):
        yield from _both(f"{file_name}.transformer_blocks.0.{norm}", f"{name}.transformer_blocks.0.{norm}")
    for module in transformer_modules():
        yield f"{file_name}.{module}.weight", f"{name}.{module}.weight"
        if ".attn" not in module or module.endswith(_ATTENTION_BIASED):
            yield f"{file_name}.{module}.bias", f"{name}.{module}.bias"


def transformers_of_unet() -> Iterator[Pair]:
    """Gives (single-file name, diffusers name) of the sixteen transformers of the U-Net."""
    for level in range(LEVELS - 1):
        for layer in range(LAYERS):
            yield f"input_blocks.{1 + 3 * level + layer}.1", f"down_blocks.{level}.attentions.{layer}"
    yield "middle_block.1", "mid_block.attentions.0"
    for level in range(1, LEVELS):
        for layer in range(LAYERS + 1):
            yield f"output_blocks.{3 * level + layer}.1", f"up_blocks.{level}.attentions.{layer}"


def _unet_pairs() -> Iterator[Pair]:
    yield from _both("time_embed.0", "time_embedding.linear_1")
    yield from _both("time_embed.2", "time_embedding.linear_2")
    yield from _both("input_blocks.0.0", "conv_in")
    for level in range(LEVELS):
        for layer in range(LAYERS):
            wider = layer == 0 and level in (1, 2)
            yield from _resnet(
                f"input_blocks.{1 + 3 * level + layer}.0", f"down_blocks.{level}.resnets.{layer}", shortcut=wider
            )
        if level < LEVELS - 1:
            yield from _both(f"input_blocks.{3 + 3 * level}.0.op", f"down_blocks.{level}.downsamplers.0.conv")
    yield from _resnet("middle_block.0", "mid_block.resnets.0", shortcut=False)
    yield from _resnet("middle_block.2", "mid_block.resnets.1", shortcut=False)
    for level in range(LEVELS):
        for layer in range(LAYERS + 1):
            yield from _resnet(
                f"output_blocks.{3 * level + layer}.0", f"up_blocks.{level}.resnets.{layer}", shortcut=True
            )
        if level < LEVELS - 1:
            index = 1 if level == 0 else 2  # the first level has no attention in front of its upsampler
            yield from _both(f"output_blocks.{3 * level + 2}.{index}.conv", f"up_blocks.{level}.upsamplers.0.conv")
    for file_name, name in transformers_of_unet():
        yield from _transformer(file_name, name)
    yield from _both("out.0", "conv_norm_out")
    yield from _both("out.2", "conv_out")


def _vae_resnet(file_name: str, name: str, shortcut: bool) -> Iterator[Pair]:
    for part in _VAE_RESNET:
        yield from _both(f"{file_name}.{part}", f"{name}.{part}")
    if shortcut:
        yield from _both(f"{file_name}.nin_shortcut", f"{name}.conv_shortcut")


def _vae_pairs() -> Iterator[Pair]:
    yield from _both("quant_conv", "quant_conv")
    yield from _both("post_quant_conv", "post_quant_conv")
    for half in ("encoder", "decoder"):
        yield from _both(f"{half}.conv_in", f"{half}.conv_in")
        yield from _both(f"{half}.conv_out", f"{half}.conv_out")
        yield from _both(f"{half}.norm_out", f"{half}.conv_norm_out")
        for index in range(2):
            yield from _vae_resnet(f"{half}.mid.block_{index + 1}", f"{half}.mid_block.resnets.{index}", shortcut=False)
        for ours, theirs in _VAE_ATTENTION.items():
            yield from _both(f"{half}.mid.attn_1.{theirs}", f"{half}.mid_block.attentions.0.{ours}")
    for level in range(LEVELS):
        for layer in range(LAYERS):
            wider = layer == 0 and level in (1, 2)
            yield from _vae_resnet(
                f"encoder.down.{level}.block.{layer}", f"encoder.down_blocks.{level}.resnets.{layer}", shortcut=wider
            )
        for layer in range(LAYERS + 1):
            narrower = layer == 0 and level in (2, 3)
            theirs = f"decoder.up.{LEVELS - 1 - level}"  # the original counts from the output, diffusers from the input
            yield from _vae_resnet(
                f"{theirs}.block.{layer}", f"decoder.up_blocks.{level}.resnets.{layer}", shortcut=narrower
            )
        if level < LEVELS - 1:
            yield from _both(
                f"encoder.down.{level}.downsample.conv", f"encoder.down_blocks.{level}.downsamplers.0.conv"
            )
            yield from _both(
                f"decoder.up.{LEVELS - 1 - level}.upsample.conv", f"decoder.up_blocks.{level}.upsamplers.0.conv"
            )


def _text_pairs(layers: int) -> Iterator[Pair]:
    for table in ("token_embedding", "position_embedding"):
        yield f"embeddings.{table}.weight", f"embeddings.{table}.weight"
    for layer in range(layers):
        for module in _TEXT_MODULES:
            yield from _both(f"encoder.layers.{layer}.{module}", f"encoder.layers.{layer}.{module}")
    yield from _both("final_layer_norm", "final_layer_norm")


@cache
def unet_names() -> Mapping[str, str]:
    """Maps single-file names to diffusers names of the U-Net (686)."""
    return {UNET + theirs: ours for theirs, ours in _unet_pairs()}


@cache
def vae_names() -> Mapping[str, str]:
    """Maps single-file names to diffusers names of the VAE (248)."""
    return {VAE + theirs: ours for theirs, ours in _vae_pairs()}


@cache
def text_encoder_names(layers: int = TEXT_LAYERS) -> Mapping[str, str]:
    """Maps single-file names to transformers names of the text encoder (196 for 12 layers), `position_ids` apart."""
    return {TEXT + theirs: ours for theirs, ours in _text_pairs(layers)}


def is_vae_attention_projection(name: str) -> bool:
    """Says whether a VAE tensor is linear [out, in] here and a 1x1 conv [out, in, 1, 1] in the single file."""
    return ".mid_block.attentions.0.to_" in name and name.endswith(".weight")


def canonical(name: str) -> str:
    """Gives the usual single-file name of a tensor: some tools leave `text_model.` out."""
    if name.startswith(TEXT_SHORT) and not name.startswith(TEXT):
        rest = name.removeprefix(TEXT_SHORT)
        if rest.startswith(("embeddings.", "encoder.", "final_layer_norm.")):
            return TEXT + rest
    return name


def text_layers_in(names: Iterable[str]) -> int:
    """Counts the text encoder's layers among single-file names."""
    start = TEXT + "encoder.layers."
    numbers = {int(name[len(start) :].split(".", 1)[0]) for name in map(canonical, names) if name.startswith(start)}
    return max(numbers, default=-1) + 1


def to_single_file(
    unet: "Mapping[str, Tensor]", vae: "Mapping[str, Tensor]", text_encoder: "Mapping[str, Tensor]"
) -> "dict[str, Tensor]":
    """Renames three state dicts (diffusers, diffusers, transformers >= 5.6) into one in the single-file layout.

    VAE attention weights become 1x1 convs; `position_ids` is added as the original files have it (int64 [1, 77]).
    Raises KeyError when a tensor of the layout is missing.
    """
    tensors: dict[str, Tensor] = {theirs: unet[ours] for theirs, ours in unet_names().items()}
    for theirs, ours in vae_names().items():
        tensor = vae[ours]
        tensors[theirs] = tensor[:, :, None, None] if is_vae_attention_projection(ours) else tensor
    layers = text_layers_in(TEXT + name for name in text_encoder)
    for theirs, ours in text_encoder_names(layers).items():
        tensors[theirs] = text_encoder[ours]
    positions = text_encoder["embeddings.position_embedding.weight"]
    counted = positions.new_ones(positions.shape[0]).double().cumsum(0).long() - 1
    tensors[POSITION_IDS] = counted[None]
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
        flat = is_vae_attention_projection(ours) and tensor.ndim == 4
        vae[ours] = tensor[:, :, 0, 0] if flat else tensor
    layers = text_layers_in(named)
    text_encoder = {ours: named[theirs] for theirs, ours in text_encoder_names(layers).items()}
    return unet, vae, text_encoder
