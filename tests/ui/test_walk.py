"""A person walks the demo's project through the page with real clicks and keys, from a new project to an accepted render.

LORASMITH_SCREENSHOTS=FOLDER writes a picture of each page into that folder, light and dark.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
FIELD = "textarea, input"


class Walker:
    """A person with a browser; what they look for is found by the words and marks of the page."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.dropped = ""  # the post that was dropped from the wall

    def settings(self, table: str) -> dict[str, Any]:
        """Gives a table of lorasmith.toml as it is now."""
        with Project.open(Path(self.state()["folder"]), writing=False) as project:
            return project.tables.get(table, {})

    def fill(self, field: str, words: str) -> None:
        self.tab.locator(f"{field} {FIELD.replace(', ', f', {field} ')}").first.fill(words)

    def go(self, stage: str) -> None:
        self.tab.get_by_role("tab", name=stage.title(), exact=True).click()
        self.tab.wait_for_timeout(300)

    def state(self) -> Any:
        return self.tab.evaluate("() => window.lorasmith.state()")

    def until(self, condition: Callable[[Any], Any], seconds: int = 300) -> Any:
        for _ in range(seconds * 4):
            state = self.state()
            if state and condition(state):
                return state
            self.tab.wait_for_timeout(250)
        raise AssertionError(f"It never came true: {self.state()}")

    def run(self, stage: str) -> None:
        """Presses Start and waits for the job's end."""
        before = max((job["id"] for job in self.state().get("last", [])), default=0)
        self.tab.click(f"#ls-start-{stage}")
        state = self.until(lambda state: not state["jobs"] and state["last"] and state["last"][0]["id"] > before)
        assert state["last"][0]["state"] == "done", state["last"][0]

    def shot(self, name: str) -> None:
        """Writes what the window shows, where a folder for it is named."""
        folder = os.environ.get("LORASMITH_SCREENSHOTS")
        if not folder:
            return
        self.tab.evaluate("scrollTo(0, 0)")
        for theme in ("light", "dark"):
            self.tab.evaluate(f"document.body.classList.toggle('dark', {'true' if theme == 'dark' else 'false'})")
            self.tab.wait_for_timeout(500)
            self.tab.screenshot(path=Path(folder) / f"{name}-{theme}.png")
        self.tab.evaluate("document.body.classList.remove('dark')")

    def stage(self, name: str) -> Any:
        return next(one for one in self.state()["stages"] if one["name"] == name)


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory, booru: DemoBooru) -> Iterator[Walker]:
    with served(tmp_path_factory.mktemp("home")) as (address, _), chromium() as browser:
        tab = window(browser)
        tab.set_viewport_size({"width": 1280, "height": 800})
        tab.goto(address)
        tab.wait_for_selector("#ls-create")
        walker = Walker(tab)
        create(walker, tmp_path_factory.mktemp("projects") / "my zorvex", booru.url)
        yield walker
        assert tab.faults == []


def create(walker: Walker, folder: Path, site: str) -> None:
    base, tagger = model_files()
    walker.fill("#ls-new-trigger", world.NEW_CHARACTER)
    walker.fill("#ls-new-checkpoint", str(base))
    walker.tab.click("#ls-new-preset input")
    walker.tab.get_by_role("option", name="demo").click()
    walker.tab.click("#ls-new-more button")
    walker.fill("#ls-new-folder", str(folder))
    walker.fill("#ls-new-site", site)
    walker.fill("#ls-new-tagger", str(tagger))
    walker.tab.click("#ls-create")
    walker.tab.wait_for_selector(".ls-stages")


def test_a_new_project_says_what_to_do_next(walker: Walker) -> None:
    state = walker.until(lambda state: state.get("trigger"))
    assert state["next"] == "research" and len(state["stages"]) == 8
    assert "Next: research" in walker.tab.inner_text(".ls-next")


