"""Thin random models in the exact SD1.x layout, and random LoRAs for them, made in a second or two."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from lorasmith.checkpoints.configs import norm_groups
from lorasmith.checkpoints.layout_sd1 import to_single_file
from lorasmith.checkpoints.lora_file import LoraWeights, write_lora
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.checkpoints.topology import SD1

UNET_WIDTHS = (32, 64, 128, 128)
VAE_WIDTHS = (32, 64, 96, 96)
TEXT_WIDTH = 64
TRUE_UNET_WIDTHS = (320, 640, 1280, 1280)
TRUE_VAE_WIDTHS = (128, 256, 512, 512)
TRUE_TEXT_WIDTH = 768


def build_unet(widths: tuple[int, ...] = UNET_WIDTHS, context: int = TEXT_WIDTH) -> UNet2DConditionModel:
    """Makes a U-Net of the SD1.x topology with random weights."""
    return UNet2DConditionModel(
        block_out_channels=widths,
        layers_per_block=2,
        down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
        cross_attention_dim=context,
        attention_head_dim=8,
        norm_num_groups=norm_groups(widths[0]),
    )


def build_vae(widths: tuple[int, ...] = VAE_WIDTHS) -> AutoencoderKL:
    """Makes a VAE of the SD1.x topology with random weights."""
    return AutoencoderKL(
        block_out_channels=widths,
        layers_per_block=2,
        latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        norm_num_groups=norm_groups(widths[0]),
    )


def build_text_encoder(width: int = TEXT_WIDTH) -> CLIPTextModel:
    """Makes a CLIP text encoder of 12 layers with random weights."""
    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=12,
            num_attention_heads=width // 64,
            hidden_act="quick_gelu",
        )
    )


def build_tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    """Makes the tensors of a thin random SD1.x model, by single-file name, in fp32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet, vae, text_encoder = build_unet(), build_vae(), build_text_encoder()
        with torch.no_grad():  # livelier than the default start, so that differences show in the picture
            unet.conv_out.weight *= 3
            vae.decoder.conv_out.weight *= 3
    tensors = to_single_file(unet.state_dict(), vae.state_dict(), text_encoder.state_dict())
    return {name: tensor.detach() for name, tensor in tensors.items()}


def write_tiny(
    path: Path,
    seed: int = 0,
    dtype: torch.dtype = torch.float16,
    metadata: dict[str, str] | None = None,
    extra: dict[str, torch.Tensor] | None = None,
) -> Path:
    """Writes a thin random SD1.x checkpoint; `extra` adds tensors such as the marker `v_pred`."""
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in {**build_tensors(seed), **(extra or {})}.items()
    }
    save_file(tensors, path, metadata=metadata)
    return path


def shapes_of_modules() -> dict[str, tuple[int, ...]]:
    """Gives the weight shape of each module that a LoRA of the tiny model can change, by kohya name."""
    with torch.device("meta"):
        parts = {"unet": build_unet(), "text_encoder": build_text_encoder()}
    return {
        name: tuple(parts[part].get_submodule(path).weight.shape) for name, (part, path, *_) in lora_modules(SD1).items()
    }


def random_lora(rank: int = 4, alpha: float = 2.0, seed: int = 1, strength: float = 0.5) -> dict[str, LoraWeights]:
    """Makes a LoRA for every module of the tiny model, with weights that are not zero."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes_of_modules().items():
        down = torch.randn(rank, *shape[1:], generator=generator) / shape[1] ** 0.5
        up = torch.randn(shape[0], rank, *(1 for _ in shape[2:]), generator=generator) * strength / rank**0.5
        weights[name] = LoraWeights(down, up, alpha)
    return weights


def write_random_lora(path: Path, seed: int = 1, **choices: float) -> Path:
    """Writes `random_lora` with the least metadata that WebUIs need."""
    metadata = {"ss_base_model_version": "sd_v1", "ss_output_name": path.stem, "ss_network_module": "networks.lora"}
    write_lora(path, random_lora(seed=seed, **choices), metadata)
    return path
