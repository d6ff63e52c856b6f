"""Whether a base model is one that others are built on, or a merge or fine-tune of one, and what that costs a LoRA.

A LoRA trained on a foundation model works on what descends from it. One trained on a merge fits the merge, and its
cousins less. Rows of the table are files as their makers published them; where a hash is not known for certain there
is no row, and only the metadata is asked.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from lorasmith.checkpoints.family import Family
from lorasmith.checkpoints.hashes import model_sha
from lorasmith.checkpoints.header import read_header
from lorasmith.checkpoints.topology import Base

Standing = Literal["foundation", "merge", "fine-tune", "unknown"]
_MERGE_KEYS = ("modelspec.merged_from", "sd_merge_recipe", "sd_merge_models")  # modelspec, AUTOMATIC1111's merger
_TUNED_KEYS = ("ss_sd_model_name", "ss_base_model_version")  # kohya's trainer, on the model it began with
_VELOCITY_WORDS = ("vpred", "v-pred", "v_pred", "vprediction", "v-prediction")


class Foundation(NamedTuple):
    """A published file: its bytes and sha256, its name, its family, and what its descendants are called."""

    size: int
    sha256: str
    name: str
    base: Base
    kin: str


TABLE = (
    Foundation(
        4_265_146_304, "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
        "Stable Diffusion 1.5 (EMA weights)", "sd1", "Stable Diffusion 1.5",
    ),
    Foundation(
        7_703_324_286, "1a189f0be69d6106a48548e7626207dddd7042a418dbf372cefd05e0cdba61b6",
        "Stable Diffusion 1.5 (all weights)", "sd1", "Stable Diffusion 1.5",
    ),
    Foundation(
        6_938_078_334, "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
        "SDXL base 1.0", "sdxl", "SDXL 1.0",
    ),
    Foundation(
        6_938_078_334, "e6bb9ea85bbf7bf6478a7c6d18b71246f22e95d41bcdd80ed40aa212c33cfeff",
        "SDXL base 1.0 (VAE of 0.9)", "sdxl", "SDXL 1.0",
    ),
    Foundation(
        6_938_041_050, "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3",
        "Pony Diffusion V6 XL", "sdxl", "Pony",
    ),
    Foundation(
        6_938_040_760, "3e15ba00387db678ab4a099f75771c4f5ac67fda9e7100a01d263eaf30145aa9",
        "Illustrious XL 0.1", "sdxl", "Illustrious",
    ),
    Foundation(
        7_105_349_958, "6681e8e4b134c81f16533acedb0d406d7e5e366e1624b4105178c64d00b05d51",
        "NoobAI XL 1.1", "sdxl", "NoobAI",
    ),
    Foundation(
        7_105_350_110, "ea349eeae87ca8d25ba902c93810f7ca83e5c82f920edf12f273af004ae02819",
        "NoobAI XL v-prediction 1.0", "sdxl", "NoobAI",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What a base model is among others; `name` is the foundation model's, or what the metadata names."""

    standing: Standing
    name: str = ""


def judge_base(path: Path) -> Judged:
    """Judges a base model by its bytes, then by its metadata; only a file of a known size is read whole."""
    if path.is_dir():
        return Judged("unknown")
    size = path.stat().st_size
    if any(row.size == size for row in TABLE):
        sha = model_sha(path)
        for row in TABLE:
            if row.sha256 == sha:
                return Judged("foundation", row.name)
    metadata = read_header(path).metadata
    if any(metadata.get(key, "None") not in ("", "None") for key in _MERGE_KEYS):
        return Judged("merge", metadata.get("modelspec.title", ""))
    if any(metadata.get(key, "None") not in ("", "None") for key in _TUNED_KEYS):
        return Judged("fine-tune", metadata.get("ss_sd_model_name", ""))
    return Judged("unknown")


def notes_on(path: Path, family: Family) -> list[str]:
    """Words what a person should know of a base model before training on it; nothing stops a training."""
    return [*_standing_notes(path, family), *_prediction_notes(path, family)]


def _standing_notes(path: Path, family: Family) -> list[str]:
    judged = judge_base(path)
    roots = ", ".join(dict.fromkeys(row.kin for row in TABLE if row.base == family.base))
    cost = "A LoRA trained on it fits it best, and other models of its kind less than one trained on their common root"
    if judged.standing == "merge":
        return [f"{path.name} is a merge, as its metadata says. {cost}."]
    if judged.standing == "fine-tune":
        of = f" of {judged.name}" if judged.name else ""
        return [f"{path.name} is a fine-tune{of}, as its metadata says. {cost}."]
    if judged.standing == "unknown":
        return [
            f"{path.name} is none of the root models known here ({roots}, as published). If it is a merge or a "
            f"fine-tune: {_low(cost)}."
        ]
    return []


def _low(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _prediction_notes(path: Path, family: Family) -> list[str]:
    """Doubts noise prediction where the file does not say it and its name says otherwise: merges often lose the mark."""
    named = any(word in path.name.lower() for word in _VELOCITY_WORDS)
    if family.prediction_type == "epsilon" and not family.stated and named:
        return [
            f"The name of {path.name} says v-prediction, but the file does not. If it is such a model, set "
            "prediction_type = 'v_prediction' (and zero_terminal_snr = 'on', where its makers say so)."
        ]
    if family.zero_terminal_snr and family.prediction_type == "epsilon":
        return ["Zero terminal SNR with noise prediction teaches nothing at the last step; such models predict v."]
    return []
