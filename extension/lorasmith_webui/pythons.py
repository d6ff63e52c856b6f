"""Finds a Python that lorasmith can be set up with: the host's own, one of this machine's, or one that uv brings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from lorasmith_webui.child import clean_environment

VERSIONS = ("3.12", "3.13", "3.11")  # best first
OLDEST, NEWEST = (3, 11), (3, 13)
BROUGHT = "3.12"  # the one that uv is asked for
NONE_FOUND = (
    "No Python 3.11 to 3.13 was found on this machine (the WebUI's own is {own}, too old for lorasmith; it stays as it "
    "is). Install 64-bit Python 3.12 from python.org or your system's packages, then press “Look again”."
)
ASKS = """
import json, struct, sys
try:
    import ensurepip, venv
    lacks = ""
except ImportError as error:
    lacks = str(error)
print(json.dumps([list(sys.version_info[:3]), sys.executable, struct.calcsize("P") * 8, lacks]))
"""


class Found(NamedTuple):
    """A way to a Python: the command that starts it, or uv's that brings it first."""

    command: list[str]
    words: str  # for a person
    brought_by_uv: bool = False


def candidates() -> Iterator[tuple[list[str], str]]:
    """Yields commands that may start a Python, the best first."""
    yield [sys.executable], "the WebUI's own"
    launcher = shutil.which("py") if os.name == "nt" else None
    for version in VERSIONS:
        if launcher:
            yield [launcher, "-" + version], "found by the py launcher"
    for name in [*(f"python{version}" for version in VERSIONS), "python3", "python"]:
        path = shutil.which(name)
        if path:
            yield [path], "found on this machine"


def describe(command: list[str], how: str) -> tuple[Found | None, str]:
    """Returns the Python behind a command where it serves, else why it does not."""
    try:
        words = [*command, "-c", ASKS]
        no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        said = subprocess.run(words, capture_output=True, timeout=20, env=clean_environment(), creationflags=no_window)
        version, path, bits, lacks = json.loads(said.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None, ""
    number = ".".join(str(part) for part in version)
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        return None, ""
    if bits != 64:
        return None, f"Python {number} ({path}) is a 32-bit one."
    if lacks:
        return None, f"Python {number} ({path}) lacks its venv module: `sudo apt install python3-venv` or the like."
    return Found([path], f"Python {number}, {how} ({path})"), ""


def find() -> tuple[Found | None, str]:
    """Returns the Python to use, or a sentence on what a person can do; takes some tenths of a second."""
    complaints = []
    for command, how in candidates():
        found, complaint = describe(command, how)
        if found:
            return found, ""
        if complaint and complaint not in complaints:
            complaints.append(complaint)
    uv = shutil.which("uv")
    if uv:
        return Found([uv], f"Python {BROUGHT}, fetched by uv (about 30 MB more)", brought_by_uv=True), ""
    own = ".".join(str(part) for part in sys.version_info[:2])
    return None, " ".join([*complaints, NONE_FOUND.format(own=own)])
