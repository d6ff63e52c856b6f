"""inspect: any LoRA's file told from its header, whoever made it; a broken one is a sentence."""

import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lorasmith.checkpoints.inspection import difference, inspect
from lorasmith.checkpoints.lora_file import write_lora
from lorasmith.checkpoints.lora_modules import base_of, modules_of, network_of
from lorasmith.errors import CheckpointError
from lorasmith.results import plain
from lorasmith.terminal import as_lines
from tests.checkpoints.tiny import build_unet, random_lora

KOHYA = {
    "ss_output_name": "hero", "ss_base_model_version": "sd_v1", "ss_sd_model_name": "any.safetensors",
    "ss_network_module": "networks.lora", "ss_network_dim": "4", "ss_network_alpha": "2", "ss_unet_lr": "0.0005",
    "ss_text_encoder_lr": "0.0001", "ss_learning_rate": "1e-05", "ss_lr_scheduler": "cosine_with_restarts",
    "ss_lr_warmup_steps": "50", "ss_max_train_steps": "1000", "ss_num_epochs": "10", "ss_epoch": "7", "ss_steps": "700",
    "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))", "ss_seed": "42",
    "ss_resolution": "(512, 768)", "ss_clip_skip": "2", "ss_min_snr_gamma": "5.0", "ss_noise_offset": "None",
    "ss_total_batch_size": "2", "ss_keep_tokens": "1", "ss_shuffle_caption": "True", "ss_enable_bucket": "True",
    "ss_min_bucket_reso": "256", "ss_max_bucket_reso": "1024", "ss_mixed_precision": "bf16",
    "ss_training_started_at": "1700000000.5", "ss_training_finished_at": "1700003900.5", "ss_training_comment": "first try",
    "ss_tag_frequency": json.dumps({"5_hero": {"hero": 9, "red eyes": 4}, "2_hero": {"hero": 1}}),
    "ss_dataset_dirs": json.dumps({"5_hero": {"n_repeats": 5, "img_count": 9}}),
    "ss_bucket_info": json.dumps({"buckets": {"0": {"resolution": [512, 768], "count": 45}}, "mean_img_ar_error": 0.0}),
    "ss_session_id": "7", "ss_loss_type": "huber", "ss_huber_c": "0.2", "ss_scale_weight_norms": "1.0",
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_lora_is_told_from_its_header(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "hero.safetensors"
    write_lora(path, random_lora(), KOHYA, dtype)
    told = plain(inspect(path))
    assert (told["kind"], told["network"], told["name"]) == ("lora", "LoRA", "hero")
    assert told["made_by"].startswith("kohya sd-scripts")
    assert [(row["part"], row["modules"], row["rank"], row["alpha"]) for row in told["modules"]] == [
        ("U-Net", 192, "4", "2"), ("text encoder", 72, "4", "2"),
    ]  # fmt: skip
    assert told["base"]["model"] == "any.safetensors" and told["base"]["clip_skip"] == "2"
    assert told["training"] == {
        "trained": "2023-11-14 22:13 UTC", "took": "1 h 5 min", "epoch": "7 of 10", "steps": "700 of 1000", "pictures": "9",
        "comment": "first try",
    }  # fmt: skip
    assert told["tags"] == [{"tag": "hero", "pictures": 10}, {"tag": "red eyes", "pictures": 4}]
    assert told["buckets"] == [{"size": "512 x 768", "draws": 45}]
    assert len(told["hash"]["webui"]) == 12
    json.dumps(told)


def test_its_training_settings_have_the_names_of_train(tmp_path: Path) -> None:
    path = tmp_path / "hero.safetensors"
    write_lora(path, random_lora(), KOHYA)
    told = inspect(path)
    wanted = {
        "rank": 4, "alpha": 2.0, "unet_lr": 0.0005, "text_encoder_lr": 0.0001, "lr_scheduler": "cosine_with_restarts", "warmup": 0.05,
        "epochs": 10, "repeats": 5, "batch_size": 2, "seed": 42, "clip_skip": 2, "min_snr_gamma": 5.0, "shuffle": True,
        "weight_decay": 0.1, "optimizer": "adamw", "loss": "huber", "huber_c": 0.2, "precision": "bf16", "resolution": 640,
    }  # fmt: skip
    assert {name: told["settings"].get(name) for name in wanted} == wanted


def test_a_lorasmith_file_a_base_model_and_a_renamed_one_are_told_apart(tmp_path: Path, tiny: Path) -> None:
    told = inspect(tiny)
    assert (told["kind"], told["prediction_type"], told["tensors"]) == ("sd1", "epsilon", 1131)
    write_lora(tmp_path / "ours.safetensors", random_lora(), KOHYA | {"lorasmith_fingerprint": "ab"})
    assert inspect(tmp_path / "ours.safetensors")["made_by"] == "lorasmith"


def _layer(rank: int, inputs: int = 768, outputs: int = 320, kernel: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    if kernel:
        return torch.zeros(rank, inputs, kernel, kernel), torch.zeros(outputs, rank, 1, 1)
    return torch.zeros(rank, inputs), torch.zeros(outputs, rank)


def _file(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> Path:
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, metadata)
    return path


MODULE = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.mark.parametrize(
    ("parts", "network", "rank"),
    [
        ({"lora_down.weight": _layer(8)[0], "lora_up.weight": _layer(8)[1], "alpha": torch.tensor(4.0)}, "LoRA", "8"),
        ({"lora_down.weight": _layer(8, kernel=3)[0], "lora_up.weight": _layer(8, kernel=3)[1]}, "LoCon", "8"),
        ({"lora_down.weight": _layer(8)[0], "lora_up.weight": _layer(8)[1], "dora_scale": torch.ones(320, 1)}, "LoRA with DoRA", "8"),
        ({name: torch.zeros(4, 4) for name in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")}, "LoHa", "4"),
        ({"lokr_w1": torch.zeros(4, 4), "lokr_w2_a": torch.zeros(80, 6), "lokr_w2_b": torch.zeros(6, 192)}, "LoKr", "6"),
        ({"oft_blocks": torch.zeros(8, 40, 40), "alpha": torch.tensor(1.0)}, "OFT", "-"),
        ({"weight": torch.zeros(320), "on_input": torch.tensor(0.0)}, "IA3", "-"),
        ({"diff": torch.zeros(320, 768), "diff_b": torch.zeros(320)}, "full", "-"),
        ({"lora_down.weight": _layer(8)[0], "w_norm": torch.zeros(320)}, "LoRA and norms", "8"),
    ],
)
def test_every_kind_of_network_is_named(tmp_path: Path, parts: dict[str, torch.Tensor], network: str, rank: str) -> None:
    path = _file(tmp_path / "a.safetensors", {f"{MODULE}.{name}": tensor for name, tensor in parts.items()})
    told = inspect(path)
    assert (told["kind"], told["network"], told["modules"][0].rank) == ("lora", network, rank)
    assert told["modules"][0].part == "U-Net"


@pytest.mark.parametrize(
    ("metadata", "maker"),
    [
        ({"ot_branch": "master", "ot_revision": "abc", "ss_base_model_version": "sdxl_"}, "OneTrainer"),
        ({"software": '{"name": "ai-toolkit"}', "training_info": '{"step": 500, "epoch": 3}'}, "ai-toolkit"),
        ({"ss_network_module": "lycoris.kohya"}, "kohya sd-scripts with LyCORIS"),
        ({"lora_adapter_metadata": "{}"}, "diffusers with PEFT"),
        ({"software": "sometool 2"}, "sometool 2"),
        ({}, "unknown (kohya's names, and no word of who made it)"),
    ],
)
def test_the_maker_is_known_by_what_it_writes(tmp_path: Path, metadata: dict[str, str], maker: str) -> None:
    down, up = _layer(8, inputs=2048)
    told = inspect(_file(tmp_path / "a.safetensors", {f"{MODULE}.lora_down.weight": down, f"{MODULE}.lora_up.weight": up}, metadata))
    assert told["made_by"] == maker
    assert told["base"]["family"] == "SDXL"  # by the width of the text, whatever is stated
    if maker == "ai-toolkit":
        assert told["training"] == {"epoch": "3", "steps": "500"}


def test_onetrainers_own_settings_are_read(tmp_path: Path) -> None:
    config = {"lora_rank": 32, "lora_alpha": 16.0, "epochs": 40, "batch_size": 4, "resolution": "768", "learning_rate": 0.0003,
              "learning_rate_scheduler": "COSINE", "optimizer": {"optimizer": "ADAMW_8BIT", "weight_decay": 0.02},
              "text_encoder": {"train": False}, "peft_type": "LORA", "train_dtype": "BFLOAT_16"}  # fmt: skip
    down, up = _layer(32)
    metadata = {"ot_branch": "master", "ot_config": json.dumps(config)}
    told = inspect(_file(tmp_path / "a.safetensors", {f"{MODULE}.lora_down.weight": down, f"{MODULE}.lora_up.weight": up}, metadata))
    assert told["settings"] | {} == told["settings"]
    wanted = {"rank": 32, "alpha": 16.0, "epochs": 40, "batch_size": 4, "resolution": 768, "unet_lr": 0.0003, "text_encoder_lr": 0.0,
              "lr_scheduler": "cosine", "weight_decay": 0.02, "precision": "bf16"}  # fmt: skip
    assert {name: told["settings"].get(name) for name in wanted} == wanted


def test_files_of_diffusers_and_peft_themselves_are_told(tmp_path: Path) -> None:
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig, get_peft_model
    from peft.utils import get_peft_model_state_dict

    unet = get_peft_model(build_unet(), LoraConfig(r=6, lora_alpha=3, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    unet.save_pretrained(tmp_path / "peft")
    told = inspect(tmp_path / "peft")
    assert told["made_by"] == "PEFT" and told["settings"] == {"rank": 6, "alpha": 3.0}
    assert [(row.part, row.modules, row.rank) for row in told["modules"]] == [("U-Net", 128, "6")]
    StableDiffusionPipeline.save_lora_weights(tmp_path / "diffusers", unet_lora_layers=get_peft_model_state_dict(unet))
    told = inspect(tmp_path / "diffusers" / "pytorch_lora_weights.safetensors")
    assert told["made_by"] == "diffusers" and told["modules"][0].part == "U-Net" and told["modules"][0].modules == 128


def test_a_file_that_states_another_family_than_it_has_is_told(tmp_path: Path) -> None:
    down, up = _layer(8, inputs=2048)
    tensors = {f"{MODULE}.lora_down.weight": down, f"{MODULE}.lora_up.weight": up}
    told = inspect(_file(tmp_path / "a.safetensors", tensors, {"ss_base_model_version": "sd_v1"}))
    assert "WebUIs hide it" in told["base"]["states"]


def test_tags_and_words_that_mark_minors_are_counted_and_not_shown(tmp_path: Path) -> None:
    down, up = _layer(8)
    frequency = {"5_hero": {"hero": 3, "lo" + "li": 3, "young_girl": 1}, "1_cub": {"hero": 1}}
    metadata = {
        "ss_tag_frequency": json.dumps(frequency), "ss_output_name": "toddler",
        "ss_dataset_dirs": json.dumps({"1_cub": {"n_repeats": 1, "img_count": 1}}),
    }  # fmt: skip
    tensors = {f"{MODULE}.lora_down.weight": down, f"{MODULE}.lora_up.weight": up}
    told = inspect(_file(tmp_path / "a.safetensors", tensors, metadata), everything=True)
    text = as_lines({name: value for name, value in told.items() if name != "file"})
    assert told["tags"] == [{"tag": "hero", "pictures": 4}] and told["refused_tags"] == 2
    assert "(refused)" in text
    assert not any(word in text for word in ("toddler", "young_girl", "cub"))


def test_what_differs_is_a_table_and_two_alike_files_say_so(tmp_path: Path) -> None:
    one, two = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_lora(one, random_lora(), KOHYA)
    write_lora(two, random_lora(), KOHYA | {"ss_epoch": "8", "ss_unet_lr": "0.001", "ss_tag_frequency": '{"5_hero": {"hero": 9}}'})
    rows = {row["what"]: (row["a"], row["b"]) for row in difference(one, two)}
    assert rows["epoch"] == ("7 of 10", "8 of 10") and rows["unet_lr"] == ("0.0005", "0.001")
    assert rows["tag red eyes"] == ("4 pictures", "-")
    assert difference(one, one) == [{"what": "weights", "a": "the same", "b": "the same"}]


def test_a_hash_that_no_longer_fits_its_data_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_lora(path, random_lora(), KOHYA)
    assert inspect(path, hashed=True)["hash"]["stored"] == "as stored"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "NOT as stored" in inspect(path, hashed=True)["hash"]["stored"]


def _broken(folder: Path) -> dict[str, Path]:
    whole = folder / "whole.safetensors"
    write_lora(whole, random_lora(), KOHYA)
    contents = {
        "empty": b"", "text": b"a letter to nobody, with a good many words in it\n" * 9, "far": struct.pack("<Q", 1 << 60) + b"{}",
        "cut": whole.read_bytes()[:5000], "cut_late": whole.read_bytes()[:-10], "pickle": pickle.dumps({"a": 1}),
        "deep": struct.pack("<Q", 200_000) + b"[" * 200_000, "list": struct.pack("<Q", 2) + b"[]",
        "numbers": struct.pack("<Q", 40) + b'{"a":{"dtype":"F32","shape":[9e99]}}    ', "html": b"<!DOCTYPE html><html>",
        "negative": struct.pack("<Q", 64) + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,-4]}}'.ljust(64),
    }  # fmt: skip
    for name, content in contents.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    with zipfile.ZipFile(folder / "zip.safetensors", "w") as archive:
        archive.writestr("archive/data.pkl", "x")
    torch.save({"a": torch.zeros(1)}, folder / "old.ckpt")
    names = [*contents, "zip"]
    return {name: folder / f"{name}.safetensors" for name in names} | {"ckpt": folder / "old.ckpt", "folder": folder}


def test_every_broken_file_is_a_sentence(tmp_path: Path) -> None:
    for name, path in _broken(tmp_path).items():
        with pytest.raises(CheckpointError) as told:
            inspect(path)
        assert str(told.value).endswith("."), name
        assert str(path) in str(told.value), name


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from([*KOHYA, "ss_datasets", "ss_network_args", "ot_config", "training_info", "software", "modelspec.date", "ss_v2"])


@settings(deadline=None, max_examples=150)
@given(metadata=st.dictionaries(keys, values.map(lambda value: value if isinstance(value, str) else json.dumps(value)), max_size=8))
def test_no_metadata_whatever_stands_in_it_breaks_the_telling(
    tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.safetensors"
    down, up = _layer(1, 3, 3)
    save_file({f"{MODULE}.lora_down.weight": down, f"{MODULE}.lora_up.weight": up}, path, metadata)
    told = inspect(path, everything=True)
    assert told["kind"] == "lora"
    json.dumps(plain(told))
    as_lines(told)


def test_the_base_is_known_by_its_second_text_encoder_too(tmp_path: Path) -> None:
    from lorasmith.checkpoints.header import read_header

    down, up = _layer(4)
    name = "lora_te2_text_model_encoder_layers_0_mlp_fc1"
    header = read_header(_file(tmp_path / "a.safetensors", {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}))
    assert base_of(modules_of(header)) == "SDXL" and network_of(modules_of(header)) == "LoRA"
