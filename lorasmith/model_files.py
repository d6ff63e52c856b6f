"""Optional model files off the Hugging Face hub: told before, fetched once, gone on with after a break, checked.

huggingface_hub's own download throws a broken-off file away when its process ends, and these files have a gigabyte: the
bytes are therefore fetched here by its `http_get`, which can begin in the middle, into a `.part` named after the content.
Beside each file lies `<file>.source.json`: where it came from and its sha256, by which a later change is noticed.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from lorasmith.errors import ModelFileError
from lorasmith.files import demand_space, disk_full_is_a_sentence, move_into_place, sha256_of, write_atomic
from lorasmith.folders import cache_folder

Tell = Callable[[str], None]
HUB = "https://huggingface.co"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ON = ("1", "ON", "YES", "TRUE")


class About(TypedDict):
    """What is known of a model file before it is fetched; `sha256` is None where nobody has published one."""

    revision: str
    sha256: str | None
    megabytes: float
    licence: str


@dataclass(frozen=True)
class _Wanted:
    """One file of one repository, and where it is to lie."""

    repo: str
    file: str
    path: Path
    about: About

    @property
    def by_hand(self) -> str:
        return (
            f"Put {self.path.name} of the Hugging Face repository {self.repo} into {self.path.parent}; then nothing is fetched."
        )


@dataclass(frozen=True)
class _Source:
    """What is remembered of a file that lies here: its content, and the size and time by which it is known again."""

    repo: str
    file: str
    commit: str
    licence: str
    sha256: str
    bytes: int
    mtime_ns: int


def fetch_model(
    repo: str, file: str, *, tell: Tell, folder: Path | None = None, offline: bool = False, **about: Unpack[About]
) -> Path:
    """Gives the path of a model file, fetching it on its first use; `tell` hears size, sha256 and licence before.

    It lies in `folder`, else in the cache of the person; a file that was put there by hand counts. Raises
    `ModelFileError` when it is not there and may not or cannot be fetched, or has another sha256 than `about` says.
    """
    home = folder or cache_folder() / "models" / repo.replace("/", "--")
    wanted = _Wanted(repo, file, home / file, about)
    if not wanted.path.is_file():
        if offline or is_offline():
            raise ModelFileError(f"{file} of {repo} is not on this machine, and this run is offline. {wanted.by_hand}")
        with disk_full_is_a_sentence(wanted.path):
            wanted.path.parent.mkdir(parents=True, exist_ok=True)
            with _only_one(wanted, tell):
                if not wanted.path.is_file():
                    _fetch(wanted, tell)
    _check(wanted, tell)
    return wanted.path


def is_offline() -> bool:
    """Says whether the surroundings forbid the hub (`HF_HUB_OFFLINE`)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _ON


def remembered_sha256(path: Path) -> str:
    """Gives the sha256 that was remembered of a model file, empty where none was or the file is another since then."""
    known = _remembered(path)
    return known.sha256 if known is not None and _is_same_file(path, known) else ""


