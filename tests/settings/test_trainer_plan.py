"""Other trainers' settings: recognised by content, every key told, and what they mean in [train]."""

import json
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lorasmith.errors import UsageError
from lorasmith.settings.kohya_keys import KOHYA, Goes
from lorasmith.settings.kohya_schema import GENERAL, SUBSET
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.trainer_dialects import (
    GUI_ASIDE,
    GUI_NAMES,
    LETS_ASIDE,
    LETS_NAMES,
    METADATA_NAMES,
    ONETRAINER_NAMES,
)
from lorasmith.settings.trainer_files import is_downloader, read_object, read_trainer, with_dataset
from lorasmith.settings.trainer_plan import FATES, TrainerPlan, plan_of

LETS = {
    "base_model": "/m/any.safetensors", "img_folder": "/data/img", "output_folder": "/out", "net_dim": 32, "alpha": 16.0,
    "scheduler": "cosine_with_restarts", "cosine_restarts": 3, "learning_rate": 0.0001, "unet_lr": 0.0002, "text_encoder_lr": 5e-05,
    "warmup_lr_ratio": 0.05, "train_resolution": 512, "height_resolution": 768, "batch_size": 2, "num_epochs": 10, "buckets": True,
    "min_bucket_resolution": 320, "max_bucket_resolution": 960, "optimizer_type": "AdamW8bit", "clip_skip": 2, "test_seed": 23,
    "optimizer_args": {"weight_decay": "0.1", "betas": "0.9,0.99"}, "shuffle_captions": True, "keep_tokens": 1, "locon": False,
    "locon_dim": 8, "network_args": None, "xformers": True, "mixed_precision": "fp16", "min_snr_gamma": 5, "noise_offset": None,
    "gradient_acc_steps": 2, "max_clip_token_length": 150, "save_every_n_epochs": 1, "unknown_thing": 3,
}  # fmt: skip
GUI = {
    "LoRA_type": "LyCORIS/LoCon", "pretrained_model_name_or_path": "/m/x.safetensors", "max_resolution": "768,768", "epoch": "12",
    "train_batch_size": "4", "learning_rate": "0.0001", "unet_lr": 0.0003, "text_encoder_lr": "5e-5", "lr_warmup": "10",
    "lr_scheduler": "cosine", "optimizer": "AdamW", "optimizer_args": "weight_decay=0.05 betas=(0.9,0.95)", "network_dim": 16,
    "network_alpha": 8, "conv_dim": 8, "conv_alpha": 4, "noise_offset_type": "Multires", "noise_offset": 0.05,
    "multires_noise_iterations": 6, "multires_noise_discount": 0.2, "seed": "", "xformers": "sdpa", "enable_bucket": True,
    "min_bucket_reso": 256, "max_bucket_reso": 2048, "additional_parameters": "--ip_noise_gamma 0.05 --scale_weight_norms=1",
    "max_train_steps": 0, "clip_skip": "2", "flip_aug": False, "sdxl": False, "num_processes": 1,
}  # fmt: skip
CONFIG = """
[models]
pretrained_model_name_or_path = "base.safetensors"
[anything]
network_module = "networks.lora"
network_dim = 8
network_args = ["conv_dim=4", "conv_alpha=2"]
optimizer_type = "Prodigy"
optimizer_args = ["decouple=True", "d_coef=2", "weight_decay=0.01"]
learning_rate = 1.0
lr_scheduler = "constant"
max_train_epochs = 8
network_dimm = 4
"""
DATASET = """
[general]
caption_extension = ".txt"
shuffle_caption = true
[[datasets]]
resolution = [512, 512]
batch_size = 3
enable_bucket = true
min_bucket_reso = 320
[[datasets.subsets]]
image_dir = "/data/a"
num_repeats = 5
[[datasets.subsets]]
image_dir = "/data/b"
num_repeats = 2
keep_tokens = 2
"""
LETS_TOML = """
[[subsets]]
name = "one"
image_dir = "/data/a"
num_repeats = 4
keep_tokens = 1
shuffle_caption = true
[train_mode]
train_mode = "lora"
[general_args.args]
pretrained_model_name_or_path = "a.safetensors"
sdxl = true
max_train_epochs = 6
seed = 5
[general_args.dataset_args]
resolution = 1024
batch_size = 2
[network_args.args]
network_dim = 8
network_alpha = 4.0
[network_args.args.network_args]
algo = "lokr"
factor = 8
[optimizer_args.args]
optimizer_type = "AdamW8bit"
unet_lr = 0.0003
warmup_ratio = 0.1
lr_scheduler = "cosine"
[optimizer_args.args.optimizer_args]
weight_decay = 0.2
[bucket_args.dataset_args]
enable_bucket = true
max_bucket_reso = 1536
"""


