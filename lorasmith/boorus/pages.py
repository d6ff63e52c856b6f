"""How pages of posts are turned, and posts asked for by id or md5: for the families whose sites do it alike."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from lorasmith.boorus.booru import Booru, chunks
from lorasmith.boorus.post import Post

Named = TypeVar("Named", int, str)
LARGEST_ID = 2**31 - 1


def by_number(page: Callable[[int], list[Post]], size: int, deepest: int) -> Iterator[Post]:
    """Turns numbered pages; a post that slides onto the next page while they are turned comes once."""
    seen: set[int] = set()
    for number in range(1, deepest + 1):
        posts = page(number)
        yield from (post for post in posts if post.id not in seen)
        seen.update(post.id for post in posts)
        if len(posts) < size:
            return


def by_falling_id(booru: Booru, page: Callable[[int | None], list[Post]], size: int) -> Iterator[Post]:
    """Gives posts newest first, to any depth: each page is asked for below the lowest id of the one before."""
    below: int | None = None
    while posts := page(below):
        yield from sorted(posts, key=lambda post: -post.id)
        lowest = min(post.id for post in posts)
        if below is not None and lowest >= below:
            raise booru.same_page_again()
        if len(posts) < size:
            return
        below = lowest


def in_order(
    booru: Booru, wanted: Iterable[Named], at_once: int, ask: Callable[[str], list[Post]], name: Callable[[Post], Named | None]
) -> Iterator[Post]:
    """Gives the posts that are wanted by id or md5, as many in a request as it can hold, in the order wanted."""
    for chunk in chunks(list(dict.fromkeys(wanted)), at_once):
        found = {name(post): post for post in ask(",".join(map(str, chunk)))}
        yield from booru.safe(found[each] for each in chunk if each in found)


def possible(ids: Iterable[int]) -> Iterator[int]:
    """Leaves out what can be no post's id."""
    return (number for number in ids if 0 < number <= LARGEST_ID)


def lower(md5s: Iterable[str]) -> Iterator[str]:
    """Writes md5s as sites do."""
    return (md5.lower() for md5 in md5s)
