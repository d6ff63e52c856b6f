"""Loads a base model from one .safetensors file into diffusers and transformers modules, with no network and no hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import safe_open
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from lorasmith.checkpoints import layout_sd1 as layout
from lorasmith.checkpoints.clip.tokenizer import load_tokenizer
from lorasmith.checkpoints.family import Family, PredictionType, detect, sd1_configs
from lorasmith.checkpoints.hashes import model_sha
from lorasmith.checkpoints.header import Header, read_header
from lorasmith.errors import CheckpointError, UsageError

PartName = Literal["unet", "vae", "text_encoder"]
ALL_PARTS: tuple[PartName, ...] = ("unet", "vae", "text_encoder")
SCALING_FACTOR = 0.18215  # latents of SD1.x are the VAE's times this


@dataclass
class Sd1:
    """A loaded SD1.x base model: modules in eval mode with gradients off, and what the file says about itself."""

    path: Path
    modules: dict[PartName, nn.Module]
    tokenizer: CLIPTokenizer
    family: Family
    device: torch.device
    dtype: torch.dtype
    scaling_factor: float = SCALING_FACTOR

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
    def prediction_type(self) -> PredictionType:
        """What the U-Net predicts: the noise (`epsilon`) or the velocity (`v_prediction`)."""
        return self.family.prediction_type

    @property
    def sha(self) -> str:
        """The sha256 of the checkpoint file; read once per file state."""
        return model_sha(self.path)


def load_sd1(
    path: Path | str,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    parts: Sequence[PartName] = ALL_PARTS,
) -> Sd1:
    """Loads the wanted parts of an SD1.x checkpoint, tensor by tensor, so that the file is never in memory twice.

    The VAE is loaded in fp32 where `dtype` is fp16, in which it overflows. Raises `CheckpointError` for a file that
    cannot be used: a pickle, cut off, of another family, or with missing, unknown or wrongly shaped tensors.
    """
    header = read_header(path)
    family = detect(header)
    configs = sd1_configs(header)
    target = device_of(str(device))
    modules: dict[PartName, nn.Module] = {}
    for part in parts:
        module = _empty(part, configs[part])
        part_dtype = torch.float32 if part == "vae" and dtype == torch.float16 else dtype
        _fill(module, header, _names(header, part), target, part_dtype)
        modules[part] = module.eval().requires_grad_(False)
    return Sd1(header.path, modules, load_tokenizer(), family, target, dtype)


def _empty(part: PartName, config: Mapping[str, object]) -> nn.Module:
    """Makes a module whose parameters have shapes and no memory."""
    with torch.device("meta"):
        if part == "unet":
            return cast(nn.Module, UNet2DConditionModel(**config))
        if part == "vae":
            return cast(nn.Module, AutoencoderKL(**config))
        text_encoder = CLIPTextModel(CLIPTextConfig(**config))
    embeddings = text_encoder.embeddings
    positions = embeddings.position_embedding.weight.shape[0]
    embeddings.register_buffer("position_ids", torch.arange(positions)[None], persistent=False)
    return cast(nn.Module, text_encoder)


def _names(header: Header, part: PartName) -> dict[str, str]:
    """Maps our names to the names in the file; raises `CheckpointError` naming a few of what is missing or unknown."""
    present = {layout.canonical(name): name for name in header.tensors}
    tables = {
        "unet": (layout.unet_names(), layout.UNET),
        "vae": (layout.vae_names(), layout.VAE),
        "text_encoder": (layout.text_encoder_names(layout.text_layers_in(present)), layout.TEXT),
    }
    table, prefix = tables[part]
    missing = [name for name in table if name not in present]
    strange = (
        [] if part == "text_encoder" else [name for name in present if name.startswith(prefix) and name not in table]
    )
    strange = [name for name in strange if not name.startswith((layout.VAE + "loss.", layout.VAE + "model_ema."))]
    for names, fault in ((missing, "lacks"), (strange, "has unknown")):
        if names:
            raise CheckpointError(
                f"{header.path} {fault} {len(names)} tensors of an SD1.x {part.replace('_', ' ')}, such as "
                f"{', '.join(names[:3])}; the file is damaged or of another kind of model. Choose another file."
            )
    return {ours: present[theirs] for theirs, ours in table.items()}


def _fill(
    module: nn.Module, header: Header, names: Mapping[str, str], device: torch.device, dtype: torch.dtype
) -> None:
    """Puts the file's tensors into a module on the meta device, one at a time."""
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    loaded: dict[str, torch.Tensor] = {}
    with safe_open(header.path, framework="pt", device="cpu") as file:
        for ours, theirs in names.items():
            tensor = file.get_tensor(theirs)
            if ours not in shapes or tensor.numel() != shapes[ours].numel():
                raise CheckpointError(
                    f"{header.path}: tensor '{theirs}' has the shape {tuple(tensor.shape)} and should have "
                    f"{tuple(shapes.get(ours, ()))}; the file is damaged or of another kind of model."
                )
            loaded[ours] = tensor.reshape(shapes[ours]).to(device=device, dtype=dtype, copy=True)
    module.load_state_dict(loaded, strict=True, assign=True)
    for buffer_name, buffer in module.named_buffers():
        owner = module.get_submodule(buffer_name.rpartition(".")[0])
        setattr(owner, buffer_name.rpartition(".")[2], buffer.to(device))


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
