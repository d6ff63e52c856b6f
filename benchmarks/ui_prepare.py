"""The Prepare page over a large project, in a real browser: how long a person waits for what.

    python benchmarks/ui_prepare.py [pictures]

The project is that of `ui_prune.py`, with a crop made of every second picture. Told are the best and the median of several
tries, in milliseconds: from the address typed to the first rows; a page further (its rows; and its thumbnails, all decoded);
from the click on keep or drop to the button that is pressed; the crop's and the touch-up's dialog; "touch up many", and how
many pictures a filter means.
"""

import dataclasses
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from ui_prune import make, tell

from lorasmith.project.project import Project
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served
from tests.ui.serving import surroundings

ROW = '[data-stage="prepare"] .ls-row'
_DECODED = """async () => { const all = [...document.querySelectorAll('.ls-row img')];
 for (const one of all) one.loading = 'eager'; await Promise.all(all.map((one) => one.decode())); }"""


def add_crops(folder: Path) -> None:
    """Makes a crop of every second picture: a row of its own over the same file."""
    luck = random.Random(2)
    with Project.open(folder) as project, project.change("prepare", "crops"):
        for one in project.pictures.originals()[::2]:
            crop = {"kind": "crop", "replaces_parent": True, "box": [10, 10, 900, 900], "steps": [{"step": "crop"}]}
            digest = f"{luck.getrandbits(256):064x}"
            project.pictures.add(
                dataclasses.replace(one, name=f"{one.name}.2", origin="edit", parent=one.name, operation=crop, sha256=digest)
            )


def timed(tab: Any, act: Callable[[], object], there: str) -> float:
    """Does something; gives the milliseconds until the page fits a condition, looked at with each frame."""
    start = time.perf_counter()
    act()
    tab.wait_for_function(there)
    return 1000 * (time.perf_counter() - start)


def further(tab: Any) -> tuple[float, float]:
    """Turns a page; gives the milliseconds to its rows, and to all its thumbnails."""
    first = tab.locator(f"{ROW} [data-name]").first.get_attribute("data-name")
    changed = f"document.querySelector('{ROW} [data-name]').dataset.name !== '{first}'"
    rows = timed(tab, lambda: tab.locator(".ls-pager button", has_text="next").first.click(), changed)
    start = time.perf_counter()
    tab.evaluate(_DECODED)
    return rows, rows + 1000 * (time.perf_counter() - start)


def decided(tab: Any, number: int) -> float:
    """Refuses a crop, or keeps it where it is refused."""
    button = tab.locator(f"{ROW} .ls-wall [data-decide][aria-pressed=false]").nth(number)
    name = button.evaluate("(one) => one.closest('[data-name]').dataset.name")
    word = button.get_attribute("data-decide")
    there = f"document.querySelector('[data-name=\"{name}\"] [data-decide={word}]').ariaPressed === 'true'"
    return timed(tab, button.click, there)


def dialogs(tab: Any, button: str) -> float:
    """Opens a dialog of the first picture, and shuts it again."""
    took = timed(tab, lambda: tab.locator(f"{ROW} [{button}]").first.click(), "document.querySelector('[role=dialog]')")
    tab.keyboard.press("Escape")
    tab.wait_for_function("!document.querySelector('[role=dialog]')")
    return took


def main(count: int) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as place:
        home, folder = Path(place) / "home", Path(place) / "p"
        make(folder, count)
        add_crops(folder)
        known = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json").remember(folder)
        with served(home) as (address, _), chromium() as browser:
            there = f"{address}?project={known.id}&at=prepare"
            tab = window(browser)
            opened = [timed(tab, lambda: tab.goto(there, wait_until="commit"), f"document.querySelector('{ROW}')") for _ in range(6)]
            tell("open, a server that knows nothing: rows", opened[:1])
            tell("open again: rows", opened[1:])
            tab.context.new_cdp_session(tab).send("Network.setCacheDisabled", {"cacheDisabled": True})
            turned = [further(tab) for _ in range(6)]
            tell("a page further: rows", [one[0] for one in turned])
            tell("its thumbnails, never made before", [one[1] for one in turned])
            tell("keep or drop", [decided(tab, number) for number in range(9)])
            tell("the crop's dialog", [dialogs(tab, "data-crop") for _ in range(5)])
            tell("the touch-up's dialog", [dialogs(tab, "data-touch") for _ in range(3)])
            for filter in ("", "solo"):
                ask = f"async () => {{ await window.lorasmith.get('api/touch-up', {{ filter: '{filter}' }}); return true; }}"
                tell(f"touch up many: filter '{filter}'", [timed(tab, lambda: tab.evaluate(ask), "true") for _ in range(5)])  # noqa: B023


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
