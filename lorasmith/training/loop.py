"""The loop of a run: steps, epochs, files, states. Killed at any instant, it goes on as if nothing had happened."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from lorasmith.checkpoints.header import read_header
from lorasmith.checkpoints.lora_file import write_lora
from lorasmith.errors import CheckpointError, TrainingError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report
from lorasmith.training.buckets import Draws, epoch_steps
from lorasmith.training.card_probe import Speed
from lorasmith.training.events import EventLog, NoLog
from lorasmith.training.fit_card import note_spill, spill_note
from lorasmith.training.learner import Learner
from lorasmith.training.metadata import RunFacts, SaveFacts, lora_metadata
from lorasmith.training.request import SavedLora, Trained, TrainRequest
from lorasmith.training.run_file import as_row, from_row
from lorasmith.training.sampling import draw_samples, png_bytes
from lorasmith.training.state import Bookkeeping, latest_state, save_state
from lorasmith.training.times import now

LOG_EVERY = 10  # steps between loss events; a GPU is waited for only then
EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Course:
    """What a loop needs to know of its run."""

    request: TrainRequest
    facts: RunFacts
    draws: Mapping[str, Draws]
    held_out: tuple[str, ...] = ()  # names of pictures whose loss is told at the end of each epoch
    fitted: Mapping[str, Any] = field(default_factory=dict)  # what was decided for the card

    @property
    def states(self) -> Path:
        """The folder of the run's states."""
        return self.request.run_folder / "checkpoints"


