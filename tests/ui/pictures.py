"""The pictures of the README and the papers: each page over a finished project, as a browser shows it.

`lorasmith demo zorvex`, then `python -m tests.ui.pictures zorvex docs/images`.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served

PAGES = ("Projects", "Research", "Download", "Prune", "Prepare", "Tag", "Train", "Evaluate", "Refine", "Inspect", "Queue")
SIZE = {"width": 1280, "height": 800}
_SETTLED = 2500  # milliseconds until thumbnails are there


def take(project: Path, folder: Path) -> None:
    """Opens the project's page in a browser and writes a picture of each tab."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, served(Path(home), str(project)) as (address, _), chromium() as browser:
        tab = window(browser)
        tab.set_viewport_size(SIZE)
        tab.goto(address)
        tab.wait_for_selector(".ls-stages")
        for name in PAGES:
            tab.get_by_role("tab", name=name, exact=True).click()
            tab.wait_for_timeout(_SETTLED)
            _prepared(tab, name)
            _save(tab.screenshot(), folder / f"{name.lower()}.png")


def _prepared(tab: Any, name: str) -> None:
    """Shows of a page what tells most."""
    if name == "Prune":
        tab.locator('[data-stage="prune"] img').first.wait_for()
    if name == "Train":
        tab.get_by_text("How it goes", exact=True).first.click()
    if name == "Inspect":
        tab.locator(".lsi-own").first.select_option(index=1)
    if name in ("Prune", "Train", "Inspect"):
        tab.wait_for_timeout(_SETTLED)


def _save(content: bytes, file: Path) -> None:
    """Writes a picture in 256 colours: a third of the bytes, and nobody sees it."""
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
