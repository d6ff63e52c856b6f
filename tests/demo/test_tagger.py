"""Tests that the shipped tagger keeps the WD contract and reads drawings it never saw."""

from __future__ import annotations

import csv
import hashlib
import random
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

import lorasmith.demo
from lorasmith.demo.tagger_pictures import (
    CHARACTERS,
    GENERAL,
    LABELS,
    degraded,
    disfigure,
    drawn,
    head_crop,
    label_row,
    scene_of,
    squared,
)
from lorasmith.demo.tagger_score import Floats, Read, contract_input, f1_by_tag, macro_f1, reader_of
from lorasmith.demo.world import HELD_OUT, NEW_CHARACTER, Scene, random_scene, training_scene

TAGGER = Path(lorasmith.demo.__file__).parent / "models" / "tagger"
MODEL = TAGGER / "model.onnx"


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def read(session: onnxruntime.InferenceSession) -> Read:
    return reader_of(session)


def _held_out(split: str, count: int) -> list[tuple[Scene, random.Random]]:
    return [(scene_of(split, index), random.Random(f"{split} look {index}")) for index in range(count)]


def _rows(scenes: list[tuple[Scene, random.Random]]) -> NDArray[np.uint8]:
    return np.stack([label_row(scene.tags()) for scene, _ in scenes])


@pytest.fixture(scope="module")
def clean(read: Read) -> tuple[NDArray[np.uint8], Floats]:
    scenes = _held_out("test", 320)
    return _rows(scenes), read([drawn(scene, rng, (160, 400)) for scene, rng in scenes])


def test_the_model_takes_nhwc_floats_of_448_pixels_in_batches_of_any_size(
        session: onnxruntime.InferenceSession) -> None:
    (given,), (taken,) = session.get_inputs(), session.get_outputs()
    assert given.type == taken.type == "tensor(float)"
    assert given.shape[1:] == [448, 448, 3] and isinstance(given.shape[0], str)
    assert taken.shape[1] == len(LABELS)
    for count in (1, 3):
        pictures = np.full((count, 448, 448, 3), 255, dtype=np.float32)
        assert session.run(None, {given.name: pictures})[0].shape == (count, len(LABELS))


def test_the_tag_list_has_four_ratings_first_and_a_row_for_every_output() -> None:
    with (TAGGER / "selected_tags.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["tag_id", "name", "category", "count"]
    assert [row["name"] for row in rows] == list(LABELS)
    assert [row["category"] for row in rows] == ["9"] * 4 + ["0"] * len(GENERAL) + ["4"] * len(CHARACTERS)
    assert all(int(row["count"]) > 0 for row in rows[4:])


def test_the_tagger_does_not_know_the_new_character_by_name() -> None:
    assert NEW_CHARACTER not in LABELS
    assert set(HELD_OUT) < set(GENERAL)


def test_the_files_are_small_and_have_the_recorded_sums() -> None:
    assert MODEL.stat().st_size <= 3_000_000
    for line in (TAGGER / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((TAGGER / name).read_bytes()).hexdigest() == digest


def test_scores_are_probabilities_and_the_rating_is_general(clean: tuple[NDArray[np.uint8], Floats]) -> None:
    _, scores = clean
    assert scores.min() >= 0 and scores.max() <= 1
    assert (scores[:, 0] > 0.9).all() and (scores[:, 1:4] < 0.1).all()


def test_held_out_drawings_are_read_with_a_macro_f1_of_at_least_095(clean: tuple[NDArray[np.uint8], Floats]) -> None:
    expected, scores = clean
    by_tag = f1_by_tag(expected, scores)
    assert macro_f1(expected, scores) >= 0.95, sorted(by_tag.items(), key=lambda item: item[1])[:8]
    for tag in HELD_OUT:
        assert by_tag[tag] >= 0.95, tag


def test_clearly_visible_tags_score_high_and_absent_ones_low(clean: tuple[NDArray[np.uint8], Floats]) -> None:
    expected, scores = clean
    for tag in HELD_OUT:
        column = LABELS.index(tag)
        present = expected[:, column] == 1
        assert scores[present, column].mean() > 0.85, tag
        assert scores[~present, column].mean() < 0.05, tag


def test_small_soft_and_compressed_drawings_are_still_read(read: Read) -> None:
    scenes = _held_out("test degraded", 160)
    pictures = [degraded(disfigure(drawn(scene, rng, (112, 288)), rng), rng) for scene, rng in scenes]
    assert macro_f1(_rows(scenes), read(pictures)) >= 0.85


def test_a_head_crop_is_read_as_a_headshot(read: Read) -> None:
    scenes = [(scene, rng) for scene, rng in _held_out("test heads", 120) if len(scene.creatures) == 1]
    crops = [head_crop(scene, rng) for scene, rng in scenes]
    expected, scores = np.stack([label_row(tags) for _, tags in crops]), read([pixels for pixels, _ in crops])
    assert scores[:, LABELS.index("headshot_portrait")].mean() > 0.8
    assert scores[:, LABELS.index("full-length_portrait")].mean() < 0.1
    for tag in HELD_OUT:
        assert f1_by_tag(expected, scores)[tag] > 0.85, tag


def test_creatures_without_the_new_looks_are_not_said_to_have_them(read: Read) -> None:
    rng = random.Random("test of the base's world")
    pictures = [training_scene(rng, held_out=False).draw_array(128, 128) for _ in range(64)]
    scores = read([degraded(pixels, rng) for pixels in pictures])
    for tag in HELD_OUT:
        assert scores[:, LABELS.index(tag)].mean() < 0.05, tag


def test_a_picture_is_padded_with_white_in_bgr_before_it_is_resized() -> None:
    tall = np.zeros((200, 100, 3), dtype=np.uint8)
    tall[:, :, 0] = 255
    given = contract_input(tall)
    assert given.shape == (448, 448, 3)
    assert (given[:, :100] == 255).all() and (given[:, -100:] == 255).all()
    assert given[224, 224].tolist() == [0.0, 0.0, 255.0]
    assert (squared(tall, 100)[50, 10] == 255).all()


def test_a_mirrored_drawing_gets_the_same_tags(read: Read) -> None:
    rng = random.Random("mirror")
    scenes = [random_scene(rng, training_scene(rng, held_out=True).creatures[:1]) for _ in range(24)]
    pictures = [scene.draw_array(256, 256) for scene in scenes]
    forth, back = read(pictures), read([np.ascontiguousarray(pixels[:, ::-1]) for pixels in pictures])
    assert ((forth > 0.5) == (back > 0.5)).mean() > 0.98


def test_a_tag_nobody_asked_for_nor_said_has_no_f1() -> None:
    expected = np.zeros((2, len(LABELS)), dtype=np.uint8)
    scores = np.zeros((2, len(LABELS)), dtype=np.float32)
    expected[:, LABELS.index("solo")] = 1
    scores[0, LABELS.index("solo")] = 0.9
    assert f1_by_tag(expected, scores) == {"solo": pytest.approx(2 / 3)}
