"""Tests of base models in diffusers' form: a folder with a folder of .safetensors per part."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lorasmith.checkpoints.checkpoint import detect_at
from lorasmith.checkpoints.hashes import model_sha
from lorasmith.checkpoints.load import load_base
from lorasmith.errors import CheckpointError
from tests.checkpoints import tiny, tiny_xl

STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


def sd1_parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"unet": tiny.build_unet(), "vae": tiny.build_vae(), "text_encoder": tiny.build_text_encoder()}


def write_folder(path: Path, parts: dict[str, nn.Module], scheduler: dict[str, object] | None = None) -> Path:
    """Writes a folder as diffusers' pipelines do, text encoders under `text_model.`."""
    for name, part in parts.items():
        (path / name).mkdir(parents=True)
        prefix = "text_model." if name.startswith("text") else ""
        tensors = {
            (key if key.startswith("text_projection") else prefix + key): tensor.clone().contiguous()
            for key, tensor in part.state_dict().items()
        }
        save_file(tensors, path / name / f"{STEMS.get(name, 'model')}.safetensors")
    (path / "model_index.json").write_text("{}", encoding="utf-8")
    if scheduler is not None:
        (path / "scheduler").mkdir()
        (path / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler), encoding="utf-8")
    return path


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_folder_loads_what_its_parts_hold(tmp_path: Path, family: str) -> None:
    parts = sd1_parts() if family == "sd1" else tiny_xl.build_random()
    model = load_base(write_folder(tmp_path / "model", parts))
    assert model.family.kind == family and set(model.modules) == set(parts)
    for name, part in parts.items():
        state = part.state_dict()
        assert set(state) == set(model.modules[name].state_dict())
        assert all(torch.equal(tensor, state[key]) for key, tensor in model.modules[name].state_dict().items())


def test_the_schedulers_config_says_what_is_predicted(tmp_path: Path) -> None:
    said = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    family = detect_at(write_folder(tmp_path / "model", sd1_parts(), said))
    assert (family.prediction_type, family.zero_terminal_snr, family.stated) == ("v_prediction", True, True)
    assert not detect_at(write_folder(tmp_path / "silent", sd1_parts())).stated


def test_shards_half_precision_and_old_names_load(tmp_path: Path) -> None:
    parts = sd1_parts()
    folder = write_folder(tmp_path / "model", parts)
    whole = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(whole)
    for number, start in enumerate((0, len(tensors) // 2)):
        names = list(tensors)[start : start + len(tensors) // 2 + number]
        shard = {name: tensors[name] for name in names}
        save_file(shard, whole.with_name(f"diffusion_pytorch_model-{number + 1:05d}-of-00002.safetensors"))
    whole.unlink()
    text = folder / "text_encoder" / "model.safetensors"
    text.rename(text.with_name("model.fp16.safetensors"))
    vae = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, tensor in load_file(vae).items():
        for new, before in old.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{before}.")
        renamed[name] = tensor
    assert any(".query." in name for name in renamed)
    save_file(renamed, vae)
    model = load_base(folder)
    assert all(
        torch.equal(tensor, parts[name].state_dict()[key])
        for name in parts
        for key, tensor in model.modules[name].state_dict().items()
    )


def test_a_folder_of_pickles_or_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", sd1_parts())
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="has no diffusion_pytorch_model.safetensors; it has .*bin, a pickle"):
        load_base(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="without model_index.json"):
        detect_at(tmp_path / "empty")


def test_a_part_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", sd1_parts())
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["strange.weight"] = tensors.pop("conv_out.bias")
    save_file(tensors, weights)
    with pytest.raises(CheckpointError, match="lacks 1 tensors of an SD1.x unet, such as conv_out.bias"):
        load_base(folder)


def test_the_hash_of_a_folder_follows_its_content(tmp_path: Path) -> None:
    one, two = (write_folder(tmp_path / name, sd1_parts()) for name in ("one", "two"))
    assert model_sha(one) == model_sha(two)
    vae = two / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(vae).items()}, vae)
    assert model_sha(one) != model_sha(two)
