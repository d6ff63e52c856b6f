"""Which family of base model a file holds, read from its tensor names, shapes and metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lorasmith.checkpoints import layout_sd1 as layout
from lorasmith.checkpoints.header import Header
from lorasmith.errors import CheckpointError

Kind = Literal["sd1", "sd1_inpainting", "sd2", "sdxl", "lora", "part", "unknown"]
PredictionType = Literal["epsilon", "v_prediction"]
SUPPORTED = "SD1.x checkpoints in one .safetensors file"

_LORA_PARTS = (".lora_down.weight", ".lora_up.weight", ".lora_A.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1",
               ".lokr_w1_a", ".lora_A.default.weight", ".lora.down.weight", ".oft_blocks", ".dora_scale")  # fmt: skip
_CONTEXT = layout.UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_REFUSALS: Mapping[str, str] = {
    "sd1_inpainting": "is an SD1.x inpainting model (nine input channels), on which LoRAs are not trained",
    "sd2": "is an SD2.x checkpoint, which is not supported",
    "sdxl": "is an SDXL checkpoint, which is not yet supported",
    "lora": "is a LoRA and not a base model",
    "part": "holds only a part of a base model (U-Net, VAE and text encoder must be in one file)",
    "unknown": "is not a base model of a known family",
}


@dataclass(frozen=True)
class Family:
    """What kind of model a file is, and what its U-Net predicts; `stated` says whether the file itself says so."""

    kind: Kind
    prediction_type: PredictionType = "epsilon"
    zero_terminal_snr: bool = False
    stated: bool = False


def identify(header: Header) -> Family:
    """Names the family of any model file; never raises."""
    prediction, stated = _prediction_type(header)
    return Family(_kind(header), prediction, "ztsnr" in header.tensors, stated)


def detect(header: Header) -> Family:
    """Names the family of a base model that lorasmith can use; raises `CheckpointError` for every other file."""
    family = identify(header)
    if family.kind in _REFUSALS:
        raise CheckpointError(
            f"{header.path} {_REFUSALS[family.kind]}. Choose another file: {SUPPORTED} are supported."
        )
    return family


def _kind(header: Header) -> Kind:
    names = header.tensors
    if any(name.endswith(_LORA_PARTS) for name in names):
        return "lora"
    if any(name.startswith(("conditioner.embedders.", layout.UNET + "label_emb.")) for name in names):
        return "sdxl"
    if any(name.startswith("cond_stage_model.model.") for name in names):
        return "sd2"
    has_unet, has_vae, has_text = (
        any(name.startswith(prefix) for name in names) for prefix in (layout.UNET, layout.VAE, layout.TEXT_SHORT)
    )
    if not (has_unet and has_vae and has_text):
        return "part" if has_unet or has_vae or has_text else "unknown"
    if _CONTEXT not in names:
        return "unknown"
    conv_in = names.get(layout.UNET + "input_blocks.0.0.weight")
    return "sd1_inpainting" if conv_in and len(conv_in.shape) == 4 and conv_in.shape[1] == 9 else "sd1"


def _prediction_type(header: Header) -> tuple[PredictionType, bool]:
    """Reads the marker tensors that model makers put in (`v_pred`), then modelspec's own field."""
    if "v_pred" in header.tensors:
        return "v_prediction", True
    said = header.metadata.get("modelspec.prediction_type", "").strip().lower().replace("-", "_")
    if said in ("v", "v_prediction", "vpred", "v_pred"):
        return "v_prediction", True
    return "epsilon", said in ("epsilon", "eps")


def sd1_configs(header: Header) -> dict[str, dict[str, Any]]:
    """Derives the configs of `unet`, `vae` (diffusers) and `text_encoder` (transformers) from the tensors' shapes.

    A full-size file gives the configs of Stable Diffusion 1.5; thinner models of the same topology give their own.
    Heads cannot be read from shapes: the family's rule is used (8 in the U-Net, of width 64 in CLIP).
    """
    return {"unet": _unet_config(header), "vae": _vae_config(header), "text_encoder": _text_config(header)}


def norm_groups(width: int) -> int:
    """Gives the groups of the group norms for a model whose first level has `width` channels.

    Full-size models have 32. Thin ones keep the VAE's 4 channels per group: groups of one channel forget every mean.
    """
    return min(32, width // 4)


def _unet_config(header: Header) -> dict[str, Any]:
    conv_in = header.shape(layout.UNET + "input_blocks.0.0.weight")
    widths = [
        header.shape(f"{layout.UNET}input_blocks.{1 + 3 * level}.0.in_layers.2.weight")[0]
        for level in range(layout.LEVELS)
    ]
    return {
        "in_channels": conv_in[1],
        "out_channels": header.shape(layout.UNET + "out.2.weight")[0],
        "block_out_channels": widths,
        "layers_per_block": layout.LAYERS,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
        "cross_attention_dim": header.shape(_CONTEXT)[1],
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


def _vae_config(header: Header) -> dict[str, Any]:
    widths = [
        header.shape(f"{layout.VAE}encoder.down.{level}.block.0.conv1.weight")[0] for level in range(layout.LEVELS)
    ]
    return {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": widths,
        "layers_per_block": layout.LAYERS,
        "latent_channels": header.shape(layout.VAE + "post_quant_conv.weight")[0],
        "down_block_types": ["DownEncoderBlock2D"] * layout.LEVELS,
        "up_block_types": ["UpDecoderBlock2D"] * layout.LEVELS,
        "act_fn": "silu",
        "norm_num_groups": norm_groups(widths[0]),
        "sample_size": 512,
        "scaling_factor": 0.18215,
    }


def _text_config(header: Header) -> dict[str, Any]:
    shapes = {layout.canonical(name): info.shape for name, info in header.tensors.items()}

    def shape(name: str) -> tuple[int, ...]:
        return shapes[layout.TEXT + name] if layout.TEXT + name in shapes else header.shape(layout.TEXT + name)

    vocabulary, width = shape("embeddings.token_embedding.weight")
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape("encoder.layers.0.mlp.fc1.weight")[0],
        "num_hidden_layers": layout.text_layers_in(shapes),
        "num_attention_heads": max(1, width // 64),
        "max_position_embeddings": shape("embeddings.position_embedding.weight")[0],
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": 768,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 1,
    }
