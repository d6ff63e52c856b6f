"""The WebUI that lends its model: gives back the GPU for a training, gets each finished LoRA, draws its test grid."""

import json
import sys
import threading
from pathlib import Path
from typing import Self

from lorasmith.errors import LorasmithError
from lorasmith.jobs.queue import Queue
from lorasmith.project.project import Project
from lorasmith.rendering.webui import Webui, WebuiRenderer
from lorasmith.stages.publish import publish
from lorasmith.stages.test_grid import test_grid
from lorasmith.ui.views.train import read_lines

_LOOK_EVERY = 1.0  # seconds
_AFTER_TROUBLE = 15.0  # seconds until what failed is tried again
_PASSING = ("busy", "gpu", "closing", "timeout", "interrupted", "unreachable")  # kinds of trouble that pass
_TRAINS = ("train", "run")


class Host:
    """One WebUI, named by the environment."""

    def __init__(self, webui: Webui) -> None:
        self._webui = webui
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._published: dict[Path, Path] = {}
        self._drawn: set[Path] = set()  # files whose grid is there, or cannot be
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
        """Looks into the projects that were trained while this server runs: their files come one by one, the last at the end."""
        followed: set[Path] = set()
        pause = _LOOK_EVERY
        while not self._closing.wait(pause):
            pause = _LOOK_EVERY
            try:
                if self._owed and not self._holders:
                    self._webui.restore_gpu()
                    self._owed = False
                running = {job.folder for job in queue.store.open() if job.stage in _TRAINS and job.state == "running"}
                followed = {folder for folder in followed | running if self._bring(folder) or folder in running}
            except Exception as error:  # noqa: BLE001 - a thread that dies tells nobody
                self._say(str(error))
                pause = _AFTER_TROUBLE

    def _bring(self, folder: Path) -> bool:
        """Publishes and draws what is there; gives whether something waits for the WebUI's model."""
        with Project.open(folder, writing=False) as project:
            runs = project.numbered(project.runs)
            saved = [row for row in read_lines(runs[-1] / "events.jsonl") if row.get("event") == "saved"] if runs else []
            for file in (project.loras / str(row["file"]) for row in saved):
                if file in self._drawn or not file.is_file() or self._closing.is_set():
                    continue
                if file not in self._published:
                    self._published[file] = publish(project, file, self._lora_dir())
                    self._say(f"{self._published[file].name} is in the WebUI's LoRA folder.")
                if not self._holders and not self._owed:  # else the grid is drawn when the WebUI has its model again
                    self._draw(project, self._published[file], runs[-1])
                    self._drawn.add(file)
            return any(project.loras / str(row["file"]) not in self._drawn for row in saved)

    def _draw(self, project: Project, published: Path, run: Path) -> None:
        if (run / "grids" / f"{published.stem}.png").exists():
            return
        try:
            self._webui.refresh_loras()
            drawn = test_grid(project, published, WebuiRenderer(self._webui))
        except LorasmithError as error:
            if getattr(error, "kind", "") in _PASSING:
                raise
            self._say(f"No test grid of {published.name}: {error}")  # a wrong family stays wrong
        else:
            self._say(f"The test grid of {published.name} took {drawn.seconds:.0f} s.")

    def _say(self, words: str) -> None:
        if words != self.word:
            self.word = words
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()
