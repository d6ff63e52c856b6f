"""The configs of a base model's modules (diffusers, transformers), derived from the shapes of its tensors.

A full-size file gives the configs of Stable Diffusion 1.5 or SDXL; thinner models of the same topology give their own.
Heads cannot be read from shapes: the family's rule is used (8 in SD1.x's U-Net, of width 64 everywhere else).
"""

from collections.abc import Callable
from typing import Any

from lorasmith.checkpoints.topology import LAYERS, Topology

Shape = Callable[[str], tuple[int, ...]]  # the shape of one of our tensors, by its name
SCALING_FACTORS = {"sd1": 0.18215, "sdxl": 0.13025}  # the U-Net's latents are the VAE's times this
HEAD = 64  # width of a head where the family fixes the width and not the number
SIZE_NUMBERS = 256  # width of SDXL's embedding of each of its six size numbers


def norm_groups(width: int) -> int:
    """Gives the groups of the group norms for a model whose first level has `width` channels.

    Full-size models have 32. Thin ones keep the VAE's 4 channels per group: groups of one channel forget every mean.
    """
    return min(32, width // 4)


def unet_config(topology: Topology, shape: Shape) -> dict[str, Any]:
    """Gives the arguments of diffusers' U-Net."""
    down = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in topology.depths]
    up = ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(topology.depths)]
    widths = [shape(f"down_blocks.{level}.resnets.0.conv1.weight")[0] for level in range(topology.levels)]
    cross = f"down_blocks.{next((i for i, depth in enumerate(topology.depths) if depth), 0)}.attentions.0"
    config = {
        "in_channels": shape("conv_in.weight")[1],
        "out_channels": shape("conv_out.weight")[0],
        "block_out_channels": widths,
        "layers_per_block": LAYERS,
        "down_block_types": down,
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "up_block_types": up,
        "cross_attention_dim": shape(f"{cross}.transformer_blocks.0.attn2.to_k.weight")[1],
        "attention_head_dim": 8,
        "act_fn": "silu",
        "norm_num_groups": norm_groups(widths[0]),
        "norm_eps": 1e-5,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "center_input_sample": False,
        "downsample_padding": 1,
        "mid_block_scale_factor": 1,
        "sample_size": 64,
    }
    return config if topology.base == "sd1" else {**config, **_sdxl_unet(topology, shape, widths)}


def _sdxl_unet(topology: Topology, shape: Shape, widths: list[int]) -> dict[str, Any]:
    return {
        "attention_head_dim": [max(1, width // HEAD) for width in widths],  # diffusers means the number of heads
        "transformer_layers_per_block": [max(1, depth) for depth in topology.depths],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_NUMBERS,
        "projection_class_embeddings_input_dim": shape("add_embedding.linear_1.weight")[1],
        "sample_size": 128,
    }


def vae_config(topology: Topology, shape: Shape) -> dict[str, Any]:
    """Gives the arguments of diffusers' VAE."""
    levels = 4
    widths = [shape(f"encoder.down_blocks.{level}.resnets.0.conv1.weight")[0] for level in range(levels)]
    return {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": widths,
        "layers_per_block": LAYERS,
        "latent_channels": shape("post_quant_conv.weight")[0],
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "act_fn": "silu",
        "norm_num_groups": norm_groups(widths[0]),
        "sample_size": 512 if topology.base == "sd1" else 1024,
        "scaling_factor": SCALING_FACTORS[topology.base],
    }


def text_config(topology: Topology, shape: Shape) -> dict[str, Any]:
    """Gives the arguments of transformers' CLIP text config for the first text encoder."""
    return _clip(shape, topology.text_layers, "quick_gelu", 768)


def text_config_2(topology: Topology, shape: Shape) -> dict[str, Any]:
    """Gives the same for SDXL's second text encoder."""
    return _clip(shape, topology.text_layers_2, "gelu", shape("text_projection.weight")[0])


def _clip(shape: Shape, layers: int, activation: str, projection: int) -> dict[str, Any]:
    vocabulary, width = shape("embeddings.token_embedding.weight")
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape("encoder.layers.0.mlp.fc1.weight")[0],
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // HEAD),
        "max_position_embeddings": shape("embeddings.position_embedding.weight")[0],
        "hidden_act": activation,
        "layer_norm_eps": 1e-5,
        "projection_dim": projection,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 1,
    }
