"""Every key that is written is found by each host: AUTOMATIC1111, Forge and ComfyUI by their rules, diffusers by itself."""

from functools import cache
from typing import NamedTuple

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils.state_dict_utils import (
    convert_state_dict_to_diffusers,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)
from torch import nn

from lorasmith.checkpoints.layout_unet import UNET, unet_names
from lorasmith.checkpoints.lora_keys import BLOCKS, lora_modules
from lorasmith.checkpoints.topology import SD1, SDXL, Base, Topology
from tests.checkpoints import host_rules, test_layout_sd1, tiny, tiny_xl

# family, with convolutions, tensors of the file: three per module
FILES = [("sd1", False, 792), ("sd1", True, 1050), ("sdxl", False, 2958), ("sdxl", True, 3156)]


class Model(NamedTuple):
    """A full-size model: its topology, its tensors by single-file name, and its parts on the meta device."""

    topology: Topology
    tensors: dict[str, torch.Tensor]
    parts: dict[str, nn.Module]


@cache
def full(base: Base) -> Model:
    with torch.device("meta"):
        if base == "sdxl":
            return Model(SDXL, tiny_xl.full_size(), tiny_xl.build_parts(tiny_xl.TRUE))
        unet = tiny.build_unet(tiny.TRUE_UNET_WIDTHS, 768)
        parts = {"unet": unet, "text_encoder": tiny.build_text_encoder(768)}
        return Model(SD1, test_layout_sd1.full_size(), parts)


def tensors_of(base: Base, convolutions: bool, rank: int = 1) -> dict[str, torch.Tensor]:
    """The tensors of a LoRA file for the full-size model; only the alphas have values."""
    found = {}
    for name, module in lora_modules(full(base).topology, convolutions).items():
        shape = tiny_xl.shape_of_module(full(base).parts[module.part].get_submodule(module.path))
        found[f"{name}.alpha"] = torch.tensor(1.0)
        found[f"{name}.lora_down.weight"] = torch.empty((rank, *shape[1:]), device="meta")
        found[f"{name}.lora_up.weight"] = torch.empty((shape[0], rank, *(1 for _ in shape[2:])), device="meta")
    return found


@pytest.mark.parametrize(("base", "convolutions", "count"), FILES)
def test_a_file_has_the_number_of_tensors_that_kohyas_has(base: Base, convolutions: bool, count: int) -> None:
    assert len(tensors_of(base, convolutions)) == count


@pytest.mark.parametrize(("base", "convolutions", "count"), FILES)
def test_automatic1111_finds_every_module_once(base: Base, convolutions: bool, count: int) -> None:
    find = host_rules.automatic1111(full(base).tensors, base == "sdxl")
    _each_found_once(base, convolutions, find, count)


@pytest.mark.parametrize(("base", "convolutions", "count"), FILES)
def test_forge_and_comfyui_find_every_module_once(base: Base, convolutions: bool, count: int) -> None:
    paths = {
        ours.rpartition(".")[0]: stored.removeprefix(UNET).rpartition(".")[0]
        for stored, ours in unet_names(full(base).topology).items()
    }
    _each_found_once(base, convolutions, host_rules.comfyui(full(base).tensors, base == "sdxl", paths), count)


def _each_found_once(base: Base, convolutions: bool, find: host_rules.Rule, count: int) -> None:
    found = {name: find(name) for name in lora_modules(full(base).topology, convolutions)}
    assert [name for name, module in found.items() if module is None] == []
    assert len(set(found.values())) == len(found) == count // 3


@pytest.mark.parametrize("base", ["sd1", "sdxl"])
def test_a_host_finds_the_very_module_that_was_trained(base: Base) -> None:
    model = full(base)
    by_our_path = {ours.rpartition(".")[0]: stored.rpartition(".")[0] for stored, ours in unet_names(model.topology).items()}
    find = host_rules.automatic1111(model.tensors, base == "sdxl")
    for name, module in lora_modules(model.topology, convolutions=True).items():
        if module.part == "unet":
            assert find(name) == by_our_path[module.path]


