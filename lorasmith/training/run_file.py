"""run.toml: what a run is, written once at its start; and trained.json, written once at its end."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from lorasmith.errors import TrainingError
from lorasmith.files import write_atomic
from lorasmith.training.fingerprint import Fingerprint, differences
from lorasmith.training.plan import Plan
from lorasmith.training.request import SavedLora, Trained, TrainRequest
from lorasmith.training.times import now

RUN_FILE = "run.toml"
END_FILE = "trained.json"
SHOWN = 4  # differences named in a refusal


@dataclass(frozen=True)
class Run:
    """A run that was begun: when, and its fingerprint's digest."""

    started_at: float
    digest: str


def begin(request: TrainRequest, fingerprint: Fingerprint, plan: Plan, fit: Mapping[str, Any] | None = None) -> Run:
    """Begins a run, or takes up the one in its folder; `fit` is what was decided of it for the card.

    Raises `TrainingError` naming what differs when the folder holds a run of other settings, pictures or base model.
    """
    path = request.run_folder / RUN_FILE
    if not path.is_file():
        run = Run(now(), fingerprint.digest)
        write_atomic(path, tomlkit.dumps(_document(request, fingerprint, plan, run) | ({"fit": dict(fit)} if fit else {})))
        return run
    run, then = _read(path)
    if found := differences(then, fingerprint):
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise TrainingError(
            f"Run {request.run_folder.name} cannot go on: {'; '.join(found[:SHOWN])}{more}. "
            "Put that back, or start a new run."
        )
    return Run(run.started_at, fingerprint.digest)


def _document(request: TrainRequest, fingerprint: Fingerprint, plan: Plan, run: Run) -> dict[str, Any]:
    settings = {key: value for key, value in request.settings.model_dump().items() if value is not None}
    return {
        "run": {
            "name": request.name,
            "trigger": request.trigger,
            "started_at": run.started_at,
            "fingerprint": run.digest,
        },
        "base": {"file": request.checkpoint.name, "sha256": fingerprint.base},
        "plan": {
            "unet_lr": plan.unet_lr,
            "text_encoder_lr": plan.text_encoder_lr,
            "steps_per_epoch": plan.steps_per_epoch,
            "steps": plan.steps,
            "images_seen": plan.images_seen,
        },
        "settings": settings,
        "fingerprint": {"settings": dict(fingerprint.settings)},
        "pictures": {name: dict(row) for name, row in fingerprint.pictures.items()},
    }


def _read(path: Path) -> tuple[Run, Fingerprint]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        run = Run(float(document["run"]["started_at"]), document["run"]["fingerprint"])
        then = Fingerprint(
            document["fingerprint"]["settings"], document.get("pictures", {}), document["base"]["sha256"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} cannot be read ({error}); start a new run.") from error
    return run, then


def write_end(folder: Path, run: Run, trained: Trained) -> None:
    """Notes that the run is complete, and what it gave."""
    facts = {
        "fingerprint": run.digest,
        "steps": trained.steps,
        "loss": trained.loss,
        "files": [as_row(saved) for saved in trained.files],
    }
    write_atomic(folder / END_FILE, json.dumps(facts, indent=1) + "\n")


def read_end(folder: Path, run: Run, lora_folder: Path) -> Trained | None:
    """Gives what a complete run gave, or None when it is not complete or all its LoRA files are gone."""
    try:
        facts = json.loads((folder / END_FILE).read_text(encoding="utf-8"))
        files = tuple(from_row(row, lora_folder) for row in facts["files"])
        if facts["fingerprint"] != run.digest or not any(saved.path.is_file() for saved in files):
            return None
        return Trained(tuple(saved for saved in files if saved.path.is_file()), facts["steps"], facts["loss"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def as_row(saved: SavedLora) -> dict[str, Any]:
    """Writes a saved LoRA as a JSON row; its folder is left out, so that a moved project stays right."""
    return {"epoch": saved.epoch, "step": saved.step, "file": saved.path.name, "loss": saved.loss}


def from_row(row: Mapping[str, Any], lora_folder: Path) -> SavedLora:
    """Reads a JSON row back."""
    return SavedLora(int(row["epoch"]), int(row["step"]), lora_folder / Path(row["file"]).name, float(row["loss"]))
