"""What a run does to fit a card, on cards that are made up and behave as real ones do."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as some

from lorasmith.checkpoints.load import load_base
from lorasmith.errors import TrainingError
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.card_probe import CardProbe, decided_before, trial_lessons, wanted_of, with_choice
from lorasmith.training.checkpointing import LEVELS, checkpoint_gradients, high_blocks
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.events import read_events
from lorasmith.training.fit_card import (
    FIRST,
    ROOM,
    Choice,
    Measured,
    SpillWatch,
    choices,
    fit,
    level_after_spill,
    note_spill,
    spill_note,
)
from lorasmith.training.learner import Learner
from lorasmith.training.plan import plan
from lorasmith.training.train import train
from tests.training.conftest import QUICK, Make

GB = 1_000_000_000


@dataclass
class MadeCard:
    """A card that reserves what a model and its pictures take, and is out of memory beyond its size."""

    gb: float
    model: float  # GB that weights, adapters and optimizer take
    picture: dict[str, float]  # GB of a picture's activations by level
    asked: list[Choice] = field(default_factory=list)

    def __call__(self, choice: Choice) -> Measured:
        self.asked.append(choice)
        needed = self.model + choice.batch_size * self.picture[choice.checkpointing]
        return Measured(int(needed * GB) if needed <= self.gb else None)


def sd15(gb: float) -> MadeCard:
    return MadeCard(gb, 2.6, {"none": 2.4, "selective": 1.3, "full": 0.7})


def sdxl(gb: float) -> MadeCard:
    return MadeCard(gb, 6.0, {"none": 9.0, "selective": 5.5, "full": 1.6})


@pytest.mark.parametrize(
    ("card", "batch", "found"),
    [
        (sd15(6), 4, Choice(4, 1, "full")),
        (sd15(8), 4, Choice(4, 1, "full")),
        (sd15(12), 4, Choice(4, 1, "selective")),
        (sd15(24), 4, Choice(4, 1, "none")),
        (sd15(6), 8, Choice(4, 2, "full")),
        (sdxl(8), 4, None),
        (sdxl(12), 4, Choice(2, 2, "full")),
        (sdxl(24), 4, Choice(4, 1, "full")),
        (sdxl(24), 1, Choice(1, 1, "none")),
        (sdxl(12), 1, Choice(1, 1, "full")),
        (sdxl(40), 4, Choice(4, 1, "selective")),
    ],
)
def test_the_biggest_batch_with_the_least_checkpointing_is_found(card: MadeCard, batch: int, found: Choice | None) -> None:
    wanted = Choice(batch, 1, "none")
    if found is None:
        with pytest.raises(TrainingError, match=r"8\.0 GB do not suffice .* at least 7\.6 GB are needed.*base_precision = 'int8'"):
            fit(wanted, int(card.gb * GB), card)
        return
    fitted = fit(wanted, int(card.gb * GB), card)
    assert fitted.choice == found and (fitted.note == "") == (found == wanted)
    assert [choice for choice, _ in fitted.tried] == card.asked and card.asked[-1] == found


def test_the_note_says_what_was_decided_and_why() -> None:
    note = fit(Choice(4, 1, "none"), 12 * GB, sdxl(12)).note
    assert note == (
        "To fit the card (9.2 GB of 12.0 GB): 2 pictures at once instead of 4, with the gradients of 2 batches added up and "
        "full gradient checkpointing."
    )


@how(max_examples=200, deadline=None)
@given(
    some.integers(1, 16), some.integers(1, 4), some.sampled_from(LEVELS), some.floats(3, 48), some.floats(0.5, 20),
    some.lists(some.floats(0.01, 6), min_size=3, max_size=3),
)  # fmt: skip
def test_what_is_chosen_fits_keeps_the_product_and_nothing_better_would(
    batch: int, accumulation: int, level: str, gb: float, model: float, sizes: list[float]
) -> None:
    card = MadeCard(gb, model, dict(zip(LEVELS, sorted(sizes, reverse=True), strict=True)))
    wanted = Choice(batch, accumulation, level)
    order = list(choices(wanted))
    assert order[0] == wanted and len(set(order)) == len(order)

    def fits(choice: Choice) -> bool:
        reserved = replace(card, asked=[])(choice).reserved
        return reserved is not None and reserved <= ROOM * int(gb * GB)

    try:
        found = fit(wanted, int(gb * GB), card).choice
    except TrainingError:
        assert not any(map(fits, order))
        return
    assert fits(found) and found.batch_size * found.gradient_accumulation == batch * accumulation
    assert not any(map(fits, order[: order.index(found)]))
    assert LEVELS.index(found.checkpointing) >= LEVELS.index(level)


def test_a_driver_that_spills_instead_of_failing_is_not_believed() -> None:
    def spilling(choice: Choice) -> Measured:  # more than the card has, without an error
        return Measured(int((6 + 9 * choice.batch_size) * GB)) if choice.checkpointing != "full" else Measured(7 * GB)

    assert fit(Choice(2, 1, "none"), 12 * GB, spilling).choice == Choice(2, 1, "full")


def test_slow_steps_on_a_full_card_are_a_spill_told_once() -> None:
    watch = SpillWatch(12 * GB)
    usual = [watch.sees(1.0, 11 * GB) for _ in range(10)]
    assert not any(usual) and not watch.sees(5.0, 11 * GB)
    assert watch.sees(5.0, 11 * GB)
    assert not any(watch.sees(5.0, 11 * GB) for _ in range(20))


@pytest.mark.parametrize(
    ("seconds", "reserved"),
    [([1.0, 5.0] * 20, 11.9), ([1.0] * 9 + [2.9] * 30, 11.9), ([1.0] * 9 + [50.0] * 30, 9.0), ([50.0] * FIRST + [1.0] * 9, 11.9)],
)
def test_a_hitch_a_little_slower_room_to_spare_and_a_slow_start_are_none(seconds: list[float], reserved: float) -> None:
    watch = SpillWatch(12 * GB)
    assert not any(watch.sees(each, int(reserved * GB)) for each in seconds)


def test_a_run_that_spilled_starts_with_one_step_more_checkpointing(tmp_path: Path) -> None:
    assert level_after_spill(tmp_path, "none") == "none"
    for spilled, level, after in (
        ("none", "none", "selective"), ("selective", "none", "full"), ("none", "full", "full"), ("full", "full", "full"),
    ):  # fmt: skip
        note_spill(tmp_path, spilled)
        assert level_after_spill(tmp_path, level) == after
    (tmp_path / "spill.json").write_text('{"checkpointing": 3}')
    assert level_after_spill(tmp_path, "none") == "none"
    assert "selective gradient checkpointing" in spill_note("none") and "lower batch_size" in spill_note("full")


def test_what_was_decided_is_in_run_toml_once_and_kept_on_resume(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = {"batch_size": 1, "gradient_accumulation": 2, "checkpointing": "selective", "note": "To fit the card."}
    trials: list[int] = []
    monkeypatch.setattr("lorasmith.training.train.demands_trial", lambda *_: trials.append(1) is None)
    monkeypatch.setattr("lorasmith.training.train.CudaMeter", lambda _: type("Still", (), {"start": lambda _: None})())
    fitted = type("Fitted", (), {"as_table": lambda _: decided})()
    monkeypatch.setattr("lorasmith.training.train.fit_to_card", lambda *_: fitted)
    request = make(sample_every=0)

    def stop(progress: object) -> None:
        if getattr(progress, "done", 0) == 3 and "epoch" in getattr(progress, "note", ""):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(request, stop)
    assert decided_before(request.run_folder) == decided and len(trials) == 1
    note_spill(request.run_folder, "selective")
    trained = train(request)
    assert trained.resumed_from == 3 and len(trials) == 1
    told = read_events(request.run_folder / "events.jsonl")
    assert next(event for event in told if event["event"] == "fit")["batch_size"] == 1
    after = with_choice(request.settings, decided, request.run_folder)
    assert wanted_of(after) == Choice(1, 2, "full")
    assert train(make("b", sample_every=0, fit="off")).steps != 0


def a_learner(base: Path, size: tuple[int, int] = (64, 128), **settings: object) -> Learner:
    chosen = TrainSettings(**{**QUICK, "batch_size": 4, **settings})
    rows = [TrainingPicture("own", Path("own"), "mia, red body", 4, "4_mia")]
    outline = plan(chosen, rows, {"own": (64, 64)})
    lessons = trial_lessons(size, "mia, red body", 4, torch.device("cpu"))
    return Learner(load_base(base, parts=("unet", "text_encoder")), lessons, chosen, outline)


def kept_by_a_step(learner: Learner, names: tuple[str, ...]) -> int:
    """Gives the bytes that the way forward keeps for the way back."""
    held = [each for module in learner.model.modules.values() for each in (*module.parameters(), *module.buffers())]
    own = {each.untyped_storage().data_ptr() for each in held}
    storages: dict[int, int] = {}

    def look(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(look, lambda tensor: tensor):
        losses = learner._losses(0, 0, names)
    assert losses is not None
    return sum(storages.values())


def test_each_level_keeps_less_for_the_way_back_and_gives_the_same_gradients(base: Path) -> None:
    learner = a_learner(base, (256, 256), text_encoder_lr=0.0)
    names = tuple(learner.lessons.captions)[:1]
    kept, gradients = {}, {}
    for level in (*LEVELS, "none"):  # and back again
        checkpoint_gradients(learner.model, tuple(learner.parts), level)
        kept[level] = kept_by_a_step(learner, names)
        learner.gradients(0, [names])
        gradients[level] = learner.adapters.groups["unet"].flat.values.grad.clone()
    assert kept["none"] > 1.4 * kept["selective"] > 1.4 * kept["full"]
    for level in LEVELS[1:]:
        torch.testing.assert_close(gradients[level], gradients["none"], atol=1e-7, rtol=1e-4)
    assert high_blocks(learner.model) == ("down_blocks.0.", "up_blocks.3.")


def test_a_probe_makes_real_steps_and_an_error_of_memory_is_an_answer(base: Path) -> None:
    learner = a_learner(base)
    seen: list[int] = []

    class Card:
        """Holds two pictures at most."""

        def start(self) -> None:
            seen.clear()

        def peak(self) -> int:
            return sum(seen)

    def forward(_: object, given: tuple[torch.Tensor, ...]) -> None:
        if len(given[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(len(given[0]))

    learner.model.unet.register_forward_pre_hook(forward)
    probe = CardProbe(learner, tuple(learner.lessons.captions), Card())
    assert probe(Choice(4, 1, "none")) == Measured(None)
    assert probe(Choice(2, 2, "selective")) == Measured(4)
    assert fit(Choice(4, 1, "none"), 100, probe).choice == Choice(2, 2, "none")
