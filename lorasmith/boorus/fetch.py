"""The verified download of one post's file: a crash leaves a `.part` or the right file, never a wrong one."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import requests

from lorasmith.boorus.client import BROKEN, Client
from lorasmith.boorus.faults import (
    CalledOffError,
    DamagedFileError,
    LeftAloneError,
    MissingFileError,
    NotFoundError,
    StrangeHostError,
    UnservedFileError,
)
from lorasmith.boorus.post import Post
from lorasmith.errors import RefusedError, SiteBlocked, SiteError
from lorasmith.files import disk_full_is_a_sentence, md5_of, move_into_place
from lorasmith.imaging.signatures import HEAD_BYTES, true_extension
from lorasmith.safety import any_refused

PICTURES = ("png", "jpg", "webp", "gif")
CEILING = 100 << 20  # bytes; the largest file that e621 takes
PREVIEW_CEILING = 2 << 20  # bytes; a preview has about 15 thousand
_TRIES = 4
_BROKEN_OFF = "the connection broke each time"
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def fetch(client: Client, post: Post, folder: Path, quarantine: Path | None = None) -> Path:
    """Downloads the file of `post` as `<site>_<id>.<what it really is>` and gives its path; one that is there is kept.

    Raises `MissingFileError` or `DamagedFileError` for this file alone, `SiteBlocked` or `SiteError` when the site is
    the trouble, `DiskFull`. An interrupted download goes on from its `.part`; the md5 decides in the end, after one
    clean second try. What came damaged twice is put into the folder `quarantine`, where there is one, for a person to see.
    """
    url = _demand_fetchable(post)
    if (there := finished(post, folder)) is not None:
        return there
    part = folder / f"{post.name}.part"
    with disk_full_is_a_sentence(part):
        folder.mkdir(parents=True, exist_ok=True)
        why = _download(client, post, url, part)
        if why == _BROKEN_OFF:
            raise UnservedFileError(f"The file of {post.name} could not be had ({why}); the next run goes on where it broke.")
        if why:
            part.unlink(missing_ok=True)
            why = _download(client, post, url, part)
        if why:
            raise DamagedFileError(f"The file of {post.name} came damaged twice ({why}); {_put_away(part, quarantine)}.")
        return _finish(post, part)


def _put_away(part: Path, quarantine: Path | None) -> str:
    """Moves a damaged file out of the way, under a name that no program opens as a picture; says what became of it."""
    if quarantine is None or not part.is_file():
        part.unlink(missing_ok=True)
        return "it was left out"
    quarantine.mkdir(parents=True, exist_ok=True)
    move_into_place(part, quarantine / f"{part.stem}.damaged")
    return f"it was left out, and lies in {quarantine.name}/"


def fetch_preview(client: Client, post: Post) -> bytes | None:
    """Gives the bytes of a post's small preview, or None where it has none, it is gone, or it is no picture."""
    if post.preview_url is None or any_refused(post.all_tags):
        return None
    try:
        with client.get(post.preview_url, headers={"Accept-Encoding": "identity"}) as response:
            body = bytearray()
            for block in client.blocks(response):
                body += block
                if len(body) > PREVIEW_CEILING:
                    return None
    except (NotFoundError, *BROKEN):
        return None
    return bytes(body) if true_extension(bytes(body[:HEAD_BYTES])) else None


def finished(post: Post, folder: Path) -> Path | None:
    """Gives the file of `post` in `folder` when it is there and has the right md5."""
    for ext in PICTURES:
        path = folder / f"{post.name}.{ext}"
        if path.is_file() and md5_of(path) == post.md5:
            return path
    return None


def _demand_fetchable(post: Post) -> str:
    if any_refused(post.all_tags):
        raise RefusedError("A post carries a tag that marks minors; lorasmith refuses such material always.")
    if post.url is None:
        raise MissingFileError(f"The file of {post.name} is not visible to you on {post.site}; it was left out.")
    if post.md5 is None:
        raise MissingFileError(f"{post.site} names no md5 to check {post.name} against; it was left out.")
    if post.size > CEILING:
        raise MissingFileError(f"The file of {post.name} is larger than {CEILING >> 20} MB; it was left out.")
    return post.url


class _Part:
    """A file on its way: what lies on the disk, and its size, md5 and first bytes, worked out as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forget()
        if path.is_file():
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    self.count(block)

    def forget(self) -> None:
        """Takes it that there are no bytes; the next block begins the file anew."""
        self.size, self.head, self._digest = 0, b"", hashlib.md5(usedforsecurity=False)

    def count(self, block: bytes) -> None:
        """Takes a further block into account."""
        self.size += len(block)
        self.head += block[: HEAD_BYTES - len(self.head)]
        self._digest.update(block)

    @property
    def md5(self) -> str:
        """The md5 of what there is."""
        return self._digest.hexdigest()


def _download(client: Client, post: Post, url: str, path: Path) -> str:
    """Fills the part and says what is wrong with it, or nothing; a broken connection is taken up again."""
    announced = post.size or CEILING
    part = _Part(path)
    for failures in range(1, _TRIES + 1):
        if part.size > announced or (part.size == announced and part.md5 != post.md5):
            part.forget()
        if part.size < announced and not (part.size and part.md5 == post.md5):
            try:
                if not _fill(client, url, part, announced):
                    return "more bytes than announced"
            except BROKEN:
                if failures < _TRIES and not client.stopped.is_set():
                    client.pace.sleep(client.pace.delay(failures))
                continue
        return _what_is_wrong(post, part)
    return _BROKEN_OFF


def _fill(client: Client, url: str, part: _Part, announced: int) -> bool:
    """Writes the rest of the file behind the bytes that are there; False when more comes than was announced."""
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    try:
        response = client.get(url, headers=headers)
    except NotFoundError as error:
        raise MissingFileError(f"{error} The file was left out.") from error
    except (SiteBlocked, LeftAloneError, CalledOffError, StrangeHostError):
        raise
    except SiteError as error:
        raise UnservedFileError(f"The file of a post could not be had: {error}") from error
    with response:
        if "html" in response.headers.get("Content-Type", "").lower():
            raise SiteBlocked(f"{client.site.host} answered with a web page instead of a picture; the run stops here.")
        if response.status_code == 416 or (response.status_code == 206 and not _continues(response, part.size)):
            part.forget()
            raise ConnectionError("the site cannot go on there")  # the next try starts over
        if response.status_code != 206:
            part.forget()
        with part.path.open("ab" if part.size else "wb") as stream:
            return _write(client.blocks(response), stream, part, announced)


def _continues(response: requests.Response, have: int) -> bool:
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == have


def _write(blocks: Iterable[bytes], stream: BinaryIO, part: _Part, announced: int) -> bool:
    for block in blocks:
        if part.size + len(block) > announced:
            return False
        stream.write(block)
        part.count(block)
    stream.flush()
    os.fsync(stream.fileno())
    return True


def _what_is_wrong(post: Post, part: _Part) -> str:
    """Checks size, md5 and signature."""
    if post.size and part.size != post.size:
        return f"{part.size} bytes and not {post.size}"
    if part.md5 != post.md5:
        return "another md5 than the site says"
    return "" if true_extension(part.head) else "not a picture"


def _finish(post: Post, part: Path) -> Path:
    with part.open("rb") as stream:
        ext = true_extension(stream.read(HEAD_BYTES))
    path = part.with_name(f"{post.name}.{ext}")
    move_into_place(part, path)
    return path
