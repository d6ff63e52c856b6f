"""Tests of telling base models apart, and of the configs derived from shapes."""

from pathlib import Path

import pytest
from diffusers import UNet2DConditionModel

from lorasmith.checkpoints.checkpoint import open_file
from lorasmith.checkpoints.family import chosen, detect, identify
from lorasmith.checkpoints.header import Header, TensorInfo
from lorasmith.errors import CheckpointError
from tests.checkpoints.test_layout_sd1 import full_size

CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"


def header_of(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> Header:
    """A header with tensors of these shapes."""
    tensors = {name: TensorInfo("F16", shape, 0, 0) for name, shape in shapes.items()}
    return Header(Path("model.safetensors"), tensors, metadata or {})


def full_header(metadata: dict[str, str] | None = None, **more: tuple[int, ...]) -> Header:
    """The header of a true SD1.5."""
    return header_of({**{name: tuple(t.shape) for name, t in full_size().items()}, **more}, metadata)


def test_the_true_model_is_sd1_and_gives_the_true_configs() -> None:
    header = full_header()
    assert detect(header).kind == "sd1"
    checkpoint = open_file(header)
    configs = {part: checkpoint.config(part) for part in checkpoint.part_names}
    unet = configs["unet"]
    assert unet["block_out_channels"] == [320, 640, 1280, 1280]
    assert unet["cross_attention_dim"] == 768
    assert unet["attention_head_dim"] == 8
    assert unet["norm_num_groups"] == configs["vae"]["norm_num_groups"] == 32
    assert configs["vae"]["block_out_channels"] == [128, 256, 512, 512]
    assert configs["vae"]["scaling_factor"] == 0.18215
    text = configs["text_encoder"]
    assert (text["hidden_size"], text["num_attention_heads"], text["num_hidden_layers"]) == (768, 12, 12)
    assert (text["intermediate_size"], text["max_position_embeddings"], text["vocab_size"]) == (3072, 77, 49408)
    assert text["hidden_act"] == "quick_gelu"


def test_configs_hold_only_what_the_model_class_knows() -> None:
    import inspect

    known = inspect.signature(UNet2DConditionModel.__init__).parameters
    assert set(open_file(full_header()).config("unet")) <= set(known)


def test_the_marker_tensors_say_v_prediction_and_zero_terminal_snr() -> None:
    family = detect(full_header(v_pred=(0,), ztsnr=(0,)))
    assert (family.prediction_type, family.zero_terminal_snr, family.stated) == ("v_prediction", True, True)


@pytest.mark.parametrize(
    ("said", "meant"), [("v", "v_prediction"), ("v-prediction", "v_prediction"), ("epsilon", "epsilon")]
)
def test_metadata_says_the_prediction_type(said: str, meant: str) -> None:
    family = detect(full_header({"modelspec.prediction_type": said}))
    assert (family.prediction_type, family.stated) == (meant, True)


def test_a_silent_file_is_taken_as_epsilon_and_says_so() -> None:
    family = detect(full_header())
    assert (family.prediction_type, family.stated) == ("epsilon", False)


@pytest.mark.parametrize(
    ("shapes", "kind", "words"),
    [
        ({"conditioner.embedders.0.transformer.text_model.final_layer_norm.bias": (768,)}, "part", "only a part"),
        ({"conditioner.embedders.0.model.ln_final.bias": (1280,)}, "sdxl_refiner", "an SDXL refiner"),
        ({"edm_mean": (4,), CONV_IN: (320, 4, 3, 3)}, "edm", "EDM noise levels"),
        ({"cond_stage_model.model.ln_final.bias": (1024,), CONTEXT: (320, 1024)}, "sd2", "SD2"),
        (
            {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (4, 32)},
            "lora",
            "is a LoRA and not a base model",
        ),
        ({"unet.mid.lora_A.weight": (4, 32)}, "lora", "is a LoRA"),
        ({CONTEXT: (320, 768), CONV_IN: (320, 4, 3, 3)}, "part", "only a part"),
        ({"double_blocks.0.img_attn.qkv.weight": (3, 3)}, "unknown", "not a base model of a known family"),
        ({}, "unknown", "not a base model"),
    ],
)
def test_other_files_are_refused_with_what_is_supported(
    shapes: dict[str, tuple[int, ...]], kind: str, words: str
) -> None:
    assert identify(header_of(shapes)).kind == kind
    with pytest.raises(CheckpointError, match=f"{words}.*SD1.x and SDXL checkpoints in one .safetensors file, or .* are supported"):
        detect(header_of(shapes))


def test_an_inpainting_model_is_refused() -> None:
    shapes = {name: tuple(t.shape) for name, t in full_size().items()} | {CONV_IN: (320, 9, 3, 3)}
    with pytest.raises(CheckpointError, match="inpainting"):
        detect(header_of(shapes))


def test_comfyuis_field_and_kohyas_are_read_too() -> None:
    family = detect(full_header({"modelspec.predict_key": "v", "ss_zero_terminal_snr": "True"}))
    assert (family.prediction_type, family.zero_terminal_snr, family.stated) == ("v_prediction", True, True)


def test_what_is_set_by_hand_wins_over_the_file() -> None:
    family = detect(full_header(v_pred=(0,), ztsnr=(0,)))
    assert chosen(family) == family
    by_hand = chosen(family, "epsilon", "off")
    assert (by_hand.prediction_type, by_hand.zero_terminal_snr) == ("epsilon", False)
    assert chosen(by_hand, "v_prediction", "on") == family
    assert family.words == "SD1.x, v-prediction, zero terminal SNR"
