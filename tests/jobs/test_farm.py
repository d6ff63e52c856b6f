"""Jobs on a real Ray cluster of this machine: the same files, nothing lost to kills, nobody let in without the token."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from lorasmith.commands.farm import Where, opened
from lorasmith.errors import UsageError
from lorasmith.jobs.farm.cluster import _processes, _temp
from lorasmith.jobs.store import Store
from tests.ui.trainable import make_trainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
LONG = {"epochs": 6, "repeats": 3, "checkpoint_every": 1}


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (Where(address="ray://host:10001"), "add --on ray"),
        (Where(on="ray", job_gpus=-1), "--job-gpus is -1; it cannot be less than 0"),
        (Where(on="ray", job_gpus=1.5), "a part of one card, or whole ones"),
        (Where(on="ray", workers=-2), "--workers is -2"),
        (Where(projects="sent"), "--projects sent is for the machines of a Ray cluster"),
        (Where(on="ray", workers=2, address="host:6379"), "leave it or --address out"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_started(where: Where, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence), opened(where):
        raise AssertionError("It was taken.")


def test_without_ray_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "")  # so that what is set below is taken back
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'`pip install "lorasmith\[farm\]"`'), opened(Where(on="ray")):
        raise AssertionError("It was taken.")


class Farm:
    """A person's data folder, whose queue works on a cluster of this machine."""

    def __init__(self, data: Path) -> None:
        self.jobs = data / "lorasmith" / "jobs"
        home = dict.fromkeys(("XDG_DATA_HOME", "LOCALAPPDATA"), str(data))
        outside = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.surroundings = {**outside, **home, "SOURCE_DATE_EPOCH": "1700000000"}

    def run(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "lorasmith", *words]
        return subprocess.Popen(command, env=self.surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def told(self, *words: str) -> dict[str, Any]:
        process = self.run(*words, "--json")
        answer, said = process.communicate(timeout=400)
        assert answer, said
        return dict(json.loads(answer))

    def on_ray(self, *words: str) -> "subprocess.Popen[str]":
        return self.run("queue", "run", "--on", "ray", "--workers", "2", "--json", *words)

    def copies(self) -> list[Path]:
        return list((self.jobs.parent / "copies").glob("*/*/lorasmith.toml"))

    def states(self) -> list[tuple[str, int]]:
        with closing(Store(self.jobs / "jobs.db")) as store:
            return [(job.state, job.tries) for job in reversed(store.latest())]

    def workers(self) -> list[psutil.Process]:
        own = {each.pid for each in self.cluster()}
        found = psutil.process_iter(["cmdline", "ppid"])
        return [each for each in found if each.info["ppid"] in own and (each.info["cmdline"] or [""])[0].startswith("ray::Worker")]

    def cluster(self) -> list[psutil.Process]:
        return list(_processes(_temp(self.jobs)))


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    pytest.importorskip("ray", reason='no Ray here: `pip install -c constraints.txt -e ".[farm]"`')
    found = Farm(tmp_path / "data")
    found.jobs.mkdir(parents=True)
    yield found
    for process in [*found.workers(), *found.cluster()]:
        process.kill()


@dataclass(frozen=True)
class Home:
    """Two projects as they are before they are trained, and trained at home by the queue."""

    before: Path
    after: Path

    def away(self, place: Path, name: str) -> Path:
        return Path(shutil.copytree(self.before / name, place / name))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Home:
    place = tmp_path_factory.mktemp("home")
    made = [make_trainable(place / "before" / name, tiny_base, **LONG) for name in ("a", "b")]
    shutil.copytree(place / "before", place / "after")
    queue = Farm(place / "data")
    queue.told("queue", "add", *(str(place / "after" / folder.name) for folder in made))
    assert queue.told("queue", "run")["done"] == len(made)
    return Home(place / "before", place / "after")


def until(condition: Callable[[], Any], seconds: float = 150) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("It never came true.")


def loras(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "loras").glob("*.safetensors"))}


def is_saved(folder: Path) -> bool:
    return bool(list(folder.glob("runs/*/checkpoints/state-*")))


