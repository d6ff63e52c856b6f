"""Whole runs on a thin random SDXL, and runs with the settings of the model side."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lorasmith.checkpoints.load import load_base
from lorasmith.checkpoints.lora_file import read_lora
from lorasmith.checkpoints.lora_keys import lora_modules
from lorasmith.progress import Progress
from lorasmith.rendering.diffusers import DiffusersRenderer
from lorasmith.rendering.prompt import LoraUse, Prompt
from lorasmith.training.request import TrainRequest
from lorasmith.training.texts import hold_texts
from lorasmith.training.train import train
from tests.checkpoints.test_folder import write_folder
from tests.checkpoints.tiny_xl import TINY, build_random, write_tiny_xl
from tests.training.conftest import Make

SHORT = {"epochs": 1, "max_steps": 2, "sample_every": 0}


@pytest.fixture(autouse=True)
def a_fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture(scope="session")
def base_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    return write_tiny_xl(tmp_path_factory.mktemp("base") / "xl.safetensors", extra=marks)


def on_xl(make: Make, base_xl: Path, folder: str = "a", **settings: object) -> TrainRequest:
    return replace(make(folder, **settings), checkpoint=base_xl)


def contents(request: TrainRequest) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(request.lora_folder.glob("*.safetensors"))}


def test_sdxl_trains_its_unet_alone_unless_told_and_the_file_says_what_it_is(make: Make, base_xl: Path) -> None:
    trained = train(on_xl(make, base_xl, epochs=1))
    file = read_lora(trained.files[-1].path)
    table = lora_modules(TINY.topology)
    assert set(file.weights) == {name for name, module in table.items() if module.part == "unet"}
    assert all(weights.up.abs().max() > 0 for weights in file.weights.values())
    said = file.metadata
    assert said["ss_base_model_version"] == "sdxl_base_v1-0" and said["ss_v2"] == "False"
    assert said["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert said["modelspec.implementation"] == "https://github.com/Stability-AI/generative-models"
    assert (said["modelspec.prediction_type"], said["ss_zero_terminal_snr"]) == ("v", "True")
    assert "ss_clip_skip" not in said and "modelspec.encoder_layer" not in said
    assert json.loads(said["ss_text_encoder_lr"]) == [0.0, 0.0]
    assert [path.name for path in (on_xl(make, base_xl).run_folder / "samples").iterdir()] == ["e01-0.png"]


def test_both_text_encoders_of_sdxl_train_with_rates_of_their_own(make: Make, base_xl: Path) -> None:
    rates = {"text_encoder_lr": 1e-3, "text_encoder_2_lr": 5e-4}
    trained = train(on_xl(make, base_xl, conv_rank=2, conv_alpha=1.0, gradient_checkpointing=True, **rates, **SHORT))
    file = read_lora(trained.files[-1].path)
    assert set(file.weights) == set(lora_modules(TINY.topology, convolutions=True))
    moved = {name for name, weights in file.weights.items() if weights.up.abs().max() > 0}
    assert {name for name in file.weights if name not in moved} == {
        name for name in file.weights if name.startswith("lora_te1_text_model_encoder_layers_2_")
    }
    ranks = {(weights.rank, weights.alpha, weights.down.shape[2:] == (3, 3)) for weights in file.weights.values()}
    assert ranks == {(4, 2.0, False), (2, 1.0, True)}
    assert json.loads(file.metadata["ss_text_encoder_lr"]) == [1e-3, 5e-4]
    assert json.loads(file.metadata["ss_network_args"]) == {"conv_dim": "2", "conv_alpha": "1.0"}


def test_what_was_trained_renders(make: Make, base_xl: Path) -> None:
    trained = train(on_xl(make, base_xl, text_encoder_2_lr=1e-2, unet_lr=1e-2, **SHORT))
    renderer = DiffusersRenderer(base_xl, device="cpu")
    prompt = Prompt("mia, red body", width=64, height=64, steps=2)
    used = LoraUse(trained.files[-1].path)
    with_it, without = renderer.render([replace(prompt, loras=(used,)), prompt])
    assert np.abs(np.asarray(with_it).astype(int) - np.asarray(without)).max() > 0


def test_a_diffusers_folder_trains_and_is_named_as_it_is(make: Make, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "my-model", build_random())
    said = read_lora(train(replace(make("a", **SHORT), checkpoint=folder)).files[-1].path).metadata
    assert said["ss_sd_model_name"] == "my-model" and len(said["ss_new_sd_model_hash"]) == 64
    assert "ss_sd_model_hash" not in said  # the old hash is one of a file


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.3, "scale_weight_norms": 0.02, "conv_rank": 2},
        {"block_weights": [0.0] * 9 + [1.0] * 3 + [0.5] * 9, "text_encoder_2_lr": 1e-3},
    ],
)
def test_a_stopped_run_of_any_kind_ends_in_the_same_bytes(make: Make, base_xl: Path, settings: dict[str, object]) -> None:
    quick = {"epochs": 1, "sample_every": 0, "caption_variants": 3, "caption_dropout": 0.3, **settings}
    whole = on_xl(make, base_xl, "whole", **quick)
    train(whole)

    def stop_at_two(progress: Progress) -> None:
        if progress.total == 4 and progress.done == 2:
            raise KeyboardInterrupt

    stopped = on_xl(make, base_xl, "stopped", **quick)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, stop_at_two)
    assert train(stopped).resumed_from == 2
    assert contents(stopped) == contents(whole)


def test_a_prediction_type_set_by_hand_is_trained_and_written(make: Make, base_xl: Path) -> None:
    by_hand = {"prediction_type": "epsilon", "zero_terminal_snr": "off"}
    said = read_lora(train(on_xl(make, base_xl, **by_hand, **SHORT)).files[-1].path).metadata
    assert (said["modelspec.prediction_type"], said["ss_zero_terminal_snr"]) == ("epsilon", "False")


def test_captions_are_held_in_variants_and_the_empty_one_apart(make: Make, base_xl: Path) -> None:
    model = load_base(base_xl, parts=("text_encoder", "text_encoder_2"))
    settings = make(caption_variants=4, caption_dropout=0.5, tag_dropout=0.0).settings
    held = hold_texts(model, {"a": "mia, red, tall, meadow", "b": "mia"}, settings, ["mia"])
    assert len(held.variants["a"]) == 4 and len({id(each) for each in held.variants["b"]}) == 1
    drawn = [held.of_step(number, [(0, "a"), (1, "b")]) for number in range(40)]
    assert all(each.context.shape == (2, 77, 192) and each.pooled is not None for each in drawn)
    empty = sum(torch.equal(each.context[:1], held.empty.context) for each in drawn)
    assert 10 <= empty <= 30
    assert not any(each.context.requires_grad for each in drawn)
    assert held.of_sample("mia").context[0].abs().max() == 0  # guidance leads away from zeros, as in the WebUIs
