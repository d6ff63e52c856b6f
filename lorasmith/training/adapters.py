"""LoRA adapters in the model: put in by peft, held in few flat tensors, read back under kohya's names."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from lorasmith.checkpoints.load import BaseModel, PartName
from lorasmith.checkpoints.lora_file import LoraWeights
from lorasmith.checkpoints.lora_keys import BLOCKS, LoraModule, lora_modules
from lorasmith.checkpoints.topology import Base
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.forward import make_lean
from lorasmith.training.noise import generator_for
from lorasmith.training.quantised import is_quantised

ADAPTER = "default"  # peft's name for the one adapter


@dataclass(frozen=True)
class AdapterRecipe:
    """What adapters are made: rank and alpha, those of 3x3 convolutions (rank 0: none), weights of the blocks, dropout."""

    rank: int
    alpha: float
    conv_rank: int = 0
    conv_alpha: float = 1.0
    block_weights: tuple[float, ...] = ()
    dropout: float = 0.0

    @classmethod
    def of(cls, settings: TrainSettings) -> "AdapterRecipe":
        """Reads the recipe off the settings."""
        return cls(
            settings.rank,
            settings.network_alpha,
            settings.conv_rank,
            settings.network_conv_alpha,
            tuple(settings.block_weights),
            settings.dropout,
        )

    def size(self, module: LoraModule) -> tuple[int, float]:
        """Gives rank and alpha of a module's adapter."""
        return (self.conv_rank, self.conv_alpha) if module.spatial else (self.rank, self.alpha)

    def factor(self, module: LoraModule) -> float:
        """Gives what the learning rate of a module is multiplied by; 0 means that it gets no adapter."""
        return 1.0 if module.block < 0 or not self.block_weights else self.block_weights[module.block]

    def demand_fitting(self, base: Base) -> None:
        """Raises `TrainingError` when the list of block weights is not one of this family."""
        down, middle, up = BLOCKS[base]
        if self.block_weights and len(self.block_weights) != down + middle + up:
            raise TrainingError(
                f"block_weights has {len(self.block_weights)} numbers; this base model needs {down + middle + up}: "
                f"{down} down, {middle} middle, {up} up."
            )


class FlatWeights:
    """The LoRA weights of one group of modules as one fp32 tensor, of which the layers' weights are views.

    One optimizer tensor instead of hundreds: clipping and AdamW take three calls, and a state is three tensors.
    """

    def __init__(self, weights: list[nn.Parameter], device: torch.device) -> None:
        self.weights = weights  # the views, for optimizers that look at matrices
        self.values = nn.Parameter(torch.cat([weight.detach().float().reshape(-1) for weight in weights]).to(device))
        self.values.grad = torch.zeros(self.values.shape, device=device)
        start = 0
        for weight in weights:
            place = slice(start, start + weight.numel())
            weight.data = self.values.data[place].view(weight.shape)
            weight.grad = self.values.grad[place].view(weight.shape)
            start += weight.numel()


@dataclass(frozen=True)
class AdapterGroup:
    """Modules that learn at one rate: a part of the model, and what its learning rate is multiplied by."""

    part: PartName
    factor: float
    flat: FlatWeights


@dataclass(frozen=True)
class Adapters:
    """The adapters of a model: the peft layer of each kohya module, its alpha, and the groups by name.

    A group is called after its part, with its factor where that is not 1 (`unet`, `unet*0.5`, `text_encoder`).
    """

    layers: Mapping[str, Any]
    alphas: Mapping[str, float]
    groups: Mapping[str, AdapterGroup]

    def weights(self) -> dict[str, LoraWeights]:
        """Gives down, up and alpha of every module, under kohya's names, as copies on the CPU."""
        return {
            name: LoraWeights(
                layer.lora_A[ADAPTER].weight.detach().to("cpu", copy=True),
                layer.lora_B[ADAPTER].weight.detach().to("cpu", copy=True),
                self.alphas[name],
            )
            for name, layer in self.layers.items()
        }

    @torch.no_grad()
    def limit_norms(self, limit: float) -> None:
        """Shrinks each module whose change of its weight is longer than `limit` (Frobenius) to that; never waits for a GPU.

        The norm of up @ down comes from the two small squares, without the large product.
        """
        for layer in self.layers.values():
            down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
            rows, columns = down.flatten(1), up.flatten(1)
            square = ((rows @ rows.T) * (columns.T @ columns)).sum().clamp(min=0)
            shrink = (limit / (square.sqrt() * layer.scaling[ADAPTER])).clamp(max=1).sqrt()
            down.mul_(shrink)
            up.mul_(shrink)


