"""A person at the Train page in a real browser: what stops a training, rates tried, presets, a run as it goes, and what goes wrong."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.jobs.store import Store
from lorasmith.project.pictures import Caption, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import read_tables
from lorasmith.stages.train.outlook import outlook
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import chromium, window
from tests.ui.evaluated import paused
from tests.ui.serving import page as served
from tests.ui.serving import surroundings
from tests.ui.trainable import at_work, make_trainable, story, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MANY = 10_000


class Trainer:
    """A person with a browser before the Train page."""

    def __init__(self, browser: Any, address: str, home: Path, base: Path) -> None:
        self.browser, self.address, self.home, self.base = browser, address, home, base
        self.tab: Any = window(browser)
        self.tab.set_viewport_size({"width": 1280, "height": 720})
        self.folder = home

    def open(self, folder: Path, *, part: str = "") -> Any:
        """Opens a project's Train page."""
        self.folder = folder
        known = Projects(Path(surroundings(self.home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json").remember(folder)
        self.tab.goto(f"{self.address}?project={known.id}&at=train")
        self.tab.wait_for_selector(".lsr-parts [aria-selected=true]")
        if part:
            self.part(part)
        return self.tab

    def part(self, name: str) -> None:
        self.tab.click(f".lsr-parts [data-part={name}]")
        self.tab.wait_for_selector({"plan": ".lsr-verdict", "run": ".lsr-figures-of-run"}[name])

    def settings(self) -> dict[str, Any]:
        return read_tables(self.folder / "lorasmith.toml")["train"]

    def field(self, name: str) -> Any:
        return self.tab.locator(f".ls-field-{name}").locator("input, textarea").first

    def type(self, name: str, value: str) -> None:
        """Fills a field of the form and leaves it."""
        self.field(name).fill(value)
        self.field(name).blur()

    def until(self, wanted: Callable[[], Any]) -> None:
        for _ in range(400):
            if wanted():
                return
            self.tab.wait_for_timeout(200)
        raise AssertionError(self.tab.locator('[data-ls-own="train"]').inner_text())

    def figure(self, name: str) -> str:
        """Reads a figure of the calculator or of the run."""
        return str(self.tab.locator(".lsr-figures dt", has_text=name).first.locator("xpath=following-sibling::dd[1]").inner_text())


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[Trainer]:
    home = tmp_path_factory.mktemp("home")
    with served(home) as (address, _), chromium() as browser:
        trainer = Trainer(browser, address, home, tiny_base)
        yield trainer
        assert trainer.tab.faults == []


def test_what_stops_a_training_is_told_with_what_to_do_and_a_way_there(trainer: Trainer, tmp_path: Path) -> None:
    Project.create(tmp_path / "empty", "nick").close()
    tab = trainer.open(tmp_path / "empty", part="plan")
    assert "2 things stop" in tab.inner_text(".lsr-verdict")
    tab.locator(".lsr-rates .lsr-fault", has_text="no pictures to train on").wait_for()
    tab.get_by_role("button", name="to checkpoint").click()
    trainer.until(lambda: tab.evaluate("document.activeElement.closest('.ls-field-checkpoint') !== null"))
    trainer.part("run") if tab.locator(".lsr-figures-of-run").count() else tab.click("[data-part=run]")
    tab.get_by_text("Nothing was trained yet").wait_for()
    tab.click("[data-part=plan]")
    tab.get_by_role("button", name="to download").click()
    tab.wait_for_selector("#ls-start-download:visible")
    tab = trainer.open(make_trainable(tmp_path / "untagged", trainer.base, captions=False), part="plan")
    tab.get_by_text("No picture has a caption yet").wait_for()
    assert tab.get_by_role("button", name="to tag").is_visible()


def test_masks_are_written_by_a_job_and_what_cannot_be_is_told(trainer: Trainer, tmp_path: Path) -> None:
    folder = make_trainable(tmp_path / "p", trainer.base, count=1)
    tab = trainer.open(folder)
    tab.get_by_text("Masks: what is not learnt").click()
    tab.click("#ls-masks")
    tab.get_by_text("Say what is not learnt").wait_for()
    tab.fill("#ls-mask-heads textarea, #ls-mask-heads input", "(nick")
    tab.click("#ls-masks")
    tab.locator(".toast-body", has_text=")").first.wait_for()
    tab.fill("#ls-mask-heads textarea, #ls-mask-heads input", "")
    tab.fill("#ls-mask-ground input", "0.2")
    with paused(trainer.home) as store:
        tab.click("#ls-masks")
        tab.get_by_role("link", name="the sheet").wait_for()
        assert [job.words for job in store.open()] == [("masks", str(folder), "--ground=0.2")]


def test_rates_follow_what_is_tried_and_are_taken_over_and_put_back(trainer: Trainer, tmp_path: Path) -> None:
    tab = trainer.open(make_trainable(tmp_path / "p", trainer.base), part="plan")
    trainer.until(lambda: trainer.figure("images seen") == "24")
    tab.fill("#lsr-epochs", "4")
    trainer.until(lambda: trainer.figure("images seen") == "48")
    with Project.open(trainer.folder, writing=False) as project:
        found = outlook(project, project.settings(TrainSettings, {"epochs": 4}))
    assert trainer.figure("U-Net") == f"{found.unet_lr:.3g}" and trainer.figure("steps").startswith(f"{found.steps} ")
    assert tab.locator(".lsr-buckets tbody tr").count() == len(found.buckets) and trainer.settings()["epochs"] == 2
    tab.fill("#lsr-unet_lr", "0,001")
    trainer.until(lambda: "which is S = 0.048" in tab.inner_text(".lsr-rule"))
    tab.get_by_role("button", name="Use these").click()
    trainer.until(lambda: trainer.field("epochs").input_value() == "4")  # the form follows
    assert trainer.settings()["unet_lr"] == 0.001
    tab.locator(".lsr-come").get_by_role("button", name="Put back").click()
    trainer.until(lambda: trainer.field("epochs").input_value() == "2" and "unet_lr" not in trainer.settings())


def test_what_cannot_be_is_a_sentence_and_is_not_kept(trainer: Trainer, tmp_path: Path) -> None:
    tab = trainer.open(make_trainable(tmp_path / "p", trainer.base), part="plan")
    before = trainer.settings()
    wrong = {"epochs": ("2.5", "whole number"), "repeats": ("", "is empty"), "unet_lr": ("fast", "1e-4"), "strength": ("-1", "than")}
    for name, (given, words) in wrong.items():
        tab.fill(f"#lsr-{name}", given)
        trainer.until(lambda words=words: words in tab.inner_text(".lsr-rates .lsr-fault"))
        assert tab.get_by_role("button", name="Use these").is_disabled()
        tab.get_by_role("button", name="As they are set").click()
    for name, given, words in (("resolution", "4000", "train.resolution"), ("epochs", "", "'epochs' is empty")):
        trainer.type(name, given)
        tab.get_by_text(words).first.wait_for()
    tab.get_by_role("button", name="more settings").locator("visible=true").click()
    trainer.type("block_weights", "1, x")
    tab.get_by_text("has 'x', which is no number").first.wait_for()
    assert tab.locator(".ls-toast", has_text="train.resolution").count() <= 1, "what was told is not told again with each other field"
    trainer.type("subsets", "faces weight=much")
    trainer.until(lambda: "train.subsets" in tab.inner_text("body") or "faces weight=much" in tab.inner_text(".lsr-findings"))
    assert {name: value for name, value in trainer.settings().items() if name != "subsets"} == before


def test_a_field_is_kept_when_it_is_left_and_another_window_follows(trainer: Trainer, tmp_path: Path) -> None:
    tab = trainer.open(make_trainable(tmp_path / "p", trainer.base), part="plan")
    other = tab.context.new_page()
    other.goto(tab.url)
    other.wait_for_selector(".lsr-parts [aria-selected=true]")
    trainer.type("repeats", "3")
    trainer.until(lambda: trainer.settings()["repeats"] == 3)
    trainer.until(lambda: trainer.figure("images seen") == "36")
    trainer.until(lambda: other.locator(".ls-field-repeats input").input_value() == "3")
    other.close()
    trainer.type("checkpoint", str(tmp_path / "nowhere.safetensors"))
    trainer.until(lambda: "nowhere.safetensors" in tab.inner_text(".lsr-findings") and "stops" in tab.inner_text(".lsr-verdict"))
    tab.reload()
    trainer.until(lambda: trainer.field("repeats").input_value() == "3")


def test_a_preset_shows_what_it_sets_is_taken_and_put_back(trainer: Trainer, tmp_path: Path) -> None:
    tab = trainer.open(make_trainable(tmp_path / "p", trainer.base))
    tab.select_option("#lsr-preset", "quick")
    changes = tab.locator(".lsr-preset-told")
    changes.locator("h4", has_text="It would change").wait_for()
    assert "512" in changes.inner_text()
    assert "epochs" in changes.inner_text() and "also put back" in tab.inner_text(".lsr-side")
    tab.get_by_role("button", name="Take it into the form").click()
    trainer.until(lambda: trainer.field("resolution").input_value() == "512" and trainer.field("rank").input_value() == "16")
    assert read_tables(trainer.folder / "lorasmith.toml")["project"]["preset"] == "quick"
    tab.locator(".lsr-side").get_by_role("button", name="Put back").click()
    trainer.until(lambda: trainer.field("resolution").input_value() == "64" and trainer.settings()["rank"] == 2)


def test_a_run_of_another_window_is_seen_as_it_goes_and_its_vanished_files_are_told(trainer: Trainer, tmp_path: Path) -> None:
    folder = make_trainable(tmp_path / "p", trainer.base)
    run = write_run(folder, story(20, validation=True))
    at_work(run)
    tab = trainer.open(folder)
    tab.wait_for_selector(".lsr-plot .lsr-smooth")  # what goes on is shown first
    assert "another lorasmith" in tab.inner_text(".lsr-bar") and tab.locator(".lsr-bar button").count() == 0
    assert trainer.figure("step") == "20 of 60" and trainer.figure("time left") == "about 20 s" and "GB" in trainer.figure("memory")
    assert tab.locator(".lsr-diamond").count() == 1
    tab.locator(".lsr-plot").focus()
    tab.keyboard.press("Home")
    trainer.until(lambda: "step 5, epoch 1: loss 0.285" in tab.inner_text(".lsr-readout"))
    write_run(folder, story(40, validation=True))
    trainer.until(lambda: trainer.figure("step") == "40 of 60" and tab.locator(".lsr-diamond").count() == 2)
    assert "step 5," in tab.inner_text(".lsr-readout")  # where the person was
    assert tab.locator(".lsr-strip thead th").all_inner_texts()[1:] == ["epoch 1", "epoch 2"]
    assert tab.locator(".lsr-sample").count() == 4
    tab.locator(".lsr-sample").nth(1).click()
    tab.wait_for_selector(".lsz-image")
    tab.keyboard.press("ArrowLeft")
    tab.locator(".lsz-panel", has_text="Epoch 1").wait_for()
    tab.keyboard.press("Escape")
    (run / "samples" / "e01-0.png").unlink()
    (folder / "loras" / "nick-e1.safetensors").unlink()
    (run / "at_work.json").unlink()
    write_run(folder, [row for row in story(60, validation=True) if row.get("epoch") != 1], ended=True)
    trainer.until(lambda: "has ended" in tab.inner_text(".lsr-bar"))
    trainer.until(lambda: tab.locator(".lsr-sample").count() == 4 and tab.locator(".lsr-files tbody tr").count() == 2)


def test_a_training_is_started_paused_goes_on_and_is_cancelled(trainer: Trainer, tmp_path: Path) -> None:
    tab = trainer.open(make_trainable(tmp_path / "p", trainer.base, epochs=400, sample_every=0, save_every=400), part="plan")
    store = Store(Path(surroundings(trainer.home)["LOCALAPPDATA"]) / "lorasmith" / "jobs" / "jobs.db")

    def state() -> tuple[str, bool]:
        job = store.latest(trainer.folder)[0]
        return job.state, job.held

    bar = tab.locator(".lsr-bar")
    bar.get_by_role("button", name="Start").click()
    trainer.until(lambda: "steps, epoch" in bar.inner_text())
    tab.click("[data-part=run]")
    trainer.until(lambda: trainer.figure("loss") != "–" and "GB" in trainer.figure("memory"))
    other = tab.context.new_page()
    other.goto(tab.url)
    bar.get_by_role("button", name="Pause").click()
    trainer.until(lambda: state() == ("waiting", True))
    other.locator(".lsr-bar", has_text="Paused").wait_for()
    other.locator(".lsr-bar").get_by_role("button", name="Go on").click()
    trainer.until(lambda: state()[0] == "running" and "steps, epoch" in bar.inner_text())
    other.close()
    bar.get_by_role("button", name="Cancel").click()
    trainer.until(lambda: state()[0] == "stopped" and "it goes on there" in bar.inner_text())
    events = (trainer.folder / "runs" / "001" / "events.jsonl").read_text("utf-8").splitlines()
    sittings = [json.loads(line)["event"] for line in events]
    assert sittings.count("start") == 1 and sittings.count("resumed") == 1
    store.close()


def test_ten_thousand_pictures_are_looked_at_once_and_the_page_does_not_wait_for_it(trainer: Trainer, tmp_path: Path) -> None:
    chosen = {"train": {"checkpoint": str(trainer.base)}}
    with Project.create(tmp_path / "big", "nick", chosen=chosen) as project, project.change("add", "add"):
        for number in range(MANY):
            name, side = f"own_{number:05d}", 400 + number * 7 % 1600
            facts = {"file": f"images/{name}.png", "sha256": f"{number:064x}", "md5": "0" * 32, "bytes": 1}
            project.pictures.add(Picture(name, origin="folder", width=side, height=2000 - number * 3 % 1500, **facts))
            project.pictures.set_caption("default", Caption(name, "nick"))
    tab = trainer.open(tmp_path / "big", part="plan")
    assert "cannot be read" in tab.inner_text(".lsr-findings") or "missing" in tab.inner_text(".lsr-findings")
    tab.wait_for_selector(".lsr-buckets tbody tr")
    assert f"{MANY:,}" in tab.inner_text(".lsr-rates") + trainer.figure("pictures") or trainer.figure("pictures") == str(MANY)


def test_a_killed_server_and_a_lost_connection_are_told_and_the_page_goes_on_by_itself(
    trainer: Trainer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_trainable(tmp_path / "p", trainer.base)
    write_run(folder, story(20))
    tab = trainer.open(folder, part="plan")
    tab.context.set_offline(True)
    tab.fill("#lsr-epochs", "9")
    tab.get_by_text("The server did not answer").first.wait_for()
    tab.context.set_offline(False)
    tab.fill("#lsr-epochs", "8")
    trainer.until(lambda: not tab.locator(".lsr-rates .lsr-fault").is_visible() and trainer.figure("images seen") == "96")
    home = tmp_path_factory.mktemp("other home")
    known = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json").remember(folder)
    mine = window(trainer.browser)
    with served(home) as (address, process):
        mine.goto(f"{address}?project={known.id}&at=train")
        mine.wait_for_selector(".lsr-plot")
        port = address.rstrip("/").rpartition(":")[2]
        process.send_signal(signal.SIGKILL)
        mine.locator(".ls-lost").wait_for()
        write_run(folder, story(60), ended=True)
    with served(home, "--port", port):
        mine.locator(".lsr-bar", has_text="has ended").wait_for()
        assert mine.locator(".ls-lost").count() == 0
    mine.close()
