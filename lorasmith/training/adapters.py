"""LoRA adapters in the model: put in by peft, held in one flat tensor per part, read back under kohya's names."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from lorasmith.checkpoints.load import PartName, Sd1
from lorasmith.checkpoints.lora_file import LoraWeights
from lorasmith.checkpoints.lora_keys import sd1_lora_modules
from lorasmith.errors import TrainingError
from lorasmith.training.forward import make_lean
from lorasmith.training.noise import generator_for

ADAPTER = "default"  # peft's name for the one adapter


class FlatWeights:
    """The LoRA weights of one part of the model as one fp32 tensor, of which the layers' weights are views.

    One optimizer tensor instead of hundreds: clipping and AdamW take three calls, and a state is three tensors.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        device = weights[0].device
        self.values = nn.Parameter(torch.cat([weight.detach().float().reshape(-1) for weight in weights]))
        self.values.grad = torch.zeros(self.values.shape, device=device)
        start = 0
        for weight in weights:
            place = slice(start, start + weight.numel())
            weight.data = self.values.data[place].view(weight.shape)
            weight.grad = self.values.grad[place].view(weight.shape)
            start += weight.numel()


@dataclass(frozen=True)
class Adapters:
    """The adapters of a model: the peft layer of each kohya module, alpha, and each trained part's flat weights."""

    layers: Mapping[str, Any]
    alpha: float
    flat: Mapping[PartName, FlatWeights]

    def weights(self) -> dict[str, LoraWeights]:
        """Gives down, up and alpha of every module, under kohya's names, as copies on the CPU."""
        return {
            name: LoraWeights(
                layer.lora_A[ADAPTER].weight.detach().to("cpu", copy=True),
                layer.lora_B[ADAPTER].weight.detach().to("cpu", copy=True),
                self.alpha,
            )
            for name, layer in self.layers.items()
        }


def put_in(model: Sd1, rank: int, alpha: float, parts: tuple[PartName, ...], seed: int) -> Adapters:
    """Puts fresh adapters into the parts: down kaiming-uniform with a = sqrt(5), up zero, so nothing changes at first.

    Raises `TrainingError` when the model does not have the modules of the table.
    """
    table = {name: place for name, place in sd1_lora_modules().items() if place[0] in parts}
    for part in parts:
        paths = [path for owner, path in table.values() if owner == part]
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=paths, lora_dropout=0.0, bias="none")
        inject_adapter_in_model(config, model.modules[part], adapter_name=ADAPTER)
    layers = {name: model.modules[part].get_submodule(path) for name, (part, path) in table.items()}
    _demand_all(model, parts, layers)
    generator = generator_for(seed, "adapters")
    for layer in layers.values():
        _start(layer.lora_A[ADAPTER].weight, generator)
        nn.init.zeros_(layer.lora_B[ADAPTER].weight)
        make_lean(layer, ADAPTER, exact=model.dtype == torch.float32)
    flat = {}
    for part in parts:
        own = [layers[name] for name, (owner, _) in table.items() if owner == part]
        flat[part] = FlatWeights([side[ADAPTER].weight for layer in own for side in (layer.lora_A, layer.lora_B)])
    return Adapters(layers, alpha, flat)


def _start(weight: nn.Parameter, generator: torch.Generator) -> None:
    """Fills a down matrix from a CPU generator, so that every device starts from the same weights."""
    values = torch.empty(weight.shape)
    nn.init.kaiming_uniform_(values, a=math.sqrt(5), generator=generator)
    with torch.no_grad():
        weight.copy_(values)


def _demand_all(model: Sd1, parts: tuple[PartName, ...], layers: Mapping[str, Any]) -> None:
    """Checks that exactly the table's modules were wrapped."""
    wrapped = sum(hasattr(module, "lora_A") for part in parts for module in model.modules[part].modules())
    if wrapped != len(layers) or not all(hasattr(layer, "lora_A") for layer in layers.values()):
        raise TrainingError(
            f"{wrapped} modules of {model.path.name} took an adapter where {len(layers)} should; "
            "the versions of peft, diffusers and transformers do not fit together: run install.py again."
        )
