"""Loads a base model into diffusers and transformers modules, with no network and no hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import safe_open
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from lorasmith.checkpoints.checkpoint import Checkpoint, PartName, Stored, open_checkpoint
from lorasmith.checkpoints.clip.tokenizer import load_tokenizer
from lorasmith.checkpoints.configs import SCALING_FACTORS
from lorasmith.checkpoints.family import Family, PredictionType
from lorasmith.checkpoints.hashes import model_sha
from lorasmith.checkpoints.topology import Topology
from lorasmith.errors import CheckpointError, UsageError

TEXT_ENCODERS: tuple[PartName, ...] = ("text_encoder", "text_encoder_2")
ALL_PARTS: tuple[PartName, ...] = ("unet", "vae", *TEXT_ENCODERS)
__all__ = ["ALL_PARTS", "TEXT_ENCODERS", "BaseModel", "PartName", "device_of", "dtype_of", "load_base"]


@dataclass
class BaseModel:
    """A loaded base model: modules in eval mode with gradients off, and what the file says about itself."""

    path: Path
    modules: dict[PartName, nn.Module]
    tokenizer: CLIPTokenizer
    family: Family
    topology: Topology
    device: torch.device
    dtype: torch.dtype

    @property
    def unet(self) -> UNet2DConditionModel:
        """The U-Net; KeyError when it was not loaded."""
        return cast(UNet2DConditionModel, self.modules["unet"])

    @property
    def vae(self) -> AutoencoderKL:
        """The VAE, in fp32 or bf16 always; KeyError when it was not loaded."""
        return cast(AutoencoderKL, self.modules["vae"])

    @property
    def text_encoder(self) -> CLIPTextModel:
        """The CLIP text encoder; KeyError when it was not loaded."""
        return cast(CLIPTextModel, self.modules["text_encoder"])

    @property
    def text_encoder_2(self) -> CLIPTextModel:
        """SDXL's second text encoder, with its `text_projection`; KeyError when it was not loaded or there is none."""
        return cast(CLIPTextModel, self.modules["text_encoder_2"])

    @property
    def is_sdxl(self) -> bool:
        """Whether it has two text encoders and is told the picture's size."""
        return self.topology.base == "sdxl"

    @property
    def prediction_type(self) -> PredictionType:
        """What the U-Net predicts: the noise (`epsilon`) or the velocity (`v_prediction`)."""
        return self.family.prediction_type

    @property
    def scaling_factor(self) -> float:
        """The U-Net's latents are the VAE's times this."""
        return SCALING_FACTORS[self.topology.base]

    @property
    def sha(self) -> str:
        """The sha256 of the checkpoint file; read once per file state."""
        return model_sha(self.path)


def load_base(
    path: Path | str,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    parts: Sequence[PartName] = ALL_PARTS,
) -> BaseModel:
    """Loads the wanted parts of a base model, tensor by tensor, so that the file is never in memory twice.

    Parts that its family does not have are passed over. The VAE is loaded in fp32 where `dtype` is fp16, in which it
    overflows. Raises `CheckpointError` for a file that cannot be used: a pickle, cut off, of another family, or with
    missing, unknown or wrongly shaped tensors.
    """
    checkpoint = open_checkpoint(path)
    target = device_of(str(device))
    modules: dict[PartName, nn.Module] = {}
    for part in parts:
        if part in checkpoint.part_names:
            modules[part] = _load_part(checkpoint, part, target, dtype)
    return BaseModel(
        checkpoint.path, modules, load_tokenizer(), checkpoint.family, checkpoint.topology, target, dtype
    )  # fmt: skip


def _load_part(checkpoint: Checkpoint, part: PartName, device: torch.device, dtype: torch.dtype) -> nn.Module:
    module = empty_part(part, checkpoint.config(part))
    part_dtype = torch.float32 if part == "vae" and dtype == torch.float16 else dtype
    _fill(module, checkpoint.part(part), device, part_dtype)
    return module.eval().requires_grad_(False)


def empty_part(part: PartName, config: Mapping[str, Any]) -> nn.Module:
    """Makes a module whose parameters have shapes and no memory."""
    with torch.device("meta"):
        if part == "unet":
            return cast(nn.Module, UNet2DConditionModel(**config))
        if part == "vae":
            return cast(nn.Module, AutoencoderKL(**config))
        text_encoder = CLIPTextModel(CLIPTextConfig(**config))
        if part == "text_encoder_2":  # not CLIPTextModelWithProjection: so both encoders have the same names
            text_encoder.text_projection = nn.Linear(config["hidden_size"], config["projection_dim"], bias=False)
    embeddings = text_encoder.embeddings
    positions = embeddings.position_embedding.weight.shape[0]
    embeddings.register_buffer("position_ids", torch.arange(positions)[None], persistent=False)
    return cast(nn.Module, text_encoder)


def _fill(module: nn.Module, stored: Mapping[str, Stored], device: torch.device, dtype: torch.dtype) -> None:
    """Puts the file's tensors into a module on the meta device, one at a time."""
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    loaded: dict[str, torch.Tensor] = {}
    for path in dict.fromkeys(place.header.path for place in stored.values()):
        with safe_open(path, framework="pt", device="cpu") as file:
            for name, place in stored.items():
                if place.header.path == path:
                    _demand_shape(place, shapes.get(name, torch.Size()))
                    loaded[name] = _read(file, place).reshape(shapes[name]).to(device=device, dtype=dtype, copy=True)
    module.load_state_dict(loaded, strict=True, assign=True)
    for buffer_name, buffer in module.named_buffers():
        owner = module.get_submodule(buffer_name.rpartition(".")[0])
        setattr(owner, buffer_name.rpartition(".")[2], buffer.to(device))


def _demand_shape(place: Stored, wanted: torch.Size) -> None:
    if torch.Size(place.shape).numel() != wanted.numel():
        raise CheckpointError(
            f"{place.header.path}: tensor '{place.name}' has the shape {tuple(place.shape)} and should have "
            f"{tuple(wanted)}; the file is damaged or of another kind of model."
        )


def _read(file: Any, place: Stored) -> torch.Tensor:
    """Reads a tensor, or the wanted part of it, out of an open file."""
    if place.cut in ("q", "k", "v"):
        rows = place.shape[0]
        start = rows * ("q", "k", "v").index(place.cut)
        part: torch.Tensor = file.get_slice(place.name)[start : start + rows]
        return part
    tensor: torch.Tensor = file.get_tensor(place.name)
    return tensor.T if place.cut == "turned" else tensor


def device_of(name: str = "auto") -> torch.device:
    """Turns a setting (`auto`, `cpu`, `cuda`, `cuda:1`, `mps`) into a device that is there; `UsageError` otherwise."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"'{name}' is not a device; use auto, cpu, cuda, cuda:1 or mps.") from error
    there = {
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if not there.get(device.type, False):
        raise UsageError(
            f"The device '{name}' is not available to this PyTorch ({torch.__version__}); use auto or cpu."
        )
    return device


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """Turns a setting (`auto`, `fp32`, `bf16`, `fp16`) into a dtype; auto is bf16 or fp16 on CUDA, else fp32."""
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in named:
        return named[precision]
    if precision != "auto":
        raise UsageError(f"'{precision}' is not a precision; use auto, fp32, bf16 or fp16.")
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
