"""A post: one picture of a booru with what the site says about it, in one shape for all sites."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Post:
    """One post; `url` is None when the file is not visible to whoever asked, and is then never looked for elsewhere.

    `size` is in bytes (0 where the site does not say), `rating` one of g, s, q, e, `created_at` an ISO 8601 string, `tags`
    are by category. `change_seq` grows with every edit of the post, on the sites that count them.
    """

    site: str
    id: int
    md5: str | None
    ext: str
    width: int
    height: int
    size: int
    url: str | None
    preview_url: str | None
    sample_url: str | None
    rating: str
    score: int
    fav_count: int
    created_at: str
    tags: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...] = ()
    parent_id: int | None = None
    children: tuple[int, ...] = ()
    pools: tuple[int, ...] = ()
    is_deleted: bool = False
    change_seq: int | None = None

    @property
    def name(self) -> str:
        """The stem of the picture everywhere: made of site and id only, never of what a server named."""
        return f"{self.site}_{self.id}"

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The tags of all categories, each once."""
        return tuple(dict.fromkeys(tag for tags in self.tags.values() for tag in tags))

    @property
    def area(self) -> int:
        """The number of pixels."""
        return self.width * self.height
