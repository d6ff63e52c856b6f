"""An optimiser for networks this small: Muon for matrices and kernels, Adam for everything else.

Muon (Keller Jordan, 2024) replaces a matrix's momentum by the nearest orthogonal matrix, found with
a few Newton-Schulz steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

_STEPS = ((3.4445, -4.7750, 2.0315),) * 5


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Gives an approximately orthogonal matrix near the direction of a 2-D tensor."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for a, b, c in _STEPS:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class MuonAdam(torch.optim.Optimizer):
    """Takes Muon steps of `lr` for weights of two or more dimensions, Adam steps of `lr * adam_share` for others."""

    def __init__(
        self, named: Iterable[tuple[str, torch.nn.Parameter]], lr: float, adam_share: float = 0.1, decay: float = 0.0
    ) -> None:
        kernels: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, weight in named:
            edge = any(part in name for part in ("conv_in", "conv_out", "embedding.weight", "quant_conv"))
            (others if weight.ndim < 2 or edge else kernels).append(weight)
        groups: list[dict[str, Any]] = [{"params": kernels, "muon": True}, {"params": others, "muon": False}]
        super().__init__(groups, {"lr": lr, "share": adam_share, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Takes one step with the gradients at hand."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                (self._muon if group["muon"] else self._adam)(weight, group)

    def _muon(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(weight.grad, 0.05)  # type: ignore[arg-type]
        flat = weight.grad.lerp(momentum, 0.95).flatten(1)  # type: ignore[union-attr]
        rows, columns = flat.shape
        change = orthogonal(flat).view_as(weight)
        if group["decay"]:
            weight.mul_(1.0 - group["lr"] * group["decay"])
        weight.add_(change, alpha=-group["lr"] * 0.2 * max(rows, columns) ** 0.5)

    def _adam(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["first"], state["second"] = torch.zeros_like(weight), torch.zeros_like(weight)
            state["count"] = torch.zeros(())
        state["count"] += 1
        count = float(state["count"])
        state["first"].lerp_(weight.grad, 0.1)  # type: ignore[arg-type]
        state["second"].mul_(0.99).addcmul_(weight.grad, weight.grad, value=0.01)  # type: ignore[arg-type]
        scale = (state["second"] / (1 - 0.99**count)).sqrt_().add_(1e-8)
        weight.addcdiv_(state["first"], scale, value=-group["lr"] * group["share"] / (1 - 0.9**count))
