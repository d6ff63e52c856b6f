"""A person tags in a real browser: filter, one picture's chips and order, edits of many, thresholds, looks, and what leads where."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo.demo import model_files
from lorasmith.project.pictures import Tag
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.stage import tag
from tests.stages.test_suggestions import add_scene
from tests.ui.desk import eventually, seated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SAID = {
    "own_0": "fox solo open_mouth forest hat", "own_1": "fox solo closed_mouth open_mouth", "own_2": "fox solo beach hat curled_horns",
    "own_3": "fox solo standing front_view", "own_4": "fox solo", "own_5": "fox solo",
}  # fmt: skip
ORDER = "[...document.querySelectorAll('[data-state=told] .lst-chip')].map((one) => one.dataset.tag)"


class Tagger:
    """A person with a browser before the Tag page."""

    def __init__(self, tab: Any, folder: Path) -> None:
        self.tab, self.folder = tab, folder

    def tags(self, name: str) -> set[str]:
        with Project.open(self.folder, writing=False) as project:
            return set(project.pictures.said(name))

    def history(self) -> list[str]:
        with Project.open(self.folder, writing=False) as project:
            return [entry.what for entry in project.journal.history() if entry.state == "done"]

    def placed(self, name: str) -> list[str]:
        """Lists the moved tags of a picture in their order."""
        with Project.open(self.folder, writing=False) as project:
            return list(project.caption_sets.placed("default").get(name, {}))

    def part(self, name: str) -> None:
        self.tab.click(f".lst-parts [data-part={name}]")
        self.tab.wait_for_selector(".lst-wall" if name == "pictures" else ".lst-ready")

    def filter(self, text: str) -> None:
        """Types a filter and takes it."""
        if not self.tab.locator("#lst-where").count():
            self.part("pictures")
        self.tab.fill("#lst-where", text)
        self.tab.press("#lst-where", "Enter")

    def until_found(self, words: str) -> None:
        self.tab.locator(".lst-found", has_text=re.compile(f"^{words}$")).wait_for()

    def names(self) -> list[str]:
        return list(self.tab.eval_on_selector_all(".lst-wall figure", "all => all.map((one) => one.dataset.name)"))

    def open(self, name: str) -> Any:
        self.tab.locator(f'.lst-wall figure[data-name="{name}"] .lst-open').click()
        self.tab.locator(".lst-name", has_text=name).wait_for()
        return self.tab.locator(".lst-dialog")

    def close(self) -> None:
        self.tab.keyboard.press("Escape")
        self.tab.wait_for_selector(".lst-dialog", state="detached")

    def chip(self, name: str, state: str = "") -> Any:
        where = f'.lst-chips[data-state="{state}"] ' if state else ".lst-dialog "
        return self.tab.locator(f'{where}.lst-chip[data-tag="{name}"]')

    def order(self) -> list[str]:
        return list(self.tab.evaluate(ORDER))


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tagger]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("projects") / "p"
    with Project.create(folder, "nick", chosen={"tag": {"tagger": str(model_files()[1]), "core_tags": ["fox"]}}) as project:
        for place, (name, said) in enumerate(SAID.items()):
            add_scene(project, name, seed=place, tags=())
            with project.change("add", "add"):
                project.pictures.set_tags(name, "booru", [Tag(word, "general", "booru") for word in said.split()])
        tag(project, project.settings(TagSettings))
    with seated(home, folder, "tag", ".lst-wall figure") as tab:
        yield Tagger(tab, folder)


@pytest.fixture(autouse=True)
def as_at_the_beginning(person: Tagger) -> Iterator[None]:
    """Takes back what a test changed, so that each begins alike."""
    entries = len(person.history())
    yield
    more = len(person.history()) - entries
    with Project.open(person.folder, patience=10) as project:
        for _ in range(more):
            project.undo()
    person.tab.reload()
    person.tab.wait_for_selector(".lst-parts")
    person.filter("")
    person.until_found("6 pictures")


def test_a_filter_shows_what_fits_and_a_click_on_a_count_narrows_it(person: Tagger) -> None:
    assert person.names() == sorted(SAID)
    person.filter("tag:hat")
    person.until_found("2 of 6 pictures")
    assert person.names() == ["own_0", "own_2"]
    person.tab.locator(".lst-counts tr", has_text="forest").locator(".lst-not").click()
    person.until_found("1 of 6 pictures")
    assert person.names() == ["own_2"] and person.tab.input_value("#lst-where") == "tag:hat -forest"


def test_a_fault_in_a_filter_is_a_sentence_with_its_place_and_an_unknown_tag_has_a_hint(person: Tagger) -> None:
    person.filter("hat AND (forest")
    fault = person.tab.locator("#lst-fault")
    fault.get_by_text("a '(' is not closed").wait_for()
    assert fault.locator("mark").count() == 1 and person.names() == sorted(SAID)
    person.filter("foresst")
    fault.get_by_text("No picture has 'foresst'; did you mean forest.").wait_for()
    fault.get_by_role("button", name="take forest").click()
    person.until_found("1 of 6 pictures")


def test_a_picture_tells_who_says_each_tag_and_what_becomes_of_it(person: Tagger) -> None:
    dialog = person.open("own_1")
    assert "site" in person.chip("solo", "told").inner_text() and "nick" in dialog.locator(".lst-captions").inner_text()
    assert person.chip("fox", "core").count() == 1
    assert "closed mouth and open mouth contradict" in dialog.inner_text().replace("open mouth and closed", "closed mouth and open")
    assert person.tab.get_by_text(re.compile(r"^\d+ of 75 tokens$")).count() == 1
    assert dialog.locator("img").get_attribute("alt").startswith("own_1, 800 x 640: nick")


def test_an_open_question_is_answered_with_a_click_and_undone_with_one(person: Tagger) -> None:
    dialog = person.open("own_4")
    dialog.get_by_text("unset: view").wait_for()
    dialog.locator('[data-answer="front_view"]').click()
    person.chip("front_view", "told").wait_for()
    assert "front_view" in person.tags("own_4") and "you" in person.chip("front_view").inner_text()
    assert person.history()[-1] == "tags add front_view on own_4"
    dialog.get_by_role("button", name="undo").click()
    dialog.get_by_text("unset: view").wait_for()
    assert "front_view" not in person.tags("own_4")


def test_a_tag_is_added_by_an_old_name_taken_out_and_put_back_with_the_keys_alone(person: Tagger) -> None:
    dialog = person.open("own_5")
    person.tab.keyboard.press("a")
    person.tab.keyboard.type("looking_at_vie")
    dialog.locator("[role=option]:first-child", has_text="looking at viewer").wait_for()
    person.tab.keyboard.press("ArrowDown")
    person.tab.keyboard.press("Enter")
    person.chip("looking_at_viewer", "told").wait_for()
    person.tab.locator("#lst-add").fill("from behind")
    assert dialog.get_by_role("option", name="rear view").first.inner_text().startswith("from behind →")
    person.chip("looking_at_viewer").focus()
    person.tab.keyboard.press("Delete")
    person.chip("looking_at_viewer", "taken out").wait_for()
    assert "looking_at_viewer" not in person.tags("own_5")
    person.chip("looking_at_viewer").focus()
    person.tab.keyboard.press("Enter")
    person.chip("looking_at_viewer", "told").wait_for()


def test_tags_are_dragged_and_moved_with_the_keys_and_the_caption_follows(person: Tagger) -> None:
    person.open("own_0")
    before = person.order()
    person.chip(before[-1]).drag_to(person.chip(before[1]), target_position={"x": 3, "y": 5})
    person.tab.wait_for_function(f"tag => {ORDER}[1] === tag", arg=before[-1])
    assert person.order() == [before[0], before[-1], *before[1:-1]]
    now = person.tab.inner_text(".lst-now").replace(" ", "_")
    assert now.index(before[-1]) < now.index(before[1])
    person.chip(before[0]).focus()
    person.tab.keyboard.press("End")
    person.tab.wait_for_function(f"tag => {ORDER}.pop() === tag", arg=before[0])
    assert person.history()[-1] == f"tags last {before[0]} on own_0" and person.placed("own_0")[-1] == before[0]


def test_arrows_go_to_the_neighbours_among_those_that_fit_and_focus_comes_back(person: Tagger) -> None:
    person.filter("tag:hat")
    person.until_found("2 of 6 pictures")
    dialog = person.open("own_0")
    assert dialog.locator(".lst-place").inner_text() == "1 of 2" and dialog.get_by_role("button", name="‹ before").is_disabled()
    person.tab.keyboard.press("ArrowRight")
    person.tab.locator(".lst-name", has_text="own_2").wait_for()
    person.tab.keyboard.press("Tab")
    assert person.tab.evaluate("document.activeElement.textContent") == "‹ before"
    person.close()
    assert person.tab.evaluate("document.activeElement.closest('figure').dataset.name") == "own_2"


def test_an_edit_of_many_is_shown_first_and_applied_as_one_step(person: Tagger) -> None:
    person.filter("tag:hat")
    person.until_found("2 of 6 pictures")
    entries = len(person.history())
    person.tab.click(".lst-batch summary")
    batch = person.tab.locator(".lst-batch")
    batch.locator("select").first.select_option("replace")
    person.tab.fill(".lst-words", "hat")
    person.tab.fill(".lst-into", "top hat")
    assert batch.get_by_role("button", name="Apply").is_disabled()
    batch.get_by_role("button", name="Preview").click()
    batch.get_by_text("2 pictures would change").wait_for()
    assert batch.locator("tr", has_text="own_2").locator("ins").inner_text() == "+ top hat"
    assert person.tags("own_2") >= {"hat"} and len(person.history()) == entries
    batch.get_by_role("button", name="Apply to 2 pictures").click()
    batch.get_by_text("Done on 2 pictures").wait_for()
    assert "top_hat" in person.tags("own_0") and "hat" not in person.tags("own_2") and len(person.history()) == entries + 1
    batch.locator(".lst-diff").get_by_role("button", name="undo").click()
    person.tab.get_by_text("undo: tags replace").wait_for()
    assert "hat" in person.tags("own_0")
    person.tab.click(".lst-batch summary")


def test_an_edit_reaches_the_ticked_pictures_alone(person: Tagger) -> None:
    for name in ("own_3", "own_4"):
        person.tab.get_by_label(f"choose {name} for an edit").check()
    person.tab.get_by_text("Edit the 2 chosen pictures").click()
    batch = person.tab.locator(".lst-batch")
    batch.locator("select").first.select_option("add")
    person.tab.fill(".lst-words", "night")
    batch.get_by_role("button", name="Preview").click()
    batch.get_by_role("button", name="Apply to 2 pictures").click()
    batch.get_by_text("Done on 2 pictures").wait_for()
    assert [name for name in SAID if "night" in person.tags(name)] == ["own_3", "own_4"]
    batch.get_by_role("button", name="choose none").click()
    person.tab.click(".lst-batch summary")


def test_thresholds_tell_at_once_what_joins_and_write_only_when_set(person: Tagger) -> None:
    before = (person.folder / "lorasmith.toml").read_text(encoding="utf-8")
    person.part("thresholds")
    person.tab.get_by_label("threshold as a number").fill("0.02")
    joins = person.tab.get_by_role("heading", name=re.compile(r"Would join: [1-9]"))
    joins.wait_for()
    assert (person.folder / "lorasmith.toml").read_text(encoding="utf-8") == before
    person.tab.get_by_label("threshold as a number").fill("0.99")
    person.tab.get_by_role("heading", name=re.compile("Would leave: ")).wait_for()
    person.tab.fill("#lst-for", "beach")
    person.tab.get_by_text("beach now counts from").wait_for()
    person.tab.get_by_role("button", name="Set it").click()
    person.tab.get_by_text("The threshold stands in lorasmith.toml").wait_for()
    with Project.open(person.folder, writing=False) as project:
        assert project.settings(TagSettings).thresholds == ["beach -> 0.99"]


def test_a_ticked_look_goes_under_the_trigger_and_an_outfit_is_gathered(person: Tagger) -> None:
    person.part("looks")
    person.tab.get_by_label("standing under the trigger").or_(person.tab.get_by_label("solo under the trigger")).first.check()
    person.tab.get_by_role("button", name="Put the ticked under the trigger").click()
    person.tab.get_by_text(re.compile("^Set by hand:")).wait_for()
    with Project.open(person.folder, writing=False) as project:
        assert {"fox"} < {one.tag for one in project.caption_sets.gathered("default")}
    person.tab.get_by_label("the outfit's own word").fill("beachwear")
    person.tab.get_by_label("the tags it stands for").fill("hat, beach")
    person.tab.get_by_role("button", name="Preview").click()
    person.tab.get_by_text(re.compile(r"beachwear would stand for hat, beach on [2-6] pictures")).wait_for()
    person.tab.get_by_role("button", name="Gather", exact=True).click()
    person.tab.get_by_role("button", name="give up", exact=True).wait_for()
    assert person.history()[-1] == "tags outfit beachwear"


def test_what_is_typed_while_the_page_asks_anew_stays(person: Tagger) -> None:
    person.part("looks")
    tab, late = person.tab, []
    tab.route("**/api/tags/consolidation?*", lambda route: late.append(route))
    tab.evaluate("void window.lorasmith.tags.again()")
    eventually(tab, lambda: late)
    tab.get_by_label("the outfit's own word").fill("beachwear")
    tab.get_by_label("the tags it stands for").fill("hat, beach")
    with tab.expect_response("**/api/tags/consolidation?*"):
        late[0].continue_()
    tab.wait_for_timeout(300)  # the page has read it by then
    assert tab.get_by_label("the outfit's own word").input_value() == "beachwear"
    assert tab.get_by_label("the tags it stands for").input_value() == "hat, beach"
    tab.unroute("**/api/tags/consolidation?*")


def test_the_audit_and_the_disagreements_lead_to_the_pictures(person: Tagger) -> None:
    person.part("audit")
    person.tab.locator("tr", has_text="contradiction").get_by_role("button", name=re.compile("show")).first.click()
    person.until_found("1 of 6 pictures")
    assert person.names() == ["own_1"]
    person.part("disagreements")
    row = person.tab.locator("tr", has_text="curled horns").filter(has_text="the site says it, the tagger does not see it")
    row.get_by_role("button", name="take it out").click()
    person.tab.get_by_text("1 picture would change").wait_for()
    assert person.names() == ["own_2"] and person.tab.locator(".lst-diff del").inner_text() == "− curled horns"
    person.tab.get_by_role("button", name="choose none").click()
    person.tab.click(".lst-batch summary")


def test_an_answer_that_comes_when_another_part_is_shown_is_not_drawn_over_it(person: Tagger) -> None:
    tab, late = person.tab, []
    tab.route("**/api/tags/audit?*", lambda route: late.append(route))
    tab.click(".lst-parts [data-part=audit]")
    eventually(tab, lambda: late)
    person.part("pictures")
    person.until_found("6 pictures")
    with tab.expect_response("**/api/tags/audit?*"):
        late[0].continue_()
    tab.wait_for_timeout(300)  # the page has read it by then
    assert person.names() == sorted(SAID)
    tab.unroute("**/api/tags/audit?*")
    person.part("audit")


def test_what_another_process_changes_shows_by_itself_and_the_place_is_kept_on_a_reload(person: Tagger) -> None:
    person.filter("snow")
    person.until_found("0 of 6 pictures")
    with Project.open(person.folder, patience=10) as project, project.change("add", "by another"):
        project.pictures.set_tags("own_3", "sidecar", [Tag("snow", "general", "sidecar")])
    person.until_found("1 of 6 pictures")
    person.tab.reload()
    person.until_found("1 of 6 pictures")
    assert person.tab.input_value("#lst-where") == "snow"


def test_it_works_in_a_frame_inside_another_page_in_the_dark(person: Tagger) -> None:
    outer = person.tab.context.new_page()
    outer.set_viewport_size({"width": 1280, "height": 720})
    outer.goto(person.tab.url.split("?")[0] + "api/health")
    outer.set_content(f'<iframe src="{person.tab.url}&__theme=dark" style="width:1240px;height:660px"></iframe>')
    inner = outer.frame_locator("iframe")
    inner.locator('figure[data-name="own_5"] .lst-open').click()
    inner.locator('[data-answer="front_view"]').click()
    inner.locator('[data-state="told"] [data-tag="front_view"]').wait_for()
    assert "front_view" in person.tags("own_5")
    colour = inner.locator(".lst-dialog").evaluate("one => getComputedStyle(one).backgroundColor")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60
    outer.close()
