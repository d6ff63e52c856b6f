"""What holds on all pages: undo by keys, a lost connection, a killed server, nothing asked of the outside, colours, names."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.table import STAGES
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import window
from tests.ui.desk import Desk, desk, eventually, steps
from tests.ui.evaluated import evaluated_project
from tests.ui.serving import get, surroundings
from tests.ui.serving import page as served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PAGES = ["Projects", "Queue", *(stage.name.title() for stage in STAGES), "Inspect"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Project.create(tmp_path / "p", "zorvex", preset="demo") as project:
        project.write_settings({"download": {"min_score": 10}}, "minimum score 10")
        project.write_settings({"download": {"min_score": 20}}, "minimum score 20")
    return tmp_path / "p"


def min_score(folder: Path) -> int:
    with Project.open(folder, writing=False) as project:
        return project.settings(DownloadSettings).min_score


def show(tab: Any, name: str) -> None:
    tab.get_by_role("tab", name=name, exact=True).click()
    tab.wait_for_timeout(250)


def test_every_page_of_an_empty_project_opens_asks_nothing_of_the_outside_and_has_no_fault(place: Desk, folder: Path) -> None:
    asked: list[str] = []
    tab = place.open()
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(place.address_of(folder))
    tab.wait_for_selector(".ls-stages")
    for name in PAGES:
        show(tab, name)
        tab.wait_for_timeout(400)
        assert tab.locator(".ls-lost").count() == 0
    own = urlsplit(place.address).netloc
    assert len(asked) > 20
    assert {url for url in asked if urlsplit(url).netloc != own and not url.startswith(("data:", "blob:"))} == set()
    assert tab.faults == []
    tab.close()


def test_keys_undo_and_redo_on_every_page_and_say_what(place: Desk, folder: Path) -> None:
    tab = place.open(folder)
    tab.wait_for_selector(".ls-stages")
    for name in PAGES:
        show(tab, name)
        tab.get_by_role("tab", name=name, exact=True).focus()
        tab.keyboard.press("Control+z")
        eventually(tab, lambda: min_score(folder) == 10)
        tab.get_by_text("undo: minimum score 20").first.wait_for()
        tab.keyboard.press("Control+y" if name < "N" else "Control+Shift+z")
        eventually(tab, lambda: min_score(folder) == 20)
        eventually(tab, lambda: steps(folder) == ["minimum score 10", "minimum score 20"])
    tab.close()


def test_in_a_text_field_the_keys_are_the_fields_own(place: Desk, folder: Path) -> None:
    tab = place.open(folder, "download")
    field = tab.locator(".ls-field-skip_posts_file:visible textarea, .ls-field-skip_posts_file:visible input").first
    field.click()
    tab.keyboard.type("2020")
    tab.keyboard.press("Control+z")
    tab.wait_for_timeout(800)
    assert min_score(folder) == 20 and field.input_value() != "2020"
    tab.close()


def test_what_is_typed_in_a_form_stays_when_another_changes_the_settings(place: Desk, folder: Path) -> None:
    tab = place.open(folder, "download")
    tab.wait_for_function("[...document.querySelectorAll('.ls-field-min_score input')].some((one) => one.value === '20')")
    field = tab.locator(".ls-field-skip_posts_file:visible textarea, .ls-field-skip_posts_file:visible input").first
    field.fill("2021")
    with Project.open(folder, patience=5) as project:
        project.write_settings({"download": {"min_score": 33, "skip_posts_file": "theirs.txt"}}, "by another")
    tab.wait_for_function("[...document.querySelectorAll('.ls-field-min_score input')].some((one) => one.value === '33')")
    assert field.input_value() == "2021"
    tab.close()


def test_a_reload_shows_the_page_one_was_on_and_the_address_is_followed_where_it_names_one(place: Desk, folder: Path) -> None:
    tab = place.open(folder, "research")
    chosen = tab.locator("#ls-tabs [data-tab-id][aria-selected=true]")
    chosen.get_by_text("Research").wait_for()
    show(tab, "Tag")
    tab.reload()
    chosen.get_by_text("Tag", exact=True).wait_for()
    tab.wait_for_timeout(1200)
    assert chosen.inner_text() == "Tag"
    tab.goto(place.address_of(folder, "train"))
    chosen.get_by_text("Train").wait_for()
    tab.goto(place.address_of(folder))
    tab.wait_for_selector(".ls-stages")
    assert chosen.inner_text() == "Projects"
    tab.get_by_role("tab", name="Prune", exact=True).click()  # at once: nothing takes it back
    tab.wait_for_timeout(1200)
    assert chosen.inner_text() == "Prune" and tab.faults == []
    tab.close()


def test_nothing_to_undo_is_told(place: Desk, tmp_path: Path) -> None:
    Project.create(tmp_path / "q", "nick").close()
    tab = place.open(tmp_path / "q")
    tab.wait_for_selector(".ls-stages")
    tab.click("[data-history=undo]")
    tab.get_by_role("alert").get_by_text("There is nothing to undo.").wait_for()
    tab.close()


def test_a_lost_connection_is_a_line_a_click_is_told_and_it_goes_when_the_server_answers(place: Desk, folder: Path) -> None:
    tab = place.open(folder)
    tab.wait_for_selector(".ls-stages")
    tab.context.set_offline(True)
    tab.locator(".ls-lost", has_text="No answer from lorasmith").wait_for()
    tab.click("[data-history=undo]")
    tab.get_by_text("The server did not answer, so nothing was done.").wait_for()
    assert min_score(folder) == 20
    tab.context.set_offline(False)
    tab.locator(".ls-lost").wait_for(state="detached")
    tab.close()


def test_a_killed_server_loses_nothing_and_the_page_goes_on_with_the_next(place: Desk, tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    known = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json").remember(folder)
    tab = window(place.browser)
    with served(home) as (address, process):
        tab.goto(f"{address}?project={known.id}&at=research")
        tab.wait_for_selector(".lsf-form")
        tab.fill("#lsf-without", "comic")
        tab.keyboard.press("Enter")
        tab.click('[data-part="profile"]')
        tab.fill(".lsf-text", "# zorvex\n\nnot saved yet\n")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        tab.locator(".ls-lost").wait_for()
        tab.get_by_role("button", name="Save", exact=True).click()
        tab.get_by_text("so info.md was not saved").wait_for()
    with served(home, "--port", str(urlsplit(address).port)):
        tab.locator(".ls-lost").wait_for(state="detached")
        tab.get_by_role("button", name="Save", exact=True).click()
        sheet = folder / "info.md"
        eventually(tab, lambda: sheet.is_file() and "not saved yet" in sheet.read_text(encoding="utf-8"))
        assert tab.get_by_role("button", name="take comic out of 'without'").count() == 1
        assert tab.faults == []
    tab.close()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with evaluated_project(tmp_path_factory.mktemp("evaluated") / "p") as project:
        return project.folder


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_can_be_read_and_nothing_is_cut_off_at_the_side(place: Desk, evaluated: Path, theme: str) -> None:
    tab = place.open()
    tab.goto(place.address_of(evaluated) + f"&__theme={theme}")
    tab.wait_for_selector(".ls-stages")
    for name in PAGES:
        show(tab, name)
        tab.wait_for_function("!/ in a moment\\.|Looking at pictures|Open a project first/.test(document.body.innerText)")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert tab.evaluate(PALE) == [], name
        assert not re.search(r"[\\`]|&#", "".join(tab.locator(".ls-form").all_inner_texts())), "a sign of Markdown that was not read"
    tab.close()


PALE = """() => {
  const numbers = (colour) => {
    const found = (colour.match(/[\\d.]+/g) || []).map(Number);
    return colour.startsWith("color(") ? found.map((one, at) => (at < 3 ? 255 * one : one)) : found;
  };
  const over = (top, below) => below.map((one, at) => (top[3] ?? 1) * top[at] + (1 - (top[3] ?? 1)) * one);
  const linear = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const c = numbers(getComputedStyle(one).backgroundColor);
      if (c.length === 3 || c[3] > 0.9) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('.gradio-container *')) {
    const speaks = [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
    if (!node.offsetParent || !speaks || node.closest('svg, :disabled')) continue;
    const [a, b] = [light(over(numbers(getComputedStyle(node).color), ground(node))), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 3.9) found.push([node.className, node.textContent.slice(0, 30), ratio.toFixed(2)]);
  }
  return found;
}"""


def test_buttons_have_names_and_the_tabs_and_forms_are_reached_by_the_keys(place: Desk, folder: Path) -> None:
    tab = place.open(folder)
    tab.wait_for_selector(".ls-stages")
    nameless = """() => [...document.querySelectorAll('button, a[href], select')].filter((one) => one.offsetParent && !(
      one.textContent.trim() || one.getAttribute('aria-label') || one.title || one.labels?.length || one.querySelector('img[alt]')
      )).map((one) => one.outerHTML.slice(0, 120))"""
    for name in ("Projects", "Research", "Download"):
        show(tab, name)
        assert tab.evaluate(nameless) == [], name
    show(tab, "Projects")
    tab.locator(".ls-stages a").first.focus()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent").startswith("2download")
    tab.keyboard.press("Enter")
    assert tab.get_by_role("tab", name="Download", exact=True).get_attribute("aria-selected") == "true"
    tab.close()


def test_on_the_network_the_page_and_its_files_ask_for_the_password(tmp_path: Path) -> None:
    with served(tmp_path, "--listen", "--password", "a good long one") as (address, _):
        here = f"http://127.0.0.1:{urlsplit(address).port}/"
        for path in ("", "api/state", "api/static/research.js", "api/research/all?project=x"):
            status, text = get(here + path, Accept="text/html")
            assert status == 401 and "password" in text and not re.search("zorvex|lsf-", text)
