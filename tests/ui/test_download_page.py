"""A person downloads in a real browser: the plan before, live progress with a stop, reasons as counts and lists, awkward moments."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo import world
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from tests.ui.desk import Desk, desk, eventually, idle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def make(folder: Path, url: str, **download: Any) -> Path:
    chosen = {"site": {"site_url": url}, "download": {"fold_twins": False} | download}
    with Project.create(folder, world.NEW_CHARACTER, preset="demo", chosen=chosen):
        return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, booru: DemoBooru) -> Path:
    return make(tmp_path_factory.mktemp("projects") / "zorvex", booru.url)


@pytest.fixture(scope="module")
def tab(place: Desk, folder: Path) -> Iterator[Any]:
    opened = place.open(folder, "download")
    yield opened
    assert opened.faults == []


def pictures(folder: Path) -> int:
    with Project.open(folder, writing=False) as project:
        return len(project.pictures.originals())


def test_an_empty_project_says_what_to_do_and_nothing_has_been_asked(tab: Any, booru: DemoBooru) -> None:
    tab.get_by_role("button", name="What would be fetched?").wait_for()
    tab.get_by_text("No pictures yet: start the download").wait_for()
    assert tab.locator(".lsd-figure").count() == 0


def test_the_plan_is_told_with_what_stands_in_the_form_and_fetches_nothing(tab: Any, folder: Path, booru: DemoBooru) -> None:
    tab.fill('.ls-field-min_score:visible input[type="number"]', "60")
    asked = len([one for one in booru.log if one.path.startswith("/data/")])
    tab.get_by_role("button", name="What would be fetched?").click()
    tab.locator(".lsd-figure").first.wait_for()
    idle(tab)
    with Project.open(folder, writing=False) as project:
        assert project.settings(DownloadSettings).min_score == 60
        plan = project.fact("plan:download")["plan"]
    figures = tab.inner_text(".lsd-figures")
    assert re.match(rf"{plan['fetched']}\nfiles to fetch\n", figures) and "at the polite rate" in figures and plan["fetched"] > 0
    assert pictures(folder) == 0 and len([one for one in booru.log if one.path.startswith("/data/")]) == asked
    low = tab.get_by_role("button", name=re.compile("left out: score"))
    assert int(low.locator("b").inner_text()) == plan["left_out"]["score"]
    low.click()
    assert low.get_attribute("aria-expanded") == "true"
    eventually(tab, lambda: tab.locator(".lsd-list li").count() == plan["left_out"]["score"])
    assert tab.locator(".lsd-list a").first.get_attribute("href").startswith(booru.url)
    tab.get_by_role("button", name=re.compile("to be fetched")).click()
    eventually(tab, lambda: tab.locator(".lsd-list li").count() == plan["fetched"])


def test_a_setting_that_changed_since_makes_the_plan_old(tab: Any, folder: Path) -> None:
    with Project.open(folder, patience=10) as project:
        project.write_settings({"download": {"min_score": 0}}, "minimum score 0")
    tab.get_by_text("The settings have been changed since: ask again.").wait_for()
    tab.wait_for_function("[...document.querySelectorAll('.ls-field-min_score input')].some((one) => one.value === '0')")


def test_it_shows_its_progress_is_stopped_and_goes_on_where_it_was(tab: Any, folder: Path, booru: DemoBooru) -> None:
    booru.faults.add(Fault("slow", path="/data/", times=100))
    tab.click("#ls-start-download")
    live = tab.locator(".lsd-live")
    live.get_by_text(re.compile(r"^[1-9]\d* of \d+ · .*MB")).wait_for()
    live.get_by_role("button", name="Stop").click()
    idle(tab)
    tab.get_by_text("was stopped. Nothing finished was lost").wait_for()
    there = pictures(folder)
    assert there > 0
    booru.faults.clear()
    tab.get_by_role("button", name="Go on with download").click()
    tab.get_by_text("What became of each post").wait_for()
    idle(tab)
    assert pictures(folder) > there
    counts = {one.inner_text() for one in tab.locator(".lsd-reason").all()}
    assert any(text.endswith(" fetched") for text in counts) and f"{there} here already" in counts
    tab.locator('[data-stage="download"] figure img').first.evaluate("image => image.decode()")


def test_a_file_that_cannot_be_had_is_counted_and_named(place: Desk, tmp_path: Path, booru: DemoBooru) -> None:
    folder = make(tmp_path / "p", booru.url)
    booru.faults.add(Fault("status", path="/data/", status=404))
    tab = place.open(folder, "download")
    tab.click("#ls-start-download")
    tab.get_by_text("1 file could not be had").wait_for()
    booru.faults.clear()
    failed = tab.get_by_role("button", name=re.compile("1 failed"))
    failed.click()
    eventually(tab, lambda: tab.locator(".lsd-list li").count() == 1)
    assert len(tab.inner_text(".lsd-list li")) > 20
    tab.close()


def test_a_site_that_is_down_is_a_sentence_and_can_be_stopped_before(place: Desk, tmp_path: Path) -> None:
    tab = place.open(make(tmp_path / "p", "http://127.0.0.1:9"), "download")
    tab.get_by_role("button", name="What would be fetched?").click()
    tab.locator(".lsd-live").get_by_role("button", name="Stop").click()
    idle(tab)
    tab.get_by_text("was stopped").wait_for()
    tab.close()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (".ls-field-top_n:visible input", "-4", "top_n"),
        (".ls-field-max_short_side:visible input", "", "max short side"),
        (".ls-field-skip_posts_file:visible textarea, .ls-field-skip_posts_file:visible input", "/no/such/file", "/no/such/file"),
    ],
)
def test_a_value_that_cannot_be_is_told_and_fetches_nothing(
    place: Desk, tmp_path: Path, booru: DemoBooru, field: str, value: str, sentence: str
) -> None:
    folder = make(tmp_path / "p", booru.url)
    tab = place.open(folder, "download")
    tab.locator(field).first.fill(value)
    tab.click("#ls-start-download")
    tab.get_by_text(re.compile(re.escape(sentence))).locator("visible=true").first.wait_for()
    idle(tab)
    assert pictures(folder) == 0
    tab.close()


def test_ten_thousand_pictures_are_paged(place: Desk, tmp_path: Path) -> None:
    folder = make(tmp_path / "p", "http://127.0.0.1:9")
    facts = {"width": 64, "height": 64, "bytes": 100, "md5": "0" * 32}
    with Project.open(folder) as project, project.transaction():
        for number in range(10_000):
            post = {"site": "e621", "id": number, "score": number, "rating": "s"}
            name = f"e621_{number}"
            project.pictures.add(Picture(name, file=f"images/{name}.png", origin="booru", sha256=f"{number:064d}", post=post, **facts))
    rows = "".join(f"e621_{number},https://e621.net/posts/{number},left out,score\n" for number in range(10_000))
    (folder / "download.csv").write_text(f"post,page,outcome,reason\n{rows}", encoding="utf-8")
    with Project.open(folder) as project:
        project.remember("result:download", {"fetched": 10_000})
    tab = place.open(folder, "download")
    tab.get_by_text("10000 originals").wait_for()
    assert tab.locator('[data-stage="download"] figure').count() == 48
    tab.get_by_role("button", name="10,000 left out: score").click()
    tab.get_by_text("page 1 of 167").wait_for()
    tab.locator(".lsd-list").get_by_role("button", name="next page").click()
    tab.get_by_text("page 2 of 167").wait_for()
    tab.close()
