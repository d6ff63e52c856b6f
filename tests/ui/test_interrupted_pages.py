"""A person at every page: the project is at work in another window, nothing comes through, the server was killed."""

import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from tests.ui.desk import Desk, desk, steps
from tests.ui.evaluated import METADATA, lora_name, write_lora
from tests.ui.serving import page as served
from tests.ui.whole import whole_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# page -> what opens the place of a wish there, and the wish: a click that would change something
WISHES: dict[str, tuple[tuple[str, ...], str]] = {
    "Projects": ((), "[data-history=undo]"),
    "Research": (("[data-part=wall]",), ".lsf-wall [data-decide=drop]"),
    "Download": ((), "#ls-start-download"),
    "Prune": ((), ".lsp-grid [data-decide=drop]"),
    "Prepare": ((), ".ls-row [data-decide=drop]"),
    "Tag": (("[data-part=looks]",), "text=Put the ticked under the trigger"),
    "Train": (("[data-part=plan]",), "#ls-start-train"),
    "Queue": ((), "[data-act=pause-after]"),
    "Evaluate": (("[data-part=beside]",), "text=Look at the base alone"),
    "Refine": ((), ".lsv-tile [data-decide=keep]"),
    "Inspect": ((".lsi-own", ".lse-parts [data-part=import]"), "text=Write this into lorasmith.toml"),
}
AT_WORK = {  # what is told where a wish is not refused
    "Download": "is in the line as job", "Train": "is in the line as job", "Evaluate": "It is in the line as job",
    "Queue": "The queue is paused",
}  # fmt: skip
NOBODY = re.compile("so nothing was done|try again in a moment")


def go(tab: Any, page: str) -> None:
    """Goes to a page and to where its wish is."""
    tab.bring_to_front()  # a browser draws one behind another once a second
    tab.get_by_role("tab", name=page, exact=True).click()
    for what in WISHES[page][0]:
        seen = tab.locator(what).locator("visible=true").first
        seen.select_option(index=1) if what == ".lsi-own" else seen.click()
    for _ in range(20):  # Gradio may put a new place into a page's stead soon after it was shown, and it is drawn again
        there = tab.locator(WISHES[page][1]).locator("visible=true").first.element_handle()
        tab.wait_for_timeout(400)
        if there.evaluate("one => one.isConnected"):
            return


def wish(tab: Any, page: str) -> None:
    tab.evaluate("document.querySelectorAll('.ls-toast').forEach((one) => one.remove())")
    tab.locator(WISHES[page][1]).locator("visible=true").first.click()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = whole_project(tmp_path_factory.mktemp("whole") / "p", model_files()[0])
    write_lora(folder / "loras" / lora_name(1), METADATA)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "p"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path / "home") as opened:
        yield opened


def kept(folder: Path) -> tuple[list[str], str]:
    """Gives what a wish could have changed."""
    return steps(folder), (folder / "lorasmith.toml").read_text(encoding="utf-8")


def test_every_page_tells_what_is_at_work_in_another_window_and_a_wish_waits_or_is_refused(place: Desk, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a site that takes a question and never answers
        with Project.open(folder) as project:
            project.write_settings({"site": {"site_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}}, "site")
        before = kept(folder)
        place.open(folder, "research").click("#ls-start-research")
        tab = place.open(folder)
        tab.locator(".ls-job", has_text="asking e621").wait_for()
        for page in WISHES:
            go(tab, page)
            assert tab.locator(".ls-job", has_text="asking e621").is_visible(), page
            wish(tab, page)
            tab.get_by_text(AT_WORK.get(page, "research is at work on this project")).locator("visible=true").first.wait_for()
        assert kept(folder) == before and tab.faults == []


def test_while_nothing_comes_through_a_wish_on_any_page_is_told_and_the_page_goes_on_afterwards(place: Desk, folder: Path) -> None:
    before = kept(folder)
    tab = place.open(folder)
    for page in WISHES:
        go(tab, page)
        tab.context.set_offline(True)
        wish(tab, page)
        tab.get_by_text(NOBODY).first.wait_for()
        tab.context.set_offline(False)
        tab.wait_for_function("!document.querySelector('.ls-lost')")
    assert kept(folder) == before and tab.faults == []


@pytest.mark.parametrize(("page", "name", "value"), [("Download", "skip_posts_file", "info.md"), ("Train", "epochs", "77")])
def test_what_was_typed_while_the_server_was_away_stays_and_is_started_with(
    place: Desk, tmp_path: Path, folder: Path, page: str, name: str, value: str
) -> None:
    tab = place.open(folder)
    go(tab, page)
    filled = "[...document.querySelectorAll('.ls-form input')].some((one) => one.offsetParent && +one.value)"
    tab.wait_for_function(filled)
    os.kill(place.process.pid, signal.SIGKILL)
    place.process.wait()
    field = tab.locator(f".ls-field-{name}:visible input, .ls-field-{name}:visible textarea").first
    field.fill(value)
    wish(tab, page)
    tab.get_by_text(NOBODY).first.wait_for()
    with served(tmp_path / "home", "--port", str(urlsplit(place.address).port)):
        tab.locator(".ls-lost").wait_for(state="detached")
        tab.wait_for_timeout(2500)  # Gradio has looked for its server meanwhile
        assert field.input_value() == value
        wish(tab, page)
        tab.get_by_text("is in the line as job").first.wait_for()
    assert f"{name} = " in (folder / "lorasmith.toml").read_text(encoding="utf-8")
    assert tab.faults == []


def test_a_page_that_is_older_than_its_server_says_so(place: Desk, folder: Path) -> None:
    tab = place.open(folder)
    tab.locator(".ls-stages").wait_for()
    assert tab.get_by_text("lorasmith was updated").count() == 0
    tab.add_init_script("window.before = 1")
    tab.route("**/api/state*", lambda route: route.fulfill(json=route.fetch().json() | {"page": "newer", "version": "2"}))
    tab.get_by_text("lorasmith was updated after this page was opened").wait_for()
    tab.get_by_role("button", name="Load it anew").click()
    tab.wait_for_function("window.before === 1")
    tab.unroute_all(behavior="ignoreErrors")  # only now: the next true answer takes the line and its button away
    tab.locator(".ls-stages").wait_for()
    tab.get_by_text("lorasmith was updated").wait_for(state="detached")
    assert tab.faults == []


def test_when_the_server_is_killed_every_page_says_so_and_goes_on_with_the_next(place: Desk, tmp_path: Path, folder: Path) -> None:
    tabs = {page: place.open(folder) for page in WISHES}
    for page, tab in tabs.items():
        go(tab, page)
    before = kept(folder)
    os.kill(place.process.pid, signal.SIGKILL)
    place.process.wait()
    for page, tab in tabs.items():
        tab.bring_to_front()
        tab.locator(".ls-lost").wait_for()
        wish(tab, page)
        tab.get_by_text(NOBODY).first.wait_for()
    with served(tmp_path / "home", "--port", str(urlsplit(place.address).port)):
        for page, tab in tabs.items():
            tab.locator(".ls-lost").wait_for(state="detached")
            go(tab, page)
            assert tab.faults == [], page
    assert kept(folder) == before