def test_research_shows_what_there_is_and_a_person_chooses_a_minimum_and_drops_a_post(walker: Walker) -> None:
    walker.go("research")
    walker.run("research")
    slider = walker.tab.locator("#lsf-slider")
    slider.wait_for()
    walker.shot("research")
    slider.focus()
    walker.tab.keyboard.press("Home")
    walker.tab.keyboard.press("Tab")  # let go
    walker.until(lambda _: walker.settings("download").get("min_score", 0) < 0, 20)
    walker.tab.click('[data-part="wall"]')
    best = walker.tab.locator(".lsf-wall figure").first
    best.locator(".lsf-open").focus()
    walker.dropped = best.get_attribute("data-name")
    walker.tab.keyboard.press("d")
    walker.tab.locator(f'figure.ls-dropped[data-name="{walker.dropped}"]').wait_for()
    walker.tab.click('[data-part="profile"]')
    walker.tab.get_by_label("class of purple fur").wait_for()
    walker.shot("profile")


def test_a_download_is_planned_and_fetched_without_what_was_dropped(walker: Walker) -> None:
    walker.go("download")
    walker.fill(".ls-field-top_n:visible", "9")
    walker.tab.get_by_role("button", name="What would be fetched?").click()
    walker.tab.get_by_role("button", name="1 left out: rejected by you").wait_for()
    walker.until(lambda state: not state["jobs"])
    walker.shot("download")
    walker.run("download")
    walker.tab.wait_for_selector('[data-stage="download"] figure')
    walker.tab.locator('[data-stage="download"] img').first.evaluate("image => image.decode()")
    with Project.open(Path(walker.state()["folder"]), writing=False) as project:
        assert len(project.pictures.originals()) > 5 and project.pictures.find(walker.dropped) is None


def test_a_dropped_picture_is_out_and_undo_brings_it_back(walker: Walker) -> None:
    walker.go("prune")
    walker.run("prune")
    walker.tab.wait_for_selector('[data-stage="prune"] figure:not(.ls-dropped)')
    walker.shot("prune")
    kept = walker.stage("prune")["words"]
    walker.tab.locator('[data-stage="prune"] figure:not(.ls-dropped) [data-decide=drop]').first.click()
    walker.until(lambda _: walker.stage("prune")["words"] != kept, 20)
    walker.tab.click("[data-history=undo]")
    walker.until(lambda _: walker.stage("prune")["words"] == kept, 20)


def test_prepare_and_tag_show_before_and_after_and_the_table(walker: Walker) -> None:
    walker.go("prepare")
    walker.run("prepare")
    walker.tab.wait_for_selector('[data-stage="prepare"] .ls-wall figure')
    walker.shot("prepare")
    walker.go("tag")
    walker.run("tag")
    walker.tab.wait_for_selector('[data-stage="tag"] figure .lst-open')
    walker.shot("tag")
    with Project.open(Path(walker.state()["folder"]), writing=False) as project:
        assert "purple_fur" in project.fact("core_tags")


def test_a_mark_is_painted_over_and_erased(walker: Walker) -> None:
    walker.go("prepare")
    walker.tab.locator("[data-erase]").first.click()
    canvas = walker.tab.locator(".ls-easel canvas")
    box = canvas.bounding_box()
    walker.tab.mouse.move(box["x"] + 20, box["y"] + 20)
    walker.tab.mouse.down()
    walker.tab.mouse.move(box["x"] + 60, box["y"] + 30, steps=4)
    walker.tab.mouse.up()
    walker.tab.get_by_text("Erase from the surroundings").click()
    state = walker.until(lambda state: state["last"][0]["command"] == "erase" and not state["jobs"])
    assert state["last"][0]["state"] == "done", state["last"][0]
    walker.tab.get_by_text("erase", exact=True).first.wait_for()
    walker.run("prepare")
    walker.go("tag")
    walker.run("tag")


