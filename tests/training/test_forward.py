"""The leaner forward says what peft's own says."""

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from lorasmith.training.forward import make_lean


@pytest.mark.parametrize("width", [16, 160])  # the narrow one is merged, the wide one branched
@pytest.mark.parametrize("alpha", [4.0, 1.0])
@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_values_and_gradients_are_those_of_peft(width: int, alpha: float, kind: str) -> None:
    torch.manual_seed(0)
    base = nn.Linear(width, width) if kind == "linear" else nn.Conv2d(width, width, 1)
    model = nn.ModuleDict({"one": base.requires_grad_(False)})
    inject_adapter_in_model(LoraConfig(r=4, lora_alpha=alpha, target_modules=["one"]), model)
    layer = model["one"]
    nn.init.normal_(layer.lora_B["default"].weight)
    x = torch.randn((2, 6, width) if kind == "linear" else (2, width, 3, 5), requires_grad=True)
    found = []
    for lean in (False, True):
        if lean:
            make_lean(layer, "default", exact=True)
        model.zero_grad()
        x.grad = None
        y = layer(x)
        y.square().mean().backward()
        weights = [layer.lora_A["default"].weight.grad, layer.lora_B["default"].weight.grad]
        found.append([y.detach(), x.grad, *weights])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)