@contextmanager
def _only_one(wanted: _Wanted, tell: Tell) -> Iterator[None]:
    """Lets one process at a time fetch a file; the others wait and then find it."""
    lock = FileLock(f"{wanted.path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"Another lorasmith process is fetching {wanted.file} of {wanted.repo}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(wanted: _Wanted, tell: Tell) -> None:
    """Downloads, checks and moves into place; a part of the same content that lies there is gone on with."""
    url, headers, commit, size, sha256 = _ask_hub(wanted)
    _demand_hash(wanted, sha256, f"the hub has another file under this name by now, and it is not taken. {wanted.by_hand[:-1]}")
    part = wanted.path.with_name(f"{wanted.path.name}.{(sha256 or commit)[:16]}.part")
    there = part.stat().st_size if part.is_file() else 0
    if there > size:
        part.unlink()
        there = 0
    demand_space(wanted.path.parent, size - there)
    tell(_announcement(wanted, size, there, sha256))
    with _hub_faults_are_sentences(wanted), part.open("ab") as stream:
        from huggingface_hub.file_download import http_get

        http_get(url, stream, resume_size=there, headers=headers, expected_size=size, displayed_filename=wanted.file)
        stream.flush()
        os.fsync(stream.fileno())
    found = sha256_of(part)
    if found != (sha256 or found):
        part.unlink()
        raise ModelFileError(
            f"{wanted.file} of {wanted.repo} arrived damaged: its sha256 is {found}, and {sha256} was announced. It was "
            f"thrown away; try again. {wanted.by_hand}"
        )
    before = _remembered(wanted.path)
    if before is not None and before.sha256 != found:
        tell(f"{wanted.file} of {wanted.repo} is another file than last time: sha256 {found}, before {before.sha256}.")
    move_into_place(part, wanted.path)
    _remember(wanted, found, commit)
    if not sha256:
        tell(f"{wanted.file} has sha256 {found}; it is remembered.")


def _announcement(wanted: _Wanted, size: int, there: int, sha256: str) -> str:
    megabytes = f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
    rest = f", {there / 1e6:.0f} MB of it are already here" if there else ""
    content = f", sha256 {sha256}" if sha256 else ""
    return (
        f"Fetching {wanted.file} of {wanted.repo}: {megabytes}{rest}, licence {wanted.about['licence']}{content}, once, "
        f"into {wanted.path.parent}."
    )


def _ask_hub(wanted: _Wanted) -> tuple[str, dict[str, str], str, int, str]:
    """Asks what the hub has: address of the bytes, headers to send, commit, size in bytes, sha256 (empty for small text)."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    endpoint = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    url = hf_hub_url(wanted.repo, wanted.file, revision=wanted.about["revision"], endpoint=endpoint)
    with _hub_faults_are_sentences(wanted):
        said = get_hf_file_metadata(url)
    if said.size is None or not said.etag:
        raise ModelFileError(f"{endpoint} does not say what {wanted.file} of {wanted.repo} holds. {wanted.by_hand}")
    headers = dict(build_hf_headers()) | {"accept-encoding": "identity"}  # packed bytes have no middle to begin in
    if urlsplit(said.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the hub's key is for the hub, not for the host of its large files
    sha256 = said.etag if _SHA256.fullmatch(said.etag) else ""
    return said.location, headers, said.commit_hash or said.etag, said.size, sha256


@contextmanager
def _hub_faults_are_sentences(wanted: _Wanted) -> Iterator[None]:
    """Turns what may go wrong on the way into `ModelFileError`; a full disk stays what it is."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    # The HTTP library under the hub changes; all its errors share the class `HTTPError`, which HfHubHTTPError inherits.
    http_errors = tuple(kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError")
    try:
        with disk_full_is_a_sentence(wanted.path):
            yield
    except GatedRepoError as error:
        raise ModelFileError(
            f"{wanted.repo} asks for its terms to be agreed to first: open {HUB}/{wanted.repo}, agree, and log in with "
            f"`hf auth login`. {wanted.by_hand}"
        ) from error
    except (OSError, RuntimeError, ValueError, *http_errors) as error:
        raise ModelFileError(
            f"{wanted.file} of {wanted.repo} could not be fetched ({_first_line(error)}). Try again later: what has "
            f"arrived is kept. {wanted.by_hand}"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _check(wanted: _Wanted, tell: Tell) -> None:
    """Compares a file that is there with what is known of it; it is hashed when it is new or was touched, else not."""
    known = _remembered(wanted.path)
    is_same = known is not None and _is_same_file(wanted.path, known)
    found = known.sha256 if known is not None and is_same else sha256_of(wanted.path)
    _demand_hash(wanted, found, f"delete {wanted.path}, and it is fetched again")
    if known is not None and known.sha256 != found:
        tell(f"{wanted.path} has changed since it was fetched: sha256 {found}, before {known.sha256}.")
    if not is_same:
        _remember(wanted, found, "")


def _demand_hash(wanted: _Wanted, found: str, what_to_do: str) -> None:
    expected = wanted.about["sha256"]
    if expected and found and found != expected:
        raise ModelFileError(
            f"{wanted.file} of {wanted.repo} has sha256 {found}, but lorasmith knows it with {expected}: {what_to_do}."
        )


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.source.json")


def _remember(wanted: _Wanted, sha256: str, commit: str) -> None:
    state = wanted.path.stat()
    source = _Source(
        wanted.repo, wanted.file, commit, wanted.about["licence"], sha256, state.st_size, state.st_mtime_ns
    )
    try:
        write_atomic(_record_of(wanted.path), json.dumps(asdict(source), indent=1) + "\n")
    except PermissionError:
        return  # a folder that only an administrator writes to: the file is hashed anew each time


def _remembered(path: Path) -> _Source | None:
    try:
        content: Any = json.loads(_record_of(path).read_text(encoding="utf-8"))
        return _Source(**content)
    except (OSError, ValueError, TypeError):
        return None


def _is_same_file(path: Path, known: _Source) -> bool:
    state = path.stat()
    return (state.st_size, state.st_mtime_ns) == (known.bytes, known.mtime_ns)
