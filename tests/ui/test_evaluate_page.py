"""A person before the Evaluate page: what is recommended, grids with zoom, scores, what leads where, and awkward moments."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from tests.ui.desk import eventually
from tests.ui.evaluated import (
    METADATA,
    add_evaluation,
    address_of,
    asked,
    evaluated_project,
    lora_name,
    paused,
    watched,
    write_lora,
)
from tests.ui.whole import whole_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAMES = [f"own_{number}" for number in range(6)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("projects") / "p"
    evaluated_project(place).close()
    return place


@pytest.fixture(scope="module")
def browser_tab(home: Path, folder: Path) -> Iterator[Any]:
    with watched(home, folder, "evaluate") as tab:
        yield tab


@pytest.fixture
def tab(browser_tab: Any, folder: Path) -> Any:
    """Gives the page with no choice of its own."""
    if browser_tab.url != browser_tab.start:
        browser_tab.goto(browser_tab.start)
    there = "window.lorasmith?.evaluate && lorasmith.state()?.version && document.querySelector('#ls-tabs button')"
    browser_tab.wait_for_function(there)
    browser_tab.evaluate("""() => {
        document.querySelectorAll(".lsz, .ls-toast").forEach((one) => one.remove());
        lorasmith.go("evaluate");
        return lorasmith.evaluate.go({ name: "", part: "result", kind: "", column: "", told: false });
    }""")
    browser_tab.wait_for_selector(".lse-advice")
    return browser_tab


def part(tab: Any, name: str) -> None:
    tab.click(f".lse-parts [data-part={name}]")


def pictures(tab: Any, kind: str) -> None:
    part(tab, "pictures")
    tab.locator(".lse-kinds button", has_text=kind).click()
    tab.locator(f'.lse-kinds [aria-pressed="true"]:has-text("{kind}")').wait_for()
    tab.wait_for_selector(".lse-cell img")


def held(tab: Any) -> str:
    return str(tab.evaluate("document.activeElement.dataset.held"))


def test_it_says_what_to_use_and_how_well_each_is_baked(tab: Any) -> None:
    advice = tab.locator(".lse-advice")
    assert "Epoch 3, weight 0.7" in advice.inner_text() and "it comes without its trigger too" in advice.inner_text()
    words = tab.locator(".lse-stand").evaluate_all("all => all.map((one) => one.querySelector('.lse-verdict').textContent)")
    assert words == ["underbaked", "good", "good", "underbaked", "good", "overbaked"]
    chosen = tab.locator(".lse-stand.lse-chosen")
    assert "recommended" in chosen.inner_text() and "Recommended" in chosen.get_attribute("aria-label")
    assert tab.get_by_role("row", name=re.compile("^pose followed 1.00")).count() == 1
    tab.locator(".lse-stand", has_text="overbaked").click()
    tab.get_by_role("button", name="show all epochs and weights again").wait_for()
    assert tab.locator(".lse-grid thead th").count() == 2


def test_a_grid_for_each_question_is_gone_over_with_the_arrow_keys(tab: Any) -> None:
    pictures(tab, "pose")
    assert tab.locator(".lse-parts [aria-selected=true]").inner_text() == "Pictures"
    assert tab.get_by_role("heading", name="Does it take the pose?").count() == 1
    assert tab.locator(".lse-grid tbody tr").count() == 4 and tab.locator(".lse-grid .lse-cell").count() == 28
    assert tab.locator(".lse-cell img").first.get_attribute("alt").startswith("nick, standing, seed 11, without LoRA: likeness 0.1")
    tab.locator(".lse-cell").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"):
        tab.keyboard.press(key)
    assert held(tab) == "nick, standing|11|e1-w0.7"
    tab.get_by_label("also the seeds that chose nothing").check()
    tab.locator(".lse-grid", has_text="seed 101, chose nothing").wait_for()
    assert tab.locator(".lse-grid .lse-cell").count() == 32


def test_the_answer_to_a_question_that_is_left_is_not_shown_as_that_of_the_next(tab: Any) -> None:
    pictures(tab, "pose")
    late: list[Any] = []
    tab.route("**/api/evaluate/grid?*kind=likeness*", lambda route: late.append(route))
    shown = tab.locator(".lse-grid").inner_text()
    tab.locator(".lse-kinds button", has_text="likeness").click()
    eventually(tab, lambda: late)
    with tab.expect_response("**/api/evaluate/grid?*kind=pose*"):
        tab.locator(".lse-kinds button", has_text="pose").click()
    with tab.expect_response("**/api/evaluate/grid?*kind=likeness*"):
        late[0].continue_()
    tab.wait_for_timeout(300)  # the page has read it by then
    assert tab.locator(".lse-grid").inner_text() == shown
    assert "pose" in tab.locator('.lse-kinds [aria-pressed="true"]').inner_text()
    tab.unroute("**/api/evaluate/grid?*kind=likeness*")


def test_a_cell_is_shown_large_with_its_facts_and_the_keys_and_the_wheel_work(tab: Any) -> None:
    pictures(tab, "pose")
    tab.locator(".lse-cell").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    facts = tab.locator(".lsz-panel")
    facts.get_by_text("nick, standing", exact=True).wait_for()
    assert "seed\n11" in facts.inner_text() and lora_name(1) in facts.inner_text() and "nearest to own_0" in facts.inner_text()
    tab.keyboard.press("ArrowDown")
    facts.get_by_text("12", exact=True).wait_for()
    tab.keyboard.press("ArrowRight")
    facts.get_by_role("heading", name="epoch 1, weight 1", exact=True).wait_for()
    tab.mouse.move(300, 300)
    tab.mouse.wheel(0, -200)
    tab.locator(".lsz-size", has_text="125 %").wait_for()
    tab.keyboard.press("+")
    tab.locator(".lsz-size", has_text="156 %").wait_for()
    tab.mouse.down()
    tab.mouse.move(360, 330)
    tab.mouse.up()
    assert "translate" in tab.locator(".lsz-image").get_attribute("style")
    tab.keyboard.press("0")
    tab.locator(".lsz-size", has_text="100 %").wait_for()
    tab.keyboard.down("b")
    assert tab.locator(".lsz-image").get_attribute("alt").startswith("without LoRA")
    tab.keyboard.up("b")
    assert not tab.locator(".lsz-image").get_attribute("alt").startswith("without LoRA")
    for _ in range(12):
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.querySelector('.lsz').contains(document.activeElement)")
    tab.keyboard.press("Escape")
    tab.wait_for_selector(".lsz", state="detached")
    assert held(tab) == "nick, standing|12|e1-w1"


def test_two_fingers_make_it_larger(tab: Any) -> None:
    pictures(tab, "likeness")
    tab.locator(".lse-cell").first.click()
    tab.wait_for_selector(".lsz-panel dl")
    tab.evaluate("""() => {
        const stage = document.querySelector(".lsz-stage");
        stage.setPointerCapture = () => null;
        const at = (id, x) => ({ pointerId: id, clientX: x, clientY: 300, bubbles: true });
        const finger = (kind, id, x) => stage.dispatchEvent(new PointerEvent(kind, at(id, x)));
        finger("pointerdown", 1, 300); finger("pointerdown", 2, 400); finger("pointermove", 2, 500);
    }""")
    assert tab.locator(".lsz-size").inner_text() == "200 %"


def test_scores_are_plotted_over_epochs_and_a_point_shows_its_cells(tab: Any) -> None:
    part(tab, "scores")
    tab.wait_for_selector(".lse-point")
    titles = ["Likeness", "Flexibility", "Outfit control", "Leak", "Diversity", "Copies"]
    assert tab.locator(".lse-figure figcaption b").all_inner_texts() == titles
    assert tab.locator(".lse-figure").first.locator(".lse-band").count() == 2
    point = tab.locator('[data-point="flexibility:e3-w1"]')
    assert point.get_attribute("aria-label") == "Flexibility 0.00, from 0.00 to 0.00, at epoch 3, weight 1: show its renders"
    assert "recommended" in tab.locator('[data-point="likeness:e3-w0.7"]').get_attribute("aria-label")
    point.focus()
    tab.keyboard.press("Enter")
    tab.get_by_role("heading", name="Does it take the pose?").wait_for()
    assert tab.locator(".lse-grid thead th").all_inner_texts()[1].startswith("epoch 3, weight 1")


def test_each_thing_to_fix_leads_to_just_its_pictures_on_the_page_that_mends_it(tab: Any) -> None:
    part(tab, "fix")
    trait = tab.locator(".lse-fix", has_text="blue eyes is wrong in renders")
    trait.wait_for()
    assert trait.locator("img").evaluate_all("all => all.map((one) => one.alt)") == ["own_0", "own_1"]
    trait.get_by_role("button", name="Open just these 2 in Prune").click()
    tab.wait_for_selector(".lsp-grid figure")
    tab.wait_for_function("document.querySelectorAll('.lsp-grid figure').length === 2")
    tab.locator("#ls-tabs").get_by_role("tab", name="Evaluate").click()
    tab.locator(".lse-fix", has_text="watermark").get_by_role("button", name="Open just these 2 in Prepare").click()
    tab.get_by_text("2 of 6 pictures, chosen on another page").wait_for()
    assert tab.locator('[data-ls="view"][data-stage="prepare"] .ls-row').count() == 2
    tab.locator("#ls-tabs").get_by_role("tab", name="Evaluate").click()
    tab.locator(".lse-fix", has_text="comes unasked").get_by_role("button", name="Open just these 2 in Tag").click()
    tab.locator(".lst-found", has_text="2 of 6 pictures").wait_for()
    assert tab.locator(".lst-wall figure").evaluate_all("all => all.map((one) => one.dataset.name)") == ["own_0", "own_3"]


def test_the_cards_text_is_shown_and_copied(tab: Any) -> None:
    tab.get_by_role("button", name="Copy the card's text").click()
    tab.get_by_text("Copied.", exact=True).wait_for()
    text = tab.get_by_label("the card's text").input_value()
    assert "Trigger: nick" in text and "base.safetensors" in text


def test_what_cannot_be_compared_is_a_sentence_and_what_can_be_is_put_in_the_line(tab: Any, home: Path, folder: Path) -> None:
    part(tab, "beside")
    for typed, sentence in (
        ("", "Name a LoRA file to set beside"), ("/nowhere/x.safetensors", "There is no LoRA /nowhere/x.safetensors"),
        (str(folder / "lorasmith.toml"), "There is no LoRA"),
    ):  # fmt: skip
        tab.fill("#lse-other", typed)
        tab.get_by_role("button", name="Compare").click()
        tab.locator(".ls-toast.warn", has_text=sentence).last.wait_for()
        tab.evaluate("document.querySelectorAll('.ls-toast').forEach((one) => one.remove())")
    tab.get_by_role("button", name="Evaluate all runs").click()
    tab.get_by_text("trainings that have ended: 1").wait_for()
    tab.get_by_role("button", name="Look at the base alone").click()
    tab.get_by_text("own tags are not known yet; start tag first").wait_for()
    with paused(home) as store:
        tab.fill("#lse-other", lora_name(1))
        tab.get_by_role("button", name="Compare").click()
        tab.get_by_text("It is in the line as job").wait_for()
        assert store.open()[0].words == ("evaluate", str(folder), "--against", str(folder / "loras" / lora_name(1)))


def test_several_rivals_at_once_a_sweep_and_the_base_alone_are_started_from_the_page(tab: Any, home: Path, tmp_path: Path) -> None:
    folder = whole_project(tmp_path / "whole", model_files()[0])
    rival = write_lora(tmp_path / "their models" / "rival, one.safetensors", METADATA)
    tab.goto(tab.server + address_of(home, folder, "evaluate"))
    tab.wait_for_selector(".lse-parts")
    part(tab, "beside")
    with paused(home) as store:
        tab.fill("#lse-other", f"{lora_name(1)}; {rival} ;{lora_name(2)}")
        tab.get_by_role("button", name="Compare").click()
        for words in ("Evaluate all runs", "Look at the base alone"):
            tab.get_by_role("button", name=words).click()
        tab.wait_for_function("document.querySelectorAll('.ls-toast').length === 3")
        own = [str(folder / "loras" / lora_name(epoch)) for epoch in (1, 2)]
        against = ("--against", own[0], "--against", str(rival), "--against", own[1])
        assert sorted(job.words for job in store.open()) == sorted(
            ("evaluate", str(folder), *words) for words in (against, ("--sweep",), ("--base-only",))
        )
        tab.fill("#lse-other", f"{lora_name(1)};/nowhere/b.safetensors")
        tab.get_by_role("button", name="Compare").click()
        tab.get_by_text("There is no LoRA /nowhere/b.safetensors").wait_for()
        assert len(store.open()) == 3


def test_comparisons_a_sweep_and_the_base_alone_are_told(tab: Any, folder: Path) -> None:
    beside, spread = folder / "evaluations" / "against" / "001", {"mean": 0.9, "low": 0.8, "high": 1.0, "deviation": 0.1, "count": 4}
    beside.mkdir(parents=True)
    (beside / "comparison.json").write_text(json.dumps({
        "names": ["a: mine", "b: theirs"], "words": ["b: theirs against a: mine: -0.20 in likeness (± 0.05)."], "loras": [],
        "lines": [{"what": "likeness", "values": [None, spread, spread]}],
    }))  # fmt: skip
    run = {"run": "001", "settings": "rank 8", "epoch": 3, "weight": 0.7, "likeness": 0.9, "kept": 1.0, "leak": 0.1, "copies": None,
           "bake": "good", "best": True}  # fmt: skip
    (folder / "evaluations" / "sweep.json").write_text(json.dumps({"advice": "Run 001 (rank 8) is best.", "runs": [run]}))
    alone = folder / "evaluations" / "base" / "001"
    alone.mkdir(parents=True)
    advice = {"strength": 1.7, "reasons": ["It knows next to nothing."], "by_tag": {"fox": 0.9}}
    (alone / "strength.json").write_text(json.dumps(advice))
    part(tab, "beside")
    tab.get_by_text("-0.20 in likeness").wait_for()
    assert tab.get_by_role("row", name="likeness – 0.9 0.9").count() == 1
    assert tab.get_by_text("Run 001 (rank 8) is best.").count() == 1
    tab.get_by_role("button", name="Train with strength 1.7").click()
    tab.get_by_text("The strength 1.7 that is set fits.").wait_for()
    with Project.open(folder, writing=False) as project:
        assert project.settings(TrainSettings).strength == 1.7


def test_a_newer_evaluation_shows_by_itself_and_older_ones_stay_to_be_chosen(tab: Any, folder: Path) -> None:
    with Project.open(folder, patience=10) as project:
        add_evaluation(project, NAMES, 2)
        (project.evaluations / "003").mkdir()
        (project.evaluations / "003" / "evaluation.json").write_text("{}")  # begun and killed
        project.remember("anything", 2)
    tab.locator("#lse-which option", has_text="003: has not ended").wait_for(state="attached")
    assert tab.locator("#lse-which").input_value() == "002"
    tab.select_option("#lse-which", "001")
    pictures(tab, "likeness")
    tab.reload()
    tab.wait_for_selector(".lse-cell img")
    assert tab.locator("#lse-which").input_value() == "001"
    assert tab.locator(".lse-kinds [aria-pressed=true]").inner_text() == "likeness (1)"


def test_a_render_that_vanished_and_a_damaged_record_are_told(tab: Any, folder: Path) -> None:
    tab.select_option("#lse-which", "001")
    gone = folder / "evaluations" / "001" / "renders" / "e01-w1-p00-s11.png"
    kept = gone.read_bytes()
    gone.unlink()
    pictures(tab, "likeness")
    tab.get_by_text("its file has gone").click()
    tab.locator(".lsz").get_by_text("The picture cannot be shown").wait_for()
    tab.keyboard.press("Escape")
    gone.write_bytes(kept)
    scores = folder / "evaluations" / "001" / "scores.json"
    whole = scores.read_text(encoding="utf-8")
    scores.write_text('{"cells": ', encoding="utf-8")
    tab.reload()
    tab.get_by_text("is damaged and cannot be read; start evaluate again").wait_for()
    scores.write_text(whole, encoding="utf-8")


def test_a_render_comes_back_as_a_candidate(tab: Any, folder: Path) -> None:
    pictures(tab, "likeness")
    tab.locator(".lse-cell").nth(5).click()
    tab.get_by_role("button", name="Bring it back as a candidate").click()
    for _ in range(120):
        with Project.open(folder, writing=False) as project:
            if found := project.pictures.all(origins=("render",)):
                break
        time.sleep(0.25)
    assert [one.post["lora"] for one in found] == [lora_name(3)]
    tab.keyboard.press("Escape")
    tab.locator(".lse-cell").nth(5).click()
    tab.get_by_text(f"It came back as {found[0].name}").wait_for()
    tab.get_by_role("button", name="to the Refine page").click()
    tab.locator(f'.lsv-tile[data-name="{found[0].name}"]').wait_for()


def test_an_evaluation_at_work_elsewhere_is_told_with_how_far_it_is(tab: Any, home: Path, folder: Path) -> None:
    state = tab.evaluate("fetch('api/state?project=' + lorasmith.project()).then((one) => one.json())")
    job = {"id": 99, "command": "evaluate", "stage": "evaluate", "folder": state["folder"], "state": "running", "done": 3, "total": 9,
           "note": "rendering epoch 1, weight 1", "stopping": False}  # fmt: skip
    tab.route("**/api/state*", lambda route: route.fulfill(json=state | {"jobs": [job]}))
    tab.get_by_text("evaluate is at work: rendering epoch 1, weight 1, 3 of 9.").wait_for()
    tab.unroute("**/api/state*")
    tab.wait_for_function("!document.querySelector('.lse-work').textContent")


def test_when_the_server_is_gone_the_page_says_so_and_goes_on_when_it_is_back(tab: Any) -> None:
    part(tab, "scores")
    tab.wait_for_selector(".lse-point")
    tab.route("**/api/evaluate/**", lambda route: route.abort())
    part(tab, "pictures")
    tab.get_by_text("The server did not answer; the page tries again.").wait_for()
    tab.unroute("**/api/evaluate/**")
    tab.wait_for_selector(".lse-cell img")


def test_an_empty_project_is_told_what_to_do_first(tab: Any, home: Path, tmp_path: Path) -> None:
    Project.create(tmp_path / "empty", "nobody").close()
    tab.goto(tab.server + address_of(home, tmp_path / "empty", "evaluate"))
    tab.get_by_text("There is nothing to evaluate yet: no training has ended.").wait_for()
    part(tab, "beside")
    tab.get_by_text("Nothing was compared yet.").wait_for()
    assert tab.locator(".ls-toast").count() == 0


def test_what_is_asked_or_sent_wrongly_is_a_sentence_and_starts_nothing(tab: Any) -> None:
    questions = ("one?name=../../x", "grid?kind=pose&name=9", "render?render=x", "nothing", "comparison?name=../1")
    sent: tuple[tuple[str, dict[str, Any]], ...] = (
        ("against", {"files": "x"}), ("bring", {"name": "001", "renders": ["x"]}), ("bring", {}), ("strength", {"strength": "much"}),
        ("strength", {"strength": -1}), ("nothing", {}),
    )  # fmt: skip
    answers = [asked(tab, f"api/evaluate/{one}") for one in questions]
    answers += [asked(tab, f"api/evaluate/{one}", body) for one, body in sent]
    for status, content in answers:
        assert status == 400 and content["error"].rstrip().endswith((".", ")")), content


def test_it_works_in_a_frame_in_the_dark_at_1280_by_720(tab: Any) -> None:
    outer = tab.context.new_page()
    outer.goto(tab.server + "api/health")
    outer.set_viewport_size({"width": 1280, "height": 720})
    outer.set_content(f'<iframe src="{tab.start}&__theme=dark" style="width:1240px;height:660px"></iframe>')
    inner = outer.frame_locator("iframe")
    inner.locator(".lse-parts [data-part=pictures]").click()
    inner.locator(".lse-cell img").first.wait_for()
    # Asked anew where the grid was drawn anew between finding the cell and asking it: what has left the page has no colour.
    cell = inner.locator(".lse-grid th[scope=row]").first
    colour = eventually(tab, lambda: cell.evaluate("one => getComputedStyle(one).backgroundColor"))
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60
    assert not inner.locator("body").evaluate("one => one.scrollWidth > one.clientWidth + 2")
    outer.close()


