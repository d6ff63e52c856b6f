"""`lorasmith ui` as a process of its own, for the tests."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY = "k" * 32


def surroundings(home: Path) -> dict[str, str]:
    """Gives an environment whose own files are all below `home`."""
    places = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME", "APPDATA", "LOCALAPPDATA")
    return os.environ | {name: str(home / name.lower()) for name in places}


def free_port() -> int:
    """Gives a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def page(home: Path, *words: str, **more: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Runs the page of a person whose files are below `home`; gives its address and the process."""
    # Not the usual port: a page whose server a test has killed would meet the server of another test there.
    port = [] if "--port" in words else ["--port", str(free_port())]
    command = [sys.executable, "-m", "lorasmith", "ui", "--no-browser", *port, *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings(home) | more
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield line.split(" is at ")[-1].split()[0] if " is at " in line else line, process
    finally:
        process.terminate()
        process.wait(40)


@contextmanager
def child(home: Path, **config: Any) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Runs the page as a WebUI's tab does; gives its address and the process."""
    command = [sys.executable, "-m", "lorasmith", "ui", "--child"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings(home)
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps({"key": KEY, "port": 0, "root_path": "/lorasmith"} | config) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{json.loads(line.removeprefix('LORASMITH-READY '))['port']}", process
    finally:
        process.kill()
        process.wait()


def get(address: str, **headers: str) -> tuple[int, str]:
    """Fetches an address; gives status and text."""
    asked = urllib.request.Request(address, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")