def test_a_training_is_stopped_and_goes_on_where_it_was_even_from_another_window(walker: Walker) -> None:
    walker.go("train")
    for field, value in {"epochs": "2", "repeats": "1", "batch_size": "4", "sample_every": "2"}.items():
        walker.fill(f".ls-field-{field}:visible", value)
    walker.tab.get_by_text("more settings").locator("visible=true").click()
    walker.fill(".ls-field-checkpoint_every:visible", "1")
    walker.fill(".ls-field-sample_steps:visible", "2")
    walker.tab.click("#ls-start-train")
    walker.until(lambda state: any("epoch" in job["note"] and job["done"] >= 2 for job in state["jobs"]))
    walker.tab.click("[data-stop]")
    state = walker.until(lambda state: not state["jobs"])
    assert state["last"][0]["state"] == "stopped" and walker.stage("train")["state"] == "begun"
    walker.tab.reload()  # nothing depends on the page, and it is the one that one was on
    walker.tab.get_by_role("button", name="Go on with train").wait_for()
    walker.run("train")
    walker.tab.wait_for_selector('[data-stage="train"] .lsr-plot')
    walker.shot("train")
    with Project.open(Path(walker.state()["folder"]), writing=False) as project:
        result = project.fact("result:train")
    assert result["resumed_from"] >= 2 and len(result["files"]) == 2


def test_two_windows_watch_the_same_job_and_closing_one_loses_nothing(walker: Walker) -> None:
    walker.go("evaluate")
    small = {"steps": "2", "epochs": "1", "weights": "1.0", "seeds": "11", "report_seeds": "101", "width": "64", "height": "64"}
    if not walker.tab.locator(".ls-field-width:visible").count():
        walker.tab.get_by_text("more settings").locator("visible=true").click()
    for field, value in small.items():
        walker.fill(f".ls-field-{field}:visible", value)
    walker.tab.click("#ls-start-evaluate")
    walker.until(lambda state: state["jobs"])
    other = walker.tab.context.new_page()
    other.goto(walker.tab.url)
    other.wait_for_selector(".ls-job")
    other.close()
    state = walker.until(lambda state: not state["jobs"])
    assert state["last"][0]["state"] == "done", state["last"][0]


def test_the_grid_is_shown_and_a_render_is_seen_large(walker: Walker) -> None:
    walker.tab.wait_for_selector(".lse-parts")
    walker.shot("evaluate")
    walker.tab.click(".lse-parts [data-part=pictures]")
    cell = walker.tab.locator(".lse-cell img").first
    cell.wait_for()
    cell.evaluate("image => image.decode()")
    walker.shot("grid")


def test_a_render_comes_back_is_accepted_with_a_key_and_is_trained_on_next(walker: Walker) -> None:
    walker.go("refine")
    walker.fill(".ls-field-min_likeness:visible", "0")
    walker.fill(".ls-field-min_followed:visible", "0")
    walker.fill(".ls-field-top_n:visible", "2")
    walker.run("refine")
    tile = walker.tab.locator(".lsv-tile").first
    tile.wait_for()
    walker.shot("refine")
    tile.locator('[data-decide="keep"]').click()
    walker.tab.get_by_text("1 render kept").wait_for()
    with Project.open(Path(walker.state()["folder"]), writing=False) as project:
        renders = {one.name for one in project.pictures.originals() if one.origin == "render"}
        assert len(renders) == 2 and len(renders & {one.name for one in project.pictures.kept()}) == 1
    walker.go("projects")
    walker.tab.locator(".ls-stages").get_by_text("renders back").wait_for()
    walker.shot("projects")


def test_what_was_typed_is_in_the_settings_file_and_nothing_else(walker: Walker) -> None:
    with Project.open(Path(walker.state()["folder"]), writing=False) as project:
        tables = project.tables
    assert tables["train"]["epochs"] == 2 and "rank" not in tables["train"]
    assert tables["refine"] == {"min_likeness": 0.0, "min_followed": 0.0, "top_n": 2}


def test_a_value_that_cannot_be_is_told_and_nothing_is_started(walker: Walker) -> None:
    walker.go("train")
    walker.fill(".ls-field-resolution:visible", "4000")
    walker.tab.click("#ls-start-train")
    walker.tab.get_by_text("train.resolution").first.wait_for()
    assert not walker.state()["jobs"]
