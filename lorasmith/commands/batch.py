"""The command `lorasmith batch`: a file of characters, each brought down the whole road by the queue."""

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lorasmith.commands.farm import Where, opened

if TYPE_CHECKING:
    from lorasmith.jobs.store import Store
    from lorasmith.progress import Report
    from lorasmith.stages.batch.stage import Batch, Standing

_LOOK_EVERY = 0.3  # seconds
_HERE = "The queue is at work in another lorasmith of yours; the characters are in its line, and this waits for them."
_PAUSED = "The queue is paused; `lorasmith queue resume` lets it go on."


def batch(
    file: Annotated[Path, Parameter(help="the file of characters, such as characters.toml")],
    *,
    list: Annotated[bool, Parameter(help="only say how far each is, and write the page", negative="")] = False,
    where: Where | None = None,
) -> Any:
    """Bring many characters down the road, one [[character]] each; what is finished is not repeated, one that fails stops no other."""
    from lorasmith.commands.queue import open_store
    from lorasmith.stages.batch.characters import read_characters
    from lorasmith.stages.batch.stage import Batch, make_projects
    from lorasmith.stages.batch.summary import summed

    file = file.expanduser().absolute()
    characters = read_characters(file)
    with closing(open_store()) as store:
        known = Batch(file, characters, store)
        if not list:
            make_projects(characters)
            _run(known, store, where)
        return summed(known)


def _run(known: "Batch", store: "Store", where: Where | None) -> None:
    """Works through the line, or watches the lorasmith that does."""
    from lorasmith.folders import data_folder
    from lorasmith.jobs.queue import QueueTaken, at_work
    from lorasmith.terminal import shown

    with shown() as bar:
        try:
            with opened(where) as place, at_work(data_folder() / "jobs", place):
                store.resume()
                _see_through(known, store, bar)
        except QueueTaken:
            _say(_HERE)
            _see_through(known, store, bar)


def _see_through(known: "Batch", store: "Store", report: "Report") -> None:
    from lorasmith.progress import Progress
    from lorasmith.stages.batch.stage import see_through

    said: dict[str, Any] = {}
    count = len(known.characters.rows)

    def wait(standing: Sequence["Standing"]) -> None:
        if store.paused and not said.get("paused"):
            _say(_PAUSED)
        said["paused"] = store.paused
        over = sum(one.state in ("done", "failed", "stopped") for one in standing)
        now = "; ".join(f"{one.character.trigger}: {one.note or one.part}" for one in standing if one.state == "running")
        if said.get("now") != (over, now):
            said["now"] = (over, now)
            report(Progress("batch", over, count, now))
        time.sleep(_LOOK_EVERY)

    see_through(known, wait)
    report(Progress("batch", count, count, "done"))


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
