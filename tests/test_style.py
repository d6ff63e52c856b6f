"""The checkers of style and types, run as everybody runs them: what they say is the fault."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=REPOSITORY, capture_output=True, text=True)


def test_ruff_finds_nothing() -> None:
    done = run("ruff", "check", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_nothing() -> None:
    done = run("mypy", "--no-pretty")
    assert done.returncode == 0, done.stdout + done.stderr
