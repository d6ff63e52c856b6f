"""Small pictures of a project's files, made once and kept in the user's cache folder."""

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

from lorasmith.files import write_atomic
from lorasmith.imaging.read import thumbnail

SIDES = (128, 256, 512, 1024)
_QUALITY = 82


class Thumbs:
    """The kept small pictures; safe to lose."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, file: Path, side: int) -> Path:
        """Gives the small picture (WebP, long side at most `side` pixels) of a file; makes it when it is not there.

        Raises `PictureError` when the file cannot be read, `FileNotFoundError` when it has gone.
        """
        facts = file.stat()
        side = next((known for known in SIDES if known >= side), SIDES[-1])
        identity = f"{os.fspath(file)}\0{facts.st_mtime_ns}\0{facts.st_size}\0{side}"
        name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        place = self._folder / name[:2] / f"{name}.webp"
        if not place.is_file():
            small = thumbnail(file, side)
            stream = io.BytesIO()
            small.convert("RGB").save(stream, format="WEBP", quality=_QUALITY, method=2)
            with suppress(PermissionError):  # another request made it at this moment and Windows holds it
                write_atomic(place, stream.getvalue())
        return place
