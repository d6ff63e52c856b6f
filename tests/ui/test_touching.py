"""A person touches a picture up on the page: ticks marks, adds a box, compares, takes back; and many at once by a recipe."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from tests.imaging.writing import meadow, write
from tests.ui.desk import seated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SHOTS = os.environ.get("LORASMITH_SHOTS", "")  # a folder for screenshots, to be looked at


def add_marked(project: Project, name: str, words: tuple[str, ...] = ("Inkpaw", "HELLO")) -> None:
    """Adds a meadow with a name in a corner and a word in the sky."""
    picture = meadow(800, 640)
    for at, each in enumerate(words):
        write(picture, each, ((690, 612), (230, 80))[at], (34, 60)[at], "black")
    path = project.images / f"{name}.png"
    picture.save(path)
    with project.change("add", "add"):
        project.pictures.add(Picture(name, origin="folder", **facts_of(project.folder, path, (800, 640))))
        project.pictures.set_tags(name, "sidecar", [Tag(tag, "general", "sidecar") for tag in ("solo", "signature", "english_text")])


class Toucher:
    """A person with a browser before the Prepare page."""

    def __init__(self, tab: Any, folder: Path) -> None:
        self.tab, self.folder = tab, folder

    def open(self, name: str) -> Any:
        self.tab.locator(f'[data-stage="prepare"] figure[data-name="{name}"] [data-touch]').first.click()
        self.tab.wait_for_selector(".ls-toucher .ls-side h4")
        self.tab.wait_for_function("document.querySelector('.ls-toucher img').complete")
        return self.tab.locator(".ls-toucher")

    def press(self, words: str) -> None:
        self.tab.locator(".ls-toucher").get_by_role("button", name=words, exact=True).first.click()

    def told(self, words: str) -> None:
        self.tab.locator(".ls-told", has_text=words).wait_for(timeout=60_000)

    def close(self) -> None:
        self.press("close")
        self.tab.wait_for_selector(".ls-toucher", state="detached")

    def shot(self, name: str) -> None:
        if SHOTS:
            self.tab.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags between two places, shares of the picture."""
        whole = self.tab.locator(".ls-toucher .ls-canvas img").first.bounding_box()
        for at, (x, y) in enumerate((start, end)):
            self.tab.mouse.move(whole["x"] + x * whole["width"], whole["y"] + y * whole["height"], steps=4)
            (self.tab.mouse.up if at else self.tab.mouse.down)()

    def newest(self, name: str) -> Picture:
        with Project.open(self.folder, writing=False) as project:
            return project.pictures.newest_version(name)

    def pixels(self, name: str) -> "np.ndarray[Any, Any]":
        with Image.open(self.folder / self.newest(name).file) as image:
            return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toucher]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("projects") / "p"
    with Project.create(folder, "nick") as project:
        add_marked(project, "own_1")
        add_marked(project, "own_2")
        add_marked(project, "own_3", ())
    with seated(home, folder, "prepare", '[data-stage="prepare"] figure') as tab:
        yield Toucher(tab, folder)


INK = (30, 30, 30)


