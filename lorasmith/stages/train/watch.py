"""watch: how a run goes or went, read from its folder alone: so it is told alike whoever started it, and wherever."""

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from lorasmith.project.project import Project
from lorasmith.stages.train.at_work import worker_of

State = Literal["at work", "stopped", "ended"]
POINTS = 500  # of a curve
_RATES = 120
_PACES = 30  # stretches of steps whose middle is the pace
_TOLD = ("rank", "alpha", "resolution", "repeats", "epochs", "batch_size", "optimizer", "lr_scheduler", "strength")


@dataclass(frozen=True)
class EpochRow:
    """An epoch that has ended."""

    epoch: int
    step: int
    loss: float
    validation_loss: float | None = None


@dataclass(frozen=True)
class SampleRow:
    """The samples of one prompt, epoch by epoch."""

    prompt: str
    files: tuple[tuple[int, str], ...]  # epoch, file below the project's folder; those that are there


@dataclass(frozen=True)
class FileRow:
    """A LoRA file that the run saved."""

    epoch: int
    loss: float
    file: str  # below the project's folder
    megabytes: float


@dataclass(frozen=True)
class Watched:
    """One run. Times are in seconds, `pace` is the seconds of a step."""

    run: str
    state: State
    steps: int  # 0 where not even run.toml is written
    step: int
    epoch: int  # that is being trained, from 1
    epochs: int
    started: float | None
    worked: float  # all sittings together
    sittings: int
    loss: float | None  # smoothed
    unet_lr: float | None
    pace: float | None
    left: float | None
    memory: int | None  # bytes: of the card where there is one, else of the machine
    memory_of: str  # "card" or "machine"; empty where it is not known
    points: tuple[tuple[int, float, float], ...]
    rates: tuple[tuple[int, float], ...]  # step, learning rate of the U-Net
    ended_epochs: tuple[EpochRow, ...]
    samples: tuple[SampleRow, ...]
    files: tuple[FileRow, ...]
    notes: tuple[str, ...]
    settings: dict[str, Any]
    base: str


def runs_of(project: Project) -> list[tuple[str, State]]:
    """Lists the runs, newest first, with how each stands."""
    return [(folder.name, _state(folder)) for folder in reversed(project.numbered(project.runs))]


def shown_first(runs: Sequence[tuple[str, State]]) -> str:
    """Gives the run that a person wants to see: the one at work, else the newest; empty where there is none."""
    return next((name for name, state in runs if state == "at work"), runs[0][0] if runs else "")


def seconds_left(project: Project) -> float | None:
    """Gives how long the run at work will take from now on; None where none is at work, or nobody can know yet."""
    runs = runs_of(project)
    name = shown_first(runs)
    return watch(project, name).left if (name, "at work") in runs else None


