"""Tensors kept on the disk under names that say all that decides them: capped in size, the longest unused go first.

A file's time of change is the time of its last use. What a running training uses is never removed: it holds a lock, and its
list of names counts as long as the lock does. A damaged or missing file is made anew.
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load, save

from lorasmith.files import write_atomic

SUFFIX = ".safetensors"
_LISTS = "in-use"


class Store:
    """A folder of named tensors, and the names that this process has asked for."""

    def __init__(self, folder: Path, most_bytes: int = 0) -> None:
        self.folder, self.most_bytes = folder, most_bytes  # 0: as much as there is
        self.used: set[str] = set()

    def path(self, key: str) -> Path:
        """Gives where a key's tensors lie."""
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    def read(self, key: str) -> dict[str, torch.Tensor] | None:
        """Gives a key's tensors and notes the use, None where they are missing or damaged."""
        self.used.add(key)
        try:
            tensors: dict[str, torch.Tensor] = load(self.path(key).read_bytes())
        except (OSError, SafetensorError):
            return None
        with suppress(OSError):  # a folder that cannot be written is still a cache
            os.utime(self.path(key))
        return tensors

    def write(self, key: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Keeps a key's tensors."""
        self.used.add(key)
        write_atomic(self.path(key), save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}))

    def fact(self, name: str) -> str | None:
        """Gives a short text that was noted under a name."""
        try:
            return (self.folder / f"{name}.txt").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def note(self, name: str, text: str) -> None:
        """Notes a short text under a name."""
        write_atomic(self.folder / f"{name}.txt", text)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While this lasts, no process removes what this one has asked for until now; what is too much goes first."""
        lists = self.folder / _LISTS
        lists.mkdir(parents=True, exist_ok=True)
        own = lists / f"{uuid.uuid4().hex}.txt"
        with FileLock(own.with_suffix(".lock")):
            write_atomic(own, "\n".join(sorted(self.used)))
            self._trim()
            try:
                yield
            finally:
                own.unlink(missing_ok=True)
        with suppress(OSError):
            own.with_suffix(".lock").unlink(missing_ok=True)

    def _trim(self) -> None:
        """Removes the longest unused files until the rest is small enough."""
        if not self.most_bytes:
            return
        files = []
        for path in self.folder.glob(f"??/*{SUFFIX}"):
            with suppress(OSError):  # another process may have removed it
                state = path.stat()
                files.append((state.st_mtime_ns, state.st_size, path))
        left = sum(size for _, size, _ in files)
        if left <= self.most_bytes:
            return
        kept = self.used | self._used_by_others()
        for _, size, path in sorted(files):
            if left <= self.most_bytes:
                return
            if path.stem not in kept:
                with suppress(OSError):
                    path.unlink()
                    left -= size

    def _used_by_others(self) -> set[str]:
        """Gives the names on lists whose process lives; lists of processes that are gone go too."""
        names: set[str] = set()
        for path in (self.folder / _LISTS).glob("*.txt"):
            lock = FileLock(path.with_suffix(".lock"))
            try:
                with lock.acquire(timeout=0):
                    path.unlink(missing_ok=True)
            except Timeout:
                with suppress(OSError):
                    names |= set(path.read_text(encoding="utf-8").split("\n"))
        return names
