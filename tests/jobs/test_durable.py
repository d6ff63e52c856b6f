"""The queue outlives kill -9 of its runner and of its children; two runners never run one job twice."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import LorasmithError
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job, Store
from lorasmith.progress import Progress
from tests.jobs.sleeping import Sleepers, diary_of


def until(condition: Callable[[], Any], seconds: float = 40) -> Any:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It never came true.")


def add(store: Store, folder: Path, *seconds: float) -> list[Job]:
    return [store.add(folder / str(place), ("sleep", str(each)), "gpu") for place, each in enumerate(seconds)]


def runner(folder: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.jobs.sleeping", str(folder)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def begun_by(folder: Path, number: int) -> list[int]:
    return [pid for word, job, pid in diary_of(folder / "diary") if (word, job) == ("begin", number)]


def states(store: Store) -> list[str]:
    return [job.state for job in reversed(store.latest())]


def test_a_killed_runner_loses_no_job_and_repeats_none_that_ended(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs" / "jobs.db")
    add(store, tmp_path, 0.2, 1.5, 0.2)
    first = runner(tmp_path)
    until(lambda: [word for word, job, _ in diary_of(tmp_path / "diary") if job == 2])
    first.kill()
    first.wait()
    assert states(store) == ["done", "running", "waiting"]
    second = runner(tmp_path)
    assert second.wait(60) == 0
    assert states(store) == ["done", "done", "done"]
    words = [(word, job) for word, job, _ in diary_of(tmp_path / "diary")]
    assert [words.count(("end", job)) for job in (1, 2, 3)] == [1, 1, 1]
    assert ("stopped", 2) in words  # its first child went with the runner
    assert words.index(("stopped", 2)) < len(words) - 1 - words[::-1].index(("begin", 2))  # and before the next began


def test_a_killed_child_gets_one_more_turn_and_then_the_rest_goes_on(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs", Sleepers(tmp_path / "diary"))
    add(queue.store, tmp_path, 30, 0.1)
    for turn in (1, 2):
        begun = until(lambda turn=turn: begun_by(tmp_path, 1)[turn - 1 :])
        psutil.Process(begun[0]).kill()
    until(lambda: not queue.store.open())
    first, second = queue.store.get(1), queue.store.get(2)
    queue.close()
    assert first is not None and second is not None
    assert (first.state, second.state) == ("failed", "done")
    assert "ended with code -9" in first.error and first.tries == 2


def test_of_two_runners_one_works_and_the_other_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs" / "jobs.db")
    add(store, tmp_path, 0.3, 0.3, 0.3, 0.3)
    runners = [runner(tmp_path) for _ in range(3)]
    codes = [each.wait(60) for each in runners]
    assert sorted(codes) == [0, 1, 1]
    told = [each.stderr.read() for each, code in zip(runners, codes, strict=True) if code and each.stderr is not None]
    assert all("already running" in words for words in told)
    words = [(word, job) for word, job, _ in diary_of(tmp_path / "diary")]
    assert sorted(words) == sorted([(word, job) for job in (1, 2, 3, 4) for word in ("begin", "end")])


def test_of_many_who_claim_a_job_one_gets_it(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "jobs.db") for _ in range(8)]
    job = stores[0].add(tmp_path, ("train",), "gpu")
    got: list[Job | None] = []
    start = threading.Barrier(len(stores))

    def claim(store: Store) -> None:
        start.wait()
        got.append(store.claim(job.id))

    threads = [threading.Thread(target=claim, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each is not None for each in got) == 1


def test_another_process_stops_pauses_and_lets_go_on(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs", Sleepers(tmp_path / "diary"))
    other = Store(tmp_path / "jobs" / "jobs.db")
    first, second, third = add(other, tmp_path, 30, 30, 0.1)
    until(lambda: other.get(first.id).pid)  # type: ignore[union-attr]
    other.cancel(first.id)
    until(lambda: other.get(first.id).state == "stopped")  # type: ignore[union-attr]
    until(lambda: other.get(second.id).pid)  # type: ignore[union-attr]
    other.pause(finish=False)
    until(lambda: other.get(second.id).state == "waiting")  # type: ignore[union-attr]
    time.sleep(0.6)
    assert [job.state for job in other.open()] == ["waiting", "waiting"]
    other.hold(second.id, True)
    other.resume()
    until(lambda: other.get(third.id).state == "done")  # type: ignore[union-attr]
    assert other.get(second.id).state == "waiting"  # type: ignore[union-attr]
    queue.close()


def test_how_far_a_job_is_can_be_seen_from_another_process(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.db")
    job = store.add(tmp_path, ("train",), "gpu")
    store.change(job.id, progress=Progress("train", 3, 9, "epoch 1"))
    seen = Store(tmp_path / "jobs.db").get(job.id)
    assert seen is not None and seen.progress == Progress("train", 3, 9, "epoch 1")


def test_a_list_of_an_older_version_is_taken_over(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.execute(
            "CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL, words TEXT NOT NULL, lane TEXT NOT NULL, "
            "state TEXT NOT NULL, made TEXT NOT NULL, started TEXT, ended TEXT, pid INTEGER, born REAL, result TEXT, error TEXT)"
        )
        db.execute("INSERT INTO jobs (folder, words, lane, state, made) VALUES ('/a', '[\"train\"]', 'gpu', 'waiting', 'x')")
    db.close()
    store = Store(tmp_path / "jobs.db")
    later = store.add(tmp_path, ("tag",), "gpu")
    assert [job.stage for job in store.open()] == ["train", "tag"]
    assert [job.stage for job in store.move(later.id, 1)] == ["tag", "train"]


def test_a_queue_closed_for_a_while_puts_back_what_it_was_at(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs", Sleepers(tmp_path / "diary"))
    (job,) = add(queue.store, tmp_path, 30)
    until(lambda: queue.store.get(job.id).pid)  # type: ignore[union-attr]
    queue.close(back=True)
    assert states(Store(tmp_path / "jobs" / "jobs.db")) == ["waiting"]


@settings(deadline=None, max_examples=25)
@given(moves=st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 9)), max_size=8))
def test_however_jobs_are_moved_the_line_is_what_moving_cards_gives(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int]]
) -> None:
    store = Store(tmp_path_factory.mktemp("line") / "jobs.db")
    line = [store.add(Path("/p"), ("train", str(number)), "gpu").id for number in range(5)]
    numbers = list(line)
    for place, to in moves:
        job = numbers[place]
        line.remove(job)
        line.insert(min(max(to, 1), 5) - 1, job)
        store.move(job, to)
        assert [each.id for each in store.open()] == line
    store.close()


def test_a_second_queue_says_who_has_it(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs", Sleepers(tmp_path / "diary"))
    with pytest.raises(LorasmithError, match="lorasmith queue run"):
        Queue(tmp_path / "jobs", Sleepers(tmp_path / "diary"))
    queue.close()
