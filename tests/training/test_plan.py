"""The plan of a run."""

import subprocess
import sys
from pathlib import Path

import pytest

from lorasmith.checkpoints.topology import Base
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.plan import learning_rate, plan


def rows(count: int, repeats: int = 5, caption: str = "mia, red") -> list[TrainingPicture]:
    return [TrainingPicture(f"p{index}", Path(f"p{index}.png"), caption, repeats, "5_mia") for index in range(count)]


def square(pictures: list[TrainingPicture], side: int = 600) -> dict[str, tuple[int, int]]:
    return {picture.name: (side, side) for picture in pictures}


def test_the_learning_rate_is_strength_over_repeats_epochs_and_images() -> None:
    assert learning_rate(1.1, 5, 10, 40) == pytest.approx(1.1 / 2000)


def test_the_plan_follows_the_rule_and_halves_it_for_the_text_encoder() -> None:
    found = plan(TrainSettings(epochs=10, batch_size=4), rows(40), square(rows(40)))
    assert found.unet_lr == pytest.approx(5.5e-4) and found.text_encoder_lr == pytest.approx(2.75e-4)
    assert (found.steps_per_epoch, found.steps, found.images_seen) == (50, 500, 2000)
    assert found.buckets == {(512, 512): 200} and found.notes == []


def test_mixed_repeats_count_each_picture_as_often_as_it_is_seen() -> None:
    pictures = [*rows(20), *(TrainingPicture(f"h{n}", Path("h.png"), "mia", 1, "1_mia") for n in range(10))]
    assert plan(TrainSettings(epochs=10), pictures, square(pictures)).unet_lr == pytest.approx(1.1 / (110 * 10))


def test_set_rates_and_a_text_encoder_left_alone_are_kept_and_told() -> None:
    found = plan(TrainSettings(unet_lr=1e-4, text_encoder_lr=0), rows(20), square(rows(20)))
    assert (found.unet_lr, found.text_encoder_lr) == (1e-4, 0)
    assert any("text encoder is not trained" in note for note in found.notes)


def test_max_steps_ends_the_run_and_is_told() -> None:
    found = plan(TrainSettings(max_steps=7, batch_size=2), rows(20), square(rows(20)))
    assert found.steps == 7 and found.images_seen == 14
    assert any("7 of 500 steps" in note for note in found.notes)


@pytest.mark.parametrize(("base", "resolution", "words"), [("sd1", 1024, "is for SDXL"), ("sdxl", 512, "was made for 1024 pixels")])
def test_a_resolution_of_the_other_family_is_told(base: Base, resolution: int, words: str) -> None:
    def told(side: int) -> bool:
        found = plan(TrainSettings(resolution=side, clip_skip=1), rows(20), square(rows(20), 1100), base)
        return any(words in note for note in found.notes)

    assert told(resolution) and not told(768 if base == "sd1" else 1024)


def test_enlarged_and_heavily_cut_and_few_pictures_are_told_by_name() -> None:
    pictures = rows(3)
    notes = plan(TrainSettings(), pictures, {"p0": (300, 300), "p1": (3000, 200), "p2": (600, 600)}).notes
    assert any("only 3 pictures" in note for note in notes)
    assert any("enlarged up to 1.7 times: p0" in note for note in notes)
    assert any("cut off: p1" in note for note in notes)


def test_nothing_to_train_on_is_a_sentence() -> None:
    with pytest.raises(TrainingError, match="no pictures"):
        plan(TrainSettings(), [], {})
    with pytest.raises(TrainingError, match="size of p0"):
        plan(TrainSettings(), rows(1), {})


def test_planning_loads_no_heavy_library() -> None:
    code = (
        "import sys, lorasmith.training.plan, lorasmith.training.captions, lorasmith.training.metadata\n"
        "print([name for name in ('torch', 'numpy', 'PIL', 'diffusers') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
