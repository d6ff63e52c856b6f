"""The WebUI round the page: what a training has finished is published once, drawn when there is a model, and never forgotten."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lorasmith.errors import LorasmithError
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Store
from lorasmith.project.project import Project
from lorasmith.rendering.webui import Webui, WebuiError
from lorasmith.ui import host as module
from lorasmith.ui.host import Host
from tests.checkpoints.tiny import write_tiny
from tests.checkpoints.tiny_xl import write_tiny_xl
from tests.jobs.test_queue import StubPlace, until


class Wanting:
    """A WebUI in the test's hand; its troubles come first, one for each call."""

    def __init__(self, lora_dir: Path) -> None:
        self.lora_dir = lora_dir
        self.told: list[str] = []
        self.troubles: dict[str, list[WebuiError]] = {}
        self.checkpoint: dict[str, Any] | None = None

    def _do(self, what: str) -> None:
        self.told.append(what)
        if self.troubles.get(what):
            raise self.troubles[what].pop(0)

    def status(self) -> dict[str, Any]:
        return {"lora_dir": str(self.lora_dir), "checkpoint": self.checkpoint}

    def refresh_loras(self) -> None:
        self._do("refresh")

    def release_gpu(self) -> None:
        self._do("release")

    def restore_gpu(self) -> None:
        self._do("restore")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(module, "_AFTER_TROUBLE", 0.1)


