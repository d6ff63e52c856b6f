"""A thin random base model and a few small drawn pictures, made once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from lorasmith.settings.tables import TrainSettings
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.request import TrainRequest
from tests.checkpoints.tiny import write_tiny

SIZES = [(80, 80), (70, 140), (96, 96), (150, 75), (64, 64)]
QUICK = {
    "resolution": 64,
    "min_bucket": 32,
    "bucket_step": 32,
    "max_bucket": 128,
    "rank": 4,
    "alpha": 2.0,
    "epochs": 2,
    "batch_size": 2,
    "unet_lr": 1e-3,
    "sample_steps": 2,
    "checkpoint_every": 2,
    "device": "cpu",
}

Make = Callable[..., TrainRequest]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("base") / "tiny.safetensors")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingPicture]:
    folder = tmp_path_factory.mktemp("pictures") / "1_mia"
    folder.mkdir()
    rows = []
    for index, size in enumerate(SIZES):
        picture = Image.new("RGB", size, (40 * index, 120, 200 - 30 * index))
        ImageDraw.Draw(picture).ellipse((10, 10, size[0] - 20, size[1] - 10), fill=(200, 30 * index, 90))
        path = folder / f"own_{index}.png"
        picture.save(path)
        rows.append(TrainingPicture(path.stem, path, f"mia, red body, pose {index}, meadow", 1, folder.name))
    return rows


@pytest.fixture
def make(tmp_path: Path, base: Path, pictures: list[TrainingPicture]) -> Make:
    """Makes the request of a quick run in a folder of the test's own; keywords change its settings."""

    def request(folder: str = "a", own: list[TrainingPicture] | None = None, **settings: object) -> TrainRequest:
        return TrainRequest(
            run_folder=tmp_path / folder / "runs" / "001",
            lora_folder=tmp_path / folder / "loras",
            cache_folder=tmp_path / folder / "cache",
            checkpoint=base,
            pictures=pictures if own is None else own,
            settings=TrainSettings(**{**QUICK, **settings}),
            name="mia",
            trigger="mia",
        )

    return request
