"""Runs a command as a child that never outlives the one who asked: `python leash.py COMMAND…`. Standard library only.

The asker holds the other end of standard input. When that closes, because the asker wants an end or has died, the
command and all that it started get an interrupt, and are killed some seconds later.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

PATIENCE = 8.0  # seconds between the interrupt and the kill
WINDOWS = os.name == "nt"


def end(child: "subprocess.Popen[bytes]") -> None:
    """Ends the command with everything below it."""
    if WINDOWS:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True)
        return
    for sign, patience in ((signal.SIGINT, PATIENCE), (signal.SIGKILL, PATIENCE)):
        try:
            os.killpg(child.pid, sign)
            child.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def leave_it_to_the_asker(*_: object) -> None:
    """An interrupt from the terminal, or its closing, goes to the asker as well; its end is what ends the command."""


def main(command: list) -> int:
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            # A handler, and not SIG_IGN: that one the command would inherit, and could not be interrupted.
            signal.signal(getattr(signal, name), leave_it_to_the_asker)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=not WINDOWS)

    def wait_for_the_end_of_input() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would be held while this process ends
            pass
        end(child)

    threading.Thread(target=wait_for_the_end_of_input, daemon=True).start()
    code = child.wait()
    if code and not WINDOWS:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # what an interrupted or crashed command left of its group
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
