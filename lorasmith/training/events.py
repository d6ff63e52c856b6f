"""events.jsonl: the story of a run, one JSON object per line, cut back on resume so that it tells one story."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorasmith.files import disk_full_is_a_sentence
from lorasmith.training.times import now


class EventLog:
    """Appends events to a file; what stands after `keep` bytes (a run that was killed) is cut off first."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        self.path = path
        with disk_full_is_a_sentence(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("ab")
            if self._stream.tell() > keep:
                self._stream.truncate(keep)
                self._stream.seek(0, os.SEEK_END)

    def write(self, event: str, **facts: Any) -> None:
        """Appends one event and hands it to the operating system at once."""
        line = json.dumps({"event": event, "time": now(), **facts}, ensure_ascii=False)
        with disk_full_is_a_sentence(self.path):
            self._stream.write(line.encode("utf-8") + b"\n")
            self._stream.flush()

    def settle(self) -> int:
        """Brings everything written to the disk and gives the file's length in bytes."""
        with disk_full_is_a_sentence(self.path):
            self._stream.flush()
            os.fsync(self._stream.fileno())
        return self._stream.tell()

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()


class NoLog:
    """The log of a process whose team's first one writes the events."""

    def write(self, event: str, **facts: Any) -> None:
        """Writes nothing."""

    def settle(self) -> int:
        """Gives the length of nothing."""
        return 0

    def close(self) -> None:
        """Has nothing to close."""


def read_events(path: Path) -> list[dict[str, Any]]:
    """Reads the events of a file, also while it is being written; what is no whole line or no event is passed over."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(json.loads(line))
    return [event for event in found if isinstance(event, dict)]
