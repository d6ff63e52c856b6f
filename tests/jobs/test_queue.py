"""The queue: order, room, stopping, and what a crash leaves behind."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.jobs import processes
from lorasmith.jobs.hand_over import WithRoom
from lorasmith.jobs.place import Place, ThisMachine
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job, Store
from lorasmith.progress import Progress


class Stub:
    """Work that ends when a test says so."""

    def __init__(self, job: Job) -> None:
        self.job, self.pid, self.code, self.asked = job, None, None, False

    def state(self) -> int | None:
        return self.code

    def progress(self) -> Progress:
        return Progress(self.job.stage, 1, 2, "half")

    def answer(self) -> dict[str, Any]:
        return {"error": "It went wrong."} if self.code == 1 else {"made": 3}

    def ask_to_stop(self) -> None:
        self.asked, self.code = True, 130

    def kill(self) -> None:
        self.code = -9


class StubPlace(Place):
    """A place whose work is in the test's hand."""

    def __init__(self) -> None:
        self.started: list[Stub] = []

    def start(self, job: Job, log: Path) -> Stub:
        self.started.append(Stub(job))
        return self.started[-1]

    @property
    def names(self) -> list[str]:
        return [work.job.words[0] for work in self.started]


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It never came true.")


@pytest.fixture
def place() -> StubPlace:
    return StubPlace()


@pytest.fixture
def queue(tmp_path: Path, place: StubPlace) -> Iterator[Queue]:
    made = Queue(tmp_path / "jobs", place)
    yield made
    made.close()


def test_one_job_at_a_time_has_the_gpu_and_light_work_goes_on_beside_it(queue: Queue, place: StubPlace) -> None:
    a, b = Path("/a"), Path("/b")
    queue.add(a, ["train"], "gpu")
    queue.add(b, ["tag"], "gpu")
    queue.add(b, ["download"], "light")
    until(lambda: len(place.started) == 2)
    assert place.names == ["train", "download"]
    place.started[1].code = 0
    time.sleep(0.6)
    assert place.names == ["train", "download"]  # the GPU is taken
    place.started[0].code = 0
    until(lambda: place.names == ["train", "download", "tag"])


def test_two_jobs_never_work_on_one_project_at_once(queue: Queue, place: StubPlace) -> None:
    queue.add(Path("/a"), ["download"], "light")
    queue.add(Path("/a"), ["prune"], "light")
    until(lambda: place.started)
    time.sleep(0.6)
    assert place.names == ["download"]
    place.started[0].code = 0
    until(lambda: place.names == ["download", "prune"])


def test_the_very_same_job_is_not_taken_twice(queue: Queue) -> None:
    queue.add(Path("/a"), ["train", "/a"], "gpu")
    with pytest.raises(UsageError, match="already"):
        queue.add(Path("/a"), ["train", "/a"], "gpu")


def test_a_job_that_waits_is_stopped_at_once_and_never_starts(queue: Queue, place: StubPlace) -> None:
    queue.add(Path("/a"), ["train"], "gpu")
    second = queue.add(Path("/b"), ["train"], "gpu")
    queue.stop(second.id)
    place_first = until(lambda: place.started)[0]
    place_first.code = 0
    time.sleep(0.6)
    assert queue.store.get(second.id).state == "stopped" and len(place.started) == 1  # type: ignore[union-attr]


def test_how_a_job_ended_is_written_down(queue: Queue, place: StubPlace) -> None:
    wanted = {0: "done", 1: "failed", 130: "stopped"}
    for code, state in wanted.items():
        job = queue.add(Path("/a"), [f"job{code}"], "light")
        work = until(lambda job=job: next((one for one in place.started if one.job.id == job.id), None))
        assert queue.progress(job.id) == Progress(f"job{code}", 1, 2, "half")
        work.code = code
        ended = until(lambda job=job: (found := queue.store.get(job.id)) and found.ended and found)
        assert ended.state == state
        assert ended.error == ("It went wrong." if code == 1 else "") and bool(ended.result) is (code == 0)


