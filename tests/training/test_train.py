"""Whole runs on a thin random model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lorasmith.checkpoints.load import load_base
from lorasmith.checkpoints.lora_file import read_lora
from lorasmith.errors import RefusedError, TrainingError
from lorasmith.progress import Progress
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.caches import Latent
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.events import read_events
from lorasmith.training.learner import Learner, Lessons
from lorasmith.training.plan import plan
from lorasmith.training.train import train
from tests.checkpoints.tiny import write_tiny
from tests.training.conftest import QUICK, Make


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


@pytest.fixture(autouse=True)
def a_fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def test_a_run_gives_its_files_its_story_and_the_same_bytes_again(make: Make) -> None:
    request = make("a")
    trained = train(request)
    assert [saved.epoch for saved in trained.files] == [1, 2] and trained.resumed_from is None
    assert trained.steps == 8 and trained.loss == trained.files[-1].loss > 0
    assert all(
        saved.path.is_file() and saved.path.stem.startswith(f"mia-r001-e0{saved.epoch}-") for saved in trained.files
    )
    assert not (request.run_folder / "checkpoints").is_dir() or not list((request.run_folder / "checkpoints").iterdir())
    assert sorted(path.name for path in (request.run_folder / "samples").iterdir()) == ["e01-0.png", "e02-0.png"]
    told = [row["event"] for row in read_events(request.run_folder / "events.jsonl")]
    assert told == ["start", *["step", "step", "epoch", "saved", "sample"] * 2, "done"]

    file = read_lora(trained.files[-1].path)
    assert len(file.weights) == 264 and {each.alpha for each in file.weights.values()} == {2.0}
    assert {each.down.dtype for each in file.weights.values()} == {torch.float16}
    assert all(each.up.abs().max() > 0 for each in file.weights.values())
    assert file.metadata["ss_output_name"] == trained.files[-1].path.stem
    assert json.loads(file.metadata["ss_tag_frequency"])["1_mia"]["mia"] == 5

    def never(_: Progress) -> None:
        raise AssertionError("a complete run does nothing")

    assert train(request, never) == trained
    other = train(make("b"))
    assert contents(other.files[0].path.parent) == contents(request.lora_folder)
    with pytest.raises(TrainingError, match="rank was 4 and is now 8"):
        train(replace(request, settings=TrainSettings(**{**QUICK, "rank": 8})))


def test_a_run_stopped_by_hand_goes_on_from_the_very_step(make: Make) -> None:
    whole = train(make("whole", sample_every=0))

    def stop_at_three(progress: Progress) -> None:
        if progress.total == 8 and progress.done == 3:
            raise KeyboardInterrupt

    request = make("stopped", sample_every=0)
    with pytest.raises(KeyboardInterrupt):
        train(request, stop_at_three)
    states = sorted(path.name for path in (request.run_folder / "checkpoints").iterdir())
    assert states[-1] == "state-00000003.safetensors"
    trained = train(request)
    assert trained.resumed_from == 3
    assert contents(request.lora_folder) == contents(whole.files[0].path.parent)
    assert [replace(saved, path=Path()) for saved in trained.files] == [replace(s, path=Path()) for s in whole.files]
    told = [row["event"] for row in read_events(request.run_folder / "events.jsonl")]
    assert told[:4] == ["start", "step", "step", "resumed"] and told[-1] == "done"


def test_a_text_encoder_left_alone_is_not_in_the_file(make: Make) -> None:
    trained = train(make(text_encoder_lr=0.0, epochs=1, max_steps=2, sample_every=0, caption_dropout=0.4))
    assert [(saved.epoch, saved.step) for saved in trained.files] == [(1, 2)]
    file = read_lora(trained.files[0].path)
    assert len(file.weights) == 192 and all(name.startswith("lora_unet_") for name in file.weights)


def test_a_velocity_model_with_flips_and_checkpointed_gradients_trains(make: Make, tmp_path: Path) -> None:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    base = write_tiny(tmp_path / "v.safetensors", extra=marks)
    request = make(flip=True, gradient_checkpointing=True, clip_skip=2, noise_offset=0.05, max_steps=2)
    trained = train(replace(request, checkpoint=base))
    metadata = read_lora(trained.files[0].path).metadata
    assert metadata["ss_base_model_version"] == "sd_v1_v" and metadata["ss_zero_terminal_snr"] == "True"


def test_a_refused_caption_or_prompt_never_trains(make: Make, pictures: list[TrainingPicture]) -> None:
    with pytest.raises(RefusedError, match="own_0"):
        train(make(own=[replace(pictures[0], caption="mia, loli"), *pictures[1:]]))
    with pytest.raises(RefusedError, match="sample prompt"):
        train(make(sample_prompts=["mia, toddler"]))


def test_two_pictures_of_one_name_are_a_sentence(make: Make, pictures: list[TrainingPicture]) -> None:
    with pytest.raises(TrainingError, match="Two training pictures are named own_0"):
        train(make(own=[pictures[0], pictures[0]]))


def a_learner(base: Path, pictures: list[TrainingPicture], value: float, **settings: object) -> Learner:
    chosen = TrainSettings(**{**QUICK, **settings})
    latent = Latent(torch.full((4, 8, 8), value), torch.ones(4, 8, 8))
    lessons = Lessons(
        {picture.name: picture.caption for picture in pictures}, {(picture.name, False): latent for picture in pictures}
    )
    outline = plan(chosen, pictures, {picture.name: (64, 64) for picture in pictures})
    return Learner(load_base(base, parts=("unet", "text_encoder")), lessons, chosen, outline)


def test_a_loss_that_is_not_finite_names_the_pictures_of_its_batch(
    make: Make, base: Path, pictures: list[TrainingPicture], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = a_learner(base, pictures, float("nan"))
    monkeypatch.setattr("lorasmith.training.train.Learner", lambda *_: broken)
    with pytest.raises(TrainingError, match=r"not finite at the pictures own_\d"):
        train(make())


def test_checkpointed_gradients_are_the_same_gradients(base: Path, pictures: list[TrainingPicture]) -> None:
    names = ("own_0", "own_1")
    found = []
    for saving in (False, True):
        learner = a_learner(base, pictures, 0.5, gradient_checkpointing=saving)
        learner.gradients(0, [names])
        found.append(learner.adapters.groups["unet"].flat.values.grad)
    torch.testing.assert_close(found[0], found[1], atol=1e-7, rtol=1e-4)
