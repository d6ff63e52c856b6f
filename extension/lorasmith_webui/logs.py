"""The output of a process: the newest lines in memory, all of it in a file."""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path
from typing import BinaryIO

KEPT_LINES = 2000
LONGEST_LINE = 4000  # characters
LARGEST_FILE = 5_000_000  # bytes; then it becomes NAME.1


class Log:
    """Numbered lines, of which the last KEPT_LINES stay in memory; a file gets them all where one is named."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._count = 0
        self._open: BinaryIO | None = None

    def add(self, text: str) -> None:
        """Adds one line (or several, split at line ends)."""
        for line in text.splitlines() or [""]:
            line = line.rstrip()[:LONGEST_LINE]
            with self._lock:
                self._lines.append(line)
                self._count += 1
                self._write(line)

    def since(self, after: int) -> tuple[list[str], int]:
        """Returns the lines with numbers above `after` that are still kept, and the newest line's number."""
        with self._lock:
            new = max(0, min(self._count - after, len(self._lines)))
            return (list(self._lines)[len(self._lines) - new :] if new else []), self._count

    def last(self, number: int = 12) -> list[str]:
        """Returns the newest lines that say something."""
        with self._lock:
            return [line for line in self._lines if line.strip()][-number:]

    def clear(self) -> None:
        """Forgets the lines in memory; numbers go on, so that a reader of the old ones sees the new."""
        with self._lock:
            self._lines.clear()

    def close(self) -> None:
        """Lets go of the file; the next line opens it again."""
        with self._lock:
            if self._open:
                self._open.close()
            self._open = None

    def _write(self, line: str) -> None:
        if self.file is None:
            return
        try:
            if self._open is None:
                if self.file.is_file() and self.file.stat().st_size > LARGEST_FILE:
                    os.replace(self.file, self.file.with_name(self.file.name + ".1"))
                self._open = self.file.open("ab", buffering=0)
            self._open.write(line.encode("utf-8", "replace") + b"\n")
        except OSError:  # a full or read-only disk: memory still has the lines
            self._open = None