def planned(content: Any) -> TrainerPlan:
    data = content if isinstance(content, str) else json.dumps(content)
    return plan_of(read_trainer(*read_object(data.encode(), "file"), "file"))


def fates(plan: TrainerPlan) -> dict[str, str]:
    return {row.key: row.fate for row in plan.keys}


def holds(plan: TrainerPlan, **wanted: Any) -> None:
    assert {name: plan.settings.get(name) for name in wanted} == wanted


def test_the_old_json_of_lets() -> None:
    plan = planned(LETS)
    holds(plan, rank=32, alpha=16.0, unet_lr=0.0002, text_encoder_lr=5e-05, lr_cycles=3, warmup=0.05)
    holds(plan, lr_scheduler="cosine_with_restarts")
    holds(plan, resolution=640, min_bucket=320, max_bucket=960, batch_size=2, epochs=10, weight_decay=0.1, clip_skip=2, seed=23)
    holds(plan, shuffle=True, keep_tokens=1, noise_offset=0.0, gradient_accumulation=2, optimizer="adamw", bucket_rule="kohya")
    told = fates(plan)
    assert told["optimizer_type"] == told["train_resolution"] == "changed"
    assert told["locon_dim"] == told["xformers"] == told["img_folder"] == "not applicable"
    assert told["unknown_thing"] == "unknown" and plan.folders == ("/data/img",)


def test_every_key_of_every_file_is_told_once() -> None:
    for content in (LETS, GUI):
        keys = [row.key for row in planned(content).keys]
        assert set(content) - {"network_args", "optimizer_args", "noise_offset_type"} <= set(keys) | {"height_resolution"}
        assert len(keys) == len(set(keys))


def test_the_json_of_the_kohya_gui() -> None:
    plan = planned(GUI)
    holds(plan, resolution=768, epochs=12, batch_size=4, unet_lr=0.0003, text_encoder_lr=5e-5, warmup=0.1, weight_decay=0.05)
    holds(plan, rank=16, alpha=8.0, conv_rank=8, conv_alpha=4.0, multires_iterations=6, multires_discount=0.2, clip_skip=2)
    holds(plan, ip_noise_gamma=0.05, scale_weight_norms=1.0, optimizer_args=["betas=(0.9,0.95)"], max_bucket=2048)
    assert "noise_offset" not in {name for name, value in plan.settings.items() if value} and "seed" not in plan.settings
    assert fates(plan)["noise_offset"] == "not applicable"


def test_a_standard_lora_of_the_gui_does_not_take_the_fields_of_others() -> None:
    plan = planned(GUI | {"LoRA_type": "Standard"})
    assert "conv_rank" not in plan.settings and plan.settings["rank"] == 16


def test_a_config_file_with_sections_and_a_dataset_file() -> None:
    file = read_trainer(*read_object(CONFIG.encode(), "c"), "c")
    plan = plan_of(with_dataset(file, read_object(DATASET.encode(), "d")[0]))
    holds(plan, rank=8, alpha=1.0, conv_rank=4, conv_alpha=2.0, optimizer="prodigy", unet_lr=1.0, epochs=8)
    holds(plan, batch_size=3, resolution=512)
    holds(plan, optimizer_args=["decouple=True", "d_coef=2"], repeats=5, keep_tokens=2, shuffle=True, min_bucket=320, warmup=0.0)
    told = {row.key: row for row in plan.keys}
    assert told["network_dimm"].fate == "unknown" and "network_dim" in told["network_dimm"].here
    assert told["num_repeats"].fate == "changed" and plan.folders == ("/data/a", "/data/b")
    assert told["network_alpha"].there == "left out: 1 there"  # the default that people trip over


def test_a_dataset_file_alone_says_nothing_of_the_rest() -> None:
    plan = planned(DATASET)
    assert set(plan.settings) == {"resolution", "batch_size", "bucket_rule", "min_bucket", "repeats", "keep_tokens", "shuffle"}


def test_the_toml_of_lets() -> None:
    plan = planned(LETS_TOML)
    holds(plan, epochs=6, seed=5, resolution=1024, batch_size=2, rank=8, alpha=4.0, unet_lr=0.0003, warmup=0.1, max_bucket=1536)
    holds(plan, repeats=4, keep_tokens=1, shuffle=True, weight_decay=0.2)
    told = {row.key: row for row in plan.keys}
    assert told["network_args.algo"].fate == "not there yet" and told["sdxl"].fate == "not applicable"