def test_two_at_once_with_a_worker_and_the_driver_killed_end_with_the_bytes_of_home(
    farm: Farm, tmp_path: Path, home: Home
) -> None:
    away = [home.away(tmp_path, name) for name in ("a", "b")]
    farm.told("queue", "add", *map(str, away))
    driver = farm.on_ray()
    until(lambda: len(farm.workers()) == 2 and is_saved(away[0]))
    addresses = {each.laddr.ip for process in farm.cluster() for each in process.net_connections("inet") if each.status == "LISTEN"}
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, "nobody reaches it from outside"
    victim = farm.workers()[0]
    victim.kill()
    until(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE)
    driver.kill()
    driver.wait()
    left = {worker.pid for worker in farm.workers()}
    assert left, "what is at work goes on without the queue"
    second = farm.on_ray()
    answer, said = second.communicate(timeout=400)
    assert second.returncode == 0, said
    assert [state for state, _ in farm.states()] == ["done"] * 2
    tries = [count for _, count in farm.states()]
    assert sorted(tries) == [1, 2], "the killed one began anew, the other was taken up where it was"
    assert [loras(folder) for folder in away] == [loras(home.after / folder.name) for folder in away]
    assert json.loads(answer)["failed"] == 0 and not farm.cluster(), "with the last job its cluster ends"
    log = (farm.jobs / "logs" / "000002.txt").read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_a_job_is_cancelled_from_elsewhere_and_a_stranger_without_the_token_is_refused(
    farm: Farm, tmp_path: Path, tiny_base: Path
) -> None:
    folder = make_trainable(tmp_path / "p", tiny_base, **LONG | {"epochs": 60})
    gone = make_trainable(tmp_path / "gone", tiny_base)
    farm.told("queue", "add", str(folder), str(gone))
    (gone / "lorasmith.toml").write_text("[train]\nepochs = 'many'\n", encoding="utf-8")
    driver = farm.on_ray()
    until(lambda: is_saved(folder))
    address = json.loads((farm.jobs / "ray.json").read_text(encoding="utf-8"))["address"]
    stranger = "import ray, sys; ray.init(address=sys.argv[1])"
    token = {**farm.surroundings, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "wrong" * 8, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    refused = subprocess.run([sys.executable, "-c", stranger, address], env=token, capture_output=True, text=True, timeout=200)
    assert refused.returncode != 0
    farm.told("queue", "cancel", "1")
    answer, said = driver.communicate(timeout=200)
    assert driver.returncode == 1, said
    assert [state for state, _ in farm.states()] == ["stopped", "failed"]
    with closing(Store(farm.jobs / "jobs.db")) as store:
        job = store.get(2)
    assert job is not None and "train.epochs" in job.error
    assert oct((farm.jobs / "ray.token").stat().st_mode & 0o777) == "0o600" or sys.platform == "win32"


def test_a_project_that_is_sent_comes_home_as_if_trained_at_home_though_worker_and_driver_are_killed(
    farm: Farm, tmp_path: Path, home: Home
) -> None:
    away = home.away(tmp_path, "a")
    farm.told("queue", "add", str(away))
    driver = farm.on_ray("--projects", "sent")
    until(lambda: is_saved(away))
    assert farm.copies(), "it works on a copy"
    assert farm.told("status", str(away)), "who only looks is let in"
    refused = farm.run("prune", str(away))
    assert "is working on" in refused.communicate(timeout=60)[1] and refused.returncode == 1, "nobody changes it meanwhile"
    driver.kill()
    driver.wait()
    second = farm.on_ray("--projects", "sent")
    until(lambda: len(list(away.glob("runs/*/checkpoints/state-*"))) > 0 and farm.workers())
    farm.workers()[0].kill()
    answer, said = second.communicate(timeout=400)
    assert second.returncode == 0, said
    assert json.loads(answer)["failed"] == 0
    assert farm.states()[0] == ("done", 2), "the second queue took it up where it was; the killed worker was its first turn"
    assert loras(away) == loras(home.after / "a")
    names = [{str(path.relative_to(each)) for path in each.rglob("*") if path.is_file()} for each in (home.after / "a", away)]
    assert {name for name in names[1] if not name.startswith("cache")} == {name for name in names[0] if not name.startswith("cache")}
    assert not list(away.glob("cache/away")) and not farm.copies() and not farm.cluster()
    with closing(Store(farm.jobs / "jobs.db")) as store:
        job = store.get(1)
    assert job is not None and str(farm.jobs.parent / "copies") not in json.dumps(job.result), "it names the files of home"