def test_closing_stops_what_works_and_keeps_what_waits(tmp_path: Path) -> None:
    place = StubPlace()
    queue = Queue(tmp_path / "jobs", place)
    working = queue.add(Path("/a"), ["train"], "gpu")
    waiting = queue.add(Path("/b"), ["train"], "gpu")
    until(lambda: place.started)
    queue.close()
    assert place.started[0].asked
    states = {job.id: job.state for job in Store(tmp_path / "jobs" / "jobs.db").latest()}
    assert states == {working.id: "stopped", waiting.id: "waiting"}


def test_what_was_running_when_the_queue_was_killed_runs_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs" / "jobs.db")
    job = store.add(Path("/a"), ("train",), "gpu")
    store.change(job.id, state="running", pid=2**22 + 1, born=1.0)
    store.close()
    place = StubPlace()
    queue = Queue(tmp_path / "jobs", place)
    until(lambda: place.names == ["train"])
    queue.close()


def test_what_still_works_for_a_queue_that_was_killed_has_its_next_turn_when_it_has_gone(tmp_path: Path) -> None:
    last = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    store = Store(tmp_path / "jobs" / "jobs.db")
    job = store.add(Path("/a"), ("train",), "gpu")
    store.change(job.id, state="running", pid=last.pid, born=processes.birth_of(last.pid))
    store.close()
    place = StubPlace()
    queue = Queue(tmp_path / "jobs", place)
    time.sleep(0.6)
    assert queue.store.get(job.id).state == "waiting" and not place.started  # type: ignore[union-attr]
    last.kill()
    last.wait()
    until(lambda: place.names == ["train"])
    until(lambda: queue.store.get(job.id).pid is None)  # type: ignore[union-attr]
    queue.close()


def test_a_second_queue_on_the_same_folder_is_refused_with_a_sentence(queue: Queue, tmp_path: Path) -> None:
    with pytest.raises(LorasmithError, match="already running"):
        Queue(tmp_path / "jobs", StubPlace())


@pytest.mark.parametrize("fault", [FileNotFoundError("no such program"), ValueError("embedded null byte")])
def test_a_command_that_cannot_be_started_fails_with_its_reason_and_the_next_goes_on(tmp_path: Path, fault: Exception) -> None:
    class Nowhere(StubPlace):
        def start(self, job: Job, log: Path) -> Stub:
            if job.words[0] == "poison":
                raise fault
            return super().start(job, log)

    place = Nowhere()
    queue = Queue(tmp_path / "jobs", place)
    job = queue.add(Path("/a"), ["poison"], "gpu")
    queue.add(Path("/a"), ["train"], "gpu")
    ended = until(lambda: (found := queue.store.get(job.id)) and found.state == "failed" and found)
    until(lambda: place.names == ["train"])
    queue.close()
    assert str(fault) in ended.error


# the GPU handed over


@pytest.mark.parametrize("ending", [0, 1, -9])
def test_the_gpu_is_asked_for_before_a_training_and_given_back_however_it_ends(tmp_path: Path, ending: int) -> None:
    told: list[str] = []
    place = StubPlace()
    room = WithRoom(place, lambda: told.append("release"), lambda: told.append("restore"))
    queue = Queue(tmp_path / "jobs", room)
    job = queue.add(Path("/a"), ["train"], "gpu")
    until(lambda: place.started)
    assert told == ["release"]
    place.started[0].code = ending
    until(lambda: queue.store.get(job.id).ended)  # type: ignore[union-attr]
    queue.close()
    assert told == ["release", "restore"]


def test_light_work_leaves_the_gpu_alone(tmp_path: Path) -> None:
    told: list[str] = []
    place = StubPlace()
    queue = Queue(tmp_path / "jobs", WithRoom(place, lambda: told.append("release"), lambda: told.append("restore")))
    job = queue.add(Path("/a"), ["download"], "light")
    until(lambda: place.started)[0].code = 0
    until(lambda: queue.store.get(job.id).ended)  # type: ignore[union-attr]
    queue.close()
    assert told == []


