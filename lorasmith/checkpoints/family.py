"""Which family of base model a file holds, read from its tensor names, shapes and metadata."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lorasmith.checkpoints import layout_sd1, layout_sdxl
from lorasmith.checkpoints.header import Header
from lorasmith.checkpoints.layout_unet import UNET
from lorasmith.checkpoints.layout_vae import VAE
from lorasmith.checkpoints.topology import Base
from lorasmith.errors import CheckpointError

Kind = Literal[
    "sd1", "sd1_inpainting", "sd2", "sdxl", "sdxl_inpainting", "sdxl_refiner", "edm", "lora", "part", "unknown"
]
PredictionType = Literal["epsilon", "v_prediction"]
SUPPORTED = "SD1.x and SDXL checkpoints in one .safetensors file, or as a diffusers folder,"

_LORA_PARTS = (".lora_down.weight", ".lora_up.weight", ".lora_A.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1",
               ".lokr_w1_a", ".lora_A.default.weight", ".lora.down.weight", ".oft_blocks", ".dora_scale")  # fmt: skip
_CONTEXT = UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_CONV_IN = UNET + "input_blocks.0.0.weight"
_EDM = ("edm_mean", "edm_std", "edm_vpred.sigma_max", "edm_vpred.sigma_min")  # marker tensors of EDM noise levels
_SAID_VELOCITY = ("v", "v_prediction", "vpred", "v_pred")
_SAID_EPSILON = ("epsilon", "eps")
_REFUSALS: Mapping[str, str] = {
    "sd1_inpainting": "is an SD1.x inpainting model (nine input channels), on which LoRAs are not trained",
    "sd2": "is an SD2.x checkpoint, which is not supported",
    "sdxl_inpainting": "is an SDXL inpainting model (nine input channels), on which LoRAs are not trained",
    "sdxl_refiner": "is an SDXL refiner, on which LoRAs are not trained",
    "edm": "uses EDM noise levels, which are not supported",
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

    @property
    def base(self) -> Base:
        """The family among those that can be used."""
        return "sdxl" if self.kind == "sdxl" else "sd1"

    @property
    def words(self) -> str:
        """What it is, for a person."""
        name = "SDXL" if self.kind == "sdxl" else "SD1.x"
        predicts = "v-prediction" if self.prediction_type == "v_prediction" else "noise prediction (epsilon)"
        return f"{name}, {predicts}{', zero terminal SNR' if self.zero_terminal_snr else ''}"


def chosen(family: Family, prediction_type: str = "auto", zero_terminal_snr: str = "auto") -> Family:
    """Gives the family with what a person set by hand (`epsilon`, `v_prediction`; `on`, `off`) in place of what was read."""
    if prediction_type != "auto":
        predicts: PredictionType = "v_prediction" if prediction_type == "v_prediction" else "epsilon"
        family = replace(family, prediction_type=predicts, stated=True)
    if zero_terminal_snr != "auto":
        family = replace(family, zero_terminal_snr=zero_terminal_snr == "on")
    return family


def identify(header: Header) -> Family:
    """Names the family of any model file; never raises."""
    prediction, stated = _prediction_type(header)
    return Family(_kind(header), prediction, _zero_terminal_snr(header), stated)


def detect(header: Header) -> Family:
    """Names the family of a base model that lorasmith can use; raises `CheckpointError` for every other file."""
    family = identify(header)
    demand_usable(family, str(header.path))
    return family


def demand_usable(family: Family, path: str) -> None:
    """Raises `CheckpointError` for a family that LoRAs cannot be trained on."""
    if family.kind in _REFUSALS:
        raise CheckpointError(f"{path} {_REFUSALS[family.kind]}. Choose another file: {SUPPORTED} are supported.")


def _kind(header: Header) -> Kind:
    names = header.tensors
    if any(name.endswith(_LORA_PARTS) for name in names):
        return "lora"
    if any(name in names for name in _EDM):
        return "edm"
    if any(name.startswith(("conditioner.embedders.", UNET + "label_emb.")) for name in names):
        return _sdxl_kind(header)
    if any(name.startswith("cond_stage_model.model.") for name in names):
        return "sd2"
    found = _starting(names, (UNET, VAE, layout_sd1.TEXT_SHORT))
    if not all(found):
        return "part" if any(found) else "unknown"
    if _CONTEXT not in names:
        return "unknown"
    return "sd1_inpainting" if _channels(header) == 9 else "sd1"


def _sdxl_kind(header: Header) -> Kind:
    """Tells a whole SDXL from its refiner (whose one text encoder is the OpenCLIP one), and from parts of it."""
    names = header.tensors
    if any(name.startswith("conditioner.embedders.0.model.") for name in names):
        return "sdxl_refiner"
    if not all(_starting(names, (UNET, VAE, layout_sdxl.TEXT_SHORT, layout_sdxl.TEXT_2))):
        return "part"
    return "sdxl_inpainting" if _channels(header) == 9 else "sdxl"


def _starting(names: Iterable[str], prefixes: Iterable[str]) -> list[bool]:
    return [any(name.startswith(prefix) for name in names) for prefix in prefixes]


def _channels(header: Header) -> int:
    conv_in = header.tensors.get(_CONV_IN)
    return conv_in.shape[1] if conv_in and len(conv_in.shape) == 4 else 4


def _prediction_type(header: Header) -> tuple[PredictionType, bool]:
    """Reads the marker tensors that model makers put in (`v_pred`), then modelspec's field and ComfyUI's."""
    if "v_pred" in header.tensors:
        return "v_prediction", True
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        said = header.metadata.get(key, "").strip().lower().replace("-", "_")
        if said in _SAID_VELOCITY:
            return "v_prediction", True
        if said in _SAID_EPSILON:
            return "epsilon", True
    return "epsilon", False


def _zero_terminal_snr(header: Header) -> bool:
    """Reads the marker tensor `ztsnr`, then what kohya's trainer writes into a model that it fine-tuned."""
    return "ztsnr" in header.tensors or header.metadata.get("ss_zero_terminal_snr") == "True"
