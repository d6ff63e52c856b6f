"""Tests of the SDXL layout: against known figures, against diffusers' own converters, and as it is loaded."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import load_file, save_file
from torch import nn

from lorasmith.checkpoints import layout_sdxl as layout
from lorasmith.checkpoints.checkpoint import open_checkpoint, open_file
from lorasmith.checkpoints.header import Header, TensorInfo
from lorasmith.checkpoints.layout_unet import UNET, unet_names
from lorasmith.checkpoints.layout_vae import VAE
from lorasmith.checkpoints.load import load_base
from lorasmith.checkpoints.topology import SDXL
from lorasmith.errors import CheckpointError
from tests.checkpoints.tiny_xl import TINY, TRUE, build_parts, build_random, full_size, tensors_of, write_tiny_xl

FULL = cache(full_size)


@pytest.fixture(scope="module")
def tiny_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_xl(tmp_path_factory.mktemp("xl") / "tiny.safetensors", dtype=torch.float32)


def test_a_full_size_model_has_the_known_number_of_tensors_and_parameters() -> None:
    tensors = FULL()
    starts = (UNET, VAE, layout.TEXT, layout.TEXT_2)
    counts = [sum(name.startswith(start) for name in tensors) for start in starts]
    assert counts == [1680, 248, 197, 389] and len(tensors) == 2514
    sizes = [sum(t.numel() for name, t in tensors.items() if name.startswith(start)) for start in (UNET, layout.TEXT_2)]
    assert sizes == [2_567_463_684, 694_659_840]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.diffusion_model.label_emb.0.0.weight", (1280, 2816)),
        ("model.diffusion_model.input_blocks.4.1.proj_in.weight", (640, 640)),
        ("model.diffusion_model.input_blocks.4.1.transformer_blocks.1.attn2.to_k.weight", (640, 2048)),
        ("model.diffusion_model.input_blocks.8.1.transformer_blocks.9.ff.net.0.proj.weight", (10240, 1280)),
        ("model.diffusion_model.input_blocks.6.0.op.weight", (640, 640, 3, 3)),
        ("model.diffusion_model.middle_block.1.transformer_blocks.9.attn1.to_out.0.bias", (1280,)),
        ("model.diffusion_model.output_blocks.2.2.conv.weight", (1280, 1280, 3, 3)),
        ("model.diffusion_model.output_blocks.5.2.conv.weight", (640, 640, 3, 3)),
        ("model.diffusion_model.output_blocks.8.0.skip_connection.weight", (320, 640, 1, 1)),
        ("conditioner.embedders.0.transformer.text_model.encoder.layers.11.mlp.fc1.weight", (3072, 768)),
        ("conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_weight", (3840, 1280)),
        ("conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_fc.weight", (5120, 1280)),
        ("conditioner.embedders.1.model.positional_embedding", (77, 1280)),
        ("conditioner.embedders.1.model.text_projection", (1280, 1280)),
        ("conditioner.embedders.1.model.ln_final.weight", (1280,)),
    ],
)
def test_known_tensors_have_their_known_shapes(name: str, shape: tuple[int, ...]) -> None:
    assert tuple(FULL()[name].shape) == shape


def test_the_true_model_gives_the_true_configs() -> None:
    tensors = {name: TensorInfo("F16", tuple(t.shape), 0, 0) for name, t in FULL().items()}
    checkpoint = open_file(Header(Path("sdxl.safetensors"), tensors))
    assert checkpoint.topology == SDXL and checkpoint.family.kind == "sdxl"
    unet = checkpoint.config("unet")
    assert unet["attention_head_dim"] == [5, 10, 20] and unet["transformer_layers_per_block"] == [1, 2, 10]
    assert (unet["cross_attention_dim"], unet["projection_class_embeddings_input_dim"]) == (2048, 2816)
    assert checkpoint.config("vae")["scaling_factor"] == 0.13025
    second = checkpoint.config("text_encoder_2")
    assert (second["hidden_size"], second["num_attention_heads"], second["projection_dim"]) == (1280, 20, 1280)
    assert (second["hidden_act"], checkpoint.config("text_encoder")["hidden_act"]) == ("gelu", "quick_gelu")


def test_every_parameter_of_the_true_modules_has_a_name() -> None:
    tensors = {name: TensorInfo("F16", tuple(t.shape), 0, 0) for name, t in FULL().items()}
    checkpoint = open_file(Header(Path("sdxl.safetensors"), tensors))
    with torch.device("meta"):
        parts = build_parts(TRUE)
    for name in checkpoint.part_names:
        wanted = {key: tuple(value.shape) for key, value in parts[name].state_dict().items()}
        found = {key: place.shape for key, place in checkpoint.part(name).items()}
        if name == "vae":  # 1x1 convolutions in the file
            found = {key: tuple(s for s in shape if s != 1) if ".to_" in key else shape for key, shape in found.items()}
        assert found == wanted


def test_the_table_agrees_with_independent_converters() -> None:
    tensors = tensors_of(build_random())
    unet = build_parts()["unet"]
    theirs = single_file_utils.convert_ldm_unet_checkpoint(dict(tensors), dict(unet.config))
    ours = {name: tensors[stored] for stored, name in unet_names(TINY.topology).items()}
    assert set(theirs) == set(ours) and all(theirs[name] is ours[name] for name in ours)
    second = single_file_utils.convert_open_clip_checkpoint(_Wide(), dict(tensors), prefix=layout.TEXT_2)
    assert second is not None
    own = build_random()["text_encoder_2"].state_dict()
    renamed = {name.removeprefix("text_model."): tensor for name, tensor in second.items()}
    assert {name for name in renamed if "position_ids" not in name} == set(own)
    assert all(torch.equal(renamed[name], own[name]) for name in own)


class _Wide:
    """What the converter asks a model for: the width of its text projection."""

    class config:  # noqa: N801 - as the converter spells it
        projection_dim = TINY.text_2


def test_every_tensor_arrives_where_it_belongs(tiny_xl: Path) -> None:
    model = load_base(tiny_xl)
    built = build_random()
    assert set(model.modules) == set(built) and model.topology == TINY.topology
    for name, part in built.items():
        _same(model.modules[name].state_dict(), part.state_dict())
        assert not any(tensor.is_meta for tensor in [*model.modules[name].parameters(), *model.modules[name].buffers()])
    again = tensors_of(model.modules)
    _same(again, load_file(tiny_xl))
    assert model.scaling_factor == 0.13025


def _same(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def test_markers_say_v_prediction_and_zero_terminal_snr(tmp_path: Path) -> None:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    family = open_checkpoint(write_tiny_xl(tmp_path / "v.safetensors", extra=marks)).family
    assert (family.kind, family.prediction_type, family.zero_terminal_snr) == ("sdxl", "v_prediction", True)
    assert family.words == "SDXL, v-prediction, zero terminal SNR"


def test_a_file_without_its_second_text_encoder_is_only_a_part(tiny_xl: Path, tmp_path: Path) -> None:
    tensors = {name: t for name, t in load_file(tiny_xl).items() if not name.startswith(layout.TEXT_2)}
    save_file(tensors, tmp_path / "part.safetensors")
    with pytest.raises(CheckpointError, match="only a part of a base model"):
        load_base(tmp_path / "part.safetensors")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.diffusion_model.label_emb.0.2.bias", "lacks 1 tensors of an SDXL unet, such as .*label_emb.0.2.bias"),
        (
            "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight",
            "lacks 1 tensors of an SDXL text encoder 2",
        ),
    ],
)
def test_a_missing_tensor_is_named(tiny_xl: Path, tmp_path: Path, name: str, words: str) -> None:
    tensors = load_file(tiny_xl)
    del tensors[name]
    save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(CheckpointError, match=words):
        load_base(tmp_path / "wrong.safetensors")


def test_only_the_wanted_parts_are_loaded(tiny_xl: Path) -> None:
    assert set(load_base(tiny_xl, parts=("text_encoder", "text_encoder_2")).modules) == {"text_encoder", "text_encoder_2"}


def test_a_logit_scale_is_no_reason_to_refuse(tiny_xl: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny_xl) | {layout.TEXT_2 + "logit_scale": torch.zeros(())}
    save_file(tensors, tmp_path / "real.safetensors")
    module: nn.Module = load_base(tmp_path / "real.safetensors", parts=("text_encoder_2",)).text_encoder_2
    assert sum(1 for _ in module.parameters()) > 10