def test_a_host_that_does_not_answer_costs_a_line_in_the_log_and_not_the_training(tmp_path: Path) -> None:
    def silent_host() -> None:
        raise LorasmithError("The WebUI did not answer.")

    place = StubPlace()
    queue = Queue(tmp_path / "jobs", WithRoom(place, silent_host, silent_host))
    job = queue.add(Path("/a"), ["train"], "gpu")
    until(lambda: place.started)[0].code = 0
    ended = until(lambda: (found := queue.store.get(job.id)) and found.ended and found)
    queue.close()
    assert ended.state == "done" and "did not answer" in queue.log_of(job.id).read_text(encoding="utf-8")


# real children


def test_a_real_command_reports_and_leaves_its_result(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs", ThisMachine())
    folder = tmp_path / "mine"
    job = queue.add(folder, ["new", str(folder), "--trigger", "zorvex"], "light")
    ended = until(lambda: (found := queue.store.get(job.id)) and found.ended and found, 60)
    queue.close()
    assert ended.state == "done", queue.log_of(job.id).read_text(encoding="utf-8")
    assert ended.result["project"] == folder.as_posix()


def test_a_real_command_that_fails_leaves_its_sentence(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "jobs", ThisMachine())
    job = queue.add(tmp_path, ["prune", str(tmp_path / "nothing")], "light")
    ended = until(lambda: (found := queue.store.get(job.id)) and found.ended and found, 60)
    queue.close()
    assert ended.state == "failed" and "no project" in ended.error


def test_a_child_goes_when_whoever_started_it_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lorasmith.jobs import processes\n"
        f"child = processes.start(['demo', {str(tmp_path / 'demo')!r}, '--json', '--events'], Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    born = processes.birth_of(number)
    time.sleep(1.5)  # it is at work
    parent.kill()
    parent.wait()
    until(lambda: not processes.is_the_same(number, born) or psutil.Process(number).status() == "zombie", 30)


def test_events_are_one_json_object_a_line_with_the_result_last(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.effect_noise((300, 300), 50).convert("RGB").save(tmp_path / "pictures" / "one.png")
    subprocess.run([sys.executable, "-m", "lorasmith", "new", str(tmp_path / "x"), "--trigger", "zorvex"], check=True)
    words = ["add", str(tmp_path / "x"), str(tmp_path / "pictures")]
    child = processes.start([*words, "--json", "--events"], tmp_path / "log")
    assert child.stdout is not None and child.stdin is not None
    lines = [json.loads(line) for line in child.stdout]
    assert child.wait(30) == 0
    child.stdin.close()
    assert lines and all(set(line) == {"progress"} for line in lines[:-1]) and "progress" not in lines[-1]


def test_a_job_that_still_waits_for_the_gpu_is_stopped_at_once_and_the_gpu_asked_back(tmp_path: Path) -> None:
    told: list[str] = []
    busy = threading.Event()

    def release() -> None:
        told.append("release")
        busy.wait(20)  # the WebUI is in the middle of a long picture

    place = StubPlace()
    queue = Queue(tmp_path / "jobs", WithRoom(place, release, lambda: told.append("restore")))
    job = queue.add(Path("/a"), ["train"], "gpu")
    until(lambda: told == ["release"])
    queue.stop(job.id)
    ended = until(lambda: (found := queue.store.get(job.id)) and found.ended and found, 5)
    busy.set()
    queue.close()
    assert ended.state == "stopped" and told == ["release", "restore"] and place.started == []


def test_whatever_release_raises_ends_the_job_with_its_reason(tmp_path: Path) -> None:
    class Broken(StubPlace):
        def start(self, job: Job, log: Path) -> Stub:
            raise RuntimeError("a fault of ours")

    queue = Queue(tmp_path / "jobs", WithRoom(Broken(), lambda: None, lambda: None))
    job = queue.add(Path("/a"), ["train"], "gpu")
    ended = until(lambda: (found := queue.store.get(job.id)) and found.ended and found)
    queue.close()
    assert ended.state == "failed" and "a fault of ours" in ended.error
