"""Small pictures of a project's files, made once per content and kept in the user's cache folder, up to a ceiling."""

import hashlib
import io
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from lorasmith.files import sha256_of, write_atomic
from lorasmith.imaging.read import thumbnail

SIDES = (128, 256, 512, 1024)
_QUALITY = 82
_MOST_BYTES = 2 << 30  # all kept small pictures together: some 100,000 tiles
_AFTER = 0.8  # of the ceiling is left when it was passed
_LOOK_EVERY = 500  # pictures made between two looks at how much there is
_USED_AGAIN = 86_400  # seconds after which a use is written down: what is used stays longest
_MOST_KNOWN = 50_000  # files whose content is remembered while the server runs


class Thumbs:
    """The kept small pictures; safe to lose. Copies of one file, and a project that was moved, share them."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._contents: dict[str, str] = {}
        self._made = 0
        self._sweeping = threading.Lock()

    def get(self, file: Path, side: int) -> Path:
        """Gives the small picture (WebP, long side at most `side` pixels) of a file; makes it when it is not there.

        Raises `PictureError` when the file cannot be read, `FileNotFoundError` when it has gone.
        """
        side = next((known for known in SIDES if known >= side), SIDES[-1])
        name = hashlib.sha256(f"{self._content_of(file)} {side}".encode()).hexdigest()
        place = self._folder / name[:2] / f"{name}.webp"
        try:
            if time.time() - place.stat().st_mtime > _USED_AGAIN:
                with suppress(OSError):  # another process may be at it
                    os.utime(place)
        except FileNotFoundError:
            self._make(file, side, place)
        return place

    def _content_of(self, file: Path) -> str:
        """Gives the hash of a file's content, read once as long as time and size of the file are the same."""
        facts = file.stat()
        identity = f"{os.fspath(file)}\0{facts.st_mtime_ns}\0{facts.st_size}"
        known = self._contents.get(identity)
        if known is None:
            known = sha256_of(file)
            if len(self._contents) >= _MOST_KNOWN:
                self._contents.clear()
            self._contents[identity] = known
        return known

    def _make(self, file: Path, side: int, place: Path) -> None:
        small = thumbnail(file, side)
        stream = io.BytesIO()
        small.convert("RGB").save(stream, format="WEBP", quality=_QUALITY, method=2)
        with suppress(PermissionError):  # another request made it at this moment and Windows holds it
            write_atomic(place, stream.getvalue())
        self._made += 1
        if self._made % _LOOK_EVERY == 1:
            self.sweep()

    def sweep(self) -> None:
        """Removes what was used longest ago, when all small pictures together are over the ceiling."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            found = []
            for path in self._folder.glob("*/*.webp"):
                with suppress(OSError):  # gone in the meantime
                    facts = path.stat()
                    found.append((facts.st_mtime, facts.st_size, path))
            left = sum(size for _, size, _ in found)
            if left <= self._most:
                return
            for _, size, path in sorted(found):
                if left <= _AFTER * self._most:
                    break
                with suppress(OSError):  # Windows: somebody is being sent it
                    path.unlink()
                    left -= size
        finally:
            self._sweeping.release()