@pytest.mark.parametrize(("base", "convolutions", "count"), FILES)
def test_diffusers_own_loader_finds_every_module(base: Base, convolutions: bool, count: int) -> None:
    model = full(base)
    if base == "sdxl":
        config = model.parts["unet"].config
        state, alphas, *_ = StableDiffusionXLPipeline.lora_state_dict(
            tensors_of(base, convolutions), unet_config=config, return_lora_metadata=False
        )
    else:
        state, alphas, *_ = StableDiffusionPipeline.lora_state_dict(tensors_of(base, convolutions))
    assert len(state) == 2 * count // 3 and len(alphas or {}) == count // 3
    found = {f"unet.{name}" for name in convert_unet_state_dict_to_peft(_part(state, "unet."))}
    for part in ("text_encoder", "text_encoder_2") if base == "sdxl" else ("text_encoder",):
        renamed = convert_state_dict_to_peft(convert_state_dict_to_diffusers(_part(state, f"{part}.")))
        found |= {f"{part}.{name.replace('text_model.', '')}" for name in renamed}
    assert found == {
        f"{module.part}.{module.path}.lora_{side}.weight"
        for module in lora_modules(model.topology, convolutions).values()
        for side in "AB"
    }


def _part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


@pytest.mark.parametrize("base", ["sd1", "sdxl"])
def test_no_name_has_a_dot_because_loaders_split_there(base: Base) -> None:
    assert not any("." in name for name in lora_modules(full(base).topology, convolutions=True))


def test_every_convolution_and_projection_of_the_middle_of_the_unet_is_in_the_table() -> None:
    for base, outside in (("sd1", {"conv_in", "conv_out"}), ("sdxl", {"conv_in", "conv_out"})):
        model = full(base)  # type: ignore[arg-type]
        places = {module.path for module in lora_modules(model.topology, True).values() if module.part == "unet"}
        wanted = {
            name
            for name, module in model.parts["unet"].named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d) and not name.startswith(("time_embedding", "add_embedding"))
        }
        assert places == wanted - outside


def test_the_convolutions_of_3x3_are_marked_and_no_others() -> None:
    for base in ("sd1", "sdxl"):
        model = full(base)  # type: ignore[arg-type]
        for module in lora_modules(model.topology, True).values():
            shape = tiny_xl.shape_of_module(model.parts[module.part].get_submodule(module.path))
            assert module.spatial == (shape[2:] == (3, 3))


@pytest.mark.parametrize(
    ("base", "name", "block"),
    [
        ("sd1", "lora_unet_down_blocks_0_attentions_0_proj_in", 1),
        ("sd1", "lora_unet_down_blocks_1_downsamplers_0_conv", 6),
        ("sd1", "lora_unet_down_blocks_3_resnets_1_conv1", 11),
        ("sd1", "lora_unet_mid_block_resnets_1_conv2", 12),
        ("sd1", "lora_unet_up_blocks_0_resnets_0_conv1", 13),
        ("sd1", "lora_unet_up_blocks_3_attentions_2_proj_out", 24),
        ("sd1", "lora_te_text_model_encoder_layers_0_mlp_fc1", -1),
        ("sdxl", "lora_unet_input_blocks_4_1_proj_in", 4),
        ("sdxl", "lora_unet_input_blocks_8_0_in_layers_2", 8),
        ("sdxl", "lora_unet_middle_block_1_proj_in", 10),
        ("sdxl", "lora_unet_middle_block_2_in_layers_2", 11),
        ("sdxl", "lora_unet_output_blocks_0_1_proj_in", 12),
        ("sdxl", "lora_unet_output_blocks_8_0_skip_connection", 20),
        ("sdxl", "lora_te2_text_model_encoder_layers_31_mlp_fc2", -1),
    ],
)
def test_blocks_are_counted_as_kohyas_lists_count_them(base: Base, name: str, block: int) -> None:
    assert lora_modules(full(base).topology, True)[name].block == block
    assert sum(BLOCKS[base]) == (25 if base == "sd1" else 21)
