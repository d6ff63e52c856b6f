"""A person researches in a real browser: a search, the funnel, a minimum score, previews, tags and info.md, and awkward moments."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo import world
from lorasmith.demo.server import DemoBooru
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings, ResearchSettings
from lorasmith.stages.research.scores import read_scores, spread
from lorasmith.stages.research.wall import read_wall
from lorasmith.stages.run import run_stage
from tests.ui.desk import Desk, desk, eventually, idle, steps

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, booru: DemoBooru) -> Path:
    """A project that was researched."""
    made = tmp_path_factory.mktemp("projects") / "zorvex"
    chosen = {"site": {"site_url": booru.url}, "research": {"wanted": 5, "wanted_at_most": 10}}
    with Project.create(made, world.NEW_CHARACTER, preset="demo", chosen=chosen) as project:
        run_stage(project, "research")
    return made


@pytest.fixture(scope="module")
def tab(place: Desk, folder: Path) -> Iterator[Any]:
    opened = place.open(folder, "research")
    opened.wait_for_selector(".lsf-form")
    yield opened
    assert opened.faults == []


def part(tab: Any, name: str) -> None:
    tab.click(f'[data-part="{name}"]')


def settings(folder: Path, model: Any) -> Any:
    with Project.open(folder, writing=False) as project:
        return project.settings(model)


def sheet(folder: Path) -> str:
    return (folder / "info.md").read_text(encoding="utf-8")


# the search


def test_a_search_is_built_of_fields_and_offers_shown_in_the_sites_words_and_used(tab: Any, folder: Path) -> None:
    tab.fill("#lsf-with_tags", "stand")
    tab.get_by_role("option", name=re.compile(r"^standing \d+ of its posts")).wait_for()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.fill("#lsf-one_of", "front view, side view")
    tab.keyboard.press("Enter")
    tab.fill("#lsf-without", "monochrome")
    tab.keyboard.press("Enter")
    wanted = "zorvex solo standing ~front_view ~side_view -monochrome"
    tab.wait_for_function(f"document.querySelector('.lsf-built').textContent === '{wanted}'")
    assert settings(folder, ResearchSettings).with_tags == []
    tab.reload()  # what was begun is not lost
    tab.wait_for_function(f"document.querySelector('.lsf-built')?.textContent === '{wanted}'")
    tab.get_by_role("button", name="Use this search").click()
    eventually(tab, lambda: settings(folder, ResearchSettings).one_of == ["front_view", "side_view"])
    assert settings(folder, DownloadSettings).with_tags == ["standing"] and steps(folder)[-1] == f"the search: {wanted}"
    tab.locator(".ls-note.warn", has_text="start research again").wait_for()
    tab.locator('[data-part="funnel"]').press("Control+z")
    tab.wait_for_function("document.querySelector('.lsf-built').textContent === 'zorvex solo'")
    assert settings(folder, ResearchSettings).without == []


def test_a_tag_is_taken_out_again_with_a_click_and_the_last_one_with_backspace(tab: Any) -> None:
    tab.fill("#lsf-without", "comic, sketch")
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="take comic out of 'without'").click()
    tab.wait_for_function("document.querySelector('.lsf-built').textContent === 'zorvex solo -sketch'")
    tab.press("#lsf-without", "Backspace")
    tab.wait_for_function("document.querySelector('.lsf-built').textContent === 'zorvex solo'")
    assert tab.get_by_role("button", name="Use this search").is_disabled()


def test_the_site_counts_what_a_search_would_find_and_a_search_for_minors_is_refused(tab: Any, booru: DemoBooru) -> None:
    tab.select_option("#lsf-solo", "any")
    tab.wait_for_function("document.querySelector('.lsf-built').textContent === 'zorvex'")
    tab.get_by_role("button", name="Count on the site").click()
    tab.locator(".lsf-answer", has_text=re.compile(r"\d+ posts on e621")).wait_for()
    asked = len(booru.log)
    tab.fill("#lsf-with_tags", "young")
    tab.keyboard.press("Enter")
    tab.locator(".lsf-answer.lsf-bad").wait_for()
    assert len(booru.log) == asked and tab.get_by_role("button", name="Count on the site").is_disabled()
    tab.get_by_role("button", name="Put back").click()
    tab.wait_for_function("document.querySelector('.lsf-built').textContent === 'zorvex solo'")


# the funnel and the scores


def test_the_funnel_ends_with_as_many_as_the_histogram_holds(tab: Any, folder: Path) -> None:
    part(tab, "funnel")
    rows = tab.locator(".lsf-funnel li")
    rows.first.wait_for()
    with Project.open(folder, writing=False) as project:
        left = len(read_scores(project))
    assert rows.last.inner_text().split("\n")[:2] == ["one of each picture", str(left)]
    assert f"of {left} posts pass" in tab.inner_text(".lsf-told")


def test_the_minimum_is_dragged_counts_follow_at_once_and_it_is_written_when_let_go(tab: Any, folder: Path) -> None:
    part(tab, "funnel")
    before = steps(folder)
    slider = tab.locator("#lsf-slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    tab.mouse.move(box["x"] + 30, box["y"] + 60)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60, steps=4)
    with Project.open(folder, writing=False) as project:
        scores = read_scores(project)
    now = int(slider.get_attribute("aria-valuenow"))
    assert tab.inner_text(".lsf-told").startswith(f"{sum(score >= now for score in scores)} of {len(scores)} posts pass")
    assert steps(folder) == before
    tab.mouse.up()
    eventually(tab, lambda: settings(folder, DownloadSettings).min_score == now)
    assert steps(folder) == [*before, f"minimum score {now}"]
    tab.wait_for_timeout(1200)
    tab.focus("#lsf-slider")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    eventually(tab, lambda: settings(folder, DownloadSettings).min_score == now - 2)
    tab.keyboard.press("Control+z")
    eventually(tab, lambda: settings(folder, DownloadSettings).min_score == now)
    tab.wait_for_function(f"document.querySelector('#lsf-slider').getAttribute('aria-valuenow') === '{now}'")
    tab.get_by_role("tab", name="Download", exact=True).click()  # whose form follows
    tab.wait_for_function(f"[...document.querySelectorAll('.ls-field-min_score input')].some((one) => one.value === '{now}')")
    tab.get_by_role("tab", name="Research", exact=True).click()


def test_the_suggestion_is_taken_with_a_click_and_nonsense_is_told(tab: Any, folder: Path) -> None:
    part(tab, "funnel")
    with Project.open(folder, writing=False) as project:
        suggested = spread(project).suggested
    assert suggested is not None
    tab.get_by_role("button", name=f"Take {suggested}").click()
    eventually(tab, lambda: settings(folder, DownloadSettings).min_score == suggested)
    tab.locator("#lsf-exact").fill("")
    tab.locator("#lsf-exact").press("Enter")
    tab.get_by_text("A minimum score is a whole number.").wait_for()
    assert settings(folder, DownloadSettings).min_score == suggested


# the previews


def test_a_preview_is_dropped_with_a_key_and_undo_brings_it_back(tab: Any, folder: Path) -> None:
    part(tab, "wall")
    first = tab.locator(".lsf-wall figure").first
    first.wait_for()
    name = first.get_attribute("data-name")
    with Project.open(folder, writing=False) as project:
        assert name == read_wall(project)[0].name
    first.locator(".lsf-open").focus()
    tab.keyboard.press("d")
    tab.locator(f'figure.ls-dropped[data-name="{name}"]').wait_for()
    assert tab.evaluate("document.activeElement.closest('figure').dataset.name") != name
    tab.get_by_role("button", name="dropped (1)").click()
    eventually(tab, lambda: tab.locator(".lsf-wall figure").count() == 1)
    tab.keyboard.press("Control+z")
    tab.get_by_role("button", name="dropped (0)").wait_for()
    tab.get_by_role("button", name=re.compile(r"^all \(")).click()
    tab.locator(f'figure[data-name="{name}"] .lsf-open').click()
    tab.get_by_role("dialog").locator("img").wait_for()
    tab.keyboard.press("Escape")
    assert tab.get_by_role("dialog").count() == 0


# the tags and info.md


def test_a_tag_is_moved_to_another_class_info_md_follows_and_undo_takes_it_back(tab: Any, folder: Path) -> None:
    part(tab, "profile")
    before = sheet(folder)
    tab.get_by_placeholder("find a tag").fill("purple fur")
    select = tab.get_by_label("class of purple fur")
    select.wait_for()
    assert select.input_value() == "core"
    select.select_option("toggle")
    eventually(tab, lambda: sheet(folder) != before)
    text = sheet(folder)
    assert text.index("## Toggles") < text.index("- purple_fur")
    eventually(tab, lambda: steps(folder)[-1:] == ["purple_fur to toggles"])
    tab.wait_for_function("/## Toggles[^]*- purple_fur/.test(document.querySelector('.lsf-text').value)")
    tab.get_by_text("found: core look").wait_for()
    tab.get_by_label("class of purple fur").press("Control+z")
    eventually(tab, lambda: sheet(folder) == before)
    tab.wait_for_function("document.querySelector('[aria-label=\"class of purple fur\"]').value === 'core'")
    tab.wait_for_function("text => document.querySelector('.lsf-text').value === text", arg=before)


def test_info_md_is_edited_a_reload_loses_nothing_and_the_table_follows(tab: Any, folder: Path) -> None:
    part(tab, "profile")
    tab.wait_for_function("document.querySelector('.lsf-text')?.value.includes('## Core looks')")
    text = sheet(folder).replace("## Notes", "## Notes\n\nscar on the left ear")
    tab.fill(".lsf-text", text)
    tab.get_by_text("not saved yet").wait_for()
    tab.reload()
    tab.wait_for_function("document.querySelector('.lsf-text')?.value.includes('scar on the left ear')")
    assert "on the left ear" not in sheet(folder)
    tab.focus(".lsf-text")
    tab.keyboard.press("Control+s")
    eventually(tab, lambda: "scar on the left ear" in sheet(folder))
    eventually(tab, lambda: steps(folder)[-1:] == ["info.md edited"])


def test_a_sheet_that_was_changed_on_the_disk_meanwhile_is_told_and_nobodys_text_is_lost(tab: Any, folder: Path) -> None:
    part(tab, "profile")
    tab.wait_for_function("document.querySelector('.lsf-text')?.value.includes('## Core looks')")
    mine = sheet(folder) + "\nmine\n"
    tab.fill(".lsf-text", mine)
    (folder / "info.md").write_text(sheet(folder) + "\ntheirs\n", encoding="utf-8")
    tab.locator(".lsf-conflict", has_text="theirs").wait_for()
    assert tab.get_by_role("button", name="Save", exact=True).is_disabled() and "mine" in tab.input_value(".lsf-text")
    tab.get_by_role("button", name="Save mine over it").click()
    eventually(tab, lambda: "mine" in sheet(folder))
    tab.locator('[data-part="profile"]').press("Control+z")
    eventually(tab, lambda: "theirs" in sheet(folder) and "mine" not in sheet(folder))
    tab.wait_for_function("document.querySelector('.lsf-text').value.includes('theirs')")


def test_a_line_that_marks_minors_is_not_written(tab: Any, folder: Path) -> None:
    part(tab, "profile")
    before = sheet(folder)
    tab.fill(".lsf-text", before.replace("## Core looks\n", "## Core looks\n\n- cub\n", 1))
    tab.get_by_role("button", name="Save", exact=True).click()
    tab.locator(".ls-toast.warn", has_text="marks minors").wait_for()
    assert sheet(folder) == before
    tab.get_by_role("button", name="Put back").last.click()
    assert tab.input_value(".lsf-text").strip() == before.strip()


# awkward moments


def test_research_runs_in_another_window_with_the_search_on_its_screen(place: Desk, tmp_path: Path, booru: DemoBooru) -> None:
    with Project.create(tmp_path / "p", world.NEW_CHARACTER, preset="demo", chosen={"site": {"site_url": booru.url}}) as project:
        folder = project.folder
    one = place.open(folder, "research")
    one.get_by_text("asks the site what it has: how many posts").wait_for()
    other = one.context.new_page()
    other.goto(one.url)
    other.wait_for_selector(".lsf-form")
    other.fill("#lsf-without", "sketch")
    other.keyboard.press("Enter")
    other.click("#ls-start-research")
    one.locator(".lsf-slider").wait_for()
    idle(one)
    with Project.open(folder, writing=False) as project:
        assert project.fact("research")["query"] == "zorvex solo -sketch"
    part(one, "profile")
    one.locator("tr", has_text="purple fur").first.wait_for()
    one.close()


def test_a_site_that_is_down_is_a_sentence_and_the_page_goes_on(place: Desk, tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "zorvex", preset="demo", chosen={"site": {"site_url": "http://127.0.0.1:9"}}) as project:
        folder = project.folder
    tab = place.open(folder, "research")
    tab.get_by_role("button", name="Count on the site").click()
    tab.locator(".lsf-answer.lsf-bad", has_text="could not be reached").wait_for()
    part(tab, "wall")
    tab.get_by_text("Start research fetches small previews").wait_for()
    part(tab, "profile")
    tab.get_by_text("No tags yet: research counts them.").wait_for()
    tab.fill(".lsf-text", "# zorvex\n\n## Core looks\n\n- horns\n")
    tab.get_by_role("button", name="Save", exact=True).click()
    tab.get_by_label("class of horns").wait_for()
    tab.close()


def test_a_project_at_work_refuses_a_change_with_a_sentence_and_the_page_goes_back(tab: Any, folder: Path) -> None:
    part(tab, "profile")
    tab.get_by_placeholder("find a tag").fill("purple fur")
    with Project.open(folder, patience=5):
        tab.get_by_label("class of purple fur").select_option("state")
        tab.locator(".ls-toast.warn", has_text="Another lorasmith is working").first.wait_for()
    assert tab.get_by_label("class of purple fur").input_value() == "core"


def test_ten_thousand_tags_and_posts_are_paged(place: Desk, tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "zorvex", preset="demo") as project:
        folder = project.folder
        project.research.mkdir()
        tags = "".join(f"general,tag_{number},{10_000 - number},0.5,1.5,state\n" for number in range(10_000))
        (project.research / "tags.csv").write_text(f"category,tag,posts,share,lift,part\n{tags}", encoding="utf-8")
        posts = "".join(f"e621_{number},{number % 3000},\n" for number in range(10_000))
        (project.research / "posts.csv").write_text(f"post,score,left_out\n{posts}", encoding="utf-8")
        found = {"query": "zorvex solo", "funnel": [["looked at", 10_000]], "scores": [], "advice": "Many."}
        project.remember("result:research", found)
    tab = place.open(folder, "research")
    tab.get_by_text("10,000 of 10,000 posts pass").wait_for()
    part(tab, "profile")
    tab.get_by_text("page 1 of 100").wait_for()
    assert tab.locator(".lsf-table tbody tr").count() == 100
    tab.get_by_placeholder("find a tag").fill("tag_9999")
    eventually(tab, lambda: tab.locator(".lsf-table tbody tr").count() == 1)
    tab.close()


def test_everything_that_can_be_pressed_has_a_name_and_pictures_have_words(tab: Any) -> None:
    nameless = """() => [...document.querySelectorAll('.lsf button, .lsf input, .lsf select, .lsf textarea')].filter((one) => !(
      one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length || one.querySelector('img[alt]')
      )).map((one) => one.outerHTML)"""
    for name in ("funnel", "wall", "profile"):
        part(tab, name)
        tab.wait_for_timeout(400)
        assert tab.evaluate(nameless) == []
    assert tab.evaluate("[...document.querySelectorAll('.lsf img')].every((one) => one.alt.length > 5)")
