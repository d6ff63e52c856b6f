"""What every booru can be asked, whatever its family, and how one is opened."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from lorasmith.boorus.client import Client
from lorasmith.boorus.e621 import E621
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.post import Post
from lorasmith.boorus.sites import find_site


class Booru(Protocol):
    """One site, open for questions; `refused` counts the posts that were dropped unseen because of their tags."""

    refused: int

    def count(self, query: str) -> int:
        """Says how many posts a search finds."""
        ...

    def search(self, query: str, limit: int) -> Iterator[Post]:
        """Gives the posts of a search in the site's order, at most `limit`."""
        ...

    def by_ids(self, ids: Iterable[int]) -> Iterator[Post]:
        """Gives the posts with these ids that still exist, deleted ones too, in the order of the ids."""
        ...

    def tag_counts(self, names: Iterable[str]) -> dict[str, int]:
        """Says on how many posts each tag stands; an unknown one stands on none."""
        ...

    def aliases(self, names: Iterable[str]) -> dict[str, str]:
        """Gives the name that the site uses instead, for each of the names that is an alias."""
        ...

    def total_posts(self) -> int | None:
        """Says how many posts the site has."""
        ...

    def fetch(self, post: Post, folder: Path) -> Path:
        """Downloads the verified file of a post into `folder`; raises `FileError` for this file alone."""
        ...


def open_booru(
    site: str, *, url: str = "", requests_per_second: float = 1.0, user: str = "", api_key: str = "",
    pace: Pace | None = None,
) -> Booru:
    """Opens the site called `site`, at `url` instead of its own address where one is given; nothing is asked yet.

    `pace` takes the place of `requests_per_second` where more than the rate is to be chosen.
    """
    client = Client(find_site(site, url), pace or Pace(requests_per_second), user, api_key)
    return E621(client)
