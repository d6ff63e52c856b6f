"""A person looks at every page of a project whose files have gone: sentences where pictures were, and nothing waits for ever."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo.demo import model_files
from tests.ui.desk import Desk, desk
from tests.ui.evaluated import lora_name
from tests.ui.test_vanished import take_away
from tests.ui.whole import RENDER, whole_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
GONE = ("images", "edits", "runs/002/samples", "evaluations/001/renders", "research/previews", "sheets")
SHOWN = "cannot be shown"
# page -> what is clicked, one after the other, and what is told then; Escape closes what was opened
LOOKS: dict[str, tuple[tuple[str, str], ...]] = {
    "Projects": ((".ls-next", "6 pictures"),),
    "Research": (('[data-part="wall"]', SHOWN), (".lsf-tile .lsf-open", SHOWN)),
    "Download": (('[data-stage="download"] figure a', SHOWN),),
    "Prune": ((".lsp-grid figure", SHOWN), (".lsp-grid .ls-opener", SHOWN)),
    "Prepare": ((".ls-row figure a", SHOWN), ('[data-name="own_2"] [data-crop]', "own_2.png"),
                ('[data-name="own_2"] [data-erase]', "The picture cannot be shown."),
                ('[data-name="own_2"] [data-touch]', "own_2.png")),
    "Tag": ((".lst-parts [data-part=pictures]", SHOWN), (".lst-wall .lst-open", SHOWN)),
    "Train": ((".lsr-parts [data-part=run]", "has ended"), (".lsr-parts [data-part=plan]", "cannot be read|missing")),
    "Queue": ((".lsq", "Nothing is at work"),),
    "Evaluate": ((".lse-parts [data-part=pictures]", "its file has gone"), (".lse-cell", SHOWN),
                 (".lse-parts [data-part=fix]", SHOWN)),
    "Refine": ((".lsv-tile", SHOWN), (".lsv-tile .ls-opener", SHOWN)),
    "Inspect": ((".lsi-drop", "Choose a LoRA"),),
}  # fmt: skip
EMPTY = "[...document.images].filter((one) => one.offsetParent && one.complete && !one.naturalWidth && one.getAttribute('src'))"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_project(tmp_path_factory.mktemp("whole") / "p", model_files()[0])


@pytest.fixture(scope="module")
def tab(place: Desk, whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A window on a project without its pictures; the server has no fault of its own, whatever it is asked."""
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("gone") / "p"))
    take_away(folder, *GONE)
    faults: list[tuple[int, str]] = []
    tab = place.open(folder)
    tab.on("response", lambda one: faults.append((one.status, one.url)) if one.status >= 500 else None)
    tab.wait_for_selector(".ls-stages")
    yield tab
    assert tab.faults == [] and faults == []
    tab.close()


def go(tab: Any, page: str) -> None:
    tab.get_by_role("tab", name=page, exact=True).click()


def has(tab: Any, words: str) -> None:
    told = f"one => one.offsetParent && !one.closest('[role=tablist]') && new RegExp({words!r}).test(one.textContent)"
    tab.wait_for_function(f"[...document.querySelectorAll('p, span, div, li')].some({told})")


@pytest.mark.parametrize("page", LOOKS)
def test_pictures_that_have_gone_are_sentences_also_where_one_is_opened(tab: Any, page: str) -> None:
    go(tab, page)
    for what, words in LOOKS[page]:
        tab.locator(what).locator("visible=true").first.click()
        has(tab, words)
        tab.wait_for_function(f"!{EMPTY}.length")
        tab.keyboard.press("Escape")
        assert tab.locator("[aria-modal=true]").count() == 0
        tab.evaluate("document.querySelectorAll('.ls-toast').forEach((one) => one.remove())")


def test_a_picture_that_comes_back_is_seen_again(tab: Any, whole: Path) -> None:
    go(tab, "Download")
    has(tab, SHOWN)
    folder = Path(tab.evaluate("lorasmith.state().folder"))
    shutil.copytree(whole / "images", folder / "images")
    tab.evaluate("document.querySelectorAll('.ls-unseen').forEach((one) => { one.loading = 'eager'; one.src += '&again'; })")
    tab.wait_for_function("!document.querySelector('[data-stage=download] img.ls-unseen')")
    wall = tab.locator("[data-stage=download] figure")
    assert wall.locator("img").count() == 6 and wall.locator(".ls-broken").count() == 0
    take_away(folder, "images")


def test_a_lora_that_has_gone_meanwhile_is_told_by_the_pages_that_use_it(tab: Any) -> None:
    folder = Path(tab.evaluate("lorasmith.state().folder"))
    go(tab, "Inspect")
    own = tab.locator(".lsi-own").first
    own.locator("option", has_text=lora_name(3)).wait_for(state="attached")
    take_away(folder, f"loras/{lora_name(3)}")
    own.select_option(lora_name(3))
    has(tab, f"There is no LoRA {lora_name(3)} in the project any more; choose another")
    go(tab, "Evaluate")
    tab.locator(".lse-parts [data-part=result]").click()
    has(tab, "is not in loras/ any more")


def test_a_project_that_goes_and_comes_back_is_told_on_every_page_which_then_go_on(place: Desk, whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "p"))
    tab = place.open(folder)
    tab.wait_for_selector(".ls-stages")
    for page in LOOKS:
        go(tab, page)
    folder.rename(tmp_path / "elsewhere")
    alert = tab.get_by_role("alert").get_by_text("was the folder moved or the disk unplugged?")
    alert.first.wait_for()
    for page in LOOKS:
        go(tab, page)
        assert alert.first.is_visible(), page
    (tmp_path / "elsewhere").rename(folder)
    alert.first.wait_for(state="detached")
    go(tab, "Refine")
    tab.locator(f'.lsv-tile[data-name="{RENDER}"]').wait_for()
    assert tab.faults == []
    tab.close()
