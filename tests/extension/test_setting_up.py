"""The set-up from the tab, with real processes: steps, a live log, failure and retry, cancel, and the way to a Python."""

import sys
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "extension"))

from lorasmith_webui import pythons
from lorasmith_webui.setting_up import SettingUp, load_installer

from tests.extension.conftest import Start
from tests.extension.webui import Webui, copy_extension, until


def setup_of(host: Webui) -> dict:
    return dict(host.status().get("setup") or {})


def test_the_page_tells_before_it_does_and_the_log_is_live_and_a_failure_can_be_tried_again(start: Start) -> None:
    host = start("a1111", ready=False)
    (host.extension / "fail").touch()
    assert host.tab("setup/start", {"torch_index": "file:///etc"}).status_code == 409
    told = host.tab("open", {}).json()
    assert told["setup_needed"] and told["child"]["state"] == "stopped"
    assert "Python 3." in told["setup"]["python"] and "GB" in told["setup"]["size"] and "GB" in told["setup"]["free"]
    assert host.tab("setup/start", {}).json()["setup"]["state"] == "running"
    seen = until(lambda: host.tab("log?of=setup").json()["lines"], "the log begins while it runs")
    assert setup_of(host)["state"] == "running"
    until(lambda: setup_of(host)["state"] == "failed", "it fails")
    assert "The disk is full" in setup_of(host)["error"]
    lines = host.tab("log?of=setup").json()["lines"]
    assert len(lines) > len(seen) and any("Collecting package-10" in line for line in lines)
    host.tab("setup/start", {})
    until(lambda: not host.status()["setup_needed"], "the second try ends well")
    host.open()


def test_an_update_asks_for_the_set_up_again_and_says_so(start: Start) -> None:
    host = start("forge", ready=True)
    install = host.extension / "install.py"
    text = install.read_text(encoding="utf-8")
    install.write_text(text.replace("return STAMP.is_file()", "return False"), encoding="utf-8")
    status = host.tab("open", {}).json()
    assert status["setup_needed"] and status["setup"]["update"] is True


@pytest.mark.parametrize("end", ["cancel", "the host is killed"])
def test_a_set_up_that_is_broken_off_leaves_no_process_behind(start: Start, end: str) -> None:
    host = start("forge", ready=False)
    (host.extension / "pause").write_text("30")
    host.tab("open", {})
    host.tab("setup/start", {})
    file = host.extension / "setup.pid"
    pid = int(until(lambda: file.is_file() and file.read_text(), "install.py runs"))
    if end == "cancel":
        host.tab("setup/cancel", {})
        until(lambda: setup_of(host)["state"] == "cancelled", "it is cancelled")
    else:
        host.kill()
    until(lambda: not psutil.pid_exists(pid), "its process has ended", patience=10)


@pytest.mark.parametrize(
    ("kind", "words"), [("a1111", ["--disable-extension-access"]), ("forge", ["--listen"])], ids=["forbidden", "open"]
)
def test_where_a_host_trusts_its_visitors_little_they_name_no_address_of_builds(
    start: Start, kind: str, words: list[str]
) -> None:
    host = start(kind, *words, ready=False)
    (host.extension / "pause").write_text("0.1")
    assert host.tab("open", {}).json()["setup"]["may_name_sources"] is False
    refused = host.tab("setup/start", {"torch_index": "https://evil.example/simple"})
    assert refused.status_code == 409 and "does not let its visitors choose" in refused.json()["error"]
    assert not (host.extension / "setup.pid").exists()
    assert host.tab("setup/start", {}).status_code == 200  # the tested set alone
    until(lambda: not host.status()["setup_needed"], "it is set up")
    again = host.tab("setup/start", {})
    assert again.status_code == 409 and "set up already" in again.json()["error"]


def test_no_child_is_started_before_or_in_the_middle_of_a_set_up(start: Start) -> None:
    host = start("a1111", ready=False)
    (host.extension / "pause").write_text("1")
    refused = host.tab("restart", {})
    assert refused.status_code == 409 and "before it is set up" in refused.json()["error"]
    assert host.tab("setup/start", {}).json()["setup"]["may_name_sources"] is True
    file = host.extension / "setup.pid"
    until(lambda: file.is_file() and file.read_text(), "install.py runs")
    install = load_installer(host.extension)
    install.make(sys.executable)  # the interpreter is there long before its packages are
    with host.visitor() as browser:
        assert browser.get("/lorasmith/").status_code == 503
    assert host.tab("restart", {}).status_code == 409
    assert host.status()["child"] == {"state": "stopped", "pid": None, "version": "", "why": ""}
    until(lambda: setup_of(host).get("state") != "running", "it ends")
    host.open()


@pytest.mark.parametrize("fault", [TypeError("strange"), OSError("no such file")])
def test_a_set_up_that_breaks_off_in_any_way_has_failed(tmp_path: Path, fault: Exception) -> None:
    def before() -> None:
        raise fault

    setting_up = SettingUp(copy_extension(tmp_path / "lorasmith", ready=False), before)
    assert setting_up.start() == ""
    until(lambda: setting_up.state != "running", "it ends")
    assert setting_up.state == "failed" and str(fault) in setting_up.error


def test_an_installer_that_is_half_written_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "install.py").write_text("def is_ready(")
    assert SettingUp(tmp_path).is_needed()


@pytest.mark.parametrize("index", ["http://a.example/simple", "file:///etc", "--extra", "https://a b", "https://a\n--extra"])
def test_a_strange_address_of_torch_builds_is_refused(tmp_path: Path, index: str) -> None:
    assert "must begin with https://" in SettingUp(tmp_path).start(index)


def test_where_no_python_serves_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pythons, "OLDEST", (3, 99))
    monkeypatch.setenv("PATH", str(tmp_path))
    found, why = pythons.find()
    assert found is None
    assert "Install 64-bit Python 3.12" in why and "Look again" in why


def test_the_hosts_own_python_is_taken_where_it_serves() -> None:
    found, _ = pythons.find()
    assert found and found.command == [sys.executable] and "the WebUI's own" in found.words


UV = """#!/bin/sh
echo "$@" >> "{folder}/asked"
[ "$2" = find ] && echo "{python}"
exit 0
"""


def test_uv_brings_a_python_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extension = copy_extension(tmp_path / "lorasmith", ready=False)
    (extension / "pause").write_text("0.1")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(UV.format(folder=tmp_path, python=sys.executable))
    (tools / "uv").chmod(0o755)
    monkeypatch.setattr(pythons, "OLDEST", (3, 99))
    monkeypatch.setenv("PATH", f"{tools}:/bin")
    monkeypatch.setattr(pythons, "VERSIONS", ())
    setting_up = SettingUp(extension)
    assert setting_up.start() == ""
    assert setting_up.told()["python"].startswith("Python 3.12, fetched by uv")
    until(lambda: setting_up.state != "running", "it ends")
    assert setting_up.state == "done", setting_up.log.last()
    assert (tmp_path / "asked").read_text().splitlines() == ["python install 3.12", "python find 3.12"]
