"""Tests of telling foundation models from merges and fine-tunes, and of what is said about it."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lorasmith.checkpoints import foundation
from lorasmith.checkpoints.family import Family
from lorasmith.checkpoints.foundation import TABLE, Foundation, judge_base, notes_on
from lorasmith.files import sha256_of

SD1 = Family("sd1", stated=True)


def a_file(path: Path, metadata: dict[str, str] | None = None) -> Path:
    save_file({"a": torch.zeros(3)}, path, metadata)
    return path


def test_the_table_holds_whole_hashes_and_true_sizes_once_each() -> None:
    assert len({row.sha256 for row in TABLE}) == len(TABLE)
    assert all(re.fullmatch(r"[0-9a-f]{64}", row.sha256) and row.size > 4 * 10**9 for row in TABLE)
    assert {row.base for row in TABLE} == {"sd1", "sdxl"}


def test_a_known_file_is_a_foundation_and_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_file(tmp_path / "root.safetensors")
    row = Foundation(path.stat().st_size, sha256_of(path), "Root 1.0", "sd1", "Root")
    monkeypatch.setattr(foundation, "TABLE", (*TABLE, row))
    assert judge_base(path) == foundation.Judged("foundation", "Root 1.0")
    assert notes_on(path, SD1) == []


def test_a_file_of_another_size_is_never_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: Path) -> str:
        raise AssertionError("the file was read")

    monkeypatch.setattr(foundation, "model_sha", never)
    assert judge_base(a_file(tmp_path / "x.safetensors")).standing == "unknown"


@pytest.mark.parametrize(
    ("metadata", "standing", "words"),
    [
        ({"sd_merge_recipe": "{}"}, "merge", "is a merge, as its metadata says"),
        ({"modelspec.merged_from": "a, b"}, "merge", "is a merge"),
        ({"ss_sd_model_name": "root.safetensors"}, "fine-tune", "a fine-tune of root.safetensors"),
        ({"ss_sd_model_name": "None"}, "unknown", "none of the root models known here .Stable Diffusion 1.5"),
        ({}, "unknown", "If it is a merge or a fine-tune: a LoRA trained on it fits it best"),
    ],
)
def test_what_a_derivative_costs_is_told(tmp_path: Path, metadata: dict[str, str], standing: str, words: str) -> None:
    path = a_file(tmp_path / "mix.safetensors", metadata)
    assert judge_base(path).standing == standing
    (note,) = notes_on(path, SD1)
    assert re.search(words, note) and "fits it best" in note


def test_a_name_that_says_v_prediction_is_doubted_where_the_file_is_silent(tmp_path: Path) -> None:
    path = a_file(tmp_path / "mix-vpred.safetensors")
    silent, said = Family("sdxl"), Family("sdxl", "v_prediction", stated=True)
    assert any("prediction_type = 'v_prediction'" in note for note in notes_on(path, silent))
    assert not any("prediction_type" in note for note in notes_on(path, said))
    assert any("teaches nothing" in note for note in notes_on(path, Family("sdxl", "epsilon", True, True)))
