"""The Prune page over a large project, in a real browser: how long a person waits for what.

    python benchmarks/ui_prune.py [pictures]

A project of 10,000 pictures (rows of their own over 400 files, 40 tags each, measures with hashes of their own, as
`prune_pass.py` makes them) is pruned and opened in Chromium. Told are the best and the median of several tries, in milliseconds:

1. open: from the address typed to the first page's tiles, and to its coverage; once with a server that knows nothing, then again;
   and in an open page, from the click on a project to its road, and from the click on Prune to the tiles;
2. a page of 100 thumbnails, those in view and all of them decoded: never made before, and made before (the browser's own memory is
   emptied each time);
3. next picture: from the key to the decoded picture of the next one in the document, at a person's pace of a key in 400 ms; and
   while dropping (D drops and goes on);
4. coverage: from the click on "drop" until the bars have moved;
5. the server's memory, and what a request of each kind takes on the server alone.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

import psutil
from prune_pass import draw, fill, make_different

from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.stage import measure_all, prune
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served
from tests.ui.serving import surroundings

FILES = 400
_SHOWN = "() => [...document.querySelectorAll('.lsp-grid img')]"
_ALL_DECODED = """async () => { const all = [...document.querySelectorAll('.lsp-grid img')];
 for (const one of all) one.loading = 'eager'; await Promise.all(all.map((one) => one.decode())); return all.length; }"""
_IN_VIEW_DECODED = """async () => { const seen = [...document.querySelectorAll('.lsp-grid img')].filter((one) =>
 one.getBoundingClientRect().top < innerHeight); await Promise.all(seen.map((one) => one.decode())); }"""
_KEY = """async (key) => {
 const title = document.querySelector('.lsp-one h3'), before = title.textContent, start = performance.now();
 const wait = () => new Promise((go) => setTimeout(go, 1));
 document.querySelector('.lsp-one').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
 while (title.textContent === before) await wait();
 while (!document.querySelector('.lsp-large').src) await wait();
 await document.querySelector('.lsp-large').decode();
 await new Promise((go) => requestAnimationFrame(go));
 return performance.now() - start; }"""
_DROP = """async () => {
 const told = () => document.querySelector('.lsp-cover h3').textContent, before = told(), start = performance.now();
 document.querySelector('.lsp-grid figure:not(.ls-dropped) [data-decide=drop]').click();
 while (told() === before) await new Promise((go) => setTimeout(go, 1));
 return performance.now() - start; }"""


def tell(words: str, times: list[float]) -> None:
    """Prints a line of the table."""
    print(f"{words:56} best {min(times):7.0f} ms   median {median(times):7.0f} ms   of {len(times)}", flush=True)


def make(folder: Path, count: int) -> None:
    """Makes the project and prunes it."""
    luck = random.Random(1)
    with Project.create(folder, "nick") as project:
        paths = draw(project.images, "flat")
        for number in range(len(paths), FILES):  # another content, the same picture
            path = project.images / f"{number}{paths[number % 48].suffix}"
            path.write_bytes(paths[number % 48].read_bytes() + number.to_bytes(4, "big"))
            paths.append(path)
        fill(project, paths, range(FILES), luck)
        measure_all(project)
        fill(project, paths, range(FILES, count), luck)
        make_different(project, luck)
        prune(project, PruneSettings())


def opened(tab: Any, address: str) -> tuple[float, float]:
    """Opens the page; gives the milliseconds to its tiles and to its coverage."""
    start = time.perf_counter()
    tab.goto(address, wait_until="commit")
    tab.wait_for_selector(".lsp-grid figure")
    tiles = time.perf_counter() - start
    tab.wait_for_selector(".lsp-cover h3")
    return 1000 * tiles, 1000 * (time.perf_counter() - start)


def chosen(tab: Any, address: str) -> tuple[float, float]:
    """Chooses the project on the open page, then Prune; gives the milliseconds to the project's road, and to the tiles."""
    tab.goto(address)
    tab.wait_for_selector("[data-open]")
    tab.wait_for_timeout(1500)
    start = time.perf_counter()
    tab.locator("[data-open]").first.click()
    tab.wait_for_selector(".ls-road")
    road = time.perf_counter() - start
    tab.wait_for_timeout(1500)
    start = time.perf_counter()
    tab.get_by_role("tab", name="Prune", exact=True).click()
    tab.wait_for_selector(".lsp-grid figure")
    return 1000 * road, 1000 * (time.perf_counter() - start)


