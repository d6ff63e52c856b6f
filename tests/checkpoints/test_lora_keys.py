"""Tests of the kohya module names, against real modules and against the rule by which AUTOMATIC1111 reads them."""

import re

import pytest
import torch
from torch import nn

from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.checkpoints.topology import SD1
from tests.checkpoints import tiny
from tests.checkpoints.test_layout_sd1 import full_size


def as_automatic1111_reads(name: str) -> str:
    """Renames a kohya module name to the original names, by AUTOMATIC1111's rule for SD1.x."""
    if found := re.fullmatch(r"lora_unet_down_blocks_(\d+)_attentions_(\d+)_(.+)", name):
        return f"diffusion_model_input_blocks_{1 + 3 * int(found[1]) + int(found[2])}_1_{found[3]}"
    if found := re.fullmatch(r"lora_unet_mid_block_attentions_(\d+)_(.+)", name):
        return f"diffusion_model_middle_block_1_{found[2]}"
    if found := re.fullmatch(r"lora_unet_up_blocks_(\d+)_attentions_(\d+)_(.+)", name):
        return f"diffusion_model_output_blocks_{3 * int(found[1]) + int(found[2])}_1_{found[3]}"
    if found := re.fullmatch(r"lora_te_text_model_encoder_layers_(\d+)_(.+)", name):
        return f"transformer_text_model_encoder_layers_{found[1]}_{found[2]}"
    return name


def test_there_are_192_unet_modules_and_72_text_encoder_modules() -> None:
    parts = [module.part for module in lora_modules(SD1).values()]
    assert parts.count("unet") == 192
    assert parts.count("text_encoder") == 72


def test_every_name_leads_to_a_real_module_and_none_is_forgotten() -> None:
    with torch.device("meta"):
        models = {"unet": tiny.build_unet(), "text_encoder": tiny.build_text_encoder()}
    places = {(module.part, module.path) for module in lora_modules(SD1).values()}
    for part, path in places:
        assert isinstance(models[part].get_submodule(path), nn.Linear | nn.Conv2d)
    wanted = {
        (part, path)
        for part, model in models.items()
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and (part == "text_encoder" or ".attentions." in path)
    }
    assert places == wanted


def test_every_name_is_one_that_automatic1111_finds() -> None:
    known = set()
    for name in full_size():
        path = name.rpartition(".")[0]
        path = path.replace("model.diffusion_model.", "diffusion_model.").replace("cond_stage_model.", "")
        known.add(path.replace(".", "_"))
    for name in lora_modules(SD1):
        assert as_automatic1111_reads(name) in known, name


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_down_blocks_0_attentions_0_proj_in",
        "lora_unet_down_blocks_2_attentions_1_transformer_blocks_0_attn1_to_out_0",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj",
        "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_ff_net_2",
        "lora_te_text_model_encoder_layers_11_self_attn_out_proj",
        "lora_te_text_model_encoder_layers_0_mlp_fc1",
    ],
)
def test_known_names_are_among_them(name: str) -> None:
    assert name in lora_modules(SD1)


def test_no_name_has_a_dot_because_loaders_split_there() -> None:
    assert not any("." in name for name in lora_modules(SD1))

