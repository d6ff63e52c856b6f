"""Lists of posts that a person keeps: a text file with one post id or md5 on a line."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lorasmith.boorus.post import Post
from lorasmith.boorus.sites import SITES, Site
from lorasmith.errors import UsageError

_ID = re.compile(r"[0-9]{1,10}\Z")
_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_ADDRESS = re.compile(r"https?://([^/]+)/.*?(?:posts?/(?:show/)?|[?&]id=)(\d+)")
_LARGEST = 64 << 20  # bytes


@dataclass(frozen=True)
class PostList:
    """The ids and md5s of a list, in its order."""

    ids: dict[int, None] = field(default_factory=dict)  # in order, and quick to look up
    md5s: dict[str, None] = field(default_factory=dict)

    def has(self, post: Post) -> bool:
        """Says whether a post is on the list."""
        return post.id in self.ids or post.md5 in self.md5s


def read_post_list(path: Path, site: Site) -> PostList:
    """Reads a list; what follows the id or md5 on a line, empty lines, and lines that begin with `#` do not matter.

    A line may also be a post's address on `site`. Raises `UsageError` naming the first line that is none of these.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path} is too large for a list of posts.")
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"The list {path} cannot be read ({error.strerror}); check the path.") from error
    ids: dict[int, None] = {}
    md5s: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        word = line.split("#", 1)[0].strip().lower()
        word = re.split(r"[\s,;]", word.removesuffix("/"), maxsplit=1)[0]
        if address := _ADDRESS.match(word):
            if address[1] not in (site.host, urlsplit(SITES[site.name].url).netloc):
                raise UsageError(f"Line {number} of {path} is a post of {address[1]}, and {site.name} is asked: '{word[:60]}'.")
            word = address[2]
        if not word:
            continue
        if _MD5.match(word):
            md5s[word] = None
        elif _ID.match(word):
            ids[int(word)] = None
        else:
            raise UsageError(f"Line {number} of {path} is neither a post's id nor an md5: '{line.strip()[:60]}'.")
    return PostList(ids, md5s)