def timed_page(tab: Any, number: int) -> tuple[float, float]:
    """Turns to a page of the grid; gives the milliseconds until the thumbnails in view, and until all of them are decoded."""
    first = tab.evaluate(f"({_SHOWN})()[0].src")
    start = time.perf_counter()
    tab.evaluate(f"window.lorasmith.prune.change({{ page: {number} }}, true)")
    tab.wait_for_function(f"(first) => ({_SHOWN})()[0].src !== first", arg=first)
    tab.evaluate(_IN_VIEW_DECODED)
    seen = time.perf_counter() - start
    assert tab.evaluate(_ALL_DECODED) == 100
    return 1000 * seen, 1000 * (time.perf_counter() - start)


def main(count: int) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as place:
        home, folder = Path(place) / "home", Path(place) / "p"
        make(folder, count)
        known = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json").remember(folder)
        print(f"{count} pictures, {os.cpu_count()} cores")
        with served(home) as (address, process), chromium() as browser:
            there = f"{address}?project={known.id}&at=prune"
            tab = window(browser)
            tells = [opened(tab, there)]
            tell("open, a server that knows nothing: tiles", [tells[0][0]])
            tell("open, a server that knows nothing: coverage", [tells[0][1]])
            tells = [opened(tab, there) for _ in range(5)]
            tell("open again: tiles", [one[0] for one in tells])
            tell("open again: coverage", [one[1] for one in tells])
            tells = [chosen(tab, address) for _ in range(5)]
            tell("choose the project: road", [one[0] for one in tells])
            tell("choose Prune: tiles", [one[1] for one in tells])
            opened(tab, there)
            tab.context.new_cdp_session(tab).send("Network.setCacheDisabled", {"cacheDisabled": True})
            pages(tab)
            pictures(tab)
            tell("coverage follows a drop", [tab.evaluate(_DROP) for _ in range(9)])
            for what in ("page", "coverage", "names", "families"):
                ask = f"async () => {{ const start = performance.now(); await window.lorasmith.prune.get('{what}'); "
                tell(f"the server's answer: {what}", [tab.evaluate(f"{ask} return performance.now() - start; }}") for _ in range(9)])
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
            print(f"the server's memory: {memory:.0f} MB")


def pages(tab: Any) -> None:
    """Measures pages of thumbnails. The first four pages have a file for each picture, later ones share these files."""
    for words, numbers in (("that were never made", (4,)), ("made before", (8, 12, 16, 7, 11, 15))):
        tells = [timed_page(tab, number) for number in numbers]
        tell(f"page of 100 thumbnails {words}: in view", [one[0] for one in tells])
        tell(f"page of 100 thumbnails {words}: all", [one[1] for one in tells])


def pictures(tab: Any) -> None:
    """Measures the one-picture view."""
    tab.locator(".ls-opener").first.click()
    tab.wait_for_selector(".lsp-one[data-shown]")
    tab.wait_for_timeout(2500)

    def go(key: str) -> float:
        tab.wait_for_timeout(400)
        return float(tab.evaluate(_KEY, key))

    tell("next picture, a key in 400 ms", [go("ArrowRight") for _ in range(25)])
    tell("drop and next picture, a key in 400 ms", [go("d") for _ in range(15)])
    tab.keyboard.press("Escape")
    tab.wait_for_timeout(2000)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
