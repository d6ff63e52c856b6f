"""The metadata of a LoRA file."""

import json
from dataclasses import replace
from pathlib import Path

from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import fit
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.metadata import BaseFacts, RunFacts, SaveFacts, lora_metadata
from lorasmith.training.plan import plan

PICTURES = [
    TrainingPicture("a", Path("a.png"), "Mia, red body, meadow", 5, "5_mia"),
    TrainingPicture("b", Path("b.png"), "mia, blue body", 5, "5_mia"),
    TrainingPicture("c", Path("c.png"), "mia ||| head", 2, "2_mia"),
]
SIZES = {"a": (600, 600), "b": (600, 1000), "c": (512, 512)}
SETTINGS = TrainSettings(epochs=10, batch_size=2)


def facts() -> RunFacts:
    outline = plan(SETTINGS, PICTURES, SIZES)
    fits = {"a": fit((600, 600), (512, 512)), "b": fit((600, 1000), (384, 640)), "c": fit((512, 512), (512, 512))}
    base = BaseFacts("base.safetensors", "ab" * 32, "0123abcd", "epsilon", False)
    return RunFacts("mia", SETTINGS, outline, PICTURES, fits, base, "c0ffee00" * 8, 1_700_000_000.0, "fp32")


SAVE = SaveFacts("mia-r001-e03-c0ffee00", 3, 21, 1_700_000_100.0, 0.1234567)


def test_every_value_is_a_string_and_none_says_none() -> None:
    written = lora_metadata(facts(), SAVE)
    assert all(isinstance(value, str) for value in written.values())
    assert not [key for key, value in written.items() if value == "None"]
    assert len(written) >= 75


def test_what_webuis_read_is_there() -> None:
    written = lora_metadata(facts(), SAVE)
    assert written["ss_output_name"] == "mia-r001-e03-c0ffee00"
    assert written["ss_base_model_version"] == "sd_v1" and written["ss_v2"] == "False"
    assert written["ss_network_module"] == "networks.lora"
    assert (written["ss_network_dim"], written["ss_network_alpha"]) == ("16", "16.0")
    assert written["ss_training_started_at"] == "1700000000.0"
    assert written["ss_sd_model_name"] == "base.safetensors"
    assert written["ss_resolution"] == "(512, 512)" and written["modelspec.resolution"] == "512x512"
    assert written["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert written["modelspec.date"].startswith("2023-11-14T")
    assert (written["ss_epoch"], written["ss_steps"]) == ("3", "21")


def test_tags_folders_and_buckets_have_kohyas_shapes() -> None:
    written = lora_metadata(facts(), SAVE)
    frequency = {"5_mia": {"mia": 2, "red body": 1, "meadow": 1, "blue body": 1}, "2_mia": {"mia": 1, "head": 1}}
    assert json.loads(written["ss_tag_frequency"]) == frequency
    folders = {"5_mia": {"n_repeats": 5, "img_count": 2}, "2_mia": {"n_repeats": 2, "img_count": 1}}
    assert json.loads(written["ss_dataset_dirs"]) == folders
    info = json.loads(written["ss_bucket_info"])
    assert info["buckets"] == {
        "0": {"resolution": [384, 640], "count": 5},
        "1": {"resolution": [512, 512], "count": 7},
    }
    assert 0 <= info["mean_img_ar_error"] < 0.01


def test_a_velocity_model_is_told_as_one() -> None:
    run = facts()
    written = lora_metadata(replace(run, base=replace(run.base, prediction_type="v_prediction")), SAVE)
    assert written["ss_base_model_version"] == "sd_v1_v" and written["modelspec.prediction_type"] == "v"


def test_what_was_set_otherwise_is_said_in_kohyas_words() -> None:
    settings = TrainSettings(
        optimizer="prodigy", loss="huber", gradient_accumulation=2, multires_iterations=6, ip_noise_gamma=0.05,
        debiased=True, max_bucket=1024,
    )  # fmt: skip
    others = replace(PICTURES[0], name="reg", folder="1_reg", regularisation=True, weight=0.5, repeats=1)
    run = replace(facts(), settings=settings, pictures=[*PICTURES, others])
    written = lora_metadata(run, SAVE)
    assert written["ss_optimizer"].startswith("prodigyopt.Prodigy(")
    assert (written["ss_loss_type"], written["ss_huber_c"], written["ss_huber_schedule"]) == ("huber", "0.1", "snr")
    assert (written["ss_multires_noise_iterations"], written["ss_multires_noise_discount"]) == ("6", "0.3")
    assert written["ss_debiased_estimation"] == "True" and "ss_min_snr_gamma" not in written
    assert (written["ss_gradient_accumulation_steps"], written["ss_prior_loss_weight"]) == ("2", "0.5")
    assert (written["ss_num_train_images"], written["ss_num_reg_images"]) == ("12", "1")
    assert json.loads(written["ss_reg_dataset_dirs"]) == {"1_reg": {"n_repeats": 1, "img_count": 1}}
    assert "1_reg" not in json.loads(written["ss_dataset_dirs"])
    assert (written["ss_min_bucket_reso"], written["ss_max_bucket_reso"]) == ("320", "1024")
