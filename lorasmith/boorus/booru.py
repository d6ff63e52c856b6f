"""What every booru can be asked, whatever its family, and what all families do alike."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from lorasmith.boorus.client import Client
from lorasmith.boorus.fetch import fetch, fetch_preview
from lorasmith.boorus.post import Post
from lorasmith.errors import SiteError
from lorasmith.safety import any_refused

Item = TypeVar("Item")
FEW = 20  # posts under which a share says nothing


class TagFacts(NamedTuple):
    """What a site says of one tag: on how many posts it stands, and its category ("" where it does not say)."""

    posts: int
    category: str


class Booru(ABC):
    """One site, open for questions. Posts that mark minors never come out of it: `refused` names them, to be counted."""

    orders: Mapping[str, str] = {}  # a setting's `sort_by` -> the term that asks the site for it
    ids_at_once = 1  # how many ids one question can hold
    solo_or_focus = "~solo ~solo_focus"  # in the family's grammar: alone, or clearly in the foreground

    @classmethod
    def any_of(cls, *groups: Sequence[str]) -> str:
        """Writes groups of tags of which a post needs one each, in the family's grammar; a group of one is that tag."""
        single = [group[0] for group in groups if len(group) == 1]
        several = [" ".join(f"~{tag}" for tag in group) for group in groups if len(group) > 1]
        return " ".join([*single, *(several if len(several) < 2 else [f"( {words} )" for words in several])])

    def __init__(self, client: Client) -> None:
        self.client = client
        self.site = client.site
        self.refused: set[str] = set()

    @abstractmethod
    def count(self, query: str) -> int | None:
        """Says how many posts a search finds, or None where the site does not count."""

    @abstractmethod
    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives the posts of a search in the order of the query, newest first without one, at most `limit`."""

    @abstractmethod
    def by_ids(self, ids: Iterable[int]) -> Iterator[Post]:
        """Gives the posts with these ids that still exist, deleted ones too, in the order of the ids."""

    @abstractmethod
    def by_md5s(self, md5s: Iterable[str]) -> Iterator[Post]:
        """Gives the posts whose files have these md5s, in the order of the md5s."""

    @abstractmethod
    def tag_facts(self, names: Iterable[str]) -> dict[str, TagFacts]:
        """Says on how many posts each tag stands, and its category; an unknown one stands on none."""

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives the name that the site uses instead, for each of the names that is an alias."""
        return {}

    @abstractmethod
    def total_posts(self) -> int | None:
        """Says how many posts the site has, or None where it does not say."""

    def best_first(self, query: str) -> str:
        """Gives the query with the order by score, best first, unless it has an order of its own."""
        return query if "order:" in query else f"{query} order:score".strip()

    def hidden_share(self, tag: str) -> float | None:
        """Gives the share of a tag's posts that mark minors and are hidden from searches; None where that is not known."""
        return None

    def wiki(self, tag: str) -> str:
        """Gives the site's text about a tag, empty where it has none."""
        return ""

    def fetch(self, post: Post, folder: Path, quarantine: Path | None = None) -> Path:
        """Downloads the verified file of a post into `folder`; raises `FileError` for this file alone."""
        return fetch(self.client, post, folder, quarantine)

    def preview(self, post: Post) -> bytes | None:
        """Gives the bytes of a post's small preview picture, or None where there is none to see."""
        return fetch_preview(self.client, post)

    def safe(self, posts: Iterable[Post]) -> Iterator[Post]:
        """Drops what is refused and only counts it: the site's own filter is never trusted alone."""
        for post in posts:
            if any_refused(post.all_tags):
                self.refused.add(post.name)
            else:
                yield post

    def same_page_again(self) -> SiteError:
        """Words the fault of a site whose pages do not go on."""
        return SiteError(f"{self.site.host} gave the same page of posts again; the search was stopped.")


def chunks(items: list[Item], size: int) -> Iterator[list[Item]]:
    """Cuts a list into parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
