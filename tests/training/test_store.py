"""Tensors kept on the disk: capped, the longest unused gone first, never one that a running training uses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lorasmith.errors import TrainingError
from lorasmith.progress import Progress
from lorasmith.training.caches import TextCache
from lorasmith.training.store import Store
from lorasmith.training.train import train
from tests.training.conftest import Make

KEYS = [f"{number:02d}{'a' * 38}" for number in range(6)]


def filled(folder: Path, most: int = 0) -> Store:
    """Six entries of about 4 KB, each used a second after the one before."""
    store = Store(folder, most)
    for age, key in enumerate(KEYS):
        store.write(key, {"values": torch.full((1000,), float(age))})
        os.utime(store.path(key), (1_000_000 + age, 1_000_000 + age))
    store.used.clear()
    return store


def left(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("??/*.safetensors"))


def test_the_longest_unused_go_first_and_a_use_counts(tmp_path: Path) -> None:
    store = filled(tmp_path, most=13_000)
    found = store.read(KEYS[0])
    assert found is not None and found["values"][0] == 0
    store.used.clear()
    with store.in_use():
        assert left(tmp_path) == [KEYS[0], KEYS[4], KEYS[5]]
    assert not list((tmp_path / "in-use").iterdir())


def test_what_this_run_uses_stays_though_it_is_too_much(tmp_path: Path) -> None:
    store = filled(tmp_path, most=1)
    for key in KEYS[1:3]:
        store.read(key)
    with store.in_use():
        assert left(tmp_path) == KEYS[1:3]


def test_without_a_cap_nothing_goes(tmp_path: Path) -> None:
    with filled(tmp_path).in_use():
        assert left(tmp_path) == KEYS


def test_what_another_process_uses_stays_until_it_is_gone(tmp_path: Path) -> None:
    filled(tmp_path)
    code = f"""
import sys
from pathlib import Path
from lorasmith.training.store import Store
store = Store(Path({str(tmp_path)!r}))
store.read({KEYS[0]!r})
with store.in_use():
    print("there", flush=True)
    sys.stdin.read()
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "there\n"
    with Store(tmp_path, 1).in_use():
        assert left(tmp_path) == [KEYS[0]]
    child.kill()
    child.wait()
    with Store(tmp_path, 1).in_use():
        assert left(tmp_path) == []


def test_a_damaged_entry_is_missing_and_a_fact_is_kept(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.path(KEYS[0]).write_bytes(b"damaged")
    assert store.read(KEYS[0]) is None and store.read("00" + "b" * 38) is None
    assert store.fact("vae-1") is None
    store.note("vae-1", "abc")
    assert store.fact("vae-1") == "abc"


def test_texts_are_told_apart_by_all_that_decides_them(tmp_path: Path) -> None:
    one, other = TextCache(Store(tmp_path), "encoders"), TextCache(Store(tmp_path), "other")
    keys = [
        one.key("mia", 1, torch.float32), one.key("mia, red", 1, torch.float32), one.key("mia", 2, torch.float32),
        one.key("mia", 1, torch.bfloat16), other.key("mia", 1, torch.float32),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys) and one.key("mia", 1, torch.float32) == keys[0]


def test_a_second_run_encodes_nothing_and_learns_the_same(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"text_encoder_lr": 0.0, "epochs": 1, "max_steps": 2, "sample_every": 1, "caption_variants": 2}
    first = train(make("a", **options))
    loaded: list[object] = []
    from lorasmith.training import train as module

    plain = module.load_base

    def watched(*given: object, **words: object) -> object:
        loaded.append(words.get("parts"))
        return plain(*given, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "load_base", watched)
    request = make("b", **options)
    cache = make("a").cache_folder
    from dataclasses import replace

    again = train(replace(request, cache_folder=cache))
    assert loaded == [(), ("unet",)]
    assert again.loss == first.loss and again.files[0].path.read_bytes() != b""
    third = make("c", **options, seed=5)
    loaded.clear()
    train(replace(third, cache_folder=cache))
    assert loaded[0] == () and ("text_encoder", "text_encoder_2") in loaded  # other draws of the captions


def test_a_picture_that_is_deleted_after_the_start_is_told_by_its_name(make: Make, tmp_path: Path) -> None:
    from dataclasses import replace
    from shutil import copy

    request = make()
    rows = [replace(row, path=Path(copy(row.path, tmp_path))) for row in request.pictures]

    def deleted(progress: Progress) -> None:
        if progress.note.startswith("encoding"):
            rows[3].path.unlink(missing_ok=True)

    with pytest.raises(TrainingError, match=r"own_3\.png is gone since the run began: put it back"):
        train(replace(request, pictures=rows), deleted)