def test_buckets_that_are_off_become_one_bucket() -> None:
    plan = planned({"base_model": "a", "net_dim": 4, "train_resolution": 512, "buckets": False})
    holds(plan, min_bucket=512, max_bucket=512)


def test_only_steps_become_the_most_steps() -> None:
    plan = planned('network_module = "networks.lora"\nmax_train_steps = 900\nlr_warmup_steps = 90\nlr_scheduler = "cosine"')
    holds(plan, max_steps=900, warmup=0.1)


def test_sample_prompts_lose_their_flags_and_refused_ones_are_told() -> None:
    base = 'network_module = "networks.lora"\n'
    plan = planned(base + 'sample_prompts = "zorvex, smile --n bad --w 512\\n# no\\nzorvex, night"')
    holds(plan, sample_prompts=["zorvex, smile", "zorvex, night"])
    assert fates(planned(base + 'sample_prompts = "a shota"'))["sample_prompts"] == "changed"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"), ("a: b\n- c", "neither JSON nor TOML"), ("{", "begins like JSON"), ("[1, 2]", "neither JSON nor TOML"),
        ("title = 'my shopping'", "no trainer that lorasmith knows"), ('[{"a": 1}]', "holds a list"),
        ('{"training_method": "FINE_TUNE"}', "FINE_TUNE"), ("[train_mode]\ntrain_mode='ti'", "mode 'ti'"), ("[" * 100_000, ""),
        ('{"a":' * 100_000, ""), ("a = " + "9" * 10_000, ""), ("\x00\x01\x02" * 40, ""),
    ],
)  # fmt: skip
def test_what_is_no_settings_file_is_a_sentence(content: str, words: str) -> None:
    with pytest.raises(UsageError) as told:
        read_trainer(*read_object(content.encode(), "x"), "x")
    assert words in str(told.value) and str(told.value).endswith(".")


@pytest.mark.parametrize("content", [LETS, GUI, CONFIG, DATASET, LETS_TOML])
def test_no_trainers_file_is_taken_for_the_downloaders(content: Any) -> None:
    data = content if isinstance(content, str) else json.dumps(content)
    assert not is_downloader(*read_object(data.encode(), "x"))
    assert is_downloader({"required_tags": "a"}, True) and is_downloader({}, True)


def test_the_tables_know_only_names_that_are_kohyas() -> None:
    for table in (LETS_NAMES, GUI_NAMES, ONETRAINER_NAMES, METADATA_NAMES):
        assert not {name for name in table.values() if name not in KOHYA and not name.startswith("optimizer_args.")}
    assert not set(LETS_NAMES) & set(LETS_ASIDE) and not set(GUI_NAMES) & set(GUI_ASIDE)
    assert {*GENERAL, *SUBSET} - {"batch_size", "resolution"} <= set(KOHYA)


def test_every_setting_that_the_table_names_and_that_is_there_takes_its_default() -> None:
    from lorasmith.settings.trainer_plan import fitted

    named = {row.to for row in KOHYA.values() if isinstance(row, Goes)} & set(TrainSettings.model_fields)
    assert len(named) > 20
    for name in named:
        assert fitted(name, getattr(TrainSettings(), name))[1] == ""


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
odd = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=4
)
NAMES = sorted({*LETS_NAMES, *GUI_NAMES, *KOHYA, "network_args", "optimizer_args", "LoRA_type", *ONETRAINER_NAMES})
HEADS: list[dict[str, Any]] = [
    {"base_model": "a", "net_dim": 4}, {"LoRA_type": "Standard"}, {"training_method": "LORA"}, {"datasets": []},
]  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(values=st.dictionaries(st.sampled_from(NAMES), odd, max_size=10), head=st.sampled_from(HEADS))
@example({"LoRA_type": None, "LyCORIS_preset": None, "lr_warmup": [None]}, {"base_model": "a", "net_dim": 4})
@example({"LoRA_type": None, "lr_warmup": ":"}, {"base_model": "a", "net_dim": 4})
def test_whatever_values_stand_in_a_file_each_key_has_a_fate_and_the_settings_can_be_built(
    values: dict[str, Any], head: dict[str, Any]
) -> None:
    plan = plan_of(read_trainer(head | values, True, "x"))
    assert all(row.fate in FATES and row.here for row in plan.keys)
    tomlkit.dumps(dict(plan.settings))
    for name, value in plan.settings.items():
        assert name in TrainSettings.model_fields and value is not None
