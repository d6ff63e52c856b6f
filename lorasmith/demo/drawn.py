"""The files of the demo's booru: drawn when first asked for, kept on disk, known by their md5."""

import hashlib
import io
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from PIL import Image

PREVIEW_SIDE = 256
SAMPLE_SIDE = 850


class Drawable(Protocol):
    """A post of the drawn world: what a booru says about it, and its picture."""

    @property
    def id(self) -> int: ...
    @property
    def tags(self) -> Mapping[str, Iterable[str]]: ...
    @property
    def rating(self) -> str: ...
    @property
    def score(self) -> int: ...
    @property
    def fav_count(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def ext(self) -> str: ...
    @property
    def created_at(self) -> str: ...
    @property
    def parent_id(self) -> int | None: ...
    @property
    def children(self) -> Sequence[int]: ...
    @property
    def is_deleted(self) -> bool: ...
    @property
    def visible(self) -> bool: ...

    def draw(self) -> bytes:
        """Gives the file, the same bytes each time."""
        ...


@dataclass(frozen=True)
class Drawn:
    """What is known of a file once it was drawn."""

    md5: str
    size: int


class Files:
    """Draws each post's file once and keeps it in `folder`; what an earlier run drew there of the same is used."""

    def __init__(self, posts: Iterable[Drawable], folder: Path, workers: int = 2) -> None:
        self._posts = {post.id: post for post in posts}
        self._folder = folder
        self._known: dict[int, Drawn] = {}
        self._by_md5: dict[str, int] = {}
        self._locks: dict[int, threading.Lock] = {number: threading.Lock() for number in self._posts}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="demo-draw")
        folder.mkdir(parents=True, exist_ok=True)
        self._note_kept()

    def drawn(self, post: Drawable) -> Drawn:
        """Gives md5 and size of a post's file, drawing it when nobody has yet."""
        with self._locks[post.id]:
            if post.id not in self._known:
                content = post.draw()
                drawn = Drawn(hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content))
                path = self._path(post, drawn.md5)
                temporary = path.with_suffix(".tmp")
                temporary.write_bytes(content)
                temporary.replace(path)
                self._note(post, drawn)
            return self._known[post.id]

    def draw_all(self, posts: Iterable[Drawable]) -> None:
        """Draws many files, several at once."""
        list(self._pool.map(self.drawn, [post for post in posts if post.id not in self._known]))

    def original(self, md5: str) -> tuple[bytes | None, str]:
        """Gives the bytes of the file with this md5 and its extension, or None when no post that is visible has it."""
        post = self._posts.get(self._by_md5.get(md5, -1))
        if post is None or not is_served(post):
            return None, ""
        return self._path(post, md5).read_bytes(), post.ext

    def smaller(self, md5: str, side: int) -> bytes | None:
        """Gives a JPEG of the file within a square of `side` pixels."""
        original, _ = self.original(md5)
        return None if original is None else _smaller(original, side)

    def close(self) -> None:
        """Ends the drawing threads."""
        self._pool.shutdown(cancel_futures=True)

    def _note(self, post: Drawable, drawn: Drawn) -> None:
        self._known[post.id] = drawn
        self._by_md5[drawn.md5] = post.id

    def _note_kept(self) -> None:
        """Finds what an earlier run drew: a file's name says which post it is, of which world, and its md5."""
        by_stem = {f"{post.id}-{_key(post)}": post for post in self._posts.values()}
        for path in self._folder.iterdir():
            stem, _, md5 = path.stem.rpartition("-")
            if (post := by_stem.get(stem)) is not None and path.suffix == f".{post.ext}":
                self._note(post, Drawn(md5, path.stat().st_size))

    def _path(self, post: Drawable, md5: str) -> Path:
        return self._folder / f"{post.id}-{_key(post)}-{md5}.{post.ext}"


@dataclass(frozen=True)
class Listing:
    """A post together with its file: what a search reads and an answer shows. The first look at the file draws it."""

    post: Drawable
    files: Files

    @property
    def md5(self) -> str:
        """The md5 of the file."""
        return self.files.drawn(self.post).md5

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self.files.drawn(self.post).size


def is_served(post: Drawable) -> bool:
    """Says whether strangers may see the file."""
    return post.visible and not post.is_deleted


def _key(post: Drawable) -> str:
    """Names what a drawn file depends on: all that makes the post, and the code that draws."""
    return hashlib.sha256(f"{post!r} {_drawing_code()}".encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _drawing_code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _smaller(content: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(content)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=85)
    return stream.getvalue()
