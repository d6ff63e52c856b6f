"""A person before the Refine page: candidates with scores and lineage, keys, what is drawn next, and awkward moments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.demo.demo import model_files
from lorasmith.project.pictures import REFUSED, Decision, Picture, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import RefineSettings, TagSettings
from lorasmith.stages.refine.stage import refine
from lorasmith.stages.tag.stage import tag
from lorasmith.ui.refine.asking import PER_PAGE
from tests.stages.test_suggestions import add_scene
from tests.ui.evaluated import add_evaluation, add_run, address_of, asked, lora_name, paused, watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TOGETHER = 8


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagged project with an evaluation, of which the likest renders came back."""
    place = tmp_path_factory.mktemp("projects") / "p"
    with Project.create(place, "nick", chosen={"tag": {"tagger": str(model_files()[1])}}) as project:
        names = [add_scene(project, f"own_{number}", seed=number).name for number in range(3)]
        tag(project, project.settings(TagSettings))
        add_run(project, names)
        add_evaluation(project, names)
        renders = [f"e{epoch:02d}-w{weight}-p0{row}-s11" for epoch in (2, 3) for weight in ("0.7", "1") for row in (0, 3)]
        done = refine(project, project.settings(RefineSettings, {"renders": renders, "top_n": 0}))
        assert len(done.brought_back) == TOGETHER
    return place


@pytest.fixture(scope="module")
def browser_tab(home: Path, folder: Path) -> Iterator[Any]:
    with watched(home, folder, "refine") as tab:
        yield tab


@pytest.fixture
def tab(browser_tab: Any, folder: Path) -> Iterator[Any]:
    """Gives the page with its waiting candidates, and takes back what a test decided."""
    steps = len(history(folder))
    if browser_tab.url != browser_tab.start:
        browser_tab.goto(browser_tab.start)
    browser_tab.wait_for_selector(".lsv-main")
    show(browser_tab, "waiting")
    browser_tab.wait_for_selector(".lsv-tile")
    yield browser_tab
    with Project.open(folder, patience=10) as project:
        for _ in range(len(history(folder)) - steps):
            project.undo()
    browser_tab.evaluate("document.querySelectorAll('.lsz, .ls-toast').forEach((one) => one.remove())")
    if browser_tab.url == browser_tab.start:
        browser_tab.locator(".lse-kinds", has_text=f"waiting ({TOGETHER})").wait_for()


def show(tab: Any, which: str) -> None:
    tab.locator(".lse-kinds button", has_text=which).click()
    tab.locator(f'.lse-kinds [aria-pressed="true"]:has-text("{which}")').wait_for()


def history(folder: Path) -> list[str]:
    with Project.open(folder, writing=False) as project:
        return [entry.what for entry in project.journal.history() if entry.state == "done"]


def trained(folder: Path) -> set[str]:
    with Project.open(folder, writing=False) as project:
        return {one.name for one in project.pictures.trained() if one.generated}


def names(tab: Any) -> list[str]:
    return list(tab.locator(".lsv-tile").evaluate_all("all => all.map((one) => one.dataset.name)"))


def counts(tab: Any, words: str) -> None:
    tab.locator(".lse-kinds", has_text=words).wait_for()


def test_candidates_stand_with_their_scores_prompt_seed_and_lineage_the_likest_first(tab: Any) -> None:
    first = tab.locator(".lsv-tile").first.inner_text()
    assert "likeness 0.95" in first and "seed 11" in first and f"{lora_name(3)[:-12]} at" in first and "generation 1" in first
    assert tab.locator(".lsv-tile").count() == TOGETHER
    assert tab.locator(".lsv-tile img").first.get_attribute("alt").endswith(": nick") or "nick, hat" in first
    side = tab.locator(".lsv-side").inner_text()
    assert "None of the set's 3 pictures was drawn by a model." in side


def test_keys_keep_refuse_and_take_back_and_the_set_and_its_lineage_follow(tab: Any, folder: Path) -> None:
    kept, refused, third = names(tab)[:3]
    tab.locator(".lsv-grid .ls-opener").first.focus()
    tab.keyboard.press("k")
    tab.keyboard.press("d")
    counts(tab, "kept (1)")
    counts(tab, "refused (1)")
    assert trained(folder) == {kept} and kept not in names(tab)
    assert tab.evaluate("document.activeElement.closest('figure').dataset.name") == third
    side = tab.locator(".lsv-side")
    side.get_by_text("1 of 4 pictures in the set was drawn by a model (25 %; at most 50 %).").wait_for()
    assert f"1 by {lora_name(3)}" in side.inner_text()
    show(tab, "refused")
    tab.locator(f'.lsv-tile.ls-dropped[data-name="{refused}"]').wait_for()
    tab.locator(".lsv-grid .ls-opener").first.focus()
    tab.keyboard.press("u")
    counts(tab, "refused (0)")
    tab.keyboard.press("Control+z")
    counts(tab, "kept (0)")
    assert trained(folder) == set()


