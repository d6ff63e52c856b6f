"""Stands in for install.py in copies of the extension: the same steps, said and logged alike, in two seconds."""

import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
STAMP = VENV / "setup.json"
PYTHON = VENV / "bin" / "python"
STEPS = ("making .venv", "installing torch==2.0", "installing lorasmith and its libraries", "checking that it works")


def recorded_torch_index():
    return None


def is_ready(torch_index):
    return STAMP.is_file()


def make(interpreter):
    """Writes a `.venv` whose Python is another one; quick, and real enough to start the stand-in child."""
    PYTHON.parent.mkdir(parents=True, exist_ok=True)
    PYTHON.write_text(f'#!/bin/sh\nexec "{interpreter}" "$@"\n')
    PYTHON.chmod(0o755)
    STAMP.write_text("{}")


def main(words):
    if not words:
        print("LoRA Smith is set up" if STAMP.is_file() else "LoRA Smith is not set up yet")
        return 0
    assert words[-1] == "setup", words
    print(f"Setting up lorasmith in {VENV}", file=sys.stderr, flush=True)
    (HERE / "setup.pid").write_text(str(os.getpid()))
    VENV.mkdir(exist_ok=True)
    pause = float((HERE / "pause").read_text()) if (HERE / "pause").is_file() else 0.4
    for number, step in enumerate(STEPS, 1):
        print(f"{number}/4 {step}", file=sys.stderr, flush=True)
        with (VENV / "setup.log").open("a") as log:
            for line in range(5):
                log.write(f"Collecting package-{number}{line} from somewhere ({line} MB)\n")
                log.flush()
                time.sleep(pause / 5)
        if number == 2 and (HERE / "fail").is_file():
            (HERE / "fail").unlink()
            print("This step failed. The disk is full: make about 6 GB of room and try again.", file=sys.stderr)
            return 1
    make(os.environ.get("STANDIN_CHILD_PYTHON", sys.executable))
    print("Ready after 2 s.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
