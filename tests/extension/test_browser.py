"""The tab in a real browser, in stand-in hosts of both kinds: what a person sees and presses."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extension.browsing import chromium, open_tab, window
from tests.extension.conftest import Start
from tests.extension.webui import KINDS, Webui, copy_extension, until
from tests.ui.evaluated import lora_name
from tests.ui.whole import whole_project

FRAME = "#lorasmith_root iframe"
both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module", params=KINDS)
def host(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webui]:
    """A host whose child shows a real Gradio page; the tests of it run one after the other."""
    extension = copy_extension(tmp_path_factory.mktemp("browser") / "extensions" / "lorasmith")
    (extension / "file.bin").write_bytes(os.urandom(3_000_000))
    words = ["--api"] if request.param == "a1111" else []
    started = Webui(request.param, extension, *words, STANDIN_CHILD="gradio")
    try:
        started.open()
        yield started
    finally:
        started.kill()


@pytest.fixture
def page(browser: Any, host: Webui) -> Iterator[Any]:
    """A window with the tab and its frame open."""
    opened = window(browser)
    open_tab(opened, host.address)
    opened.frame_locator(FRAME).locator("#start").wait_for()
    yield opened
    assert not opened.faults
    opened.context.close()


def frame_of(page: Any) -> Any:
    return page.query_selector(FRAME).content_frame()


def count_to_ten(page: Any) -> list[str]:
    """Presses the button in the frame, and returns each value that was seen in the box."""
    frame = page.frame_locator(FRAME)
    watch = """() => { window.seen = []; const box = document.querySelector("#count textarea, #count input");
      window.watching = setInterval(() => { if (box.value && seen.at(-1) !== box.value) seen.push(box.value); }, 20); }"""
    frame_of(page).evaluate(watch)
    frame.locator("#start").click()
    page.wait_for_function("document.querySelector('#lorasmith_root iframe').contentWindow.seen.includes('10')")
    return list(frame_of(page).evaluate("() => { clearInterval(watching); return seen; }"))


def test_nothing_is_asked_and_no_frame_is_there_before_the_tab_is_opened(browser: Any, host: Webui) -> None:
    asked: list[str] = []
    page = window(browser)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(host.address)
    page.wait_for_selector("#txt2img_prompt")
    page.wait_for_timeout(1000)
    assert not page.query_selector(FRAME) and not [url for url in asked if url.startswith(host.address + "/lorasmith")]
    page.context.close()


def test_the_frame_fits_the_window_shows_no_token_and_says_that_all_is_well(page: Any, host: Webui) -> None:
    page.wait_for_selector(".ls-words:has-text('ready')")
    assert page.inner_text("[data-ls='version']") == "0.0.1"
    assert host.token not in frame_of(page).url and frame_of(page).url.startswith(host.address + "/lorasmith/")
    box = page.query_selector(FRAME).bounding_box()
    assert 840 <= box["y"] + box["height"] <= 860 and box["width"] > 1100
    page.set_viewport_size({"width": 1280, "height": 1100})
    page.wait_for_timeout(600)
    box = page.query_selector(FRAME).bounding_box()
    assert 1080 <= box["y"] + box["height"] <= 1100


def test_progress_arrives_step_by_step(page: Any) -> None:
    seen = count_to_ten(page)
    assert len(seen) >= 8, seen


def test_a_picture_file_of_200_megabytes_can_be_uploaded_and_a_file_downloaded(
    page: Any, host: Webui, tmp_path: Path
) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(200_000_000)
    frame = page.frame_locator(FRAME)
    frame.locator("#sent input[type=file]").set_input_files(large)
    until_size = "document.querySelector('#lorasmith_root iframe').contentDocument.querySelector('#size textarea, #size input').value"
    page.wait_for_function(f"{until_size} === '200000000'", timeout=60_000)
    with page.expect_download() as download:
        frame.locator("#down").click()
    assert Path(download.value.path()).read_bytes() == (host.extension / "file.bin").read_bytes()
    part = frame_of(page).evaluate("""async () => {
      const reply = await fetch("file", {headers: {Range: "bytes=100-199"}});
      return [reply.status, (await reply.arrayBuffer()).byteLength];
    }""")
    assert part == [206, 100]


def test_the_theme_of_the_host_is_followed_also_when_it_changes(browser: Any, host: Webui) -> None:
    page = window(browser)
    open_tab(page, host.address, "dark")
    page.frame_locator(FRAME).locator("#start").wait_for()
    assert "dark" in frame_of(page).evaluate("document.body.className")
    frame_of(page).evaluate("() => { window.heard = []; addEventListener('message', (event) => heard.push(event.data)); }")
    page.evaluate("document.body.classList.remove('dark')")
    page.wait_for_function("document.querySelector('#lorasmith_root iframe').contentWindow.heard.length > 0")
    assert {"lorasmith": "theme", "theme": "light"} in frame_of(page).evaluate("heard")
    page.context.close()


def test_send_to_txt2img_fills_the_hosts_page_and_only_our_frame_may_do_that(page: Any) -> None:
    prompt = page.locator("#txt2img_prompt textarea")
    page.evaluate("window.postMessage({lorasmith: 'txt2img', prompt: 'of a stranger', negative: ''}, '*')")
    page.wait_for_timeout(300)
    assert prompt.input_value() == ""
    page.frame_locator(FRAME).locator("#send").click()
    prompt.wait_for(state="visible")
    assert prompt.input_value() == "sam, <lora:sam:1>"
    assert page.locator("#txt2img_neg_prompt textarea").input_value() == "blurry"


def test_the_log_opens_in_the_tab(page: Any) -> None:
    page.click(".ls-bar [data-ls-do='log']")
    page.wait_for_selector("[data-ls='log-text']:has-text('a line of log before the start')")
    assert "webui-child.log" in page.inner_text("[data-ls='log-file']")
    page.click(".ls-log [data-ls-do='log']")
    page.wait_for_selector("[data-ls='log']", state="hidden")


def test_reload_ui_twice_with_a_second_page_left_open(browser: Any, page: Any, host: Webui) -> None:
    pid = host.status()["child"]["pid"]
    other = window(browser)
    open_tab(other, host.address)
    other.frame_locator(FRAME).locator("#start").wait_for()
    for _ in range(2):
        assert host.reload() < 10
        open_tab(page, host.address)
        page.frame_locator(FRAME).locator("#start").wait_for()
        assert host.status()["child"]["pid"] == pid
    assert len(count_to_ten(other)) >= 8, "the page that nobody touched goes on"
    other.context.close()


def test_the_page_of_a_killed_child_is_loaded_anew_from_the_next(page: Any, host: Webui) -> None:
    pid = host.status()["child"]["pid"]
    page.wait_for_selector(".ls-words:has-text('ready')")
    frame_of(page).evaluate("window.of_the_old_process = true")
    os.kill(pid, signal.SIGKILL)
    page.wait_for_function("!document.querySelector('#lorasmith_root iframe').contentWindow.of_the_old_process", timeout=40_000)
    page.wait_for_selector(".ls-words:has-text('ready')", timeout=40_000)
    page.frame_locator(FRAME).locator("#start").wait_for()
    assert len(count_to_ten(page)) >= 8
    assert host.status()["child"]["pid"] != pid


# Hosts of a test's own


@both
def test_the_set_up_page_leads_to_the_ui_by_itself(browser: Any, start: Start, kind: str) -> None:
    host = start(kind, ready=False)
    (host.extension / "fail").touch()
    (host.extension / "pause").write_text("1")
    page = window(browser)
    open_tab(page, host.address)
    page.wait_for_selector("[data-ls='setup-python']:has-text('Python 3.')")
    words = page.inner_text(".ls-setup")
    assert "GB to download" in words and "The WebUI's packages stay as they are" in words
    page.click("[data-ls-do='setup-start']")
    page.wait_for_selector("[data-ls='setup-log']:has-text('Collecting package-10')")
    page.wait_for_selector("[data-ls='setup-steps'] .ls-now")
    page.wait_for_selector("[data-ls='setup-error']:has-text('The disk is full')")
    page.click("[data-ls-do='setup-start']:has-text('Try again')")
    page.frame_locator(FRAME).locator("text=the child's page").wait_for()
    page.wait_for_selector(".ls-words:has-text('ready')")
    assert not page.is_visible(".ls-setup") and not page.faults
    page.context.close()


@both
def test_after_the_login_the_tab_works_and_a_host_started_anew_asks_for_a_reload(browser: Any, start: Start, kind: str) -> None:
    host = start(kind, "--gradio-auth", "ann:secret")
    page = window(browser)
    page.goto(host.address)
    page.get_by_label("username").fill("ann")
    page.get_by_label("password").fill("secret")
    page.get_by_role("button", name="Login").click()
    page.wait_for_selector("#txt2img_prompt")
    open_tab(page, host.address)
    page.frame_locator(FRAME).locator("text=the child's page").wait_for()
    assert not page.is_visible(".ls-open")
    host.kill()
    again = Webui(kind, host.extension, "--gradio-auth", "ann:secret", port=host.port)
    try:
        page.wait_for_selector(".ls-words:has-text('reload this page')", timeout=20_000)
    finally:
        again.kill()
    page.context.close()


def test_an_open_host_says_so(browser: Any, start: Start) -> None:
    host = start("forge", "--listen", ready=False)
    page = window(browser)
    open_tab(page, host.address)
    page.wait_for_selector(".ls-open:has-text('--gradio-auth')")
    page.context.close()


# page -> what is pressed to see the most of it, and what stands there then: a picture must be loaded
SHOWN: dict[str, tuple[str, str]] = {
    "Projects": ("", ".ls-stages li:nth-child(8)"), "Research": ("[data-part=wall]", ".lsf-wall img"),
    "Download": ("", "[data-stage=download] figure img"), "Prune": ("", ".lsp-grid figure img"), "Prepare": ("", ".ls-row figure img"),
    "Tag": ("", ".lst-wall figure img"), "Train": (".lsr-parts [data-part=run]", ".lsr-sample img"), "Queue": ("", ".lsq button"),
    "Evaluate": (".lse-parts [data-part=pictures]", ".lse-cell img"), "Refine": ("", ".lsv-tile img"),
    "Inspect": ("", ".lsi-own option"),
}  # fmt: skip
THERE = """(what) => { const one = document.querySelector(what); const image = one && one.tagName === "IMG";
  return one && (image ? one.complete && one.naturalWidth > 0 : one.tagName === "OPTION" || one.offsetParent !== null); }"""


def is_gradios_end(request: Any) -> bool:
    """Whether Gradio's script has closed its own stream: it does so when it waits for no answer, sooner or later than the server."""
    return "/gradio_api/queue/data" in request.url and request.failure == "net::ERR_ABORTED"


