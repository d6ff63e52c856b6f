"""A frozen base held in codes of one byte says nearly what the whole one says, learns, and takes less memory."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from lorasmith.checkpoints.conditioning import predict
from lorasmith.checkpoints.load import load_base
from lorasmith.checkpoints.lora_file import read_lora
from lorasmith.checkpoints.prompts import encode
from lorasmith.errors import TrainingError
from lorasmith.training.adapters import AdapterRecipe, put_in
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.events import read_events
from lorasmith.training.quantised import hold_base, hold_quantised, is_quantised, quantise, whole
from lorasmith.training.train import train
from tests.training.conftest import Make

KINDS = ["int8", "fp8"]
CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_comes_back_within_a_step_of_its_row(kind: str) -> None:
    weight = torch.randn(24, 40, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 2, 24)[:, None]
    codes, scale = quantise(weight, kind)
    back, largest = whole(codes, scale, torch.float32), weight.abs().amax(1, keepdim=True)
    assert codes.element_size() == 1 and scale.shape == (24,)
    bound = largest / 127 / 2 if kind == "int8" else weight.abs() / 16 + largest / 448 / 512
    assert ((back - weight).abs() <= bound * 1.001).all()
    assert torch.equal(whole(*quantise(torch.zeros(3, 5), kind), torch.float32), torch.zeros(3, 5))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [nn.Linear(64, 80), nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.Linear(64, 80, bias=False)])
def test_values_and_gradients_are_those_of_the_weight_that_the_codes_stand_for(layer: nn.Module, kind: str) -> None:
    torch.manual_seed(0)
    layer.requires_grad_(False)
    plain = nn.ModuleDict({"one": layer})
    held = copy.deepcopy(plain)
    assert hold_quantised(held, kind) == 1 and is_quantised(held["one"]) and not held["one"].weight.numel()
    with torch.no_grad():
        layer.weight.copy_(whole(held["one"].codes, held["one"].scale, torch.float32))
    x = torch.randn((3, 64) if isinstance(layer, nn.Linear) else (2, 32, 9, 7))
    found = []
    for module in (plain["one"], held["one"]):
        given = x.clone().requires_grad_(True)
        said = module(given)
        said.square().sum().backward()
        found.append((said.detach(), given.grad))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_small_layers_stay_and_a_weight_that_is_not_finite_is_a_sentence() -> None:
    assert hold_quantised(nn.Sequential(nn.Linear(8, 8), nn.Embedding(900, 8), nn.LayerNorm(9000)), "int8") == 0
    bad = nn.Sequential(nn.Linear(80, 80))
    bad[0].weight.data[3, 3] = float("nan")
    with pytest.raises(TrainingError, match=r"base model's weight 0 is not finite"):
        hold_quantised(bad, "fp8")


def bytes_of(module: nn.Module) -> int:
    return sum(each.numel() * each.element_size() for each in (*module.parameters(), *module.buffers()))


@pytest.mark.parametrize(("kind", "bound"), [("int8", 0.02), ("fp8", 0.06)])
def test_the_model_says_nearly_what_it_says_in_fp32_in_a_third_of_the_memory(base: Path, kind: str, bound: float) -> None:
    plain, held = load_base(base, parts=("unet", "text_encoder")), load_base(base, parts=("unet", "text_encoder"))
    hold_base(held, kind, CPU)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, two = (
            predict(model, noise, torch.tensor([100, 800]), encode(model, ["mia, red body", "a meadow"]))
            for model in (plain, held)
        )
    error = float((one - two).norm() / one.norm())
    assert 0 < error < bound
    assert bytes_of(held.unet) < 0.34 * bytes_of(plain.unet)


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_back_keeps_no_whole_weight(base: Path, kind: str) -> None:
    model = load_base(base, parts=("unet",))
    hold_base(model, kind, CPU)
    put_in(model, AdapterRecipe(4, 4.0, conv_rank=2), ("unet",), seed=1)
    kept: set[tuple[int, ...]] = set()

    def look(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_floating_point() and tensor.element_size() > 1:
            kept.add(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(look, lambda tensor: tensor):
        model.unet(torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.randn(1, 77, 64)).sample.sum().backward()
    weights = {tuple(module.codes.shape) for module in model.unet.modules() if is_quantised(module)}
    assert weights and not {shape for shape in kept & weights if len(shape) == 4}


@pytest.mark.parametrize("kind", KINDS)
def test_training_on_a_held_base_lowers_the_loss(make: Make, pictures: list[TrainingPicture], kind: str) -> None:
    options = {"epochs": 8, "sample_every": 0, "unet_lr": 5e-3, "precision": "fp32", "validation_share": 0.2, "min_snr_gamma": 0.0}
    request = make(kind, base_precision=kind, **options)
    trained = train(request)
    told = [event["validation_loss"] for event in read_events(request.run_folder / "events.jsonl") if event["event"] == "epoch"]
    losses = [event["loss"] for event in read_events(request.run_folder / "events.jsonl") if event["event"] == "epoch"]
    assert sum(losses[-3:]) < sum(losses[:3]) and all(value > 0 for value in told)
    assert len(read_lora(trained.files[-1].path).weights) == 264
