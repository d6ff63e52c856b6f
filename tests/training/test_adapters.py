"""Adapters in the model, and what comes back out."""

from pathlib import Path

import pytest
import torch

from lorasmith.checkpoints.load import BaseModel, load_base
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.checkpoints.prompts import encode
from lorasmith.checkpoints.topology import SD1
from lorasmith.training.adapters import AdapterRecipe, Adapters, put_in


def outputs(model: BaseModel) -> torch.Tensor:
    with torch.no_grad():
        context = encode(model, ["mia, red body"]).context
        noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        return model.unet(noise, 500, context).sample


@pytest.fixture(scope="module")
def adapted(base: Path) -> tuple[BaseModel, Adapters, torch.Tensor]:
    model = load_base(base, parts=("unet", "text_encoder"))
    before = outputs(model)
    return model, put_in(model, AdapterRecipe(4, 2.0), ("unet", "text_encoder"), seed=1), before


def test_fresh_adapters_change_nothing(adapted: tuple[BaseModel, Adapters, torch.Tensor]) -> None:
    model, adapters, before = adapted
    assert torch.equal(outputs(model), before)
    assert len(adapters.layers) == 264


def test_the_same_seed_starts_from_the_same_weights(base: Path) -> None:
    name = "lora_te_text_model_encoder_layers_3_mlp_fc1"
    downs = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(downs))
        adapters = put_in(load_base(base, parts=("text_encoder",)), AdapterRecipe(4, 2.0), ("text_encoder",), seed)
        assert len(adapters.layers) == 72
        downs.append(adapters.weights()[name].down)
    assert torch.equal(downs[0], downs[1]) and not torch.equal(downs[0], downs[2])


def test_the_weights_read_back_have_the_effect_they_had_in_training(
    base: Path, adapted: tuple[BaseModel, Adapters, torch.Tensor]
) -> None:
    model, adapters, before = adapted
    for flat in (group.flat for group in adapters.groups.values()):
        with torch.no_grad():
            flat.values.add_(0.02 * torch.randn(flat.values.shape, generator=torch.Generator().manual_seed(3)))
    changed = outputs(model)
    assert (changed - before).abs().max() > 1e-3
    plain = load_base(base, parts=("unet", "text_encoder"))
    with torch.no_grad():
        for name, weights in adapters.weights().items():
            part, path, *_ = lora_modules(SD1)[name]
            assert weights.alpha == 2.0 and weights.rank == 4
            plain.modules[part].get_submodule(path).weight.add_(weights.delta())
    torch.testing.assert_close(outputs(plain), changed, atol=2e-5, rtol=1e-4)


def test_gradients_land_in_the_flat_weights(adapted: tuple[BaseModel, Adapters, torch.Tensor]) -> None:
    model, adapters, _ = adapted
    context = encode(model, ["mia"], grad=True).context
    model.unet(torch.randn(1, 4, 8, 8), 500, context).sample.square().mean().backward()
    for flat in (group.flat for group in adapters.groups.values()):
        assert flat.values.grad is not None and (flat.values.grad != 0).float().mean() > 0.9
    layer = adapters.layers["lora_te_text_model_encoder_layers_3_mlp_fc1"]
    grad = adapters.groups["text_encoder"].flat.values.grad
    assert grad is not None and layer.lora_A["default"].weight.grad.untyped_storage().data_ptr() == (
        grad.untyped_storage().data_ptr()
    )
