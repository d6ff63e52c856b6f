"""How soon a page is there: what a person opens is drawn with the first answer of the server, not at a later look."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.project.pictures import Picture, facts_of
from lorasmith.project.project import Project
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served
from tests.ui.serving import surroundings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Path]]:
    """Gives a browser, the address of a project with three pictures, and its folder."""
    place = tmp_path_factory.mktemp("opening")
    with Project.create(place / "p", "zorvex") as project, project.change("add", "add"):
        for number in range(3):
            path = project.images / f"own_{number}.png"
            Image.effect_noise((300, 310), 90 + number).convert("RGB").save(path)
            project.pictures.add(Picture(path.stem, origin="folder", **facts_of(project.folder, path, (300, 310))))
    projects = Path(surroundings(place / "home")["LOCALAPPDATA"]) / "lorasmith" / "projects.json"
    with served(place / "home") as (address, _), chromium() as browser:
        yield browser, f"{address}?project={Projects(projects).remember(place / 'p').id}", place / "p"


def with_one_look(browser: Any) -> Any:
    """Opens a window in which the page can ask how everything stands only once."""
    tab, looks = window(browser), []

    def look(route: Any) -> None:
        looks.append(route)
        if len(looks) == 1:
            route.continue_()

    tab.route("**/api/state*", look)
    return tab


@pytest.mark.parametrize(
    ("page", "there"),
    [("prune", ".lsp-grid figure"), ("prepare", '[data-stage="prepare"] .ls-row'), ("tag", ".lst figure"), ("queue", ".lsq-head")],
)  # fmt: skip
def test_the_page_that_an_address_names_is_drawn_with_one_look(opened: tuple[Any, str, Path], page: str, there: str) -> None:
    browser, address, _ = opened
    tab = with_one_look(browser)
    tab.goto(f"{address}&at={page}")
    tab.locator(there).first.wait_for()
    assert not tab.faults
    tab.context.close()


def test_a_page_that_is_clicked_is_drawn_with_what_is_known(opened: tuple[Any, str, Path]) -> None:
    browser, address, _ = opened
    tab = with_one_look(browser)
    tab.goto(address)
    tab.locator(".ls-road").wait_for()
    tab.get_by_role("tab", name="Prune", exact=True).click()
    tab.locator(".lsp-grid figure").first.wait_for()
    tab.get_by_role("tab", name="Tag", exact=True).click()
    tab.locator(".lst figure").first.wait_for()
    tab.context.close()


@pytest.mark.parametrize("page", [("projects", ".ls-road"), ("prune", ".lsp-grid figure")])
def test_a_page_that_is_mounted_after_the_first_look_is_drawn_with_it(opened: tuple[Any, str, Path], page: tuple[str, str]) -> None:
    """As on a busy machine: the server answers before the browser has read the page's scripts."""
    browser, address, _ = opened
    tab, held, answered = with_one_look(browser), [], []
    tab.route("**/assets/HTML-*.js", lambda route: route.continue_() if answered else held.append(route))
    with tab.expect_response("**/api/state*") as look:
        tab.goto(f"{address}&at={page[0]}", wait_until="commit")
    look.value.finished()
    answered.append(True)
    for route in held:
        route.continue_()
    tab.locator(page[1]).first.wait_for()
    assert held
    tab.context.close()


def test_a_setting_that_cannot_be_is_told_when_the_page_opens(opened: tuple[Any, str, Path]) -> None:
    browser, address, folder = opened
    kept = (folder / "lorasmith.toml").read_text(encoding="utf-8")
    (folder / "lorasmith.toml").write_text(re.sub(r"(?m)^#? ?min_side = .*", 'min_side = "wide"', kept), encoding="utf-8")
    tab = window(browser)
    tab.goto(address)
    tab.get_by_test_id("toast-text").filter(has_text="min_side").first.wait_for()
    tab.context.close()
    (folder / "lorasmith.toml").write_text(kept, encoding="utf-8")
