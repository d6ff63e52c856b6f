"""Makes the venvs of the two stand-in hosts, with the pins of the real ones: `python make_hosts.py FOLDER`.

Each has gradio and what goes with it, and nothing else: about 400 MB for both, and a minute. What is there already is
kept. The tests look for the folder in the variable LORASMITH_HOST_VENVS, else in .venv-hosts/ of the repository.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

# httpcore, numpy and Pillow are as old as the hosts have them, because that is where surprises live.
SHARED = ["httpx==0.24.1", "httpcore==0.15", "numpy==1.26.2", "Pillow==9.5.0"]
PINS = {
    "a1111": ["gradio==3.41.2", "fastapi==0.94.0", "huggingface-hub<1", *SHARED],
    "forge": ["gradio==4.40.0", "fastapi==0.104.1", "pydantic==2.8.2", "huggingface-hub==0.26.2", *SHARED],
}


def python_of(folder: Path, name: str) -> Path:
    return folder / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_made(folder: Path, name: str) -> bool:
    try:
        return json.loads((folder / name / "pins.json").read_text(encoding="utf-8")) == PINS[name]
    except (OSError, ValueError):
        return False


def make(folder: Path, name: str) -> None:
    """Makes one venv; its list of pins is written last, so that half of one is made anew."""
    place = folder / name
    if place.exists():
        shutil.rmtree(place)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    subprocess.run([str(python_of(folder, name)), "-m", "pip", "install", "--quiet", *PINS[name]], check=True)
    (place / "pins.json").write_text(json.dumps(PINS[name]), encoding="utf-8")


def main(words: list[str]) -> int:
    if len(words) != 1:
        print(__doc__)
        return 2
    folder = Path(words[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in PINS:
        if not is_made(folder, name):
            print(f"making the stand-in host {name} in {folder / name}", flush=True)
            make(folder, name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