def test_the_large_view_has_all_of_a_candidate_and_the_same_keys(tab: Any, folder: Path) -> None:
    first, second = names(tab)[:2]
    tab.locator(".lsv-grid .ls-opener").first.press("Enter")
    panel = tab.locator(".lsz-panel")
    panel.get_by_text("Waits for your word.").wait_for()
    words = panel.inner_text()
    assert first in words and "Lineage" in words and "1: drawn by a model that learnt from hands' work" in words
    assert "nearest to own_0" in words and "1 of 8" in words
    tab.keyboard.press("k")
    panel.get_by_role("heading", name=second).wait_for()
    tab.keyboard.press("ArrowLeft")
    panel.get_by_text("Kept: it is trained on in the next round.").wait_for()
    counts(tab, "kept (1)")
    assert trained(folder) == {first}
    tab.keyboard.press("Escape")
    tab.wait_for_selector(".lsz", state="detached")


def test_too_many_drawn_pictures_are_told_by_the_limit(tab: Any) -> None:
    for number in range(4):
        tab.locator('.lsv-tile [data-decide="keep"]').first.click()
        counts(tab, f"kept ({number + 1})")
    tab.get_by_text("4 of 7 pictures were drawn by a model (57%); refine.max_generated allows 50%").wait_for()
    tab.get_by_text("4 renders kept: they are trained on in the next round").wait_for()


def test_what_the_set_lacks_is_told_and_the_prompts_that_would_be_drawn(tab: Any) -> None:
    side = tab.locator(".lsv-side")
    side.get_by_text("Framings").wait_for()
    tab.fill("#lsv-count", "5")
    side.get_by_text("The 5 prompts that would be drawn").click()
    assert side.locator("ol li").count() == 5 and side.locator("ol li").first.inner_text().startswith("nick, ")
    tab.fill("#lsv-count", "0")
    side.get_by_text("Give how many candidates are drawn, from 1 to 1000.").wait_for()


def test_candidates_own_prompts_and_the_best_are_put_in_the_line(tab: Any, home: Path, folder: Path) -> None:
    with paused(home) as store:
        tab.fill("#lsv-count", "12")
        tab.select_option("#lsv-ground", "pink")
        tab.get_by_role("button", name="Draw candidates").click()
        tab.wait_for_function("window.lorasmith.state().jobs.length === 1")
        tab.get_by_role("button", name="Bring the evaluation's best back").click()
        tab.wait_for_function("window.lorasmith.state().jobs.length === 2")
        tab.get_by_text("Own prompts").click()
        tab.fill("[aria-label='own prompts, one a line']", "solo, running\nsolo, night")
        tab.fill("#lsv-seeds", "7, 8")
        tab.select_option("#lsv-lora", "none")
        tab.get_by_role("button", name="Draw these").click()
        tab.wait_for_function("window.lorasmith.state().jobs.length === 3")
        assert [job.words for job in store.open()] == [
            ("refine", str(folder), "--candidates", "12", "--ground", "pink"), ("refine", str(folder), "--once", "--candidates", "0"),
            ("draw", str(folder), "solo, running", "solo, night", "--seeds", "7", "--seeds", "8", "--lora", "none"),
        ]  # fmt: skip


def test_what_is_typed_wrongly_is_a_sentence(tab: Any) -> None:
    for what, body, sentence in (
        ("candidates", {"candidates": "x"}, "from 1 to 1000"), ("candidates", {"candidates": 5, "ground": "blue"}, "ground"),
        ("draw", {"prompts": " \n"}, "one prompt a line"), ("draw", {"prompts": "--lora x"}, "cannot begin with '-'"),
        ("draw", {"prompts": "fox", "seeds": "7.5"}, "whole numbers"),
        ("draw", {"prompts": "fox", "lora": "../x"}, "There is no ../x"), ("nothing", {}, "cannot do"),
    ):  # fmt: skip
        status, content = asked(tab, f"api/refine/{what}", body)
        assert status == 400 and sentence in content["error"], content


