"""A real browser for the tests: the machine's own Chromium, driven by Playwright, and shut off from the outside."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.extension.jitter import unsettle

# Names of other machines lead nowhere. (Playwright's own interception would read every upload as a whole.)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def browser_path() -> str:
    """Returns the browser to drive; skips where there is none."""
    path = os.environ.get("LORASMITH_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        pytest.skip("no Chromium here: install it (Debian: `apt-get install chromium`) for the browser tests")
    return path


@contextmanager
def chromium() -> Iterator[Any]:
    """Opens the browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright here: `pip install playwright`")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Any, **words: Any) -> Any:
    """Opens a window of a person of their own; errors of its pages are kept."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, **words)
    context.set_default_timeout(60_000)
    unsettle(context)
    return another_tab(context)


def another_tab(context: Any) -> Any:
    """Opens a tab beside others of the same person: what their browser keeps of the page is not fetched and read again."""
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def open_tab(page: Any, address: str, theme: str = "light") -> None:
    page.goto(f"{address}/?__theme={theme}")
    page.get_by_role("tab", name="LoRA Smith").or_(page.locator("#tabs button", has_text="LoRA Smith")).first.click()
