"""Masks of what is learnt, and the pictures held out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lorasmith.errors import PictureError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.buckets import Fit, fit
from lorasmith.training.dataset import TrainingPicture, mask_file
from lorasmith.training.masks import has_mask, masks_of
from lorasmith.training.validation import hold_out

BUCKET = (64, 128)


def settings(kind: str, **more: object) -> TrainSettings:
    return TrainSettings(masked_loss=kind, resolution=128, **more)


def see_through(folder: Path, form: str = "png") -> TrainingPicture:
    """A picture of 64 x 128 whose upper half is transparent."""
    pixels = np.full((128, 64, 4), 200, np.uint8)
    pixels[:64, :, 3], pixels[64:, :, 3] = 0, 255
    path = folder / f"a.{form}"
    Image.fromarray(pixels).save(path)
    return TrainingPicture("a", path, "mia", 1, "1_mia")


def mask(picture: TrainingPicture, of: TrainSettings, where: Fit | None = None, mirrored: bool = False) -> torch.Tensor:
    return masks_of([picture], {picture.name: where or fit((64, 128), BUCKET)}, of)[picture.name, mirrored]


def test_what_is_transparent_counts_little_and_the_rest_whole(tmp_path: Path) -> None:
    found = mask(see_through(tmp_path), settings("alpha", unmasked_weight=0.2))
    assert found.shape == (1, 16, 8)
    assert found[0, :8].eq(0.2).all() and found[0, 8:].eq(1).all()


def test_a_picture_without_alpha_is_learnt_whole(tmp_path: Path) -> None:
    Image.new("RGB", (64, 128)).save(tmp_path / "b.png")
    picture = TrainingPicture("b", tmp_path / "b.png", "mia", 1, "1_mia")
    assert not has_mask(picture, "alpha")
    assert mask(picture, settings("alpha")).eq(1).all()


def test_a_mask_that_covers_nothing_is_taken_for_a_fault_and_left(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 128), (0, 0, 0, 0)).save(tmp_path / "a.png")
    picture = TrainingPicture("a", tmp_path / "a.png", "mia", 1, "1_mia")
    assert mask(picture, settings("alpha")).eq(1).all()


def test_a_mask_goes_the_way_of_its_picture_through_crop_and_mirror(tmp_path: Path) -> None:
    white = np.zeros((200, 300), np.uint8)
    white[:, 150:] = 255  # the right half
    Image.fromarray(white).save(tmp_path / "c-masklabel.png")
    Image.new("RGB", (300, 200)).save(tmp_path / "c.png")
    picture = TrainingPicture("c", tmp_path / "c.png", "mia", 1, "1_mia", mask=mask_file(tmp_path / "c.png"))
    both = masks_of([picture], {"c": fit((300, 200), (128, 128))}, settings("file", flip=True, unmasked_weight=0))
    plain, mirrored = both["c", False], both["c", True]
    assert plain[0, :, 10:].eq(1).all() and plain[0, :, :6].eq(0).all()
    assert torch.equal(mirrored, plain.flip(-1))


def test_the_projects_own_masks_go_before_those_beside_the_picture(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for name in ("masks/a.png", "a-masklabel.png", "a.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    assert mask_file(tmp_path / "a.png", tmp_path / "masks") == tmp_path / "masks" / "a.png"
    assert mask_file(tmp_path / "a.png") == tmp_path / "a-masklabel.png"
    assert mask_file(tmp_path / "b.png", tmp_path / "masks") is None


def test_a_mask_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 128)).save(tmp_path / "a.png")
    (tmp_path / "a-masklabel.png").write_bytes(b"no picture")
    picture = TrainingPicture("a", tmp_path / "a.png", "mia", 1, "1_mia", mask=tmp_path / "a-masklabel.png")
    with pytest.raises(PictureError, match="a-masklabel.png"):
        mask(picture, settings("file"))


def test_the_character_itself_can_be_the_mask(tmp_path: Path) -> None:
    pixels = np.full((128, 128, 3), 250, np.uint8)
    yy, xx = np.mgrid[:128, :128]
    pixels[(yy - 64) ** 2 + (xx - 64) ** 2 < 30**2] = (200, 40, 40)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = TrainingPicture("a", tmp_path / "a.png", "mia", 1, "1_mia")
    found = mask(picture, settings("character", unmasked_weight=0), fit((128, 128), (128, 128)))
    assert found[0, 8, 8] > 0.9 and found[0, 0, 0] < 0.1


def rows(count: int) -> list[TrainingPicture]:
    return [TrainingPicture(f"e621_{n}", Path("a.png"), "mia", 1, "1_mia") for n in range(count)]


def test_the_same_pictures_are_held_out_each_time_and_crops_stay_with_their_original() -> None:
    pictures = [*rows(20), *(replace(each, name=f"{each.name}.2") for each in rows(20))]
    kept, out = hold_out(pictures, 0.1)
    assert len(out) == 4 and len(kept) == 36
    assert {each.name.split(".")[0] for each in out}.isdisjoint(each.name.split(".")[0] for each in kept)
    assert hold_out(list(reversed(pictures)), 0.1)[1] == list(reversed(out))


def test_something_is_always_left_to_train_on() -> None:
    assert hold_out(rows(1), 0.5) == (rows(1), [])
    assert hold_out(rows(5), 0.0) == (rows(5), [])
    assert len(hold_out(rows(2), 0.01)[1]) == 1


def test_regularisation_is_never_held_out() -> None:
    pictures = [replace(each, regularisation=True) for each in rows(10)]
    assert hold_out(pictures, 0.5) == (pictures, [])
