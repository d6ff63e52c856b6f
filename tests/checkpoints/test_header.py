"""Tests of reading .safetensors headers: what is whole is read, everything else is refused with a sentence."""

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lorasmith.checkpoints.header import read_header
from lorasmith.errors import CheckpointError


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A small file as the format's own library writes it."""
    path = tmp_path / "whole.safetensors"
    tensors = {"a": torch.zeros(2, 3), "b": torch.zeros((), dtype=torch.float16), "empty": torch.zeros(0)}
    save_file(tensors, path, metadata={"title": "größe"})
    return path


def test_names_shapes_dtypes_and_metadata_are_read(whole: Path) -> None:
    header = read_header(whole)
    assert header.tensors["a"].shape == (2, 3)
    assert header.tensors["a"].dtype == "F32"
    assert header.tensors["b"].shape == ()
    assert header.tensors["b"].dtype == "F16"
    assert header.metadata == {"title": "größe"}
    assert header.data_start + 24 + 2 == whole.stat().st_size


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no model file at .*nothing.safetensors"):
        read_header(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt", "disguised.safetensors"])
def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path, name: str) -> None:
    old, new = tmp_path / f"old_{name}", tmp_path / name
    old.write_bytes(pickle.dumps({"state_dict": list(range(100))}, protocol=2))
    torch.save({"state_dict": torch.zeros(3)}, new)
    assert zipfile.is_zipfile(new)
    for path in (old, new):
        with pytest.raises(CheckpointError, match="is a pickle, which can run any program"):
            read_header(path)


def test_a_file_cut_off_anywhere_is_refused(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    for length in range(len(data)):
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="cut off|not a .safetensors"):
            read_header(cut)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html><html>404</html>",
        struct.pack("<Q", 1 << 40) + b"{}",
        struct.pack("<Q", 4) + b"[1]]",
        struct.pack("<Q", 3) + b"[1]",
        struct.pack("<Q", 2) + b"\xff\xff",
    ],
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a .safetensors file"):
        read_header(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        {"dtype": "F32", "shape": "x", "data_offsets": [0, 4]},
        {"shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0]},
        7,
    ],
)
def test_a_wrong_entry_is_refused_by_name(tmp_path: Path, entry: object) -> None:
    head = json.dumps({"weight": entry}).encode()
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(8))
    with pytest.raises(CheckpointError, match="damaged.*'weight'"):
        read_header(path)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_no_bytes_make_it_fail_with_anything_but_a_sentence(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_header(path)


def test_header_family_and_inspection_load_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "import lorasmith.checkpoints.inspection, lorasmith.checkpoints.layout_sd1, lorasmith.checkpoints.lora_keys\n"
        "import lorasmith.checkpoints.hashes, lorasmith.rendering.prompt\n"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'numpy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
