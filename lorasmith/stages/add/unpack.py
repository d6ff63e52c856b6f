"""A zip of pictures, unpacked for `add` under names of our own: nothing in an archive says where a file goes."""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from lorasmith.errors import UsageError
from lorasmith.files import demand_space
from lorasmith.safety import text_is_refused

LARGEST_FILE = 200 << 20  # bytes of one picture, unpacked
LARGEST = 64 << 30  # bytes of all together
_MOST = 200_000  # files
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


@contextmanager
def unpacked(archive: Path, suffixes: frozenset[str], folder: Path) -> Iterator[tuple[Path, int]]:
    """Gives a temporary folder with the pictures and sidecars of a zip, and how many were refused by their names.

    A picture and its sidecars keep one stem. Files of other kinds are passed over. The folder is below `folder` and is removed
    afterwards. Raises `UsageError` for a broken, locked or monstrous archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix="zip-", dir=folder))
    try:
        yield target, _unpack(archive, suffixes, target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _unpack(archive: Path, suffixes: frozenset[str], target: Path) -> int:
    try:
        with zipfile.ZipFile(archive) as pack:
            members = [info for info in pack.infolist() if _is_wanted(info, suffixes)]
            _demand_bearable(archive, members, target)
            refused: set[tuple[str, str]] = set()
            stems: dict[tuple[str, str], str] = {}
            for info in members:
                key = _key(info.filename, suffixes)
                if _names_minors(info.filename):
                    refused.add(key)
                stems.setdefault(key, f"{len(stems):06d} {_NOT_IN_NAMES.sub('_', key[1])[:60]}")
            for info in members:
                key = _key(info.filename, suffixes)
                if key not in refused:
                    rest = PurePosixPath(info.filename.replace("\\", "/")).name.lower()[len(key[1]) :]
                    path = target / (stems[key] + rest)
                    if path.exists():  # two names that differ in letter case alone
                        path = target / f"{stems[key]} {info.header_offset}{rest}"
                    _write(pack, info, path)
    except UsageError:
        raise
    except _BROKEN as error:
        raise UsageError(f"{archive} cannot be unpacked ({error}); make it anew, or unpack it and add the folder.") from error
    return len(refused)


def _is_wanted(info: zipfile.ZipInfo, suffixes: frozenset[str]) -> bool:
    """Passes over folders, files of other kinds, and what macOS puts beside each file."""
    path = PurePosixPath(info.filename.replace("\\", "/"))
    return not info.is_dir() and path.suffix.lower() in suffixes and "__MACOSX" not in path.parts and path.name[:2] != "._"


def _key(name: str, suffixes: frozenset[str]) -> tuple[str, str]:
    """Names what a picture and its sidecars (`a.png`, `a.txt`, `a.png.txt`) have in common: the folder and the stem."""
    path = PurePosixPath(name.replace("\\", "/"))
    stem = path.name.lower()
    while PurePosixPath(stem).suffix in suffixes:
        stem = stem[: -len(PurePosixPath(stem).suffix)]
    return str(path.parent), stem


def _names_minors(name: str) -> bool:
    *folders, last = name.replace("\\", "/").split("/")
    return any(text_is_refused(part.replace("_", " ")) for part in (*folders, PurePosixPath(last).stem))


def _demand_bearable(archive: Path, members: list[zipfile.ZipInfo], target: Path) -> None:
    if any(info.flag_bits & 1 for info in members):
        raise UsageError(f"{archive} is locked with a password; unpack it yourself and add the folder.")
    total = sum(info.file_size for info in members)
    if len(members) > _MOST or total > LARGEST:
        raise UsageError(f"{archive} holds {len(members)} files of {total / 1e9:.0f} GB; unpack it yourself, and add a part.")
    for info in members:
        if info.file_size > LARGEST_FILE:
            raise UsageError(f"{info.filename} in {archive} is {info.file_size / 1e6:.0f} MB: too large for a picture.")
    demand_space(target, total)


def _write(pack: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """Copies one file, and no byte more than the archive announced."""
    left = info.file_size
    with pack.open(info) as source, path.open("wb") as sink:
        while block := source.read(min(1 << 20, left + 1)):
            left -= len(block)
            if left < 0:
                raise zipfile.BadZipFile(f"{info.filename} is larger than announced")
            sink.write(block)
