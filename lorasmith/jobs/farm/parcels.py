"""What of a project travels to a machine that does not share its folder: which files, the record, and bundles of their bytes.

A bundle is a line of JSON, `[[name, offset, length], ...]`, and the bytes in that order: nothing in it is unpickled.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath

from lorasmith.errors import ProjectError
from lorasmith.files import sha256_of

RECORD = "project.db"
CACHE = "cache"
_APART = (CACHE, "quarantine")  # what can be made again, and what a person is to look at
_NEVER = ("project.lock", RECORD, f"{RECORD}-wal", f"{RECORD}-shm", f"{RECORD}-journal")
_MOST = 4 << 20  # bytes in a bundle

State = tuple[int, int]  # a file's bytes, and its time in nanoseconds since 1970
Part = tuple[str, int, int]  # a file's name, the place of its first byte, and how many


def state_of(path: Path) -> State | None:
    """Gives a file's size and time, or None when there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def listed(folder: Path) -> dict[str, State]:
    """Lists a project's files that travel, by their names with forward slashes; the record, unfinished files and links do not."""
    found: dict[str, State] = {}
    for where, folders, files in os.walk(folder):
        above = Path(where)
        if above == folder:
            folders[:] = [name for name in folders if name not in _APART]
            files = [name for name in files if name not in _NEVER]
        for name in files:
            path = above / name
            if not name.endswith(".tmp") and not path.is_symlink() and (state := state_of(path)) is not None:
                found[path.relative_to(folder).as_posix()] = state
    return dict(sorted(found.items()))


def copy_record(folder: Path, target: Path) -> str:
    """Writes the project's record as it is at this moment into a file of its own, and gives its sha256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / RECORD, timeout=20)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return sha256_of(target)


def put_record(source: Path, folder: Path) -> None:
    """Makes the project's record what `source` holds, as one transaction: whoever reads it sees the old one or the new."""
    with closing(sqlite3.connect(source)) as new, closing(sqlite3.connect(folder / RECORD, timeout=20)) as old:
        new.backup(old)


def inside(folder: Path, name: str) -> Path:
    """Gives the path of a file by its name in a listing; raises `ProjectError` when that is not below the folder."""
    parts = PurePosixPath(name).parts
    path = folder.joinpath(*parts)
    if not parts or ".." in parts or "\\" in name or not path.is_relative_to(folder) or path == folder:
        raise ProjectError(f"A machine of the cluster named a file {name!r}, which is not in the project; nothing was written.")
    return path


def cut(sizes: Mapping[str, int]) -> Iterator[list[Part]]:
    """Cuts files into bundles of some megabytes: many small files in one, a large one in several."""
    bundle: list[Part] = []
    room = _MOST
    for name, size in sizes.items():
        offset = 0
        while True:
            length = min(size - offset, room)
            bundle.append((name, offset, length))
            offset, room = offset + length, room - length
            if not room:
                yield bundle
                bundle, room = [], _MOST
            if offset >= size:
                break
    if bundle:
        yield bundle


def packed(parts: Iterable[Part], paths: Mapping[str, Path]) -> bytes:
    """Reads the parts from the files at `paths`; a part that is shorter than asked for is what there was."""
    header: list[Part] = []
    read: list[bytes] = []
    for name, offset, length in parts:
        with paths[name].open("rb") as file:
            file.seek(offset)
            read.append(file.read(length))
        header.append((name, offset, len(read[-1])))
    return json.dumps(header).encode() + b"\n" + b"".join(read)


def unpacked(bundle: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Gives the name, place and bytes of each part of a bundle."""
    line, _, rest = bundle.partition(b"\n")
    at = 0
    for name, offset, length in json.loads(line):
        yield name, offset, rest[at : at + length]
        at += length


def write_parts(bundle: bytes, folder: Path) -> None:
    """Writes the parts of a bundle into the files below a folder."""
    for name, offset, data in unpacked(bundle):
        path = inside(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
