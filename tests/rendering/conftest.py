"""A tiny checkpoint, LoRAs for it and a loaded renderer, made once for the tests of this folder."""

from pathlib import Path

import pytest
import torch

from lorasmith.rendering.diffusers import DiffusersRenderer
from tests.checkpoints.tiny import write_random_lora, write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin random SD1.x checkpoint in fp32."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.safetensors", dtype=torch.float32)


@pytest.fixture(scope="session")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA for every module, rank 4 and alpha 2."""
    return write_random_lora(tmp_path_factory.mktemp("loras") / "hero.safetensors", rank=4, alpha=2.0)


@pytest.fixture(scope="session")
def other_lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another LoRA, rank 2 and alpha 2."""
    return write_random_lora(tmp_path_factory.mktemp("loras") / "style.safetensors", seed=2, rank=2, alpha=2.0)


@pytest.fixture(scope="session")
def renderer(tiny: Path) -> DiffusersRenderer:
    """The renderer of our own process on the tiny checkpoint."""
    return DiffusersRenderer(tiny, device="cpu")
