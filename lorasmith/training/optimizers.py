"""The optimizers of the field by name, and what they hold as plain tensors, so that every one of them can be resumed exactly.

AdamW and Adafactor come with torch. The others are packages that a person adds when wanted; a missing one is a sentence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

from lorasmith.errors import TrainingError, UsageError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.optimizer_table import OPTIMIZERS, Row, read_arguments

Groups = Sequence[Mapping[str, Any]]  # each with `params` (a list) and `lr`


def make_optimizer(groups: Groups, settings: TrainSettings, device: torch.device) -> torch.optim.Optimizer:
    """Makes the optimizer of the settings.

    Raises `TrainingError` when its package is missing or cannot run on the device, `UsageError` for an argument that it
    does not take.
    """
    row = OPTIMIZERS[settings.optimizer]
    arguments = {**dict(row.arguments), "weight_decay": settings.weight_decay}
    if settings.optimizer == "adamw":
        arguments["fused"] = device.type in ("cpu", "cuda")
    if settings.optimizer == "adamw8bit" and device.type != "cuda":
        raise TrainingError("The optimizer adamw8bit runs on NVIDIA cards only; set optimizer = 'adamw'.")
    arguments |= read_arguments(settings.optimizer_args)
    make = _class_of(settings.optimizer, row)
    try:
        optimizer = make([dict(group) for group in groups], **arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The optimizer {settings.optimizer} does not take that: {error}. Mend optimizer_args.") from error
    if hasattr(optimizer, "train"):
        optimizer.train()
    return optimizer


def _class_of(name: str, row: Row) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = getattr(import_module(row.module), row.kind)
    except (ImportError, AttributeError, RuntimeError) as error:
        raise TrainingError(
            f"The optimizer {name} needs the package {row.package}, which is not here ({error}). "
            f"Install it beside lorasmith (pip install {row.package}), or set optimizer = 'adamw'."
        ) from error
    return found


def held_by(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Gives all that an optimizer holds between two steps, numbers too, as tensors by name."""
    held: dict[str, torch.Tensor] = {}
    for place, group in enumerate(optimizer.param_groups):
        for name, value in group.items():
            if isinstance(value, int | float) and name != "lr":  # the rate is a function of the step
                held[f"{place}.group.{name}"] = torch.tensor(value, dtype=_kind_of(value))
        for number, parameter in enumerate(group["params"]):
            for name, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, torch.Tensor):
                    held[f"{place}.{number}.{name}"] = value.detach()
                elif isinstance(value, int | float):
                    held[f"{place}.{number}.{name}#"] = torch.tensor(value, dtype=_kind_of(value))
    return held


def give_back(optimizer: torch.optim.Optimizer, held: Mapping[str, torch.Tensor]) -> None:
    """Puts back what `held_by` gave, exactly."""
    for key, tensor in held.items():
        place, number, name = key.split(".", 2)
        group = optimizer.param_groups[int(place)]
        if number == "group":
            group[name] = tensor.item()
            continue
        parameter = group["params"][int(number)]
        value = tensor.item() if name.endswith("#") else _placed(name, tensor, parameter)
        optimizer.state[parameter][name.removesuffix("#")] = value


def _placed(name: str, tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Puts a state tensor where the optimizer had it: AdamW keeps its step beside the weights, others on the CPU."""
    return tensor.clone() if tensor.ndim == 0 and name != "step" else tensor.to(parameter.device, copy=True)


def _kind_of(value: float) -> torch.dtype:
    if isinstance(value, bool):
        return torch.bool
    return torch.int64 if isinstance(value, int) else torch.float64


@contextmanager
def weights_to_use(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """While this lasts, the weights are those to save and draw with: a schedule-free optimizer trains with others."""
    if not hasattr(optimizer, "eval"):
        yield
        return
    values = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    before = [value.detach().clone() for value in values]  # the way back would round: a resumed run must be the same
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
        with torch.no_grad():
            for value, kept in zip(values, before, strict=True):
                value.copy_(kept)
