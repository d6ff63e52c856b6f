"""What goes wrong in a training is a sentence with a name in it."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lorasmith.checkpoints.load import load_base
from lorasmith.errors import DiskFull, LorasmithError, TrainingError
from lorasmith.progress import Progress
from lorasmith.project.project import Project
from lorasmith.stages.train.training_set import read_folder
from lorasmith.training import state
from lorasmith.training.buckets import fit
from lorasmith.training.caches import LatentCache
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.store import Store
from lorasmith.training.train import train
from tests.training.conftest import Make


def test_latents_that_are_not_finite_name_the_picture(base: Path, pictures: list[TrainingPicture], tmp_path: Path) -> None:
    vae = load_base(base, parts=("vae",)).vae
    with torch.no_grad():
        next(vae.parameters()).fill_(float("nan"))
    cache = LatentCache(Store(tmp_path), lambda: vae, "damaged")
    with pytest.raises(TrainingError, match=r"no finite latents of own_2: the base model's VAE is damaged"):
        cache.latent(pictures[2], "sha", fit((96, 96), (64, 64)), False)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_disk_that_is_full_at_a_save_is_a_sentence_and_the_run_goes_on_later(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    request = make(sample_every=0, epochs=1)
    plain, fsync = state.write_atomic, os.fsync

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write(path: Path, content: bytes) -> None:
        monkeypatch.setattr(os, "fsync", full if "00000004" in path.name else fsync)
        try:
            plain(path, content)
        finally:
            monkeypatch.setattr(os, "fsync", fsync)

    monkeypatch.setattr(state, "write_atomic", write)
    with pytest.raises(DiskFull, match=r"The disk is full: .*state-00000004.* could not be written\. Free some space"):
        train(request)
    assert sorted(path.name for path in (request.run_folder / "checkpoints").iterdir()) == ["state-00000002.safetensors"]
    monkeypatch.setattr(state, "write_atomic", plain)
    assert train(request).resumed_from == 2


def test_a_picture_deleted_while_steps_are_made_is_not_missed(make: Make, tmp_path: Path) -> None:
    request = make(sample_every=0, epochs=1)
    rows = []
    for row in request.pictures:
        path = tmp_path / row.path.name
        path.write_bytes(row.path.read_bytes())
        rows.append(replace(row, path=path))

    def deleted(progress: Progress) -> None:
        if progress.note.startswith("epoch"):
            rows[0].path.unlink(missing_ok=True)

    assert train(replace(request, pictures=rows), deleted).steps == 4
    with pytest.raises(LorasmithError, match=r"own_0\.png cannot be read as a picture"):
        train(replace(make("b"), pictures=rows))


def test_two_runs_at_once_on_one_project_are_told_apart(tmp_path: Path) -> None:
    Project.create(tmp_path / "mia", "mia").close()
    told = r"Another lorasmith is working on .*mia; wait for it or stop it"
    with Project.open(tmp_path / "mia"), pytest.raises(LorasmithError, match=told):
        Project.open(tmp_path / "mia", patience=0.1)


@pytest.fixture
def subset(tmp_path: Path) -> Path:
    folder = tmp_path / "5_mia"
    folder.mkdir()
    for name in ("none", "empty", "binary", "utf16", "text"):
        Image.new("RGB", (64, 64), (len(name) * 20, 90, 90)).save(folder / f"{name}.png")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 4)
    (folder / "utf16.txt").write_text("mia, smile", encoding="utf-16")
    (folder / "text.txt").write_text("mia, hat\n", encoding="utf-8")
    return folder


def test_captions_of_a_subset_that_are_missing_or_empty_have_their_rule(subset: Path) -> None:
    (subset / "binary.txt").unlink()
    found = {row.path.stem: row.caption for row in read_folder("faces", subset, 1)}
    assert found == {"none": "mia", "empty": "", "utf16": "mia, smile", "text": "mia, hat", "binary": "mia"}


def test_a_caption_that_is_no_text_is_a_sentence_with_its_file(subset: Path) -> None:
    with pytest.raises(LorasmithError, match=r"binary\.txt is no text"):
        read_folder("faces", subset, 1)
