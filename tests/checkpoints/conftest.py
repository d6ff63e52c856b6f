"""The tiny checkpoint, written once for the tests of this folder."""

from pathlib import Path

import pytest
import torch

from tests.checkpoints.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin random SD1.x checkpoint in fp32."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.safetensors", dtype=torch.float32)
