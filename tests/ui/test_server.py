"""The server as a process: its ports, its gates, its end."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lorasmith.jobs import processes
from lorasmith.jobs.store import Store
from tests.jobs.test_queue import until
from tests.ui.serving import KEY, child, get, page, surroundings


def ui(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs `lorasmith ui` to its end."""
    command = [sys.executable, "-m", "lorasmith", "ui", "--no-browser", *words]
    return subprocess.run(command, capture_output=True, text=True, env=surroundings(home), timeout=60, input="")


def test_a_network_without_a_password_is_refused_with_a_good_one_to_take(tmp_path: Path) -> None:
    for words in ([], ["--password", "short"]):
        done = ui(tmp_path, "--listen", *words)
        assert done.returncode == 2 and "password" in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_and_the_usual_one_gives_way(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = ui(tmp_path, "--port", str(other.getsockname()[1]))
    assert done.returncode == 1 and "is taken" in done.stderr


def test_the_child_without_its_first_line_says_what_it_is_for(tmp_path: Path) -> None:
    done = ui(tmp_path, "--child")
    assert done.returncode == 2 and "WebUI's tab" in done.stderr


def test_a_second_page_of_the_same_person_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    with page(tmp_path) as (address, _):
        done = ui(tmp_path)
        assert done.returncode == 1 and "already running" in done.stderr
        assert get(f"{address}api/health")[0] == 200


def test_the_page_asks_nothing_of_the_outside_and_has_its_own_script(tmp_path: Path) -> None:
    with page(tmp_path) as (address, _):
        status, html = get(address)
        assert status == 200 and "api/static/lorasmith.js" in html
        assert "fonts.googleapis.com" not in html and "cdnjs" not in html and '"connect_heartbeat":false' in html
        assert get(f"{address}api/static/lorasmith.js")[0] == get(f"{address}api/static/lorasmith.css")[0] == 200
        assert get(f"{address}api/static/..%2fserver.py")[0] == 404
        assert get(address, Host="evil.example")[0] == 403


def test_inside_a_webui_the_key_opens_everything_and_nothing_opens_without(tmp_path: Path) -> None:
    with child(tmp_path) as (address, _):
        for path in ("/", "/api/health", "/config", "/gradio_api/info"):
            assert get(address + path)[0] == 403
            assert get(address + path, X_Lorasmith_Key="wrong" * 8)[0] == 403
        status, text = get(f"{address}/api/health", X_Lorasmith_Key=KEY)
        assert status == 200 and json.loads(text)["ok"] is True
        status, html = get(f"{address}/", X_Lorasmith_Key=KEY, Host="webui:7860")
        assert status == 200 and "webui:7860/lorasmith" in html


def test_the_child_ends_with_its_input_and_leaves_no_process_behind(tmp_path: Path) -> None:
    with child(tmp_path) as (_, process):
        family = [process.pid, *(one.pid for one in psutil.Process(process.pid).children(recursive=True))]
        born = {number: processes.birth_of(number) for number in family}
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
    assert not any(processes.is_the_same(number, born[number]) for number in family[1:])


@pytest.mark.parametrize("key", ["", "short"])
def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path, key: str) -> None:
    command = [sys.executable, "-m", "lorasmith", "ui", "--child"]
    words = json.dumps({"key": key}) + "\n"
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings(tmp_path), input=words, timeout=60)
    assert done.returncode == 2 and "16 characters" in done.stderr


def test_with_a_password_the_network_logs_in_first(tmp_path: Path) -> None:
    with page(tmp_path, "--listen", LORASMITH_PASSWORD="a long password") as (address, _):
        port = address.rsplit(":", 1)[1].strip("/")
        status, html = get(f"http://127.0.0.1:{port}/", Accept="text/html")
        assert status == 401 and 'type="password"' in html
        assert get(f"http://127.0.0.1:{port}/api/health")[0] == 401
        assert get(f"http://127.0.0.1:{port}/config")[0] == 401


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM")
def test_logging_out_ends_the_page_in_order_and_its_jobs_stay_stopped(tmp_path: Path) -> None:
    with page(tmp_path) as (_, process):
        store = Store(tmp_path / "localappdata" / "lorasmith" / "jobs" / "jobs.db")
        job = store.add(tmp_path, ("demo", str(tmp_path / "demo")), "gpu")
        until(lambda: (found := store.get(job.id)) and found.state == "running" and found.pid)
        process.terminate()
        process.wait(40)
        ended = store.get(job.id)
    assert ended is not None and ended.state == "stopped" and ended.pid is None
