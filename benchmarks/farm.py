"""Six characters one after the other and on a Ray cluster of two processors: `python -m benchmarks.farm OUT [--kills N] [--seed S]`;
with `--projects sent` they share no folder.

Both go from research to evaluate over a booru on loopback with the demo's tagger and a thin random base. Told are the wall times,
whether every LoRA has the same bytes, and the most requests that the booru saw within a second. With `--kills`, workers and the
driver are killed at random moments, and the driver is started again.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from lorasmith.demo import server
from lorasmith.demo.demo import model_files
from lorasmith.demo.server import DemoBooru
from lorasmith.jobs.farm.cluster import _processes, _temp
from tests.checkpoints.tiny import write_tiny
from tests.road import small_booru

COUNT = 6
STRANGER = "127.0.0.2"
TRAIN = "epochs = 4\nrepeats = 2\nbatch_size = 4\nsample_every = 4\nsample_steps = 2\ncheckpoint_every = 2"
EVALUATE = "epochs = 1\nseeds = [1]\nreport_seeds = [2]\nsteps = 2\nweights = [1.0]\nwidth = 64\nheight = 64"


def written(folder: Path, url: str, base: Path, end: str) -> Path:
    """Writes a file of six characters into a folder of its own."""
    folder.mkdir(parents=True)
    row = "[[character]]\ntrigger = 'zorvex{0}'\nquery = 'zorvex solo'\ndownload.top_n = {1}\n"
    rows = [row.format(number, 5 + number) for number in range(COUNT)]
    text = f"""
        preset = "demo"
        to = "{end}"
        [site]
        site_url = "{url}"
        [tag]
        tagger = '{model_files()[1].as_posix()}'
        [train]
        checkpoint = '{base.as_posix()}'
        {TRAIN}
        [evaluate]
        {EVALUATE}
    """
    file = folder / "characters.toml"
    file.write_text(text + "\n".join(rows), encoding="utf-8")
    return file


def started(file: Path, *words: str) -> "subprocess.Popen[bytes]":
    home = dict.fromkeys(("XDG_DATA_HOME", "LOCALAPPDATA"), str(file.parent / "data"))
    surroundings = {"SOURCE_DATE_EPOCH": "1700000000", **os.environ, **home}
    command = [sys.executable, "-m", "lorasmith", "batch", str(file), *words]
    with (file.parent / "driver.txt").open("ab") as log:
        return subprocess.Popen(command, env=surroundings, stdout=log, stderr=log)


def loras_of(file: Path) -> dict[str, str]:
    """Gives the sha256 of each LoRA, by its project and name."""
    found = sorted(file.parent.glob("zorvex*/loras/*.safetensors"))
    return {f"{path.parent.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in found}


def workers_now(file: Path) -> list[psutil.Process]:
    """Gives the processes of this batch's cluster that have a job."""
    cluster = {each.pid for each in _processes(_temp(file.parent / "data" / "lorasmith" / "jobs"))}
    found = psutil.process_iter(["cmdline", "ppid"])
    return [each for each in found if each.info["ppid"] in cluster and (each.info["cmdline"] or [""])[0].startswith("ray::Worker")]


def killed(file: Path, kills: int, chance: random.Random, projects: str) -> int:
    """Runs the batch on Ray; kills the driver or a worker at random moments, and starts the driver again; gives the exit code."""
    words = ("--on", "ray", "--workers", "2", "--projects", projects)
    driver = started(file, *words)
    while kills and driver.poll() is None and not workers_now(file):  # what asks sites is no worker's
        time.sleep(0.5)
    for _ in range(kills):
        until = time.monotonic() + chance.uniform(4, 25)
        while time.monotonic() < until and driver.poll() is None:
            time.sleep(0.1)
        workers = workers_now(file)
        if workers and chance.random() < 0.6:
            print(f"a worker of {len(workers)} is killed", flush=True)
            chance.choice(workers).kill()
        elif driver.poll() is None:
            print("the driver is killed", flush=True)
            driver.kill()
            driver.wait()
            driver = started(file, *words)
    return driver.wait()


@contextmanager
def foreign_booru(cache: Path) -> Iterator[DemoBooru]:
    """The small booru at an address that lorasmith takes for a stranger's: the rate of a real site holds."""
    own = server._Server
    server._Server = lambda place, booru: own((STRANGER, place[1]), booru)  # type: ignore[assignment, misc]
    try:
        with small_booru(cache) as booru:
            booru.url = booru.site.base_url = booru.url.replace("127.0.0.1", STRANGER)
            yield booru
    finally:
        server._Server = own  # type: ignore[misc]


def most_in_a_second(times: Iterable[float]) -> int:
    ordered = sorted(times)
    return max((sum(t <= other < t + 1 for other in ordered) for t in ordered), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", default="evaluate")
    parser.add_argument("--projects", default="shared", choices=["shared", "sent"])
    options = parser.parse_args()
    out = options.out.absolute()
    base = out / "base.safetensors"
    out.mkdir(parents=True, exist_ok=True)
    write_tiny(base)
    told: dict[str, object] = {}
    with foreign_booru(out / "booru") as booru:
        for name in ("serial", "farm"):
            file = written(out / name, booru.url, base, options.to)
            before, began = len(booru.log), time.monotonic()
            chance = random.Random(options.seed)
            code = started(file).wait() if name == "serial" else killed(file, options.kills, chance, options.projects)
            asked = [each.time for each in booru.log[before:] if each.path.endswith(".json")]
            seconds = round(time.monotonic() - began, 1)
            told[name] = {"exit": code, "seconds": seconds, "asked": len(asked), "most a second": most_in_a_second(asked)}
            print(json.dumps({name: told[name]}), flush=True)
    serial, farm = loras_of(out / "serial" / "characters.toml"), loras_of(out / "farm" / "characters.toml")
    told["LoRAs"], told["the same bytes"] = len(serial), serial == farm and len(serial) > 0
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
