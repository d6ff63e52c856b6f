"""Small projects that can be trained, and runs as a training leaves them, for the tests of the Train and Queue pages."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from lorasmith.project.pictures import Caption, Picture, facts_of
from lorasmith.project.project import Project

SIZES = ((96, 96), (64, 128), (160, 80), (48, 48))
QUICK: dict[str, Any] = {
    "resolution": 64, "bucket_step": 32, "min_bucket": 32, "max_bucket": 128, "rank": 2, "epochs": 2, "repeats": 2,
    "batch_size": 2, "sample_every": 1, "sample_steps": 2, "checkpoint_every": 1, "strength": 1.1, "sample_prompts": ["nick, solo"],
}  # fmt: skip


def make_trainable(folder: Path, base: Path | None, count: int = 6, *, captions: bool = True, **settings: Any) -> Path:
    """Makes a project with pictures of four shapes and their captions."""
    chosen = {"train": {**QUICK, **({"checkpoint": str(base)} if base else {}), **settings}}
    with Project.create(folder, "nick", chosen=chosen) as project, project.change("add", "add"):
        for number in range(count):
            name, size = f"own_{number:02d}", SIZES[number % len(SIZES)]
            path = project.images / f"{name}.png"
            Image.effect_noise(size, 60).convert("RGB").save(path)
            project.pictures.add(Picture(name, origin="folder", **facts_of(project.folder, path, size)))
            if captions:
                project.pictures.set_caption("default", Caption(name, "nick, solo, standing"))
    return folder


def write_run(folder: Path, events: Sequence[dict[str, Any]], *, number: str = "001", steps: int = 60, ended: bool = False) -> Path:
    """Writes a run's folder as a training does: what it is, its events, its samples, and the end when it has come."""
    run = folder / "runs" / number
    (run / "samples").mkdir(parents=True, exist_ok=True)
    table = "[run]\nname = 'nick'\nstarted_at = 1000.0\n\n[base]\nfile = 'tiny.safetensors'\n"
    table += f"\n[plan]\nsteps_per_epoch = 20\nsteps = {steps}\n"
    (run / "run.toml").write_text(f"{table}\n[settings]\nrank = 2\nepochs = 3\n\n[fingerprint.settings]\nrank = 2\n", encoding="utf-8")
    (run / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    for event in events:
        if event["event"] == "sample":
            Image.effect_noise((64, 64), 90).convert("RGB").save(run / "samples" / event["file"])
        if event["event"] == "saved":
            (folder / "loras" / event["file"]).write_bytes(b"\0" * 200_000)
    if ended:
        (run / "trained.json").write_text(json.dumps({"files": [], "steps": steps, "loss": 0.1}), encoding="utf-8")
    return run


def story(steps: int, *, begun: float = 1000.0, validation: bool = False) -> list[dict[str, Any]]:
    """Tells a run of 20 steps an epoch up to a step: half a second each, the loss going down."""
    told: list[dict[str, Any]] = [{"event": "start", "time": begun, "pictures": 4}]
    for step in range(5, steps + 1, 5):
        time = begun + step * 0.5
        told.append({"event": "step", "time": time, "step": step, "loss": 0.3 - step * 0.003, "unet_lr": 1e-3 * (1 - step / 100)})
        if step % 20 == 0:
            epoch = step // 20
            row = {"event": "epoch", "time": time, "epoch": epoch, "step": step, "loss": 0.3 - step * 0.003}
            told.append(row | ({"validation_loss": 0.31 - step * 0.002} if validation else {}))
            told.append({**row, "event": "saved", "file": f"nick-e{epoch}.safetensors"})
            for place, prompt in enumerate(("nick, solo", "nick")):
                told.append({"event": "sample", "time": time, "epoch": epoch, "file": f"e{epoch:02d}-{place}.png", "prompt": prompt})
    return told


def at_work(run: Path, pid: int | None = None) -> None:
    """Says that a process trains this run: this one, if no other is named."""
    pid = pid or os.getpid()
    (run / "at_work.json").write_text(json.dumps({"pid": pid, "born": psutil.Process(pid).create_time()}), encoding="utf-8")