def watch_faults(page: Any) -> list[str]:
    """Gathers what goes wrong from now on: words in the console, requests that fail or are refused."""
    found: list[str] = []
    page.on("console", lambda one: found.append(one.text) if one.type == "error" else None)
    page.on("requestfailed", lambda one: None if is_gradios_end(one) else found.append(f"{one.url}: {one.failure}"))
    page.on("response", lambda one: found.append(f"{one.status} {one.url}") if one.status >= 400 else None)
    return found


def test_the_real_ui_shows_every_page_in_the_tab(browser: Any, start: Start, tmp_path: Path) -> None:
    from lorasmith.demo.demo import model_files
    from lorasmith.folders import data_folder
    from lorasmith.ui.projects.recent import Projects

    known = Projects(data_folder() / "projects.json").remember(whole_project(tmp_path / "nick", model_files()[0]))
    host = start("a1111", copy_extension(tmp_path / "real" / "lorasmith", real=True))
    page = window(browser)
    open_tab(page, host.address)
    inside = page.frame_locator(FRAME)
    try:
        inside.locator(f"[data-open='{known.id}']").wait_for(timeout=60_000)
    except Exception:
        print("\n".join(host.tab("log").json()["lines"]))
        raise
    page.wait_for_selector(".ls-words:has-text('ready')")
    until(lambda: host.status()["health"].get("ok"), "its health is told")
    inside.locator(f"[data-open='{known.id}']").click()
    inside.locator(".ls-stages").wait_for()
    faults = watch_faults(page)
    for name, (pressed, shown) in SHOWN.items():
        inside.get_by_role("tab", name=name, exact=True).click()
        if pressed:
            inside.locator(pressed).click()
        if shown.endswith("img"):
            inside.locator(shown).first.scroll_into_view_if_needed()  # those out of sight are not fetched
        frame_of(page).wait_for_function(THERE, arg=shown)
        assert inside.locator(".ls-note.warn:visible, .ls-lost, .ls-broken:visible").count() == 0, name
    inside.locator(".lsi-own").first.select_option(lora_name(3))
    inside.get_by_role("heading", name=lora_name(3)).wait_for()
    assert "/lorasmith/" in frame_of(page).url and faults == [] and not page.faults
    page.context.close()
