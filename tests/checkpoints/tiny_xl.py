"""Thin random models in the exact SDXL layout, and random LoRAs for them; the true sizes on the meta device too."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from lorasmith.checkpoints.configs import norm_groups
from lorasmith.checkpoints.layout_sdxl import to_single_file
from lorasmith.checkpoints.lora_file import LoraWeights, write_lora
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.checkpoints.topology import SDXL, Topology
from tests.checkpoints.tiny import VAE_WIDTHS, build_vae


class Sizes(NamedTuple):
    """How wide and deep a model of the SDXL topology is."""

    unet: tuple[int, int, int]
    depths: tuple[int, int, int]
    vae: tuple[int, int, int, int]
    text: int
    text_2: int
    layers: tuple[int, int]
    vocabulary: int

    @property
    def topology(self) -> Topology:
        return Topology("sdxl", self.depths, *self.layers)


TINY = Sizes((32, 64, 128), (0, 1, 2), VAE_WIDTHS, 64, 128, (3, 4), 49408)
TRUE = Sizes((320, 640, 1280), (0, 2, 10), (128, 256, 512, 512), 768, 1280, (12, 32), 49408)
assert TRUE.topology == SDXL


def build_unet(sizes: Sizes = TINY) -> UNet2DConditionModel:
    """Makes a U-Net of the SDXL topology with random weights."""
    return UNet2DConditionModel(
        block_out_channels=sizes.unet,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        layers_per_block=2,
        transformer_layers_per_block=[1, *sizes.depths[1:]],
        cross_attention_dim=sizes.text + sizes.text_2,
        attention_head_dim=[max(1, width // 64) for width in sizes.unet],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=sizes.text_2 + 6 * 256,
        norm_num_groups=norm_groups(sizes.unet[0]),
    )


def build_text_encoder(width: int, layers: int, activation: str, projection: int | None = None) -> CLIPTextModel:
    """Makes a CLIP text encoder with random weights, with a projection where one is given."""
    model = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            hidden_act=activation,
            eos_token_id=49407,
        )
    )
    if projection:
        model.text_projection = nn.Linear(width, projection, bias=False)
    return model


def build_parts(sizes: Sizes = TINY) -> dict[str, nn.Module]:
    """Makes the four networks."""
    return {
        "unet": build_unet(sizes),
        "vae": build_vae(sizes.vae),
        "text_encoder": build_text_encoder(sizes.text, sizes.layers[0], "quick_gelu"),
        "text_encoder_2": build_text_encoder(sizes.text_2, sizes.layers[1], "gelu", sizes.text_2),
    }


def build_random(seed: int = 0, sizes: Sizes = TINY) -> dict[str, nn.Module]:
    """Makes the four networks with weights that are a function of the seed, lively enough that differences show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = build_parts(sizes)
        with torch.no_grad():
            parts["unet"].conv_out.weight *= 3
            parts["vae"].decoder.conv_out.weight *= 3
    return {name: part.eval().requires_grad_(False) for name, part in parts.items()}


def tensors_of(parts: Mapping[str, nn.Module], sizes: Sizes = TINY) -> dict[str, torch.Tensor]:
    """Gives the tensors by single-file name."""
    return to_single_file(sizes.topology, {name: part.state_dict() for name, part in parts.items()})


def full_size() -> dict[str, torch.Tensor]:
    """The tensors of a true SDXL, by single-file name, on the meta device."""
    with torch.device("meta"):
        return tensors_of(build_parts(TRUE), TRUE)


def write_tiny_xl(
    path: Path, seed: int = 0, dtype: torch.dtype = torch.float16, extra: dict[str, torch.Tensor] | None = None
) -> Path:
    """Writes a thin random SDXL checkpoint; `extra` adds tensors such as the marker `v_pred`."""
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous().clone()
        for name, tensor in {**tensors_of(build_random(seed)), **(extra or {})}.items()
    }
    save_file(tensors, path)
    return path


def shape_of_module(module: nn.Module) -> tuple[int, ...]:
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    return tuple(weight.shape)


def random_lora(
    parts: Mapping[str, nn.Module], topology: Topology, rank: int = 4, alpha: float = 2.0, convolutions: bool = False
) -> dict[str, LoraWeights]:
    """Makes a LoRA for every module of a model, with weights that are not zero."""
    generator = torch.Generator().manual_seed(1)
    made = {}
    for name, module in lora_modules(topology, convolutions).items():
        shape = shape_of_module(parts[module.part].get_submodule(module.path))
        tail = (1,) * (len(shape) - 2)
        down = torch.randn((rank, *shape[1:]), generator=generator) * 0.5 / torch.tensor(shape[1:]).prod().sqrt()
        made[name] = LoraWeights(down, torch.randn((shape[0], rank, *tail), generator=generator) * 0.5, alpha)
    return made


def write_random_lora(path: Path, **choices: object) -> Path:
    """Writes a random LoRA for the tiny model."""
    write_lora(path, random_lora(build_parts(), TINY.topology, **choices), {"ss_base_model_version": "sdxl_base_v1-0"})
    return path