def dark(pixels: "np.ndarray[Any, Any]", box: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = box
    return int((pixels[top:bottom, left:right].max(axis=2) < 80).sum())


NAME, WORD = (600, 590, 790, 636), (100, 40, 360, 120)


def test_ticked_marks_go_and_another_time_one_of_them_stays(person: Toucher) -> None:
    panel = person.open("own_1")
    assert panel.locator(".ls-found").count() == 2 and panel.locator(".ls-gone").count() == 2
    person.shot("marks_light")
    panel.locator(".ls-mark-row input").nth(0).uncheck()
    assert panel.locator(".ls-stays").count() == 1
    stays = panel.locator(".ls-mark-row").nth(0).inner_text()
    person.press("Erase these")
    person.told("own_1.2 is in use now")
    person.shot("compared_light")
    left, gone = (WORD, NAME) if "HELLO" in stays else (NAME, WORD)
    assert dark(person.pixels("own_1"), left) > 50 and dark(person.pixels("own_1"), gone) == 0
    panel.locator(".ls-mark-row input").nth(0).check()  # again, with it
    person.press("Erase again so")
    person.told("own_1.3 is in use now")
    assert dark(person.pixels("own_1"), left) == 0 and person.newest("own_1").parent == "own_1"
    panel.get_by_role("button", name="take back", exact=True).first.click()
    panel.locator(".ls-did", has_text="taken back").wait_for()
    assert person.newest("own_1").name == "own_1.2"
    person.close()


def test_a_box_that_is_dragged_goes_and_the_slider_shows_before_and_after(person: Toucher) -> None:
    panel = person.open("own_3")
    assert "No marks were found" in panel.inner_text()
    person.drag((0.3, 0.36), (0.62, 0.74))
    assert panel.locator(".ls-own").count() == 1
    person.press("Erase these")
    person.told("own_3.2 is in use now")
    assert abs(person.pixels("own_3")[352, 344] - [200, 110, 50]).sum() > 60
    slider = panel.locator(".ls-slider")
    slider.focus()
    before = panel.locator(".ls-over").get_attribute("style")
    person.tab.keyboard.press("ArrowRight")
    assert panel.locator(".ls-over").get_attribute("style") != before
    person.press("back to the marks")
    assert panel.locator(".ls-gone").count() == 1
    person.tab.keyboard.press("Escape")
    person.tab.wait_for_selector(".ls-toucher", state="detached")


def test_the_ground_is_changed_and_what_cannot_be_done_is_said(person: Toucher) -> None:
    panel = person.open("own_3")
    panel.get_by_label("what is recoloured").select_option("eyes")
    panel.locator("section", has_text="Colour").get_by_role("button", name="Change").last.click()
    person.told("Nothing was changed")
    panel.get_by_label("background").select_option("pink")
    panel.get_by_role("button", name="Change", exact=True).first.click()
    person.told("is in use now")
    person.tab.evaluate("document.body.classList.add('dark')")
    person.shot("ground_dark")
    person.close()


def test_many_are_previewed_done_and_kept_as_a_recipe(person: Toucher) -> None:
    person.tab.locator("[data-batch]").click()
    dialog = person.tab.locator(".ls-toucher")
    dialog.get_by_label("steps").fill("erase signature,text\n")
    dialog.get_by_label("filter").fill("signature, -comic")
    dialog.locator(".ls-hint", has_text="3 pictures").wait_for()
    person.press("Preview")
    person.told("Nothing is changed yet")
    dialog.locator(".ls-sheet-view img").wait_for()
    person.shot("many_dark")
    person.tab.evaluate("document.body.classList.remove('dark')")
    person.shot("many_light")
    before = person.newest("own_2")
    assert before.name == "own_2"
    dialog.get_by_label("name of the recipe").fill("no-marks")
    person.press("Keep")
    dialog.locator("option", has_text="no-marks").wait_for(state="attached")
    person.press("Do it")
    person.told("undo takes all of it back")
    assert person.newest("own_2").name == "own_2.2"
    dialog.get_by_label("steps").fill("paint")
    person.press("Preview")
    person.tab.locator(".ls-toast.warn", has_text="There is no operation 'paint'").wait_for()
    person.close()
    person.shot("page_light")
    assert "[no-marks]" in (person.folder / "recipes.toml").read_text(encoding="utf-8")


def test_what_is_no_request_is_refused_with_a_sentence(person: Toucher) -> None:
    ask = """async ([path, body]) => {
        const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
        const answer = await fetch(path, sent);
        return [answer.status, (await answer.json()).error];
    }"""
    id = person.tab.evaluate("window.lorasmith.project()")
    for body, word in (
        ({"steps": "trim"}, "list"), ({"steps": []}, "Say what to do"), ({"steps": ["trim"], "name": "own_9"}, "no picture named"),
        ({"steps": ["--webui"]}, "no operation"), ({"steps": ["trim"], "boxes": [[0, 0, 5, 5]], "name": "own_1"}, "no step erases"),
        ({"steps": ["erase mask"], "boxes": [[5, 5, 0, 0]], "name": "own_1"}, "one pixel"),
        ({"steps": ["erase mask"], "boxes": [[0, 0, True, 9]], "name": "own_1"}, "whole numbers"),
        ({"steps": ["trim"], "with": "webui"}, "no WebUI"), ({"steps": ["trim"], "filter": "a\n--webui"}, "one line"),
        ({"steps": ["trim"], "filter": "nothing_has_this"}, "No kept picture fits"),
    ):  # fmt: skip
        status, error = person.tab.evaluate(ask, ["api/touch-up", {"project": id, **body}])
        assert status == 400 and word in error, (body, error)
    status, error = person.tab.evaluate(ask, ["api/recipe", {"project": id, "recipe": "../x", "steps": ["trim"]}])
    assert status == 400 and "letters, digits" in error
