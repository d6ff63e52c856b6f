"""Jobs that sleep: real child processes that write down when they begin and end, and stop when their input ends."""

import subprocess
import sys
from pathlib import Path

from lorasmith.jobs.place import ChildWork, Place
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job

WORKER = """
import os, sys, threading, time
diary, number, seconds = sys.argv[1:]
def note(word):
    with open(diary, "a") as file:
        file.write(f"{word} {number} {os.getpid()}\\n")
def listen():
    sys.stdin.read()
    note("stopped")
    os._exit(130)
threading.Thread(target=listen, daemon=True).start()
note("begin")
time.sleep(float(seconds))
note("end")
print('{"made": 1}', flush=True)
os._exit(0)
"""


class Sleepers(Place):
    """A place whose jobs sleep for as many seconds as their second word says."""

    def __init__(self, diary: Path) -> None:
        self._diary = diary

    def start(self, job: Job, log: Path) -> ChildWork:
        """Starts a sleeper."""
        words = [sys.executable, "-c", WORKER, str(self._diary), str(job.id), job.words[1]]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        return ChildWork(child, log)


def diary_of(path: Path) -> list[tuple[str, int, int]]:
    """Reads (word, job, process) in the order in which they happened."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(word, int(number), int(pid)) for word, number, pid in (line.split() for line in lines)]


if __name__ == "__main__":  # a runner that a test kills
    import time

    folder = Path(sys.argv[1])
    queue = Queue(folder / "jobs", Sleepers(folder / "diary"))
    print("running", flush=True)
    while queue.store.open():
        time.sleep(0.1)
    queue.close()
