"""Puts LoRAs into a loaded model and takes them out again without a trace: the original tensors are kept."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from lorasmith.checkpoints.layout_unet import UNET, unet_names
from lorasmith.checkpoints.load import BaseModel, PartName
from lorasmith.checkpoints.lora_file import LoraFile, LoraWeights, read_lora
from lorasmith.checkpoints.lora_keys import UNET_PREFIX, lora_modules
from lorasmith.errors import CheckpointError
from lorasmith.rendering.prompt import LoraUse

_Place = tuple[PartName, str]  # part of the model, dotted path of the module
_State = tuple[tuple[LoraUse, int, int], ...]


class LoraSwitch:
    """Keeps a model at one set of LoRAs at a time; asking for the set that is in costs nothing."""

    def __init__(self, model: BaseModel) -> None:
        self._model = model
        self._places = _places(model)
        self._originals: dict[_Place, torch.Tensor] = {}
        self._state: _State = ()

    def use(self, loras: tuple[LoraUse, ...]) -> None:
        """Leaves exactly these LoRAs in the model: W + sum of weight * alpha / rank * up @ down.

        Raises `CheckpointError`, with the model as the file has it, for a LoRA that does not fit.
        """
        wanted = tuple((lora, *_file_state(lora.path)) for lora in loras)
        if wanted == self._state:
            return
        deltas: dict[_Place, torch.Tensor] = {}
        for lora in loras:
            if lora.weight or lora.text_encoder_weight:
                self._gather(lora, deltas)
        self._restore()
        for place, delta in deltas.items():
            weight = self._module(place).weight
            self._originals[place] = weight.data
            weight.data = (weight.data.float() + delta).to(weight.dtype)
        self._state = wanted

    def _gather(self, lora: LoraUse, deltas: dict[_Place, torch.Tensor]) -> None:
        """Adds one LoRA's changes to those of the others."""
        text_weight = lora.weight if lora.text_encoder_weight is None else lora.text_encoder_weight
        for name, weights in _read(lora.path, *_file_state(lora.path)).weights.items():
            place = self._places.get(name)
            if place is None:
                raise CheckpointError(f"{lora.path} changes a module that the base model does not have: '{name}'.")
            shape = self._module(place).weight.shape
            device = self._model.device
            moved = LoraWeights(weights.down.to(device), weights.up.to(device), weights.alpha)
            delta = moved.delta(lora.weight if place[0] == "unet" else text_weight)
            if delta.numel() != shape.numel() or delta.shape[0] != shape[0]:
                raise CheckpointError(
                    f"{lora.path} was made for another base model: '{name}' changes {tuple(delta.shape)}, "
                    f"here it is {tuple(shape)}."
                )
            delta = delta.reshape(shape)
            deltas[place] = deltas[place] + delta if place in deltas else delta

    def _restore(self) -> None:
        for place, original in self._originals.items():
            self._module(place).weight.data = original
        self._originals = {}
        self._state = ()

    def _module(self, place: _Place) -> nn.Linear | nn.Conv2d:
        part, path = place
        module = self._model.modules[part].get_submodule(path)
        if not isinstance(module, nn.Linear | nn.Conv2d):
            raise CheckpointError(f"A LoRA cannot change '{path}', which is a {type(module).__name__}.")
        return module


def _places(model: BaseModel) -> Mapping[str, _Place]:
    """Maps kohya names to modules: all of the U-Net under diffusers' paths and the original ones, and our table."""
    changeable = {path for path, module in model.unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    places: dict[str, _Place] = {_unet_name(path): ("unet", path) for path in changeable}
    for file_name, name in unet_names(model.topology).items():
        path = name.rpartition(".")[0]
        if path in changeable:
            places[_unet_name(file_name.removeprefix(UNET).rpartition(".")[0])] = ("unet", path)
    for name, module in lora_modules(model.topology).items():
        if module.part != "unet":
            places[name] = places[name.replace("lora_te_", "lora_te1_")] = (module.part, module.path)
    return places


def _unet_name(path: str) -> str:
    return UNET_PREFIX + path.replace(".", "_")


def _file_state(path: Path) -> tuple[int, int]:
    if not path.is_file():
        raise CheckpointError(f"There is no LoRA file at {path}.")
    state = path.stat()
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=4)
def _read(path: Path, size: int, modified: int) -> LoraFile:
    return read_lora(path)
