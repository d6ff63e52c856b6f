"""Tests of the SD1.x key table, against real modules and against diffusers' own converter."""

from functools import cache

import pytest
import torch
from diffusers.loaders import single_file_utils

from lorasmith.checkpoints import layout_sd1 as layout
from tests.checkpoints import tiny


@cache
def full_size() -> dict[str, torch.Tensor]:
    """The tensors of a true SD1.5, by single-file name, on the meta device."""
    with torch.device("meta"):
        unet = tiny.build_unet(tiny.TRUE_UNET_WIDTHS, 768)
        vae = tiny.build_vae(tiny.TRUE_VAE_WIDTHS)
        text_encoder = tiny.build_text_encoder(768)
    return layout.to_single_file(unet.state_dict(), vae.state_dict(), text_encoder.state_dict())


def test_a_full_size_model_has_the_known_number_of_tensors() -> None:
    names = list(full_size())
    assert sum(name.startswith(layout.UNET) for name in names) == 686
    assert sum(name.startswith(layout.VAE) for name in names) == 248
    assert sum(name.startswith(layout.TEXT) for name in names) == 197
    assert len(names) == 1131


def test_a_full_size_unet_has_the_known_number_of_parameters() -> None:
    tensors = full_size()
    assert sum(t.numel() for name, t in tensors.items() if name.startswith(layout.UNET)) == 859_520_964
    assert sum(t.numel() for name, t in tensors.items() if name.startswith(layout.VAE)) == 83_653_863


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.diffusion_model.input_blocks.0.0.weight", (320, 4, 3, 3)),
        ("model.diffusion_model.input_blocks.3.0.op.weight", (320, 320, 3, 3)),
        ("model.diffusion_model.input_blocks.4.0.skip_connection.weight", (640, 320, 1, 1)),
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", (320, 768)),
        ("model.diffusion_model.middle_block.1.proj_in.weight", (1280, 1280, 1, 1)),
        ("model.diffusion_model.output_blocks.2.1.conv.weight", (1280, 1280, 3, 3)),
        ("model.diffusion_model.output_blocks.5.2.conv.weight", (1280, 1280, 3, 3)),
        ("model.diffusion_model.output_blocks.11.1.transformer_blocks.0.ff.net.0.proj.weight", (2560, 320)),
        ("model.diffusion_model.time_embed.2.bias", (1280,)),
        ("model.diffusion_model.out.2.weight", (4, 320, 3, 3)),
        ("first_stage_model.encoder.down.1.block.0.nin_shortcut.weight", (256, 128, 1, 1)),
        ("first_stage_model.decoder.up.0.block.0.nin_shortcut.weight", (128, 256, 1, 1)),
        ("first_stage_model.decoder.up.3.upsample.conv.weight", (512, 512, 3, 3)),
        ("first_stage_model.encoder.mid.attn_1.q.weight", (512, 512, 1, 1)),
        ("first_stage_model.decoder.mid.attn_1.proj_out.weight", (512, 512, 1, 1)),
        ("first_stage_model.quant_conv.weight", (8, 8, 1, 1)),
        ("cond_stage_model.transformer.text_model.embeddings.position_ids", (1, 77)),
        ("cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc1.weight", (3072, 768)),
    ],
)
def test_known_tensors_have_their_known_shapes(name: str, shape: tuple[int, ...]) -> None:
    assert tuple(full_size()[name].shape) == shape


def test_the_table_agrees_with_an_independent_converter() -> None:
    tensors = tiny.build_tensors()
    unet, vae, _ = layout.from_single_file(tensors)
    theirs = single_file_utils.convert_ldm_unet_checkpoint(dict(tensors), dict(tiny.build_unet().config))
    assert set(theirs) == set(unet)
    assert all(theirs[name] is unet[name] for name in unet)
    theirs = single_file_utils.convert_ldm_vae_checkpoint(dict(tensors), dict(tiny.build_vae().config))
    assert set(theirs) == set(vae)
    assert all(torch.equal(theirs[name].squeeze(), vae[name].squeeze()) for name in vae)


def test_there_and_back_changes_nothing() -> None:
    tensors = tiny.build_tensors()
    again = layout.to_single_file(*layout.from_single_file(tensors))
    assert set(again) == set(tensors)
    assert all(torch.equal(again[name], tensors[name]) and again[name].shape == tensors[name].shape for name in tensors)


def test_every_parameter_of_the_modules_has_a_name() -> None:
    with torch.device("meta"):
        assert set(tiny.build_unet().state_dict()) == set(layout.unet_names().values())
        assert set(tiny.build_vae().state_dict()) == set(layout.vae_names().values())
        assert set(tiny.build_text_encoder().state_dict()) == set(layout.text_encoder_names().values())


def test_text_encoder_names_without_text_model_are_understood() -> None:
    assert layout.canonical("cond_stage_model.transformer.encoder.layers.0.mlp.fc1.bias") == (
        "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.bias"
    )
    assert layout.canonical("cond_stage_model.transformer.text_projection.weight") == (
        "cond_stage_model.transformer.text_projection.weight"
    )