def test_what_another_window_decides_shows_here(tab: Any, folder: Path) -> None:
    first = names(tab)[0]
    other = tab.context.new_page()
    other.goto(tab.start)
    other.locator(f'.lsv-tile[data-name="{first}"] [data-decide="drop"]').click()
    counts(tab, "refused (1)")
    assert first not in names(tab)
    other.close()


def test_a_file_that_vanished_is_told_and_the_others_stand(tab: Any, folder: Path) -> None:
    gone = names(tab)[0]
    with Project.open(folder, writing=False) as project:
        path = project.file_of(project.pictures.get(gone))
    kept = path.read_bytes()
    path.unlink()
    fresh = tab.context.browser.new_context().new_page()  # one that has kept no picture
    fresh.goto(tab.start)
    fresh.locator(f'.lsv-tile[data-name="{gone}"]').get_by_text("cannot be shown: is its file still there?").wait_for()
    assert fresh.locator(".lsv-tile img").count() == TOGETHER - 1
    fresh.context.close()
    path.write_bytes(kept)


def test_a_decision_while_a_stage_is_at_work_is_refused_with_its_sentence(tab: Any) -> None:
    tab.route("**/api/decide", lambda route: route.fulfill(status=400, json={"error": "train is at work on this project."}))
    tab.locator('.lsv-tile [data-decide="keep"]').first.click()
    tab.get_by_text("train is at work on this project.").wait_for()
    counts(tab, f"waiting ({TOGETHER})")
    tab.wait_for_function("!document.querySelector('.lsv-tile [aria-pressed=true]')")
    tab.unroute("**/api/decide")


def test_a_lost_connection_is_told_and_the_page_goes_on(tab: Any) -> None:
    tab.route("**/api/refine/**", lambda route: route.abort())
    tab.locator(".lse-kinds button", has_text="all").click()
    tab.get_by_text("The server did not answer; the page tries again.").first.wait_for()
    tab.unroute("**/api/refine/**")
    tab.wait_for_function("!document.querySelector('.lsv-main .ls-note.warn')")
    show(tab, "all")


def test_an_empty_project_is_told_what_to_do_first(tab: Any, home: Path, tmp_path: Path) -> None:
    Project.create(tmp_path / "empty", "nobody").close()
    tab.goto(tab.server + address_of(home, tmp_path / "empty", "refine"))
    tab.get_by_text("Train and evaluate first: a LoRA draws them.").wait_for()
    assert tab.get_by_role("button", name="Draw candidates").is_disabled()
    assert tab.get_by_text("No renders came back yet").count() == 1


def test_ten_thousand_pictures_and_many_candidates_are_shown_page_by_page(tab: Any, home: Path, tmp_path: Path) -> None:
    place = tmp_path / "large"
    with Project.create(place, "nick") as project, project.change("add", "add"), project.transaction():
        path = project.images / "one.png"
        Image.new("RGB", (64, 64), "red").save(path)
        facts = facts_of(project.folder, path, (64, 64))
        for number in range(10_000):
            project.pictures.add(Picture(f"own_{number:05d}", origin="folder", **facts))
        for number in range(PER_PAGE + 5):
            post = {"generated": True, "generation": 1, "evaluation": "001", "lora": "a.safetensors", "prompt": "nick", "seed": number}
            name = f"render_{number:03d}"
            project.pictures.add(Picture(name, origin="render", post=post, **facts))
            project.pictures.decide(name, Decision("drop", "refine", "it waits"), maker="refine")
        project.pictures.add(Picture("render_hidden", origin="render", post={"generated": True}, **facts))
        project.pictures.decide("render_hidden", Decision("drop", REFUSED, "refused"), maker=REFUSED)
    tab.goto(tab.server + address_of(home, place, "refine"))
    tab.locator(".lsv-tile").nth(PER_PAGE - 1).wait_for()
    counts(tab, f"all ({PER_PAGE + 5})")  # what safety refused is not among them
    tab.get_by_role("button", name="next ›").last.click()
    tab.wait_for_function("document.querySelectorAll('.lsv-tile').length === 5")
    tab.locator('.lsv-tile [data-decide="keep"]').first.click()
    tab.get_by_text("1 of 10,001 pictures in the set was drawn by a model").wait_for()