def put_in(model: BaseModel, recipe: AdapterRecipe, parts: tuple[PartName, ...], seed: int) -> Adapters:
    """Puts fresh adapters into the parts: down kaiming-uniform with a = sqrt(5), up zero, so nothing changes at first.

    Raises `TrainingError` when the model does not have the modules of the table, or the recipe does not fit it.
    """
    recipe.demand_fitting(model.topology.base)
    table = {
        name: module
        for name, module in lora_modules(model.topology, bool(recipe.conv_rank)).items()
        if module.part in parts and recipe.factor(module)
    }
    for part in parts:
        _inject(model.modules[part], recipe, [module for module in table.values() if module.part == part])
    layers = {name: model.modules[module.part].get_submodule(module.path) for name, module in table.items()}
    _demand_all(model, parts, layers)
    generator = generator_for(seed, "adapters")
    for layer in layers.values():
        _start(layer.lora_A[ADAPTER].weight, generator)
        nn.init.zeros_(layer.lora_B[ADAPTER].weight)
        exact = model.dtype == torch.float32 and not is_quantised(layer.base_layer)
        make_lean(layer, ADAPTER, exact, recipe.dropout)
    alphas = {name: recipe.size(module)[1] for name, module in table.items()}
    return Adapters(layers, alphas, dict(_groups(table, layers, recipe, model.device)))


def _inject(module: nn.Module, recipe: AdapterRecipe, modules: list[LoraModule]) -> None:
    if not modules:
        raise TrainingError("block_weights is 0 for every block, so nothing of the U-Net would be trained.")
    own = [each.path for each in modules if each.spatial]
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]
        target_modules=[each.path for each in modules],
        rank_pattern=dict.fromkeys(own, recipe.conv_rank),
        alpha_pattern=dict.fromkeys(own, recipe.conv_alpha),
        lora_dropout=0.0,
        bias="none",
    )
    inject_adapter_in_model(config, module, adapter_name=ADAPTER)


def _groups(
    table: Mapping[str, LoraModule], layers: Mapping[str, Any], recipe: AdapterRecipe, device: torch.device
) -> Iterator[tuple[str, AdapterGroup]]:
    """Gathers the weights of the modules that share part and factor, in the order of the table."""
    kinds = dict.fromkeys((module.part, recipe.factor(module)) for module in table.values())
    for part, factor in kinds:
        own = [layers[name] for name, each in table.items() if (each.part, recipe.factor(each)) == (part, factor)]
        flat = FlatWeights([side[ADAPTER].weight for layer in own for side in (layer.lora_A, layer.lora_B)], device)
        yield part if factor == 1 else f"{part}*{factor:g}", AdapterGroup(part, factor, flat)


def _start(weight: nn.Parameter, generator: torch.Generator) -> None:
    """Fills a down matrix from a CPU generator, so that every device starts from the same weights."""
    values = torch.empty(weight.shape)
    nn.init.kaiming_uniform_(values, a=math.sqrt(5), generator=generator)
    with torch.no_grad():
        weight.copy_(values)


def _demand_all(model: BaseModel, parts: tuple[PartName, ...], layers: Mapping[str, Any]) -> None:
    """Checks that exactly the table's modules were wrapped."""
    wrapped = sum(hasattr(module, "lora_A") for part in parts for module in model.modules[part].modules())
    if wrapped != len(layers) or not all(hasattr(layer, "lora_A") for layer in layers.values()):
        raise TrainingError(
            f"{wrapped} modules of {model.path.name} took an adapter where {len(layers)} should; "
            "the versions of peft, diffusers and transformers do not fit together: run install.py again."
        )
