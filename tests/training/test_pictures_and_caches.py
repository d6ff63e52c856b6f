"""Pictures as they are trained on, and the latents kept of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lorasmith.checkpoints.load import load_base
from lorasmith.errors import PictureError
from lorasmith.files import sha256_of
from lorasmith.training.buckets import fit
from lorasmith.training.caches import LatentCache, all_latents, weights_hash
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.pictures import read_fitted, size_of
from lorasmith.training.store import Store


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(path)
    assert read_fitted(path, fit((64, 64), (64, 64))).min() == 1.0


def test_a_turned_picture_is_read_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (128, 64), (255, 0, 0))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert size_of(tmp_path / "turned.jpg") == (64, 128)
    assert read_fitted(tmp_path / "turned.jpg", fit((64, 128), (64, 128))).shape == (3, 128, 64)


def test_the_middle_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert read_fitted(tmp_path / "wide.png", fit((128, 64), (64, 64))).min() == 1.0


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_broken_picture_is_a_sentence_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"broken\.png cannot be read"):
        size_of(path)


@pytest.fixture(scope="module")
def cache(base: Path, tmp_path_factory: pytest.TempPathFactory) -> LatentCache:
    vae = load_base(base, parts=("vae",)).vae
    return LatentCache(Store(tmp_path_factory.mktemp("cache")), lambda: vae, weights_hash(vae))


def test_latents_are_kept_by_content_and_mirrored_on_request(
    cache: LatentCache, pictures: list[TrainingPicture]
) -> None:
    shas = {picture.name: sha256_of(picture.path) for picture in pictures}
    fits = {picture.name: fit(size_of(picture.path), (64, 64)) for picture in pictures}
    before = {path: path.stat().st_mtime_ns for path in pictures[0].path.parent.iterdir()}
    first = all_latents(cache, pictures, shas, fits, flip=True)
    files = set(cache.store.folder.rglob("*.safetensors"))
    assert len(files) == len(first) == 2 * len(pictures)
    with_no_vae = replace(cache, vae=None)  # type: ignore[arg-type]  # proves that nothing is encoded again
    again = all_latents(with_no_vae, pictures, shas, fits, flip=True)
    assert all(torch.equal(first[key].mean, again[key].mean) for key in first)
    assert not torch.equal(first["own_0", False].mean, first["own_0", True].mean)
    assert {path: path.stat().st_mtime_ns for path in pictures[0].path.parent.iterdir()} == before
    all_latents(cache, pictures[:1], {"own_0": "another"}, fits, flip=False)
    all_latents(cache, pictures[:1], shas, {"own_0": fit((80, 80), (64, 128))}, flip=False)
    all_latents(replace(cache, vae_sha="another"), pictures[:1], shas, fits, flip=False)
    assert len(set(cache.store.folder.rglob("*.safetensors"))) == len(files) + 3


def test_a_damaged_cache_file_is_written_anew(cache: LatentCache, pictures: list[TrainingPicture]) -> None:
    row, geometry = pictures[2], fit((96, 96), (64, 64))
    first = cache.latent(row, "damage", geometry, False)
    newest = max(cache.store.folder.rglob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:50])
    assert torch.equal(cache.latent(row, "damage", geometry, False).mean, first.mean)
    assert newest.stat().st_size > 50
