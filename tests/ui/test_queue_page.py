"""A person at the Queue page in a real browser: order by hand and by keys, hold, cancel, again, sweeps, and what goes wrong."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.jobs.store import Store
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served
from tests.ui.serving import surroundings
from tests.ui.trainable import make_trainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Queuer:
    """A person with a browser before the Queue page; the queue is paused, so that what waits stays."""

    def __init__(self, tab: Any, address: str, home: Path, projects: dict[str, str]) -> None:
        self.tab, self.address, self.projects = tab, address, projects
        self.store = Store(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "jobs" / "jobs.db")

    def until(self, wanted: Callable[[], Any]) -> None:
        for _ in range(300):
            if wanted():
                return
            self.tab.wait_for_timeout(200)
        raise AssertionError(self.tab.locator(".lsq").inner_text())

    def put(self, *names: str) -> list[int]:
        """Puts jobs into the line as `lorasmith queue add` in another window does, and waits until they are seen."""
        folder = self.one()[0]
        numbers = [self.store.add(Path(folder), ("train", folder, "--once", name), "gpu", name).id for name in names]
        self.until(lambda: self.order()[-len(numbers) :] == numbers)
        return numbers

    def one(self) -> list[str]:
        return list(self.projects.values())[:1]

    def order(self) -> list[int]:
        """Lists the numbers on the page."""
        return [int(one) for one in self.tab.eval_on_selector_all(".lsq-row", "all => all.map((one) => one.dataset.job)")]

    def row(self, number: int) -> Any:
        return self.tab.locator(f'.lsq-row[data-job="{number}"]')

    def state(self, number: int) -> str:
        job = self.store.get(number)
        assert job is not None
        return "held" if job.held else job.state

    def waiting(self) -> list[int]:
        return [job.id for job in self.store.open()]


@pytest.fixture(scope="module")
def queuer(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[Queuer]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("projects")
    known = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json")
    projects = {known.remember(make_trainable(folder / name, tiny_base)).id: str(folder / name) for name in ("one", "two")}
    with served(home) as (address, _), chromium() as browser:
        tab = window(browser)
        tab.set_viewport_size({"width": 1280, "height": 720})
        tab.goto(f"{address}?project={next(iter(projects))}&at=queue")
        tab.get_by_text("Nothing is at work and nothing waits").wait_for()
        tab.get_by_role("button", name="Pause the queue").click()
        tab.locator(".lsq-paused").wait_for()
        queuer = Queuer(tab, address, home, projects)
        yield queuer
        queuer.store.close()
        assert tab.faults == []


@pytest.fixture(autouse=True)
def an_empty_line(queuer: Queuer) -> Iterator[None]:
    yield
    for number in queuer.waiting():
        queuer.store.cancel(number)
    queuer.until(lambda: queuer.order() == [])


def test_jobs_of_other_windows_come_by_themselves_and_are_put_in_order_by_hand_and_by_keys(queuer: Queuer) -> None:
    one, two, three = queuer.put("rank 4", "rank 8", "rank 16")
    assert "train: rank 8" in queuer.row(two).inner_text() and "waits" in queuer.row(two).inner_text()
    queuer.row(three).drag_to(queuer.row(one), target_position={"x": 300, "y": 4})
    queuer.until(lambda: queuer.order() == [three, one, two] == queuer.waiting())
    queuer.row(one).focus()
    queuer.tab.keyboard.press("Alt+ArrowUp")
    queuer.until(lambda: queuer.order() == [one, three, two] == queuer.waiting())
    assert queuer.tab.evaluate("document.activeElement.dataset.job") == str(one)  # the focus goes along
    queuer.tab.keyboard.press("Alt+End")
    queuer.until(lambda: queuer.order() == [three, two, one] == queuer.waiting())
    queuer.until(lambda: f"Job {one} is at place 3 of 3" in queuer.tab.inner_text(".lsq-hidden[role=status]"))
    queuer.row(one).get_by_role("button", name="↑").click()
    queuer.until(lambda: queuer.order() == [three, one, two])


def test_a_job_is_held_let_go_cancelled_and_put_in_again_from_either_window(queuer: Queuer) -> None:
    one, two = queuer.put("rank 4", "rank 8")
    queuer.row(one).get_by_role("button", name="Hold").click()
    queuer.until(lambda: queuer.state(one) == "held")
    other = queuer.tab.context.new_page()
    other.goto(queuer.tab.url)
    other.locator(f'.lsq-row[data-job="{one}"]').get_by_role("button", name="Let go").click()
    queuer.until(lambda: queuer.state(one) == "waiting" and "waits" in queuer.row(one).inner_text())
    other.close()
    queuer.row(two).get_by_role("button", name="Cancel").click()
    ended = queuer.tab.locator(f'.lsq-ended tr[data-job="{two}"]')
    ended.wait_for()
    assert "stopped" in ended.inner_text() and queuer.order() == [one]
    ended.get_by_role("button", name="again").click()
    queuer.until(lambda: len(queuer.order()) == 2)
    ended.get_by_role("button", name="again").click()
    queuer.tab.get_by_text("The very same is in the line already").wait_for()


def test_what_was_done_elsewhere_meanwhile_is_told_as_a_sentence(queuer: Queuer) -> None:
    (one,) = queuer.put("rank 4")
    answer = queuer.tab.evaluate("fetch('api/queue/move', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: "
                                 f"JSON.stringify({{job: {one}, to: 'front'}})}}).then((one) => one.json())")  # fmt: skip
    assert answer["error"] == "'front' is no place; write first, last, or a number from 1."
    queuer.tab.evaluate("document.dispatchEvent(new Event('dragstart'))")
    queuer.store.cancel(one)
    queuer.tab.evaluate(f"window.lorasmith.queue.send('cancel', {{job: {one}}})")
    queuer.tab.get_by_text(f"Job {one} has ended (stopped)").first.wait_for()


def test_a_sweep_is_told_before_it_is_put_in_and_a_slip_is_a_sentence(queuer: Queuer) -> None:
    tab = queuer.tab
    tab.click(".lsq-add summary")
    axis = tab.locator(".lsq-axis").first.locator("input")
    axis.first.fill("rnak")
    axis.last.fill("4, 8")
    tab.locator(".lsq-preview", has_text="did you mean 'rank'").wait_for()
    axis.first.fill("rank")
    axis.last.fill("4, many")
    tab.locator(".lsq-preview", has_text="rank cannot be many").wait_for()
    assert tab.locator(".lsq-add [type=submit]").is_disabled()
    axis.last.fill("4, 8")
    tab.locator(".lsq-projects input").nth(1).check()
    tab.locator(".lsq-projects input").nth(0).check()
    tab.locator(".lsq-preview", has_text="4 jobs").wait_for()
    tab.get_by_role("button", name="Put 4 into the line").click()
    queuer.until(lambda: len(queuer.order()) == 4)
    assert [job.name for job in queuer.store.open()] == ["rank 4", "rank 8"] * 2
    tab.get_by_role("button", name="Put 4 into the line").click()
    tab.get_by_text("4 were in it already").wait_for()
    tab.locator(".lsq-projects input").nth(0).uncheck()
    tab.locator(".lsq-projects input").nth(1).uncheck()
    tab.locator(".lsq-preview", has_text="Tick one project").wait_for()
    tab.click(".lsq-add summary")


def test_a_job_runs_when_the_queue_goes_on_and_leaves_its_end_and_log(queuer: Queuer) -> None:
    tab, folder = queuer.tab, queuer.one()[0]
    number = queuer.store.add(Path(folder), ("prune", folder, "--list"), "light").id
    gone = queuer.store.add(Path(folder).parent / "gone", ("prune", str(Path(folder).parent / "gone")), "light").id
    tab.get_by_role("button", name="Let it go on").click()
    tab.locator(f'.lsq-ended tr[data-job="{number}"]', has_text="done").wait_for()
    failed = tab.locator(f'.lsq-ended tr[data-job="{gone}"]', has_text="failed")
    failed.wait_for()
    assert "There is no project in" in failed.inner_text()  # the sentence
    with tab.context.expect_page() as log:
        failed.get_by_role("link", name="log").click()
    log.value.close()
    tab.get_by_role("button", name="Pause after this one").click()
    tab.locator(".lsq-paused").wait_for()


def test_a_lost_connection_is_told_and_a_killed_server_finds_the_line_as_it_was(
    queuer: Queuer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tab = queuer.tab
    tab.context.set_offline(True)

    def told() -> bool:
        tab.evaluate("window.lorasmith.queue.refresh()")  # nothing where it has just asked and is not answered yet
        return bool(tab.locator(".lsq-fault", has_text="The server did not answer").is_visible())

    queuer.until(told)
    tab.context.set_offline(False)
    queuer.until(lambda: not tab.locator(".lsq-fault").is_visible())
    home = tmp_path_factory.mktemp("other home")
    store = Store(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "jobs" / "jobs.db")
    store.pause(finish=True)
    numbers = [store.add(Path("/p"), ("train", "/p", str(place)), "gpu", f"job {place}").id for place in range(3)]
    mine = tab.context.new_page()
    with served(home) as (address, process):
        mine.goto(f"{address}?at=queue")
        mine.get_by_role("tab", name="Queue", exact=True).click()
        mine.locator(".lsq-row").nth(2).wait_for()
        process.send_signal(signal.SIGKILL)
        mine.locator(".ls-lost").wait_for()
        store.move(numbers[2], 1)
    with served(home, "--port", address.rstrip("/").rpartition(":")[2]):
        mine.locator(f'.lsq-row:first-child[data-job="{numbers[2]}"]').wait_for()
    mine.close()
    store.close()