@pytest.fixture
def webui(tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> Wanting:
    (tmp_path / "Lora").mkdir()
    made = Wanting(tmp_path / "Lora")

    class Grid:
        seconds = 1.0
        file = Path("grid.png")

    def draw(project: Project, published: Path, renderer: object, report: object) -> Grid:
        made._do("grid")
        return Grid()

    def publish(project: Project, lora: Path, lora_dir: Path) -> Path:
        made._do("publish")
        (lora_dir / "lorasmith").mkdir(exist_ok=True)
        return Path(shutil.copy(lora, lora_dir / "lorasmith" / lora.name))

    monkeypatch.setattr(module, "test_grid", draw)
    monkeypatch.setattr(module, "publish", publish)
    return made


@pytest.fixture
def training(tmp_path: Path, webui: Wanting) -> Iterator[tuple[Host, Path]]:
    """A host that follows a training at work, in a project whose run has saved nothing yet."""
    folder = tmp_path / "zorvex"
    with Project.create(folder, "zorvex") as project:
        (project.runs / "001").mkdir(parents=True)
    queue = Queue(tmp_path / "jobs", StubPlace())
    job = queue.add(folder, ["train", str(folder)], "gpu")
    until(lambda: queue.store.get(job.id).started)  # type: ignore[union-attr]
    found = Host(webui)  # type: ignore[arg-type]
    found.follow(queue)
    yield found, folder
    found.close()
    queue.close()


def save(folder: Path, name: str) -> None:
    """Lets the training save an epoch."""
    (folder / "loras" / name).write_bytes(b"a LoRA")
    with (folder / "runs" / "001" / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write(json.dumps({"event": "saved", "time": time.time(), "file": name}) + "\n")


def test_each_saved_epoch_is_published_and_drawn_once(training: tuple[Host, Path], webui: Wanting) -> None:
    save(training[1], "a.safetensors")
    until(lambda: webui.told.count("grid") == 1)
    save(training[1], "b.safetensors")
    until(lambda: webui.told.count("grid") == 2)
    assert webui.told.count("publish") == 2
    assert sorted(file.name for file in (webui.lora_dir / "lorasmith").iterdir()) == ["a.safetensors", "b.safetensors"]


def test_while_a_training_has_the_gpu_grids_wait_and_files_do_not(training: tuple[Host, Path], webui: Wanting) -> None:
    training[0].release_gpu()
    save(training[1], "a.safetensors")
    until(lambda: "publish" in webui.told)
    assert "grid" not in webui.told
    training[0].restore_gpu()
    until(lambda: "grid" in webui.told)


def test_a_grid_that_met_a_busy_webui_is_drawn_later_and_a_hopeless_one_is_told(
    training: tuple[Host, Path], webui: Wanting
) -> None:
    webui.troubles["grid"] = [WebuiError("It is busy.", "busy"), WebuiError("It is of another family.", "family")]
    save(training[1], "a.safetensors")
    until(lambda: webui.told.count("grid") == 2)
    until(lambda: "another family" in training[0].word)
    save(training[1], "b.safetensors")
    until(lambda: webui.told.count("grid") == 3)


def test_a_gpu_that_could_not_be_given_back_is_given_back_later(training: tuple[Host, Path], webui: Wanting) -> None:
    webui.troubles["restore"] = [WebuiError("No WebUI answers.", "unreachable")]
    training[0].release_gpu()
    with pytest.raises(WebuiError):
        training[0].restore_gpu()
    until(lambda: webui.told.count("restore") == 2)


def test_a_restart_draws_what_is_missing_and_brings_back_nothing(
    training: tuple[Host, Path], webui: Wanting, tmp_path: Path
) -> None:
    webui.troubles["grid"] = [WebuiError("It is busy.", "busy")] * 1000  # the WebUI ends before the grid is drawn
    save(training[1], "a.safetensors")
    until(lambda: "grid" in webui.told)
    training[0].close()
    (webui.lora_dir / "lorasmith" / "a.safetensors").unlink()  # the person takes it out
    webui.troubles.clear()
    webui.told.clear()
    again = Host(webui)  # type: ignore[arg-type]
    store = Store(tmp_path / "jobs" / "jobs.db")
    again.follow(SimpleNamespace(store=store))  # type: ignore[arg-type]
    until(lambda: "grid" in webui.told)
    again.close()
    store.close()
    assert "publish" not in webui.told


def test_what_an_earlier_training_saved_is_left_where_it_is(training: tuple[Host, Path], webui: Wanting) -> None:
    (training[1] / "loras" / "old.safetensors").write_bytes(b"a LoRA")
    with (training[1] / "runs" / "001" / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write(json.dumps({"event": "saved", "time": time.time() - 3600, "file": "old.safetensors"}) + "\n")
    save(training[1], "new.safetensors")
    until(lambda: "grid" in webui.told)
    assert [file.name for file in (webui.lora_dir / "lorasmith").iterdir()] == ["new.safetensors"]


def test_a_fault_of_any_kind_does_not_end_the_following(training: tuple[Host, Path], webui: Wanting) -> None:
    with (training[1] / "runs" / "001" / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write('{"event": "saved", "time": "soon"}\n')  # another program's
    until(lambda: training[0].word)
    (training[1] / "runs" / "001" / "events.jsonl").unlink()
    save(training[1], "a.safetensors")
    until(lambda: "grid" in webui.told)


def test_a_fault_in_one_project_does_not_keep_back_the_files_of_another(
    training: tuple[Host, Path], webui: Wanting, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled"
    with Project.create(spoiled, "mia") as project:
        (project.runs / "001").mkdir(parents=True)
        (project.runs / "001" / "events.jsonl").write_text('{"event": "saved", "time": "soon"}\n', encoding="utf-8")
    store = Store(tmp_path / "jobs" / "jobs.db")
    newest = store.add(spoiled, ("train",), "gpu")  # is looked at first
    store.change(newest.id, state="done", started=newest.made)
    store.close()
    until(lambda: training[0].word)
    save(training[1], "a.safetensors")
    until(lambda: "grid" in webui.told)
    until(lambda: "could not convert" in training[0].word)  # and is told all the same


def test_sdxl_with_v_prediction_is_offered_where_its_file_says_so(webui: Wanting, tmp_path: Path) -> None:
    path = str(write_tiny_xl(tmp_path / "noob.safetensors", extra={"v_pred": torch.zeros(0)}))
    webui.checkpoint = {"name": "noob", "path": path, "family": "sdxl", "v_prediction": True, "inpainting": False}
    assert Host(webui).trainable_checkpoint() == path  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"family": "sd2"}, "sd2"),
        ({"v_prediction": True}, "predicts v, and the file does not say so"),
        ({"inpainting": True}, "inpainting model"),
    ],
)
def test_only_a_checkpoint_that_can_be_trained_on_is_offered(
    webui: Wanting, tmp_path: Path, facts: dict[str, Any], words: str
) -> None:
    path = str(write_tiny(tmp_path / "fox.safetensors"))
    host = Host(webui)  # type: ignore[arg-type]
    with pytest.raises(LorasmithError, match="no checkpoint loaded"):
        host.trainable_checkpoint()
    webui.checkpoint = {"name": "fox", "path": path, "family": "sd1", "v_prediction": False, "inpainting": False}
    assert host.trainable_checkpoint() == path
    webui.checkpoint |= facts
    with pytest.raises(LorasmithError, match=words):
        host.trainable_checkpoint()


def test_the_client_is_only_made_where_a_webui_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LORASMITH_WEBUI_URL", raising=False)
    assert Webui.from_environment() is None and Host.from_environment() is None
