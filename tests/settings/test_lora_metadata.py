"""The settings that a LoRA's metadata tells."""

from lorasmith.settings.lora_metadata import settings_in
from lorasmith.settings.trainer_plan import plan_of


def test_the_rates_of_two_text_encoders_stand_as_a_list_and_are_both_taken() -> None:
    written = {"ss_unet_lr": "0.0003", "ss_learning_rate": "0.0003", "ss_text_encoder_lr": "[0.0001, 5e-05]"}
    settings = plan_of(settings_in(written)).settings
    assert (settings["unet_lr"], settings["text_encoder_lr"], settings["text_encoder_2_lr"]) == (3e-4, 1e-4, 5e-5)


def test_text_encoders_that_were_left_alone_are_said_to_be() -> None:
    written = {"ss_unet_lr": "0.0003", "ss_text_encoder_lr": "[0.0, 0.0]"}
    assert plan_of(settings_in(written)).settings["text_encoder_lr"] == 0
