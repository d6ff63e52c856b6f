"""The WebUI that lends its model: gives back the GPU for a training, gets each finished LoRA, draws its test grid."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from lorasmith.errors import LorasmithError
from lorasmith.files import write_atomic
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import OPEN
from lorasmith.progress import Progress
from lorasmith.project.project import Project
from lorasmith.rendering.webui import Webui, WebuiRenderer
from lorasmith.stages.evaluate.publish import FOLDER, publish
from lorasmith.stages.evaluate.test_grid import test_grid
from lorasmith.training.events import read_events

_LOOK_EVERY = 1.0  # seconds
_AFTER_TROUBLE = 15.0  # seconds until what failed is tried again
_PASSING = ("busy", "gpu", "closing", "timeout", "interrupted", "unreachable")  # kinds of trouble that pass
_RECORD = "webui.json"  # in a run's folder: which of its files were published, and their grids
_TRAININGS = 12  # the latest jobs that are looked at
_TRAINS = ("train", "run")


class Host:
    """One WebUI, named by the environment."""

    def __init__(self, webui: Webui) -> None:
        self._webui = webui
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._settled: set[int] = set()  # jobs that have ended and of which nothing is left to do
        self._counting = threading.Lock()
        self._holders = 0  # jobs that have the GPU, or wait for it
        self._owed = False  # a restore that failed and must be tried again
        self.word = ""  # what last went wrong or well, for the page

    @classmethod
    def from_environment(cls) -> Self | None:
        """Gives the WebUI that LORASMITH_WEBUI_URL names, or None."""
        webui = Webui.from_environment()
        return None if webui is None else cls(webui)

    def release_gpu(self) -> None:
        """Asks the WebUI to give back the GPU."""
        with self._counting:
            self._holders += 1
            self._owed = False
        self._webui.release_gpu()

    def restore_gpu(self) -> None:
        """Gives the WebUI its GPU again; where it cannot be reached now, `_go` tries again."""
        try:
            self._webui.restore_gpu()
        except LorasmithError:
            self._owed = True
            raise
        finally:
            with self._counting:
                self._holders = max(0, self._holders - 1)

    def prompt_for(self, project: Project, lora: Path) -> str:
        """Puts a LoRA into the WebUI's folder, if it is not there, and gives the prompt that uses it."""
        published = publish(project, lora, self._lora_dir())
        self._webui.refresh_loras()
        facts = json.loads(published.with_suffix(".json").read_text(encoding="utf-8"))
        words = str(facts.get("activation text") or project.trigger)
        return f"{words} <lora:{published.stem}:{float(facts.get('preferred weight') or 1):g}>"

    def trainable_checkpoint(self) -> str:
        """Gives the path of the checkpoint that the WebUI has loaded; raises where it cannot be trained on."""
        from lorasmith.checkpoints.checkpoint import detect_at

        found = self._webui.status().get("checkpoint")
        if not found:
            raise LorasmithError("The WebUI has no checkpoint loaded yet; make one picture there, then try again.")
        if found["family"] not in ("sd1", "sdxl"):
            raise LorasmithError(
                f"'{found['name']}' is of the family {found['family']}; lorasmith trains on Stable Diffusion 1.x and SDXL."
            )
        if found["v_prediction"] and detect_at(str(found["path"])).prediction_type == "epsilon":
            raise LorasmithError(
                f"The WebUI takes '{found['name']}' as a model that predicts v, and the file does not say so. Write its path "
                f"into checkpoint and set prediction_type to v_prediction: {found['path']}"
            )
        if found["inpainting"]:
            raise LorasmithError(f"'{found['name']}' is an inpainting model; train on the ordinary one it was made from.")
        return str(found["path"])

    def _lora_dir(self) -> Path:
        return Path(str(self._webui.status()["lora_dir"]))

    def follow(self, queue: Queue) -> None:
        """Begins to look for finished LoRAs of the trainings in the queue."""
        self._thread = threading.Thread(target=self._go, args=(queue,), name="LoRAs for the WebUI", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops looking."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _go(self, queue: Queue) -> None:
        """Looks into the projects of the latest trainings: their files come one by one, the last at the end."""
        troubles: dict[str, None] = {}  # of the last round, each once
        while not self._closing.wait(_AFTER_TROUBLE if troubles else _LOOK_EVERY):
            troubles.clear()
            with _kept_in(troubles):
                if self._owed and not self._holders:
                    self._webui.restore_gpu()
                    self._owed = False
                for job in queue.store.latest(count=_TRAININGS):
                    if job.stage in _TRAINS and job.started and job.id not in self._settled:
                        with _kept_in(troubles):  # one project's trouble is none of the others'
                            waits = self._bring(job.folder, datetime.fromisoformat(job.started).timestamp() - 1)
                            if not waits and job.state not in OPEN:
                                self._settled.add(job.id)
            if troubles:
                self._say(" ".join(troubles))

    def _bring(self, folder: Path, since: float) -> bool:
        """Publishes and draws what was saved since a moment; gives whether something waits for the WebUI's model.

        What was done stands in the run's folder, so that a restart neither forgets a grid nor brings back a file that the
        person has taken out of the WebUI's folder.
        """
        if not folder.is_dir():
            return False
        waits = False
        with Project.open(folder, writing=False) as project:
            for run in project.numbered(project.runs)[-2:]:
                rows = [row for row in read_events(run / "events.jsonl") if row.get("event") == "saved"]
                for file in (project.loras / str(row["file"]) for row in rows if float(row.get("time", 0)) >= since):
                    if not self._closing.is_set() and file.is_file():
                        waits |= self._bring_one(project, run, file)
        return waits

    def _bring_one(self, project: Project, run: Path, file: Path) -> bool:
        record = run / _RECORD
        done = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        mine = done.setdefault(file.name, {})
        if "name" not in mine:
            mine["name"] = publish(project, file, self._lora_dir()).name
            write_atomic(record, json.dumps(done, indent=1))
            self._say(f"{mine['name']} is in the WebUI's LoRA folder (press Refresh in its Lora tab to see the card).")
        if "grid" in mine:
            return False
        if self._holders or self._owed:
            return True  # the grid is drawn when the WebUI has its model again
        mine["grid"] = self._draw(project, self._lora_dir() / FOLDER / mine["name"])
        write_atomic(record, json.dumps(done, indent=1))
        return False

    def _draw(self, project: Project, published: Path) -> str:
        """Draws a test grid; gives its name, or why there can be none. Trouble that passes is raised."""
        try:
            self._webui.refresh_loras()
            drawn = test_grid(project, published, WebuiRenderer(self._webui), self._tell)
        except LorasmithError as error:
            if getattr(error, "kind", "") in _PASSING:
                raise
            self._say(f"No test grid of {published.name}: {error}")  # a wrong family stays wrong
            return str(error)
        self._say(f"The test grid of {published.name} took {drawn.seconds:.0f} s.")
        return drawn.file.name

    def _tell(self, progress: Progress) -> None:
        self.word = f"Test grid: {progress.done} of {progress.total} {progress.note}"

    def _say(self, words: str) -> None:
        if words != self.word:
            self.word = words
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()


@contextmanager
def _kept_in(troubles: dict[str, None]) -> Iterator[None]:
    """Keeps what went wrong, of any kind: a thread that dies tells nobody."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        troubles[str(error)] = None
