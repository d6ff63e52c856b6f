"""One training in several processes: the request as a file, the processes that share it, and one that leads them.

On one machine `train --processes N` does all of it. On several machines the file lies in a folder that all of them see, and
torchrun starts `python -m lorasmith train-share FILE` on each.
"""

import json
import os
import socket
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import TrainingError, UsageError
from lorasmith.files import write_atomic
from lorasmith.model_imports import uncollected
from lorasmith.progress import Report
from lorasmith.settings.tables import TrainSettings

if TYPE_CHECKING:
    from lorasmith.jobs.place import ChildWork
    from lorasmith.training.request import Trained, TrainRequest

REQUEST = "request.json"
_LOOK = 0.2  # seconds between two looks at the processes
_PARTING = 20.0  # seconds that processes have to end after they were asked to


def train_together(request: "TrainRequest", processes: int, report: Report) -> "Trained":
    """Trains in so many processes of this machine; each takes its rows of every batch.

    Raises `TrainingError` with the first process's sentence when one of them ends badly; all end then.
    """
    from lorasmith.jobs import processes as children
    from lorasmith.jobs.place import ChildWork

    file = request.run_folder / REQUEST
    write_request(request, file)
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(processes)}
    if sys.platform == "win32":  # the Windows builds of torch come without libuv
        here["USE_LIBUV"] = "0"
    work = []
    for rank in range(processes):
        own = {**here, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        log = request.run_folder / f"process-{rank}.log"
        work.append(ChildWork(children.start(["train-share", str(file), "--json", "--events"], log, own), log))
    try:
        return _followed(work, request.lora_folder, report)
    finally:
        _end(work)


def _followed(work: "list[ChildWork]", loras: Path, report: Report) -> "Trained":
    """Tells the first process's progress until all have ended well; gives its result."""
    told = None
    while any(each.state() is None for each in work) and not any(each.state() for each in work):
        progress = work[0].progress()
        if progress and progress != told:
            report(progress)
        told = progress
        time.sleep(_LOOK)
    failed = next((each for each in work if each.state()), None)
    answer = (failed or work[0]).answer()
    if failed is not None:
        raise TrainingError(str(answer.get("error") or "One of the training processes ended; see process-*.log."))
    from lorasmith.training.request import SavedLora, Trained

    files = tuple(SavedLora(row["epoch"], row["step"], loras / Path(row["path"]).name, row["loss"]) for row in answer["files"])
    return Trained(files, answer["steps"], answer["loss"], answer["resumed_from"])


def _end(work: "list[ChildWork]") -> None:
    """Asks what still runs to stop, and ends it when it does not."""
    for each in work:
        each.ask_to_stop()
    until = time.monotonic() + _PARTING
    while any(each.state() is None for each in work) and time.monotonic() < until:
        time.sleep(_LOOK)
    for each in work:
        if each.state() is None:
            each.kill()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_request(request: "TrainRequest", file: Path) -> None:
    """Writes what is to be trained, with absolute paths."""
    words: dict[str, Any] = asdict(request) | {"settings": request.settings.model_dump()}
    write_atomic(file, json.dumps(words, default=str, indent=1) + "\n")


def read_request(file: Path) -> "TrainRequest":
    """Reads what `write_request` wrote; raises `UsageError` when it is something else."""
    from lorasmith.training.dataset import TrainingPicture
    from lorasmith.training.request import TrainRequest

    try:
        words = json.loads(file.read_text(encoding="utf-8"))
        for picture in words["pictures"]:
            picture["path"] = Path(picture["path"])
            picture["mask"] = Path(picture["mask"]) if picture["mask"] else None
        words["pictures"] = [TrainingPicture(**picture) for picture in words["pictures"]]
        words["settings"] = TrainSettings(**words["settings"])
        for place in ("run_folder", "lora_folder", "cache_folder", "checkpoint"):
            words[place] = Path(words[place])
        words["triggers"] = tuple(words.get("triggers", ()))
        return TrainRequest(**words)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} is no training request ({error}); `lorasmith train --processes 2` writes one.") from error


def take_part(file: Path, report: Report) -> "Trained":
    """Trains this process's part of a request; RANK and WORLD_SIZE say which (torchrun sets them)."""
    with uncollected():
        from lorasmith.training.train import train

    if "RANK" not in os.environ:
        raise UsageError("train-share is started by `lorasmith train --processes N` or by torchrun; see docs/stages.md.")
    return train(read_request(file), report)