def watch(project: Project, run: str) -> Watched:
    """Reads how a run goes; what cannot be read is left out, files that are gone too."""
    from lorasmith.training.events import read_events

    folder = project.runs / run
    facts, events = _facts(folder), read_events(folder / "events.jsonl")
    state, worker = _state(folder), worker_of(folder)
    steps = [event for event in events if event.get("event") == "step" and _is_number(event.get("loss"))]
    last = steps[-1] if steps else {}
    total, done = int(facts["plan"].get("steps", 0)), int(last.get("step", 0))
    each = int(facts["plan"].get("steps_per_epoch", 0)) or 1
    pace, points = _pace(events), _points(steps)
    memory = last.get("memory") or (worker.memory if worker else None)
    epochs = -(-total // each) if total else 0
    return Watched(
        run=run, state=state, steps=total, step=done, epoch=min(max(1, epochs), done // each + 1), epochs=epochs,
        started=facts["run"].get("started_at"), worked=_worked(events),
        sittings=sum(event.get("event") in ("start", "resumed") for event in events),
        loss=points[-1][2] if points else None, unet_lr=last.get("unet_lr"), pace=pace,
        left=None if pace is None or state == "ended" else pace * max(0, total - done),
        memory=memory, memory_of="card" if last.get("memory") else "machine" if memory else "",
        points=tuple(points), rates=tuple(_rates(steps)), ended_epochs=tuple(_epochs(events)),
        samples=tuple(_samples(project, folder, events)),
        files=tuple(_files(project, events)), notes=tuple(_notes(events)),
        settings={name: facts["settings"][name] for name in _TOLD if name in facts["settings"]},
        base=str(facts["base"].get("file", "")),
    )  # fmt: skip


def _state(folder: Path) -> State:
    if worker_of(folder) is not None:
        return "at work"
    return "ended" if (folder / "trained.json").is_file() else "stopped"


def _facts(folder: Path) -> dict[str, dict[str, Any]]:
    """Reads what a run is. Only the tables before the pictures are parsed: of many pictures they are the whole file."""
    found: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        found = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8").partition("\n[fingerprint")[0])
    names = ("run", "base", "plan", "settings")
    return {name: found[name] if isinstance(found.get(name), dict) else {} for name in names}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _points(steps: Sequence[Mapping[str, Any]]) -> list[tuple[int, float, float]]:
    from lorasmith.training.curves import smoothed, thinned

    at = [int(event["step"]) for event in steps]
    weights = [float(max(1, now - before)) for before, now in zip([0, *at], at, strict=False)]  # an epoch's last stretch is shorter
    smooth = smoothed([float(event["loss"]) for event in steps], weights)
    points = [(int(event["step"]), float(event["loss"]), value) for event, value in zip(steps, smooth, strict=True)]
    return [(step, round(loss, 6), round(value, 6)) for step, loss, value in thinned(points, POINTS)]


def _rates(steps: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    told = [(int(event["step"]), float(event["unet_lr"])) for event in steps if _is_number(event.get("unet_lr"))]
    every = max(1, len(told) // _RATES)
    return [*told[:-1:every], *told[-1:]]


def _stretches(events: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Gives the steps and seconds between two events of one sitting that have a step and a time."""
    found = []
    before: Mapping[str, Any] | None = None
    for event in events:
        if not _is_number(event.get("time")):
            continue
        at = {"start": 0}.get(str(event.get("event")), event.get("step"))
        if event.get("event") in ("start", "resumed"):
            before = {"step": at or 0, "time": event["time"]}
        elif event.get("event") in ("step", "epoch", "saved") and before is not None and _is_number(at):
            found.append((int(at or 0) - int(before["step"]), max(0.0, float(event["time"]) - float(before["time"]))))
            before = {"step": at, "time": event["time"]}
    return found


def _pace(events: Sequence[Mapping[str, Any]]) -> float | None:
    """Gives how long a step takes: the middle one of the last stretches, so that samples and saving do not count."""
    paces = [seconds / steps for steps, seconds in _stretches(events) if steps > 0]
    return median(paces[-_PACES:]) if paces else None


def _worked(events: Sequence[Mapping[str, Any]]) -> float:
    return sum(seconds for _, seconds in _stretches(events))


def _epochs(events: Sequence[Mapping[str, Any]]) -> list[EpochRow]:
    rows: dict[int, EpochRow] = {}
    for event in events:
        with suppress(KeyError, TypeError, ValueError):
            if event["event"] == "epoch":
                told = event.get("validation_loss")
                rows[event["epoch"]] = EpochRow(
                    int(event["epoch"]), int(event["step"]), float(event["loss"]), None if told is None else float(told)
                )
    return [rows[epoch] for epoch in sorted(rows)]


def _samples(project: Project, folder: Path, events: Sequence[Mapping[str, Any]]) -> list[SampleRow]:
    rows: dict[str, dict[int, str]] = {}
    for event in events:
        if event.get("event") != "sample" or not isinstance(event.get("epoch"), int):
            continue
        row = rows.setdefault(str(event.get("prompt", "")), {})
        file = folder / "samples" / Path(str(event.get("file", ""))).name
        if file.is_file():
            row[event["epoch"]] = file.relative_to(project.folder).as_posix()
    return [SampleRow(prompt, tuple(sorted(files.items()))) for prompt, files in rows.items() if files]


def _files(project: Project, events: Sequence[Mapping[str, Any]]) -> list[FileRow]:
    rows: dict[str, FileRow] = {}
    for event in events:
        with suppress(KeyError, TypeError, ValueError, OSError):
            if event["event"] == "saved":
                path = project.loras / Path(event["file"]).name
                size = round(path.stat().st_size / 1e6, 1)
                where = path.relative_to(project.folder).as_posix()
                rows[path.name] = FileRow(int(event["epoch"]), float(event["loss"]), where, size)
    return sorted(rows.values(), key=lambda row: row.epoch)


def _notes(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Gives what was decided for the card, and that its memory spilled."""
    told = [str(event["note"]) for event in events if event.get("event") in ("fit", "spill") and event.get("note")]
    return list(dict.fromkeys(told))
