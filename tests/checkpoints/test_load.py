"""Tests of loading a base model from one file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.checkpoints import layout_sd1 as layout
from lorasmith.checkpoints.load import device_of, dtype_of, load_base
from lorasmith.errors import CheckpointError, UsageError
from lorasmith.files import sha256_of
from tests.checkpoints.tiny import write_tiny


def rewritten(source: Path, target: Path, changes: dict[str, torch.Tensor | None]) -> Path:
    """Copies a model file with some tensors replaced, or left out where the change is None."""
    tensors = {**load_file(source), **changes}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, target)
    return target


def test_every_tensor_arrives_and_nothing_is_left_on_the_meta_device(tiny: Path) -> None:
    model = load_base(tiny)
    again = layout.to_single_file(model.unet.state_dict(), model.vae.state_dict(), model.text_encoder.state_dict())
    for name, tensor in load_file(tiny).items():
        assert torch.equal(again[name], tensor), name
    for module in model.modules.values():
        assert not module.training
        assert not any(tensor.is_meta for tensor in [*module.parameters(), *module.buffers()])
        assert not any(parameter.requires_grad for parameter in module.parameters())
    assert model.sha == sha256_of(tiny)


def test_the_loaded_model_computes_what_a_built_one_computes(tiny: Path) -> None:
    from tests.checkpoints.tiny import build_text_encoder

    model = load_base(tiny, parts=("text_encoder",))
    _, _, weights = layout.from_single_file(load_file(tiny))
    built = build_text_encoder().eval()
    built.load_state_dict(weights)
    ids = torch.tensor([[49406, 320, 1125, 539, 320, 2368] + [49407] * 71])
    with torch.no_grad():
        assert torch.equal(model.text_encoder(ids).last_hidden_state, built(ids).last_hidden_state)


def test_the_loaded_unet_and_vae_compute_what_built_ones_compute(tiny: Path) -> None:
    from tests.checkpoints.tiny import build_unet, build_vae

    model = load_base(tiny, parts=("unet", "vae"))
    unet_weights, vae_weights, _ = layout.from_single_file(load_file(tiny))
    unet, vae = build_unet().eval(), build_vae().eval()
    unet.load_state_dict(unet_weights)
    vae.load_state_dict(vae_weights)
    latents, states = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 64)
    with torch.no_grad():
        assert torch.equal(model.unet(latents, 37, states).sample, unet(latents, 37, states).sample)
        assert torch.equal(model.vae.decode(latents).sample, vae.decode(latents).sample)


def test_only_the_wanted_parts_are_loaded(tiny: Path) -> None:
    model = load_base(tiny, parts=("vae",))
    assert set(model.modules) == {"vae"}
    with pytest.raises(KeyError):
        _ = model.unet


def test_the_vae_stays_in_fp32_where_the_rest_is_fp16(tiny: Path) -> None:
    model = load_base(tiny, dtype=torch.float16)
    assert model.unet.dtype == torch.float16
    assert model.vae.dtype == torch.float32
    assert load_base(tiny, dtype=torch.bfloat16, parts=("vae",)).vae.dtype == torch.bfloat16


def test_the_weights_do_not_hang_on_the_file(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(tiny.read_bytes())
    model = load_base(copy, parts=("vae",))
    before = model.vae.state_dict()["quant_conv.weight"].clone()
    copy.write_bytes(bytes(copy.stat().st_size))
    assert torch.equal(model.vae.state_dict()["quant_conv.weight"], before)


def test_markers_in_the_file_reach_the_model(tmp_path: Path) -> None:
    extra = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    model = load_base(write_tiny(tmp_path / "v.safetensors", extra=extra), parts=("vae",))
    assert model.prediction_type == "v_prediction"
    assert model.family.zero_terminal_snr


def test_names_of_older_tools_and_unneeded_tensors_load(tiny: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny)
    renamed = {
        name.replace(layout.TEXT, layout.TEXT_SHORT) if name.startswith(layout.TEXT) else name: tensor
        for name, tensor in tensors.items()
        if name != layout.POSITION_IDS
    }
    for name in [name for name in renamed if ".attn_1.q.weight" in name]:
        renamed[name] = renamed[name].squeeze().clone()
    renamed["model_ema.decay"] = torch.zeros(1)
    renamed["cond_stage_model.logit_scale"] = torch.zeros(1)
    path = tmp_path / "older.safetensors"
    save_file(renamed, path)
    model = load_base(path)
    assert torch.equal(model.text_encoder.final_layer_norm.weight, tensors[layout.TEXT + "final_layer_norm.weight"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first_stage_model.quant_conv.bias": None}, "lacks 1 tensors of an SD1.x vae, such as .*quant_conv.bias"),
        ({"model.diffusion_model.extra.weight": torch.zeros(1)}, "unknown 1 tensors of an SD1.x unet"),
        (
            {"model.diffusion_model.out.2.bias": torch.zeros(5)},
            r"out.2.bias' has the shape \(5,\) and should have \(4,\)",
        ),
    ],
)
def test_a_wrong_set_of_tensors_is_refused_by_name(
    tiny: Path, tmp_path: Path, changes: dict[str, torch.Tensor | None], words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_base(rewritten(tiny, tmp_path / "wrong.safetensors", changes))


def test_a_truncated_checkpoint_is_refused(tiny: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(tiny.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="cut off"):
        load_base(cut)


def test_devices_and_precisions_are_chosen_or_refused() -> None:
    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type in ("cpu", "cuda", "mps")
    for wrong in ("gpu", "cuda:99", "vulkan"):
        with pytest.raises(UsageError, match="device"):
            device_of(wrong)
    assert dtype_of("auto", torch.device("cpu")) == torch.float32
    assert dtype_of("bf16", torch.device("cpu")) == torch.bfloat16
    with pytest.raises(UsageError, match="precision"):
        dtype_of("fp8", torch.device("cpu"))
