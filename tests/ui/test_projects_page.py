"""A person's projects in a real browser: make, open, the road drawn, a folder that has gone, settings of another program."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.ui.projects.names import folder_name
from tests.ui.desk import Desk, desk, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STATIONS = ["Research", "Download", "Prune", "Prepare", "Tag", "Train", "Evaluate", "Refine"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def fill(tab: Any, field: str, words: str) -> None:
    tab.locator(f"{field} textarea, {field} input").first.fill(words)


def test_a_first_visit_says_what_to_do_and_a_project_is_made_with_the_keys_alone(place: Desk, tmp_path: Path) -> None:
    tab = place.open()
    tab.get_by_text("Open a project below, or make a new one.").wait_for()
    tab.get_by_text("No projects yet: make one on the right.").wait_for()
    tab.locator("#ls-new-trigger textarea, #ls-new-trigger input").first.focus()
    tab.keyboard.type("zorvex")
    tab.click("#ls-new-more button")
    fill(tab, "#ls-new-folder", str(tmp_path / "made"))
    tab.locator("#ls-create").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".ls-stages")
    names = [one.strip() for one in tab.locator(".ls-stages li b:first-of-type").all_inner_texts()]
    assert [name for name in names if name in STATIONS] == STATIONS
    assert tab.locator('[aria-current="step"]').inner_text().startswith("1\nResearch\nnext")
    assert tab.faults == []
    tab.close()


def test_the_road_shows_counts_and_states_and_each_station_leads_to_its_page(place: Desk, tmp_path: Path) -> None:
    facts = {"width": 64, "height": 64, "bytes": 100, "md5": "0" * 32}
    with Project.create(tmp_path / "p", "nick") as project:
        for number in range(1234):
            name = f"own_{number}"
            project.pictures.add(Picture(name, file=f"images/{name}.png", origin="folder", sha256=f"{number:064d}", post={}, **facts))
    tab = place.open(tmp_path / "p")
    road = tab.locator(".ls-stages")
    road.get_by_text("1,234 pictures").wait_for()
    assert tab.locator('[aria-current="step"]').inner_text().startswith("3\nPrune")
    assert road.locator("li").nth(1).get_attribute("class") == "ls-done"
    for name in STATIONS:
        tab.get_by_role("tab", name="Projects", exact=True).click()
        road.locator(f"[data-go={name.lower()}]").click()
        assert tab.get_by_role("tab", name=name, exact=True).get_attribute("aria-selected") == "true"
    tab.close()


def test_a_folder_that_has_gone_is_told_and_forgotten_and_its_page_says_so(place: Desk, tmp_path: Path) -> None:
    Project.create(tmp_path / "gone", "nick").close()
    tab = place.open(tmp_path / "gone")
    tab.wait_for_selector(".ls-stages")
    shutil.move(tmp_path / "gone", tmp_path / "moved")
    tab.get_by_role("alert").get_by_text("was the folder moved or the disk unplugged?").wait_for()
    tab.get_by_role("tab", name="Prune", exact=True).click()  # nothing breaks
    tab.get_by_role("button", name="Show my projects").click()
    line = tab.locator(".ls-gone", has_text="is not there: was it moved")
    line.wait_for()
    tab.get_by_role("button", name="take gone off this list; the folder stays").click()
    line.wait_for(state="detached")
    assert "gone" not in [one.folder.name for one in place.projects.known()]
    tab.get_by_role("button", name="Open another folder").click()
    fill(tab, "#ls-open-folder", f'"{tmp_path / "moved"}"')
    tab.click("#ls-open")
    tab.wait_for_selector(".ls-stages")
    assert tab.faults == []
    tab.close()


CANNOT_BE: tuple[tuple[dict[str, str], str, str], ...] = (
    ({"#ls-new-trigger": ""}, "#ls-create", "The trigger is empty"),
    ({"#ls-new-trigger": "a,b"}, "#ls-create", "has a mark that captions use otherwise"),
    ({"#ls-new-trigger": "nick", "#ls-new-checkpoint": "/no/such.safetensors"}, "#ls-create", "/no/such.safetensors"),
    ({"#ls-open-folder": "/no/such/folder"}, "#ls-open", "There is no project in"),
    ({"#ls-import-file": "/no/such.json"}, "#ls-import-go", "cannot be read"),
)


def test_what_cannot_be_is_told_in_a_sentence_and_makes_nothing(place: Desk) -> None:
    before = place.projects.known()
    tab = place.open()
    tab.get_by_role("button", name="Open another folder").click()
    tab.get_by_role("button", name="Take over settings of another program").click()
    for fields, button, sentence in CANNOT_BE:
        for field, words in fields.items():
            fill(tab, field, words)
        tab.click(button)
        tab.get_by_text(sentence).first.wait_for()
    assert tab.locator(".ls-stages").count() == 0 and place.projects.known() == before
    tab.close()


def test_a_downloaders_settings_become_a_project(place: Desk, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"required_tags": "zorvex, solo", "min_score": 77, "batch_folder": "b"}), encoding="utf-8")
    tab = place.open()
    tab.get_by_role("button", name="Take over settings of another program").click()
    fill(tab, "#ls-import-file", str(file))
    fill(tab, "#ls-import-folder", str(tmp_path / "taken"))
    tab.click("#ls-import-go")
    tab.locator("#ls-import-told").get_by_text("download.min_score").wait_for()
    tab.get_by_role("button", name="Open taken").click()
    tab.wait_for_selector(".ls-stages")
    with Project.open(tmp_path / "taken", writing=False) as project:
        assert project.settings(DownloadSettings).min_score == 77
    tab.close()


def test_two_windows_show_two_projects_and_a_change_in_one_reaches_the_other_of_it(place: Desk, tmp_path: Path) -> None:
    for name in ("one", "two"):
        Project.create(tmp_path / name, name).close()
    first, second = place.open(tmp_path / "one"), place.open(tmp_path / "two")
    third = place.open(tmp_path / "one")
    for tab, name in ((first, "one"), (second, "two"), (third, "one")):
        eventually(tab, lambda tab=tab, name=name: tab.evaluate("window.lorasmith?.state()?.trigger") == name)
    with Project.open(tmp_path / "one") as project:
        project.write_settings({"download": {"min_score": 12}}, "minimum score 12")
    for tab in (first, third):
        tab.get_by_role("tab", name="Download", exact=True).click()
        tab.wait_for_function("[...document.querySelectorAll('.ls-field-min_score input')].some((one) => one.value === '12')")
    assert second.evaluate("[...document.querySelectorAll('.ls-field-min_score input')].every((one) => one.value !== '12')")
    for tab in (first, second, third):
        tab.close()


@pytest.mark.parametrize(("trigger", "name"), [("my fox", "my_fox"), ("con", "con_"), ("???", "project"), ("ß-1", "ß-1")])
def test_a_folder_is_named_so_that_every_disk_takes_it(trigger: str, name: str) -> None:
    assert folder_name(trigger) == name
