"""Which posts are taken, and why others are not: the same pure rules for research and for download."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate

from lorasmith.boorus.post import Post
from lorasmith.safety import fold
from lorasmith.settings.tables import DownloadSettings, SiteSettings

_DO_NOT_POST = "avoid_posting"  # the artist asked boorus not to carry this work
CONDITIONAL = "conditional_dnp"  # the artist allows it under conditions: taken, and told in the credits
_ALWAYS_TOLD = ("rating", "file type", "blacklist", "area")
_PERCENTS = (99, 95, 90, 75, 50, 25)
_ROUND = (1000, 500, 250, 100, 50, 25, 20, 10, 5, 2, 1)


def reject(post: Post, settings: SiteSettings) -> str | None:
    """Says in short words why a post is not taken, or None; score and file size count for a download only."""
    return next((reason for reason, holds in REASONS.items() if holds(post, settings)), None)


def cannot_be_had(post: Post, settings: SiteSettings) -> str | None:
    """Says why a post cannot be taken even if a person lists it: there is no file to see, or none to train on."""
    if post.ext in ("webm", "mp4", "swf", "zip"):
        return "file type"
    return next((reason for reason in ("no tags", "not visible") if REASONS[reason](post, settings)), None)


def _not_visible(post: Post, settings: SiteSettings) -> bool:
    return post.md5 is None or (post.url is None and not settings.export)  # a row of an export never has an address


def _file_type(post: Post, settings: SiteSettings) -> bool:
    return ("jpg" if post.ext == "jpeg" else post.ext) not in settings.file_types


def _file_too_large(post: Post, settings: SiteSettings) -> bool:
    return isinstance(settings, DownloadSettings) and post.size > settings.max_megabytes << 20


def _rating(post: Post, settings: SiteSettings) -> bool:
    return post.rating not in settings.ratings and not (post.rating == "g" and "s" in settings.ratings)


def _score(post: Post, settings: SiteSettings) -> bool:
    return isinstance(settings, DownloadSettings) and post.score < settings.min_score


# In the order in which they are asked: a post is left out for the first that holds.
REASONS: dict[str, Callable[[Post, SiteSettings], bool]] = {
    "no tags": lambda post, settings: not post.all_tags,  # nothing says what it is: it is not judged by its looks
    "deleted": lambda post, settings: post.is_deleted,
    "not visible": _not_visible,
    "do not post": lambda post, settings: _DO_NOT_POST in post.all_tags,
    "rating": _rating,
    "file type": _file_type,
    "file too large": _file_too_large,
    "required tags": lambda post, settings: any(settings.required_tags) and not any_group(post, settings.required_tags),
    "blacklist": lambda post, settings: any_group(post, settings.blacklist),
    "date": lambda post, settings: bool(post.created_at) and post.created_at < settings.min_date,
    "favourites": lambda post, settings: post.fav_count < settings.min_fav_count,
    "area": lambda post, settings: post.area < settings.min_area,
    "score": _score,
}


def tag_groups(lines: Iterable[str]) -> list[list[str]]:
    """Reads the groups of `required_tags` and `blacklist`: `|` parts groups, a comma or a space the tags of one."""
    groups = (group.replace(",", " ").split() for line in lines for group in line.split("|"))
    return [group for group in groups if group]


def any_group(post: Post, lines: Iterable[str]) -> bool:
    """Says whether all the terms of one group hold: a tag, one with `*`, `rating:s`, or `-term` for what must not be.

    Case, and hyphens and spaces inside names, are folded as everywhere.
    """
    groups = tag_groups(lines)
    if not groups:
        return False
    tags = {fold(tag) for tag in post.all_tags} | {f"rating:{post.rating}"}
    return any(all(_term_holds(term, tags) for term in terms) for terms in groups)


def _term_holds(term: str, tags: Collection[str]) -> bool:
    wanted = fold(term.removeprefix("-"))
    if wanted.startswith("rating:"):
        wanted = wanted[:8]
    there = wanted in tags or ("*" in wanted and any(fnmatchcase(tag, wanted) for tag in tags))
    return there != term.startswith("-")


def funnel(posts: Iterable[Post], settings: SiteSettings) -> list[tuple[str, int]]:
    """Counts how many posts are left after each rule: ("looked at", 812), ("deleted", 810), …

    A rule that costs nothing is left out, unless it is one that everybody asks about.
    """
    reasons = Counter(reject(post, settings) for post in posts)
    told = [reason for reason in REASONS if reasons[reason] or reason in _ALWAYS_TOLD]
    left = accumulate((-reasons[reason] for reason in told), initial=reasons.total())
    return list(zip(("looked at", *told), left, strict=True))


@dataclass(frozen=True)
class ScoreStep:
    """One step down the tail of the scores: `posts` have at least this score, the best (100 - percentile) of a hundred."""

    percentile: int
    score: int
    posts: int


def percentiles(scores: Iterable[int]) -> list[ScoreStep]:
    """Gives the steps down the tail, from the best one of a hundred."""
    ordered = sorted(scores, reverse=True)
    rows = []
    for percent in _PERCENTS if ordered else ():
        score = ordered[max(1, math.ceil(len(ordered) * (100 - percent) / 100)) - 1]
        rows.append(ScoreStep(percent, score, sum(each >= score for each in ordered)))
    return rows


def suggest_min_score(scores: Iterable[int], least: int, most: int) -> int | None:
    """Gives the roundest minimum score that leaves `least` to `most` posts; None with too few to choose from.

    Where so many posts share a score that nothing fits between, rather more than fewer are left.
    """
    ordered = sorted(scores, reverse=True)
    if len(ordered) <= most:
        return None
    highest, lowest = ordered[least - 1], ordered[most] + 1
    for unit in _ROUND:
        if (candidate := highest // unit * unit) >= lowest:
            return candidate
    return highest


def best_of(posts: Sequence[Post]) -> Post:
    """Gives the post that stands for a family of twins: the one in the most pixels, lossless, best liked, oldest."""
    return max(posts, key=lambda post: (post.area, post.ext == "png", post.score, -post.id))
