"""The model side of training, for both families: what is adapted, how strongly, what gets gradients, and what is left."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lorasmith.checkpoints.conditioning import predict
from lorasmith.checkpoints.load import BaseModel, load_base
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.checkpoints.prompts import encode
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.adapters import ADAPTER, AdapterRecipe, Adapters, put_in
from tests.checkpoints.tiny_xl import write_tiny_xl

PARTS = {"sd1": ("unet", "text_encoder"), "sdxl": ("unet", "text_encoder", "text_encoder_2")}
LOCON = AdapterRecipe(4, 2.0, conv_rank=2, conv_alpha=0.5)
COUNTS = {("sd1", False): 264, ("sd1", True): 350}


@pytest.fixture(scope="session")
def base_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_xl(tmp_path_factory.mktemp("base") / "xl.safetensors", dtype=torch.float32)


@pytest.fixture(params=["sd1", "sdxl"])
def path(request: pytest.FixtureRequest, base: Path, base_xl: Path) -> Path:
    return base if request.param == "sd1" else base_xl


def adapted(path: Path, recipe: AdapterRecipe = LOCON, lively: bool = True) -> tuple[BaseModel, Adapters]:
    """A model with adapters in all of its parts, with weights that are not zero."""
    model = load_base(path, parts=("unet", "text_encoder", "text_encoder_2"))
    adapters = put_in(model, recipe, PARTS[model.topology.base], seed=1)
    for name, group in adapters.groups.items():
        with torch.no_grad():
            noise = torch.randn(group.flat.values.shape, generator=torch.Generator().manual_seed(len(name)))
            group.flat.values.add_((0.05 if lively else 0.0) * noise)
    return model, adapters


def output(model: BaseModel, grad: bool = False) -> torch.Tensor:
    """What the U-Net says to a caption, the same for all."""
    conditioning = encode(model, ["mia, red body"], grad=grad)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    return predict(model, noise.to(model.dtype), torch.tensor([500]), conditioning)


def test_the_table_is_adapted_and_every_scale_is_alpha_by_rank(path: Path) -> None:
    model, adapters = adapted(path)
    table = lora_modules(model.topology, convolutions=True)
    assert set(adapters.layers) == set(table)
    assert model.topology.base == "sdxl" or len(table) == COUNTS["sd1", True]
    for name, layer in adapters.layers.items():
        rank, alpha = (2, 0.5) if table[name].spatial else (4, 2.0)
        assert layer.scaling[ADAPTER] == alpha / rank and adapters.alphas[name] == alpha
        assert layer.lora_A[ADAPTER].weight.shape[0] == layer.lora_B[ADAPTER].weight.shape[1] == rank
    assert {layer.scaling[ADAPTER] for layer in adapters.layers.values()} == {0.5, 0.25}


def test_fresh_adapters_change_nothing(path: Path) -> None:
    plain = load_base(path)
    with torch.no_grad():
        before = output(plain)
        assert torch.equal(output(adapted(path, lively=False)[0]), before)


def test_the_weights_that_are_written_merge_as_a_float64_merge_of_ones_own(path: Path) -> None:
    model, adapters = adapted(path)
    table = lora_modules(model.topology, convolutions=True)
    exact, ours = load_base(path), load_base(path)
    for part in exact.modules.values():
        part.double()
    exact.dtype = torch.float64
    with torch.no_grad():
        for name, weights in adapters.weights().items():
            part, own_path, *_ = table[name]
            weight = exact.modules[part].get_submodule(own_path).weight
            up, down = weights.up.double().flatten(1), weights.down.double().flatten(1)
            change = (weights.alpha / weights.rank * (up @ down)).reshape(weight.shape)
            torch.testing.assert_close(weights.delta().double().reshape(weight.shape), change, atol=1e-5, rtol=1e-5)
            weight.add_(change)
            ours.modules[part].get_submodule(own_path).weight.add_(weights.delta().reshape(weight.shape))
        for part, module in ours.modules.items():
            for name, tensor in module.state_dict().items():
                assert (tensor.double() - exact.modules[part].state_dict()[name]).abs().max() < 1e-5, name
        torch.testing.assert_close(output(model).double(), output(exact), atol=1e-4, rtol=1e-3)
        assert (output(model) - output(load_base(path))).abs().max() > 1e-3


def test_gradients_land_in_every_group_and_nowhere_else(path: Path) -> None:
    model, adapters = adapted(path)
    output(model, grad=True).square().mean().backward()
    assert set(adapters.groups) == set(PARTS[model.topology.base])
    unused = "lora_te1_text_model_encoder_layers_2_"  # SDXL takes the last layer but one of its first text encoder
    for name, layer in adapters.layers.items():
        reached = all(side[ADAPTER].weight.grad.any() for side in (layer.lora_A, layer.lora_B))
        assert reached != name.startswith(unused), name
    for part in model.modules.values():
        assert all(parameter.grad is None for name, parameter in part.named_parameters() if "lora_" not in name)


def test_blocks_before_the_first_adapter_and_frozen_texts_cost_no_backward(base_xl: Path) -> None:
    model = load_base(base_xl)
    adapters = put_in(model, AdapterRecipe(4, 4.0), ("unet",), seed=1)
    wants: dict[str, bool] = {}
    for name in ("conv_in", "down_blocks.0.resnets.1", "down_blocks.0.downsamplers.0", "mid_block"):
        model.unet.get_submodule(name).register_forward_hook(
            lambda _, __, result, name=name: wants.update({name: result.requires_grad})
        )
    texts: list[bool] = []
    key = adapters.layers["lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"]
    key.register_forward_pre_hook(lambda _, inputs: texts.append(bool(inputs[0].requires_grad)))
    output(model)
    assert wants == {
        "conv_in": False,
        "down_blocks.0.resnets.1": False,
        "down_blocks.0.downsamplers.0": False,
        "mid_block": True,
    }
    assert texts and not any(texts)


def test_a_block_weight_of_zero_takes_the_adapters_out_and_others_change_the_rate(path: Path) -> None:
    model = load_base(path, parts=("unet", "text_encoder", "text_encoder_2"))
    down, middle, up = (12, 1, 12) if model.topology.base == "sd1" else (9, 3, 9)
    weights = (0.0,) * down + (1.0,) * middle + (0.5,) * up
    adapters = put_in(model, AdapterRecipe(4, 4.0, block_weights=weights), ("unet", "text_encoder"), seed=1)
    table = lora_modules(model.topology)
    assert set(adapters.layers) == {
        name for name, m in table.items() if m.part != "text_encoder_2" and (m.block < 0 or m.block >= down)
    }
    assert {name: group.factor for name, group in adapters.groups.items()} == {
        "unet": 1.0,
        "unet*0.5": 0.5,
        "text_encoder": 1.0,
    }
    with pytest.raises(TrainingError, match=f"has 3 numbers; this base model needs {down + middle + up}"):
        put_in(model, replace(LOCON, block_weights=(1.0, 1.0, 1.0)), ("unet",), seed=1)


def test_all_blocks_at_zero_is_a_sentence(base: Path) -> None:
    model = load_base(base, parts=("unet",))
    with pytest.raises(TrainingError, match="nothing of the U-Net would be trained"):
        put_in(model, AdapterRecipe(4, 4.0, block_weights=(0.0,) * 25), ("unet",), seed=1)


def test_norms_are_limited_to_what_is_asked_and_no_further(path: Path) -> None:
    _, adapters = adapted(path, replace(LOCON, rank=4))
    before = {name: weights.delta().norm() for name, weights in adapters.weights().items()}
    limit = float(torch.stack(list(before.values())).median())
    adapters.limit_norms(limit)
    for name, weights in adapters.weights().items():
        assert weights.delta().norm() == pytest.approx(min(float(before[name]), limit), rel=1e-3)


def test_norms_of_fresh_adapters_are_left_at_zero(base: Path) -> None:
    _, adapters = adapted(base, lively=False)
    adapters.limit_norms(1.0)
    assert all(torch.isfinite(group.flat.values).all() for group in adapters.groups.values())


def test_dropout_acts_where_gradients_are_wanted_and_nowhere_else(base: Path) -> None:
    model, _ = adapted(base, replace(LOCON, dropout=0.5))
    with torch.no_grad():
        assert torch.equal(output(model), output(model))
    assert not torch.equal(output(model), output(model))


def test_alpha_that_is_not_set_is_the_rank() -> None:
    recipe = AdapterRecipe.of(TrainSettings(rank=8, conv_rank=4))
    assert (recipe.alpha, recipe.conv_alpha) == (8.0, 4.0)
    assert AdapterRecipe.of(TrainSettings(rank=8, alpha=1.0)).alpha == 1.0
