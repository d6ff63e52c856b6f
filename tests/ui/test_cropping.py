"""A person moves a suggested crop with the mouse in a real browser, accepts, refuses, and takes it back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.imaging.crop import bucket_loss, size_within
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TrainSettings
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.training.buckets import buckets_of
from tests.stages.test_suggestions import add_scene
from tests.ui.desk import seated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SETTINGS = PrepareSettings(min_gain=0.05, head_share=0.5)


class Framer:
    """A person with a browser before the Prepare page."""

    def __init__(self, tab: Any, folder: Path) -> None:
        self.tab, self.folder = tab, folder

    def trained(self, name: str) -> list[Picture]:
        with Project.open(self.folder, writing=False) as project:
            return [one for one in project.pictures.trained() if one.name.split(".")[0] == name]

    def prepare(self, **settings: Any) -> None:
        with Project.open(self.folder, patience=10) as project:
            prepare(project, SETTINGS.model_copy(update=settings))

    def open(self, name: str) -> Any:
        """Presses "crop …" below a picture; gives the frame."""
        self.tab.locator(f'[data-stage="prepare"] figure[data-name="{name}"] [data-crop]').click()
        self.tab.wait_for_selector(".ls-cropper .ls-box")
        return self.tab.locator(".ls-cropper .ls-box")

    def drag(self, what: str, across: float, down: float) -> None:
        """Drags the middle of something by shares of the picture."""
        box, whole = (self.tab.locator(one).bounding_box() for one in (what, ".ls-cropper img"))
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.tab.mouse.move(x, y)
        self.tab.mouse.down()
        self.tab.mouse.move(x + across * whole["width"], y + down * whole["height"], steps=5)
        self.tab.mouse.up()

    def told(self) -> str:
        return str(self.tab.inner_text(".ls-fate"))

    def press(self, words: str) -> None:
        self.tab.locator(".ls-cropper").get_by_role("button", name=words, exact=True).click()
        self.tab.wait_for_selector(".ls-cropper", state="detached")


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Framer]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("projects") / "p"
    with Project.create(folder, "nick", chosen={"prepare": {"min_gain": 0.05, "head_share": 0.5}}) as project:
        for at in range(4):
            add_scene(project, f"own_{at}", seed=at)
        prepare(project, SETTINGS)
    with seated(home, folder, "prepare", '[data-stage="prepare"] figure') as tab:
        yield Framer(tab, folder)


def box_of(picture: Picture) -> list[int]:
    return list((picture.operation or {})["box"])


def crop_of(pictures: list[Picture]) -> Picture:
    return next(one for one in pictures if one.kind == "crop")


def test_a_corner_that_is_dragged_makes_a_new_version_and_undo_takes_it_back(person: Framer) -> None:
    before = crop_of(person.trained("own_0"))
    person.open("own_0")
    assert "suggested" in person.told() and "bucket" in person.told()
    person.drag(".ls-grip-nw", -0.1, -0.05)
    assert "moved by you" in person.told()
    person.press("Accept")
    made = crop_of(person.trained("own_0"))
    was, now = box_of(before), box_of(made)
    assert made.name != before.name and now[2:] == was[2:]
    assert abs(was[0] - 80 - now[0]) <= 3 and abs(was[1] - 32 - now[1]) <= 3 or now[0] == 0 or now[1] == 0
    person.tab.locator(f'[data-stage="prepare"] figure[data-name="{made.name}"]').wait_for()
    person.tab.click("[data-history=undo]")
    person.tab.locator(f'[data-stage="prepare"] figure[data-name="{before.name}"]').wait_for()
    assert crop_of(person.trained("own_0")) == before
    person.tab.click("[data-history=redo]")
    person.tab.locator(f'[data-stage="prepare"] figure[data-name="{made.name}"]').wait_for()
    for settings in ({"margin": 0.3}, {"crop": False}, {}):
        person.prepare(**settings)
        assert crop_of(person.trained("own_0")) == made


def test_the_whole_box_is_dragged_and_moved_with_the_keys(person: Framer) -> None:
    before = crop_of(person.trained("own_1"))
    left, top, right, bottom = box_of(before)
    person.open("own_1")
    assert person.tab.evaluate("document.activeElement.classList.contains('ls-box')")
    person.drag(".ls-cropper .ls-box", 0.03, 0.0)
    for key in ("ArrowUp", "ArrowUp", "Shift+ArrowLeft"):
        person.tab.keyboard.press(key)
    person.tab.locator(".ls-grip-e").focus()
    person.tab.keyboard.press("ArrowLeft")
    person.tab.keyboard.press("Enter")
    person.tab.wait_for_selector(".ls-cropper", state="detached")
    found = box_of(crop_of(person.trained("own_1")))
    assert found[3] - found[1] == bottom - top and found[2] - found[0] == right - left - 1
    assert abs(found[0] - (left + 24 - 10)) <= 3 and found[1] == max(0, top - 2)


def test_a_refused_crop_stays_away_and_can_be_opened_again(person: Framer) -> None:
    person.open("own_2")
    person.press("Refuse")
    for settings in ({}, {"margin": 0.2}):
        person.prepare(**settings)
        assert "crop" not in {one.kind for one in person.trained("own_2")}
    person.tab.locator('[data-stage="prepare"] figure.ls-dropped', has_text="refused by you").wait_for()
    person.open("own_2")
    assert "refused by you" in person.told()
    person.press("Accept")
    assert crop_of(person.trained("own_2"))
    person.open("own_2")
    person.press("Whole picture")
    assert "crop" not in {one.kind for one in person.trained("own_2")}


def test_a_press_is_a_click_though_the_page_is_drawn_anew_before_the_release(person: Framer) -> None:
    tab, held = person.tab, []
    tab.route("**/api/view/prepare*", lambda route: held.append(route))
    with Project.open(person.folder, patience=10) as project:
        decide_by_hand(project, "drop", ["own_0"])
    tab.wait_for_timeout(1500)  # the page has asked by then what changed
    place = tab.locator('[data-stage="prepare"] figure[data-name="own_2"] [data-crop]').bounding_box()
    assert held
    tab.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    tab.mouse.down()
    for route in held:
        route.continue_()
    tab.wait_for_timeout(300)
    tab.mouse.up()
    tab.locator(".ls-cropper .ls-box").wait_for()
    person.press("cancel")
    tab.unroute("**/api/view/prepare*")
    tab.click("[data-history=undo]")
    tab.locator('[data-stage="prepare"] figure[data-name="own_0"]').wait_for()


def test_the_heads_box_is_moved_too(person: Framer) -> None:
    person.open("own_3")
    person.tab.get_by_role("button", name="Head", exact=True).click()
    person.drag(".ls-grip-s", 0.0, 0.05)
    person.press("Accept")
    assert [one.kind for one in person.trained("own_3")].count("head") == 1


def test_escape_leaves_everything_as_it_was(person: Framer) -> None:
    before = person.trained("own_0")
    person.open("own_0")
    person.drag(".ls-cropper .ls-box", 0.1, 0.1)
    person.tab.keyboard.press("Escape")
    person.tab.wait_for_selector(".ls-cropper", state="detached")
    assert person.trained("own_0") == before


def test_the_page_tells_the_bucket_and_the_loss_that_training_has(person: Framer) -> None:
    with Project.open(person.folder, writing=False) as project:
        buckets = buckets_of(project.settings(TrainSettings))
    boxes = [[0, 0, 300 + 71 * at, 900 - 53 * at] for at in range(14)] + [[5, 5, 21, 2000], [0, 0, 3000, 3000], [0, 0, 512, 512]]
    ask = f"([boxes, buckets]) => boxes.map((box) => window.lorasmith.fate(box, buckets, {SETTINGS.max_side}))"
    told = person.tab.evaluate(ask, [boxes, buckets])
    for box, found in zip(boxes, told, strict=True):
        size = size_within((box[2] - box[0], box[3] - box[1]), SETTINGS.max_side)
        loss = bucket_loss(size, buckets)
        assert (tuple(found["size"]), tuple(found["bucket"])) == (size, loss.bucket)
        assert found["pixels"] == round(loss.lost * size[0] * size[1]) and abs(found["factor"] - loss.factor) < 1e-9


def test_it_works_in_a_frame_inside_another_page(person: Framer) -> None:
    outer = person.tab.context.new_page()
    outer.set_viewport_size({"width": 1280, "height": 720})
    outer.goto(person.tab.url.split("?")[0] + "api/health")  # as in a WebUI, whose address is that of the frame
    outer.set_content(f'<iframe src="{person.tab.url}" style="width:1240px;height:660px"></iframe>')
    inner = outer.frame_locator("iframe")
    inner.locator('figure[data-name="own_3"] [data-crop]').first.click()
    grip = inner.locator(".ls-grip-w").bounding_box()
    before = inner.locator(".ls-cropper .ls-box").bounding_box()
    outer.mouse.move(grip["x"] + 7, grip["y"] + 7)
    outer.mouse.down()
    outer.mouse.move(grip["x"] + 47, grip["y"] + 7, steps=4)
    outer.mouse.up()
    after = inner.locator(".ls-cropper .ls-box").bounding_box()
    assert abs(before["width"] - 40 - after["width"]) < 3
    inner.get_by_role("button", name="Accept", exact=True).click()
    inner.locator(".ls-cropper").wait_for(state="detached")
    outer.close()
    with Project.open(person.folder, writing=False) as project:
        assert project.journal.history()[-1].what == "crop of own_3"
