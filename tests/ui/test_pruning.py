"""A person prunes in a real browser: filters, keys, twins, coverage, the best so many, two windows, a project at work."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.imaging.measure import measure
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.look import preview
from lorasmith.stages.prune.stage import prune
from tests.extension.browsing import window
from tests.ui.desk import seated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
COUNT = 130  # a page and a part


class Pruner:
    """A person with a browser before the Prune page."""

    def __init__(self, tab: Any, folder: Path) -> None:
        self.tab, self.folder = tab, folder

    def verdicts(self) -> dict[str, str]:
        with Project.open(self.folder, writing=False) as project:
            decisions = project.pictures.decisions()
            return {one.name: decisions[one.name].verdict if one.name in decisions else "keep" for one in project.pictures.originals()}

    def steps(self) -> list[str]:
        with Project.open(self.folder, writing=False) as project:
            return [entry.what for entry in project.journal.history() if entry.state == "done"]

    def show(self, name: str) -> None:
        self.tab.locator(".lsp-tabs button", has_text=name).click()

    def tile(self, name: str) -> Any:
        return self.tab.locator(f'.lsp-grid figure[data-name="{name}"]')

    def fresh(self) -> None:
        """Gives the page no choice of its own."""
        self.tab.wait_for_function("window.lorasmith?.prune?.root()")
        if self.tab.locator(".lsp-one").count():  # a test before that failed has left it open
            self.tab.keyboard.press("Escape")
        self.tab.evaluate("window.lorasmith.prune.open('pictures')")
        self.tab.evaluate("window.lorasmith.prune.change(window.lorasmith.prune.fresh)")
        self.tile("own_000").wait_for()

    def until(self, wanted: Any) -> None:
        for _ in range(240):
            if wanted():
                return
            self.tab.wait_for_timeout(250)
        raise AssertionError(self.verdicts())


def draw(project: Project) -> None:
    """Adds pictures of which 000 and 001 are twins, 002 is too small, 003 perhaps a sketch, and every third from behind."""
    with project.change("add", "add"):
        for number in range(COUNT):
            name = f"own_{number:03d}"
            size = (100, 90) if number == 2 else (300 + number, 320)
            picture = Image.effect_noise(size, 90).convert("RGB")
            path = project.images / f"{name}.png"
            if number == 1:
                Image.open(project.images / "own_000.png").save(project.images / f"{name}.jpg", quality=95)
                path = project.images / f"{name}.jpg"
            else:
                picture.save(path)
            post = {"site": "e621", "id": 10 + number, "score": number, "rating": "s", "sources": [f"https://example.org/a/{number}"]}
            project.pictures.add(Picture(name, origin="booru", post=post, **facts_of(project.folder, path, Image.open(path).size)))
            tags = ["solo", "standing", *(["sketch"] if number == 3 else []), *(["from_behind"] if number % 3 == 0 else [])]
            project.pictures.set_tags(name, "booru", [Tag(tag, "general", "booru") for tag in tags])


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pruner]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("projects") / "p"
    with Project.create(folder, "nick") as project:
        draw(project)
        prune(project, PruneSettings())
    with seated(home, folder, "prune", ".lsp-grid figure") as tab:
        yield Pruner(tab, folder)


def test_pages_of_a_hundred_and_filters_by_verdict_reason_tag_and_order(person: Pruner) -> None:
    person.fresh()
    assert person.tab.locator(".lsp-grid figure").count() == 100
    person.tab.get_by_role("button", name="next page").first.click()
    person.tile(f"own_{COUNT - 1:03d}").wait_for()
    assert person.tab.locator(".lsp-grid figure").count() == COUNT - 100
    person.tab.get_by_role("button", name="dropped (").click()
    person.tile("own_002").wait_for()
    assert "too small" in person.tile("own_002").inner_text()
    person.tab.select_option('select[aria-label="reason"]', "perhaps a sketch")
    person.tile("own_003").wait_for()
    assert person.tab.locator(".lsp-grid figure").count() == 1
    person.fresh()
    person.tab.fill(".lsp-filters input", "from_behind AND NOT sketch")
    person.tab.keyboard.press("Enter")
    person.tile("own_001").wait_for(state="detached")
    assert "of 43" in person.tab.inner_text(".lsp-pager >> nth=0") or person.tab.locator(".lsp-grid figure").count() == 43
    person.tab.fill(".lsp-filters input", "from_behind AND (")
    person.tab.keyboard.press("Enter")
    person.tab.get_by_role("alert").get_by_text("cannot be read").wait_for()
    person.fresh()
    person.tab.select_option('select[aria-label="order"]', "score")
    person.tab.locator(".lsp-down").click()
    person.tab.wait_for_function(f"document.querySelector('.lsp-grid figure').dataset.name === 'own_{COUNT - 1:03d}'")


def test_keys_in_the_grid_keep_drop_and_take_back(person: Pruner) -> None:
    person.fresh()
    before = person.steps()
    person.tile("own_010").locator(".ls-opener").focus()
    person.tab.keyboard.press("d")
    assert person.tab.evaluate("document.activeElement.closest('figure').dataset.name") == "own_011"
    person.tab.keyboard.press("ArrowRight")
    person.tab.keyboard.press("x")
    person.until(lambda: person.verdicts()["own_012"] == "drop")
    assert person.steps() == [*before, "drop own_010", "drop own_012"]
    person.tab.keyboard.press("Control+z")
    person.tab.keyboard.press("u")
    person.until(lambda: person.steps() == before)
    person.tab.keyboard.press("Control+y")
    person.until(lambda: person.steps() == [*before, "drop own_010"])
    person.tab.keyboard.press("Control+z")
    person.until(lambda: person.steps() == before)


def test_one_picture_says_why_and_goes_on_with_keys(person: Pruner) -> None:
    person.fresh()
    person.tile("own_003").locator(".ls-opener").click()
    person.tab.wait_for_selector('.lsp-one[data-shown="own_003"]')
    person.tab.locator(".lsp-one").get_by_text(f"4 of {COUNT}").wait_for()
    words = person.tab.inner_text(".lsp-panel")
    assert "perhaps a sketch" in words and "60 % sure" in words and "https://example.org/a/3" in words and f"4 of {COUNT}" in words
    person.tab.keyboard.press("ArrowLeft")
    person.tab.wait_for_selector('.lsp-one[data-shown="own_002"]')
    assert "100" in person.tab.inner_text(".lsp-chips") and "Dropped" in person.tab.inner_text(".lsp-verdict")
    person.tab.keyboard.press("k")
    person.tab.wait_for_selector('.lsp-one[data-shown="own_003"]')
    person.until(lambda: person.verdicts()["own_002"] == "keep")
    person.tab.keyboard.press("u")
    person.tab.wait_for_selector('.lsp-one[data-shown="own_002"]')
    person.until(lambda: person.verdicts()["own_002"] == "drop")
    person.tab.keyboard.press("Escape")
    person.tab.wait_for_selector(".lsp-one", state="detached")
    assert person.tab.evaluate("document.activeElement.closest('figure').dataset.name") == "own_002"


def test_one_click_keeps_the_other_twin_as_one_step(person: Pruner) -> None:
    person.fresh()
    before = person.steps()
    assert person.verdicts()["own_000"] == "keep" and person.verdicts()["own_001"] == "drop"
    person.show("Twins")
    family = person.tab.locator(".lsp-family").first
    family.wait_for()
    assert "own_000 is lossless" in family.inner_text()
    family.get_by_role("button", name="Keep this one instead").click()
    person.until(lambda: person.verdicts()["own_001"] == "keep" and person.verdicts()["own_000"] == "drop")
    assert person.steps() == [*before, "keep own_001 instead of own_000"]
    person.tab.click("[data-history=undo]")
    person.until(lambda: person.steps() == before)


def test_the_bars_follow_a_drop_and_lead_to_their_pictures(person: Pruner) -> None:
    person.fresh()
    bar = person.tab.locator('[data-bar="view:back"]')
    bar.wait_for()
    kept = [name for name, verdict in person.verdicts().items() if verdict == "keep" and int(name[4:]) % 3 == 0]
    assert bar.get_attribute("aria-label").startswith(f"view back: {len(kept)} pictures")
    person.tile("own_006").locator("[data-decide=drop]").click()
    person.tab.wait_for_selector(f'[data-bar="view:back"][aria-label^="view back: {len(kept) - 1} pictures"]')
    bar.click()
    person.tile("own_001").wait_for(state="detached")
    assert person.tab.locator(".lsp-grid figure").count() == len(kept) - 1
    person.tab.click("[data-history=undo]")
    person.tile("own_006").wait_for()


def test_the_best_so_many_are_shown_before_they_are_chosen(person: Pruner) -> None:
    person.fresh()
    before, steps = person.verdicts(), person.steps()
    person.show("Choose the best")
    person.tab.fill("#lsp-size", "40")
    person.tab.get_by_role("button", name="Preview", exact=True).click()
    told = person.tab.wait_for_selector(".lsp-sum").inner_text()
    with Project.open(person.folder, writing=False) as project:
        would = preview(project, PruneSettings(to=40))
    assert f"{len(would.leaves)} would leave" in told and "40 would stay" in told and person.verdicts() == before
    person.tab.get_by_role("button", name="Keep the best 40").click()
    person.until(lambda: list(person.verdicts().values()).count("keep") == 40)
    person.until(lambda: not person.tab.evaluate("window.lorasmith.state().jobs.length"))
    dropped = {name for name, verdict in person.verdicts().items() if verdict == "drop" and before[name] == "keep"}
    assert dropped == {one.name for one in would.leaves}
    person.tab.click("[data-history=undo]")
    person.until(lambda: person.verdicts() == before)
    assert person.steps() == steps


def test_a_second_window_and_a_reload_show_the_same(person: Pruner) -> None:
    person.fresh()
    other = person.tab.context.new_page()
    other.goto(person.tab.url)
    other.wait_for_selector('.lsp-grid figure[data-name="own_020"]')
    other.locator('figure[data-name="own_020"] [data-decide=drop]').click()
    person.tab.wait_for_selector('.lsp-grid figure.ls-dropped[data-name="own_020"]')
    other.close()
    person.tab.get_by_role("button", name="by hand (").click()
    person.tile("own_021").wait_for(state="detached")
    person.tab.reload()
    person.tile("own_020").wait_for()
    assert person.tab.locator(".lsp-grid figure").count() == 1
    person.tab.click("[data-history=undo]")
    person.tile("own_020").wait_for(state="detached")


def test_an_answer_from_before_a_drop_does_not_take_its_mark_away(person: Pruner) -> None:
    person.fresh()
    tab, old = person.tab, []
    tab.route("**/api/prune/page?*", lambda route: old.append((route, route.fetch())))
    tab.route("**/api/prune/decide", lambda route: old.append((route, None)))
    tab.evaluate("void window.lorasmith.prune.change({})")
    person.until(lambda: old)
    tile = person.tile("own_010")
    tile.locator("[data-decide=drop]").click()
    person.until(lambda: len(old) == 2)
    old[0][0].fulfill(response=old[0][1])
    tab.unroute("**/api/prune/page?*")
    tab.wait_for_timeout(400)
    assert "ls-dropped" in tile.get_attribute("class")
    old[1][0].continue_()
    tab.unroute("**/api/prune/decide")
    person.until(lambda: person.verdicts()["own_010"] == "drop")
    tab.keyboard.press("Control+z")
    person.until(lambda: person.verdicts()["own_010"] == "keep")


def test_a_project_that_another_holds_is_refused_with_a_sentence_and_the_mark_goes_back(person: Pruner) -> None:
    person.fresh()
    with Project.open(person.folder, patience=5):
        person.tile("own_030").locator("[data-decide=drop]").click()
        person.tab.locator(".ls-toast.warn", has_text="Another lorasmith is working").first.wait_for()
    person.tab.wait_for_selector('.lsp-grid figure:not(.ls-dropped)[data-name="own_030"]')
    assert person.verdicts()["own_030"] == "keep"


def test_a_picture_whose_file_has_gone_says_so(person: Pruner) -> None:
    file = person.folder / "images" / "own_050.png"
    content = file.read_bytes()
    file.unlink()
    stranger = window(person.tab.context.browser)  # whose browser has seen no picture yet
    try:
        stranger.goto(person.tab.url)
        stranger.locator('.lsp-grid figure[data-name="own_050"]').scroll_into_view_if_needed()
        stranger.locator('figure[data-name="own_050"]').get_by_text("cannot be shown").wait_for()
    finally:
        file.write_bytes(content)
        stranger.context.close()


def test_everything_that_can_be_pressed_has_a_name_and_pictures_have_words(person: Pruner) -> None:
    person.fresh()
    nameless = """() => [...document.querySelectorAll('.lsp button, .lsp input, .lsp select')].filter((one) =>
      !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length || one.querySelector('img[alt]'))).length"""
    assert person.tab.evaluate(nameless) == 0
    assert person.tab.evaluate("[...document.querySelectorAll('.lsp img')].every((one) => one.alt.length > 5)")
    assert person.tab.evaluate("document.querySelectorAll('.lsp-grid .ls-opener[tabindex=\"0\"]').length") == 1
    assert measure(person.folder / "images" / "own_003.png").width == 303
