"""The rows of a large exported table (csv, gzip), streamed: only those that may hold what is looked for are parsed.

A field in quotes may hold newlines and doubled quotes (RFC 4180), so a row ends at a newline before which the quotes are
even in number. That can be told from the bytes: blocks without the words looked for are passed over whole, in the others
the row is found around each hit. The words are a coarse sieve only, because they may stand in any column.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

from lorasmith.errors import SiteError, UsageError

LONGEST_ROW = 16 << 20  # bytes; a description ends at 50 thousand letters, so what is longer is a quote that never closes
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
csv.field_size_limit(LONGEST_ROW)  # the library's own limit is 128 KB


class Table:
    """One exported table on disk, read anew by each call.

    `told` is called after each block with the share of the file that was read, from 0 to 1. Raises `UsageError` for a file
    that is not there or no such table, and `SiteError` for one that is damaged.
    """

    def __init__(self, path: Path, columns: Sequence[str], told: Callable[[float], None] | None = None) -> None:
        self.path = path
        self._total: int | None = None
        self._told = told or _silent
        with _faults(path), path.open("rb") as file:
            header = _header(_unpacked(file))
        missing = [column for column in columns if column not in header]
        if missing:
            raise UsageError(
                f"{path} has no column '{missing[0]}', so it is not the export that is wanted here. "
                "Name posts.csv.gz as the site gives it, or the folder that it lies in."
            )
        twice = [column for column in columns if header.count(column) > 1]
        if twice:
            raise UsageError(f"{path} has the column '{twice[0]}' twice; take the export as the site gives it.")
        self._width = len(header)
        self._choose = itemgetter(*(header.index(column) for column in columns))

    def rows(self, words: Collection[str] = ()) -> Iterator[tuple[str, ...]]:
        """Gives the cells of the asked columns, for all rows that may hold all the words."""
        needles = [word.replace('"', '""').encode("utf-8") for word in words]
        with _faults(self.path):
            for records in self._pieces():
                for cells in csv.reader(_sieved(records, needles)):
                    if len(cells) == self._width:
                        yield self._choose(cells)
                    elif cells:
                        raise self._wrong_width(len(cells))

    def count(self) -> int:
        """Says how many rows there are; after a pass over all of them it is known."""
        if self._total is None:
            for _ in self._pieces():
                pass
        return self._total or 0

    def _pieces(self) -> Iterator[bytes]:
        """Gives whole rows as they stand in the file, about a megabyte at a time."""
        total = 0
        with _faults(self.path), self.path.open("rb") as file:
            size = max(1, self.path.stat().st_size)
            stream = _unpacked(file)
            _header(stream)
            for records in _whole_records(stream):
                total += _count(records)
                yield records
                self._told(min(1.0, file.tell() / size))
        self._total = total

    def _wrong_width(self, fields: int) -> SiteError:
        return SiteError(
            f"{self.path} has a row of {fields} fields where its header names {self._width}: it was cut off or changed. "
            "Download it again."
        )


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Words what is wrong with a file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error, UnicodeDecodeError) as error:
        raise SiteError(f"{path} is damaged, or was cut off while it was downloaded; download it again.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}); name a posts.csv.gz, or its folder.") from error


def _silent(share: float) -> None:
    """Tells nobody."""


def _unpacked(file: BinaryIO) -> BinaryIO:
    """Opens a packed table, or one that somebody has unpacked already."""
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file


def _header(stream: BinaryIO) -> list[str]:
    return next(csv.reader([stream.readline(1 << 16).decode("utf-8-sig")]), [])


def _whole_records(stream: BinaryIO) -> Iterator[bytes]:
    """Gives the bytes in pieces that end where a row ends."""
    rest = b""
    while block := stream.read(_BLOCK):
        rest += block
        end = _end_before(rest, 0, len(rest))
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > LONGEST_ROW:
            raise csv.Error("a row without end")
    if rest:
        yield rest


def _end_before(data: bytes, start: int, stop: int) -> int:
    """Gives the last end of a row up to `stop`; `start`, where a row begins, when there is none."""
    quotes = data.count(b'"', start, stop)
    while (newline := data.rfind(b"\n", start, stop)) >= 0:
        quotes -= data.count(b'"', newline, stop)
        if quotes % 2 == 0:
            return newline + 1
        stop = data.rfind(b'"', start, newline)  # between the quote that opened and this newline no row ends
        quotes -= 1
    return start


def _end_after(data: bytes, start: int, at: int) -> int:
    """Gives the first end of a row from `at` on; `start` is where its row begins."""
    quotes = data.count(b'"', start, at)
    while (newline := data.find(b"\n", at)) >= 0:
        quotes += data.count(b'"', at, newline)
        at = newline + 1
        if quotes % 2 == 0:
            return at
        if (at := data.find(b'"', at)) < 0:  # before the quote that closes no row ends
            break
    return len(data)


def _count(records: bytes) -> int:
    """Counts rows: the newlines outside of quotes, and a last row that has none."""
    newlines = b"".join(records.split(b'"')[::2]).count(b"\n")
    return newlines + (not records.endswith(b"\n"))


def _sieved(records: bytes, needles: Sequence[bytes]) -> Iterable[str]:
    """Gives the rows as texts that may hold all the needles; without needles the lines of all rows."""
    if not needles:
        return io.StringIO(records.decode("utf-8"), newline="\n")
    return (row.decode("utf-8") for row in _rows_with(records, needles))


def _rows_with(records: bytes, needles: Sequence[bytes]) -> Iterator[bytes]:
    longest = max(needles, key=len)  # names of characters are long and rare, 'solo' is neither
    at = 0
    while (hit := records.find(longest, at)) >= 0:
        start = _end_before(records, at, hit)
        at = _end_after(records, start, hit)
        row = records[start:at]
        if all(needle in row for needle in needles):
            yield row
