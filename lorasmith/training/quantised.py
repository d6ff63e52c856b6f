"""Frozen weights held in one byte each: int8 or float8 codes and a scale for each output row, made whole layer by layer.

A layer's weight exists in the precision of the computation only while that layer computes, forward and back. Only what never
learns is held so; adapters stay in fp32. LLM.int8 (arXiv:2208.07339) holds rows so; activations are not quantised here.
"""

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lorasmith.checkpoints.load import BaseModel
from lorasmith.errors import TrainingError

SMALLEST = 4096  # numbers of a weight from which holding it in codes is worth it
_KINDS = {"int8": (torch.int8, 127.0), "fp8": (torch.float8_e4m3fn, 448.0)}  # the codes' type, and its largest number


def hold_base(model: BaseModel, kind: str, device: torch.device) -> None:
    """Holds a model's big weights in codes and brings it to its device: loaded on the CPU, it is never whole on a card."""
    for module in model.modules.values():
        hold_quantised(module, kind)
        module.to(device)
    model.device = device


def hold_quantised(module: nn.Module, kind: str) -> int:
    """Holds the big linear and convolutional weights of a module in codes, in place; gives how many layers that were.

    Embeddings, norms, biases and small layers stay as they are. Raises `TrainingError` for a weight that is not finite.
    """
    layers = [
        (name, layer)
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.weight.numel() >= SMALLEST
    ]
    for name, layer in layers:
        _hold(name, layer, kind)
    return len(layers)


def is_quantised(layer: nn.Module) -> bool:
    """Says whether a layer's weight is held in codes."""
    return "codes" in layer._buffers


def quantise(weight: torch.Tensor, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives codes in the weight's shape, and the scale of each output row in fp32."""
    dtype, largest = _KINDS[kind]
    rows = weight.detach().float().flatten(1)
    scale = rows.abs().amax(1).clamp(min=1e-12) / largest
    codes = rows / scale[:, None]
    codes = codes.round_().clamp_(-largest, largest) if dtype == torch.int8 else codes.clamp_(-largest, largest)
    return codes.to(dtype).reshape(weight.shape), scale


def whole(codes: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Gives the weight that codes and scales stand for."""
    return codes.to(dtype) * scale.to(dtype).view(-1, *(1,) * (codes.ndim - 1))


def _hold(name: str, layer: nn.Linear | nn.Conv2d, kind: str) -> None:
    codes, scale = quantise(layer.weight, kind)
    if not torch.isfinite(scale).all():
        raise TrainingError(f"The base model's weight {name} is not finite; choose another base model.")
    # Empty, not gone: peft asks it for device, precision and axes.
    layer.weight = nn.Parameter(layer.weight.new_empty((0,) * layer.weight.ndim), requires_grad=False)
    layer.register_buffer("codes", codes, persistent=False)
    layer.register_buffer("scale", scale, persistent=False)
    layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]


def _forward(self: Any, x: torch.Tensor) -> torch.Tensor:
    shape = (self.stride, self.padding, self.dilation) if isinstance(self, nn.Conv2d) else None
    said: torch.Tensor = _Applied.apply(x, self.codes, self.scale, self.bias, shape)
    return said


class _Applied(torch.autograd.Function):
    """W x + b, with W made whole anew on the way back: autograd alone would keep it from the way forward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, codes: Any, scale: Any, bias: torch.Tensor | None, shape: Any) -> torch.Tensor:
        ctx.save_for_backward(codes, scale)
        ctx.shape, ctx.input = shape, (x.shape, x.dtype)
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        weight, x = whole(codes, scale, dtype), x.to(dtype)
        bias = None if bias is None else bias.to(dtype)
        return F.linear(x, weight, bias) if shape is None else F.conv2d(x, weight, bias, *shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        if not ctx.needs_input_grad[0]:
            return None, None, None, None, None
        codes, scale = ctx.saved_tensors
        gradient: torch.Tensor = gradients[0]
        weight = whole(codes, scale, gradient.dtype)
        size, dtype = ctx.input
        if ctx.shape is None:
            found = gradient @ weight
        else:
            found = torch.nn.grad.conv2d_input(size, weight, gradient, *ctx.shape)
        return found.to(dtype), None, None, None, None
