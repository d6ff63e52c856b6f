"""Every preset that ships trains: its own settings over the drawn world, made small, and the file is what it says."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lorasmith.checkpoints.header import read_header
from lorasmith.checkpoints.inspection import inspect
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import preset_names, read_preset
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.run import run_stage
from lorasmith.stages.train.stage import train
from tests.checkpoints.tiny_xl import write_tiny_xl

SDXL = {"character_illustrious", "character_noobai", "character_noobai_vpred", "character_pony"}
# What is made small: the widths of the tiny bases and two steps; all else is the preset's.
SMALL: dict[str, Any] = {
    "resolution": 64, "min_bucket": 64, "max_bucket": 128, "bucket_step": 64, "rank": 4, "alpha": 2.0, "max_steps": 2,
    "sample_every": 0, "precision": "fp32", "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def base_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_xl(tmp_path_factory.mktemp("xl") / "xl.safetensors", dtype=torch.float32)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, _walked: Path) -> Iterator[Project]:
    """One copy for all presets, of four pictures: latents are made once for each base."""
    folder = tmp_path_factory.mktemp("presets") / "project"
    shutil.copytree(_walked, folder, ignore=shutil.ignore_patterns("project.lock"))
    with Project.open(folder) as opened:
        decide_by_hand(opened, "drop", [picture.name for picture in opened.pictures.originals()[4:]])
        run_stage(opened, "prepare")
        run_stage(opened, "tag")
        yield opened


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_a_preset_trains_and_writes_a_file_of_its_kind(name: str, shared: Project, tiny_base: Path, base_xl: Path) -> None:
    base = base_xl if name in SDXL else tiny_base
    own = read_preset(name).get("train", {})
    small = SMALL | ({"conv_rank": 2, "conv_alpha": 1.0} if own.get("conv_rank") else {})
    settings = TrainSettings(**{**own, **small, "checkpoint": str(base)})
    trained = train(shared, settings)
    assert trained.steps == 2 and trained.loss > 0
    file = shared.folder / trained.files[-1]
    told = inspect(file)
    metadata = read_header(file).metadata
    assert metadata["ss_base_model_version"].startswith("sdxl" if name in SDXL else "sd_v1")
    assert metadata["ss_steps"] == "2"
    assert told["kind"] == "lora"
    names = read_header(file).tensors
    assert any("_conv1." in each for each in names) == bool(own.get("conv_rank"))
    if name == "character_noobai_vpred":
        assert metadata["modelspec.prediction_type"] == "v" and metadata["ss_zero_terminal_snr"] == "True"
    if own.get("text_encoder_lr") == 0:
        assert not any(each.startswith("lora_te") for each in names)
