"""Safe writing and reading of files: complete or not there at all, on Windows too."""

import errno
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lorasmith.errors import DiskFull

_BLOCK = 1 << 20
_BEGUN = re.compile(r".+\.\d+-\d+\.tmp")  # how `write_atomic` calls what is not whole yet


@contextmanager
def disk_full_is_a_sentence(path: Path) -> Iterator[None]:
    """Turns the operating system's "no space left" under `path` into `DiskFull`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"The disk is full: {path} could not be written. Free some space and run the same command again; "
            "nothing finished was lost."
        ) from error


def write_atomic(path: Path, content: bytes | str) -> None:
    """Writes `content` (text as utf-8) so that a crash at any instant leaves the old file or the new one, never a part.

    Raises `DiskFull` when there is no room.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    # a name of its own: two threads or processes may write the same file, and each must end with a whole one
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with disk_full_is_a_sentence(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            move_into_place(temporary, path)
        except OSError:
            with suppress(OSError):  # where the folder itself is the trouble, its own error is the one to tell
                temporary.unlink(missing_ok=True)
            raise


def remove_begun(folder: Path) -> None:
    """Removes what `write_atomic` had begun below a folder when its process was killed; nobody may be writing there just now."""
    for place, _, names in os.walk(folder):
        for name in filter(_BEGUN.fullmatch, names):
            with suppress(OSError):  # held by a scanner: the next call removes it
                Path(place, name).unlink()


def move_into_place(temporary: Path, path: Path) -> None:
    """Renames a finished file over `path`, trying again for a second where somebody holds it for a moment.

    Windows' virus scanners and indexers open new files at once; a rename meanwhile is a `PermissionError`.
    """
    for wait in (0.05, 0.1, 0.25, 0.6):
        try:
            os.replace(temporary, path)
        except PermissionError:
            time.sleep(wait)
        else:
            return
    os.replace(temporary, path)


def sha256_of(path: Path) -> str:
    """Gives the sha256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def md5_of(path: Path) -> str:
    """Gives the md5 of a file as 32 hex digits: the boorus' name for a file."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def demand_space(folder: Path, needed: int) -> None:
    """Raises `DiskFull` before the work when the disk of `folder` has less than `needed` bytes plus a tenth."""
    free = shutil.disk_usage(folder).free
    if free < needed * 1.1:
        raise DiskFull(
            f"{needed / 1e6:.0f} MB are to be written to {folder}, but only {free / 1e6:.0f} MB are free on that disk. "
            "Free some space or choose another folder."
        )