class Loop:
    """Trains a learner to the end of its course."""

    def __init__(self, course: Course, learner: Learner, report: Report) -> None:
        self.course, self.learner, self.report = course, learner, report
        self.settings, self.outline = course.request.settings, course.facts.plan
        self.book = Bookkeeping()
        self.resumed_from: int | None = None
        self._resume()
        self.writes = learner.team.first
        events = course.request.run_folder / EVENTS
        self.log = EventLog(events, self.book.events) if self.writes else NoLog()
        self._whole = True  # weights and bookkeeping belong to the same step
        self._pending: list[tuple[tuple[str, ...], torch.Tensor]] = []
        self._steps: tuple[int, list[list[tuple[str, ...]]]] = (-1, [])
        self._speed = Speed(learner.model.device)
        self._warning = ""
        self._opening()

    def _resume(self) -> None:
        """Takes up the newest whole state, where there is one."""
        found = latest_state(self.course.states, self.course.facts.fingerprint)
        if found:
            self.book, tensors = found
            self.learner.restore(tensors, self.book.scaler)
            self.resumed_from = self.book.step

    def _opening(self) -> None:
        """Writes the first event of this sitting."""
        if self.resumed_from is not None:
            self.log.write("resumed", step=self.resumed_from)
        else:
            facts = asdict(self.outline)
            del facts["buckets"]
            self.log.write("start", pictures=len(self.course.request.pictures), **facts)
        if self.course.fitted:
            self.log.write("fit", **self.course.fitted)
        self.book = replace(self.book, events=self.log.settle())

    def run(self) -> Trained:
        """Runs to the end; an interruption by hand saves a state and is raised again."""
        try:
            self._close_epoch()
            while self.book.step < self.outline.steps:
                self._step()
                self._close_epoch()
        except KeyboardInterrupt:
            if self._whole and self.book.step:
                self._save_state()
            raise
        finally:
            self.log.close()
        files = tuple(from_row(row, self.course.request.lora_folder) for row in self.book.saved)
        return Trained(files, self.outline.steps, self.book.epoch_loss, self.resumed_from)

    def _step(self) -> None:
        """Makes one step and what is due after it."""
        step = self.book.step
        epoch, place = divmod(step, self.outline.steps_per_epoch)
        if self._steps[0] != epoch:
            self._steps = (epoch, epoch_steps(self.course.draws, self.settings, epoch))
        batches = self._steps[1][place]
        if not self._pending:
            self._speed.start()
        names = tuple(name for batch in batches for name in batch)
        loss = self.learner.gradients(step, batches)
        self._whole = False
        self.learner.update(step)
        self._pending.append((names, loss))
        self.book = replace(self.book, step=step + 1)
        self._whole = True
        if (step + 1) % LOG_EVERY == 0 or self._at_end_of_epoch():
            self._note_losses()
        if (step + 1) % self.settings.checkpoint_every == 0 or self._at_end_of_epoch():
            self._save_state()
        mean = self.book.loss_sum / max(1, self.book.loss_count)
        note = f"epoch {epoch + 1}/{self.settings.epochs}" + (f", loss {mean:.4f}" if self.book.loss_count else "")
        note += f". {self._warning}" if self._warning else ""
        self.report(Progress("train", step + 1, self.outline.steps, note))

    def _at_end_of_epoch(self) -> bool:
        step = self.book.step
        return step > 0 and (step % self.outline.steps_per_epoch == 0 or step == self.outline.steps)

    def _note_losses(self) -> None:
        """Fetches the losses since the last time, and stops at one that is not finite."""
        if not self._pending:
            return
        values = torch.stack([loss for _, loss in self._pending]).tolist()
        for (names, _), value in zip(self._pending, values, strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"The loss is not finite at the pictures {', '.join(sorted(set(names)))}: look at them, "
                    "lower unet_lr, or use precision bf16 or fp32. The last good state is kept."
                )
        if self._speed.spilled(len(values)):
            self._note_spill()
        mean = math.fsum(values) / len(values)
        self.log.write("step", step=self.book.step, loss=mean, unet_lr=self.learner.rate, **self._card_memory())
        total = self.book.loss_sum
        for value in values:  # one by one: the sum must not depend on how often it is fetched
            total += value
        self._whole = False
        self.book = replace(
            self.book, loss_sum=total, loss_count=self.book.loss_count + len(values), events=self.log.settle()
        )
        self._pending = []
        self._whole = True

    def _card_memory(self) -> dict[str, int]:
        """Gives the most bytes of the card that were reserved so far; nothing on a CPU, whose runs repeat byte by byte."""
        device = self.learner.model.device
        return {"memory": torch.cuda.max_memory_reserved(device)} if device.type == "cuda" else {}

    def _note_spill(self) -> None:
        """Says that the card's memory spills, and notes it for the next start."""
        level = self.settings.gradient_checkpointing
        self._warning = spill_note(level)
        self.log.write("spill", step=self.book.step, checkpointing=level, note=self._warning)
        if self.writes:
            note_spill(self.course.request.run_folder, level)

    def _save_state(self) -> None:
        self._note_losses()
        if not self.writes:
            return
        scaler = self.learner.scaler.state_dict()
        book = replace(self.book, scaler=scaler)
        save_state(self.course.states, self.course.facts.fingerprint, book, self.learner.tensors())

    def _close_epoch(self) -> None:
        """Writes an ended epoch's LoRA and samples; the bookkeeping turns only when all is there."""
        epoch = -(-self.book.step // self.outline.steps_per_epoch)
        if not self._at_end_of_epoch() or self.book.finished >= epoch:
            return
        last = self.book.step == self.outline.steps
        loss = self.book.loss_sum / max(1, self.book.loss_count)
        saved = self._write_epoch(epoch, loss, last) if self.writes else self.book.saved
        self.book = replace(
            self.book,
            finished=epoch,
            saved=saved,
            epoch_loss=loss,
            loss_sum=0.0,
            loss_count=0,
            events=self.log.settle(),
        )

    def _write_epoch(self, epoch: int, loss: float, last: bool) -> tuple[dict[str, Any], ...]:
        """Writes what an epoch leaves; gives the rows of all LoRA files so far."""
        saved, settings = self.book.saved, self.settings
        with self.learner.as_saved():
            self.log.write("epoch", epoch=epoch, step=self.book.step, loss=loss, **self._validated(epoch))
            if last or epoch % settings.save_every == 0:
                saved = (*saved, as_row(self._save_lora(epoch, loss)))
            if settings.sample_every and (last or epoch % settings.sample_every == 0):
                self._draw_samples(epoch)
        return saved

    def _validated(self, epoch: int) -> dict[str, float]:
        """Tells the loss on the pictures that are held out, where there are any."""
        if not self.course.held_out:
            return {}
        self.report(Progress("train", self.book.step, self.outline.steps, f"validation of epoch {epoch}"))
        return {"validation_loss": self.learner.validation_loss(self.course.held_out)}

    def _save_lora(self, epoch: int, loss: float) -> SavedLora:
        """Writes the LoRA of an epoch under a name of its own; a file that an earlier sitting wrote stays as it is."""
        request, facts = self.course.request, self.course.facts
        path, kept = _place_for(request.lora_folder, request.stem(epoch, facts.fingerprint), facts.fingerprint)
        if not kept:
            save = SaveFacts(path.stem, epoch, self.book.step, now(), loss)
            write_lora(path, self.learner.adapters.weights(), lora_metadata(facts, save), torch.float16)
        self.log.write("saved", epoch=epoch, step=self.book.step, file=path.name, loss=loss)
        return SavedLora(epoch, self.book.step, path, loss)

    def _draw_samples(self, epoch: int) -> None:
        request, settings = self.course.request, self.settings
        prompts = request.sample_prompts
        folder = request.run_folder / "samples"
        paths = [folder / f"e{epoch:02d}-{index}.png" for index in range(len(prompts))]
        if not all(path.is_file() for path in paths):
            self.report(Progress("train", self.book.step, self.outline.steps, f"samples of epoch {epoch}"))
            pictures = draw_samples(
                self.learner.model,
                self.learner.of_samples(prompts),
                settings.resolution,
                settings.sample_steps,
                settings.seed,
            )
            for path, picture, prompt in zip(paths, pictures, prompts, strict=True):
                write_atomic(path, png_bytes(picture, prompt))
        for path, prompt in zip(paths, prompts, strict=True):
            self.log.write("sample", epoch=epoch, file=path.name, prompt=prompt)


def _place_for(folder: Path, stem: str, fingerprint: str) -> tuple[Path, bool]:
    """Gives where a LoRA goes and whether this run wrote it already; another run's file is never written over."""
    number = 1
    while True:
        path = folder / f"{stem if number == 1 else f'{stem}-{number}'}.safetensors"
        if not path.is_file():
            return path, False
        try:
            if read_header(path).metadata.get("lorasmith_fingerprint") == fingerprint:
                return path, True
        except CheckpointError:
            pass  # not ours: a damaged or foreign file under that name is left alone
        number += 1
