"""The small parts of the tab by themselves, with real processes: the child's starts, the leash, the client that is closed."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "extension"))

from lorasmith_webui import child as children
from lorasmith_webui import setting_up
from lorasmith_webui.access import Door
from lorasmith_webui.child import Child
from lorasmith_webui.passthrough import Passthrough

from tests.extension.webui import until

SILENT = "import sys; sys.stdin.read()"
READY = "print('LORASMITH-READY {\"port\": 1}', flush=True); import time; time.sleep(0.3)"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a child that runs some Python: make(code, configure=…, may_start=…); all pauses are short."""
    monkeypatch.setattr(children, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(children, "PAUSES", (0.02,) * 4)
    made: list[Child] = []

    def make(code: str, configure: Callable[[], dict[str, Any]] = dict, **words: Any) -> Child:
        python = children.python_of(tmp_path)
        python.parent.mkdir(parents=True)
        (tmp_path / "code.py").write_text(f"print('begun', flush=True)\n{code}\n")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" code.py\n')
        python.chmod(0o755)
        made.append(Child(tmp_path, configure, lambda: None, **words))
        return made[-1]

    yield make
    for child in made:
        child.stop(1)


def starts(child: Child) -> int:
    return child.log.since(0)[0].count("begun")


# When it is started


def test_nothing_starts_the_child_while_it_may_not_be_started(make: Any) -> None:
    allowed: list[bool] = []
    child = make(SILENT, may_start=lambda: bool(allowed))
    child.ensure()
    assert child.restart() is False
    assert child.state == "stopped" and not child.is_alive
    allowed.append(True)
    assert child.restart() is True
    assert child.is_alive


def test_a_crashed_child_is_not_started_again_in_the_middle_of_a_set_up(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "PAUSES", (0.3,) * 4)
    allowed = [True]
    child = make("raise SystemExit(3)", may_start=lambda: bool(allowed))
    child.ensure()
    until(lambda: child.state == "waiting", "it has crashed")
    allowed.clear()
    until(lambda: child.state == "stopped", "it is left stopped")
    assert starts(child) == 1


def test_a_restart_of_a_child_that_must_be_set_up_anew_leaves_it_stopped(make: Any) -> None:
    allowed = [True]
    child = make(SILENT, may_start=lambda: bool(allowed))
    child.ensure()
    allowed.clear()
    assert child.restart() is True, "else nobody would come to the set-up's page"
    until(lambda: child.state == "stopped", "it has ended")
    assert not child.is_alive


# When it is given up


def test_a_child_that_is_never_ready_is_given_up(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "LONGEST_START", 0.3)
    monkeypatch.setattr(children, "QUICK", 0.1)
    child = make(SILENT)
    child.ensure()
    until(lambda: child.state == "given up", "it is given up")
    assert starts(child) <= len(children.PAUSES) + 1


def test_a_child_that_was_ready_for_long_is_started_again_and_again(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "QUICK", 0.1)
    child = make(READY)
    child.ensure()
    until(lambda: starts(child) > len(children.PAUSES) + 1, "it is started often")
    assert child.state != "given up"


def test_a_start_that_fails_in_any_way_counts_as_a_crash(make: Any) -> None:
    def configure() -> dict[str, Any]:
        raise TypeError("a strange setting")

    child = make(SILENT, configure)
    child.ensure()
    until(lambda: child.state == "given up", "it is given up")
    assert any("TypeError: a strange setting" in line for line in child.log.last())


def test_a_child_that_cannot_be_read_is_not_left_running(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    launch = Child._launch

    def launch_and_fail(self: Child) -> None:
        launch(self)
        started.append(self.pid or 0)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Child, "_launch", launch_and_fail)
    child = make(SILENT)
    child.ensure()
    until(lambda: child.state == "given up", "it is given up")
    until(lambda: not any(runs(pid) for pid in started), "none of them runs")


def test_the_watch_outlives_its_own_faults(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    child = make("raise SystemExit(3)")
    look, faults = child._look, []

    def fails_once() -> None:
        if not faults:
            faults.append(1)
            raise RuntimeError("strange")
        look()

    monkeypatch.setattr(child, "_look", fails_once)
    child.ensure()
    until(lambda: child.state == "given up", "the crashes are seen")
    assert faults


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# The leash


@pytest.mark.parametrize("sign", ["SIGINT", "SIGHUP"])
def test_a_signal_from_the_terminal_leaves_the_leash_to_its_work(tmp_path: Path, sign: str) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    leash = subprocess.Popen(
        [sys.executable, str(setting_up.LEASH), sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert leash.stdin and leash.stdout
    pid = int(leash.stdout.readline())
    leash.send_signal(getattr(signal, sign))
    with pytest.raises(subprocess.TimeoutExpired):
        leash.wait(0.3)
    assert runs(pid)
    leash.stdin.close()  # as the host's end does
    leash.wait(10)
    until(lambda: not runs(pid), "the command has ended")


# The pass-through's client


def test_the_client_is_closed_when_the_host_stops(make: Any) -> None:
    async def live() -> bool:
        stops: list[bool] = []
        through = Passthrough(Door("t", b"s"), make(SILENT), lambda: bool(stops), "")
        client = through.client()
        stops.append(True)
        await asyncio.wait_for(asyncio.shield(through._watcher), 3)  # type: ignore[arg-type]
        return client.is_closed

    assert asyncio.run(live())
