"""Tests of writing and reading LoRA files."""

import hashlib
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lorasmith.checkpoints.hashes import lora_hash
from lorasmith.checkpoints.lora_file import LoraWeights, read_lora, write_lora
from lorasmith.errors import CheckpointError
from tests.checkpoints.tiny import random_lora, write_random_lora

METADATA = {"ss_output_name": "hero", "ss_base_model_version": "sd_v1", "modelspec.title": "Hero, the ähm", "note": "1"}


def test_the_file_is_what_kohya_writes(tmp_path: Path) -> None:
    path = write_random_lora(tmp_path / "hero.safetensors", rank=4, alpha=2)
    tensors = load_file(path)
    assert len(tensors) == 792
    assert all(tensor.dtype == torch.float16 for tensor in tensors.values())
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    assert tensors[f"{name}.lora_down.weight"].shape == (4, 32, 1, 1)
    assert tensors[f"{name}.lora_up.weight"].shape == (32, 4, 1, 1)
    assert tensors[f"{name}.alpha"].shape == ()
    assert float(tensors[f"{name}.alpha"]) == 2.0
    assert tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"].shape == (4, 64)


def test_the_order_of_tensors_is_that_of_the_formats_own_library(tmp_path: Path) -> None:
    path = write_random_lora(tmp_path / "hero.safetensors")
    other = tmp_path / "other.safetensors"
    save_file(load_file(path), other)
    size = struct.unpack("<Q", other.read_bytes()[:8])[0]
    assert hashlib.sha256(other.read_bytes()[8 + size :]).hexdigest() == lora_hash(path)


def test_the_hashes_are_those_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "hero.safetensors"
    write_lora(path, random_lora(), METADATA)
    raw = path.read_bytes()
    data = raw[8 + struct.unpack("<Q", raw[:8])[0] :]
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["sshs_model_hash"] == hashlib.sha256(data).hexdigest()
    assert metadata["modelspec.hash_sha256"] == "0x" + hashlib.sha256(data).hexdigest()
    assert len(metadata["sshs_legacy_hash"]) == 8
    assert METADATA.items() <= metadata.items()


def test_the_same_weights_make_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    weights = random_lora()
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    write_lora(one, weights, METADATA)
    write_lora(two, dict(reversed(weights.items())), dict(reversed(METADATA.items())))
    assert one.read_bytes() == two.read_bytes()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    weights = random_lora(rank=3, alpha=1.5)
    path = tmp_path / "hero.safetensors"
    write_lora(path, weights, METADATA, dtype=torch.float32)
    read = read_lora(path)
    assert set(read.weights) == set(weights)
    for name, (down, up, alpha) in weights.items():
        assert torch.equal(read.weights[name].down, down)
        assert torch.equal(read.weights[name].up, up)
        assert read.weights[name].alpha == alpha
    assert read.metadata["modelspec.title"] == "Hero, the ähm"


def test_the_effect_is_alpha_over_rank_times_up_times_down() -> None:
    down, up = torch.randn(2, 5), torch.randn(3, 2)
    assert torch.allclose(LoraWeights(down, up, 1.0).delta(0.5), 0.25 * (up @ down))
    conv = LoraWeights(torch.randn(2, 5, 3, 3), torch.randn(4, 2, 1, 1), 2.0)
    assert conv.delta().shape == (4, 5, 3, 3)
    pictured = torch.nn.functional.conv2d(torch.nn.functional.conv2d(torch.ones(1, 5, 4, 4), conv.down), conv.up)
    assert torch.allclose(torch.nn.functional.conv2d(torch.ones(1, 5, 4, 4), conv.delta()), pictured, atol=1e-4)


def test_a_missing_alpha_means_the_rank(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_file({"lora_te1_x.lora_down.weight": torch.ones(4, 2), "lora_te1_x.lora_up.weight": torch.ones(2, 4)}, path)
    assert read_lora(path).weights["lora_te1_x"].alpha == 4.0


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_an_alpha_of_nothing_is_not_written(tmp_path: Path, alpha: float) -> None:
    with pytest.raises(CheckpointError, match="alpha of 'm'"):
        write_lora(tmp_path / "x.safetensors", {"m": (torch.ones(1, 2), torch.ones(2, 1), alpha)}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [float("nan"), 1e9])
def test_weights_that_are_not_finite_are_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(CheckpointError, match="'m.lora_up.weight' has values that are not finite"):
        write_lora(tmp_path / "x.safetensors", {"m": (torch.ones(1, 2), torch.full((2, 1), value), 1.0)}, {})


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"m.hada_w1_a": torch.ones(1)}, "not a plain kohya LoRA.*hada_w1_a"),
        ({"unet.m.lora_A.weight": torch.ones(1)}, "not a plain kohya LoRA"),
        ({"m.lora_down.weight": torch.ones(2, 2)}, "'m' lacks"),
        ({"m.lora_down.weight": torch.ones(2, 2), "m.lora_up.weight": torch.ones(2, 3)}, "ranks of module 'm' differ"),
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path: Path, tensors: dict[str, torch.Tensor], words: str) -> None:
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=words):
        read_lora(tmp_path / "x.safetensors")
