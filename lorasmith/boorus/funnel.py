"""Which posts are taken, and why others are not: the same pure rules for research and for download."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from lorasmith.boorus.post import Post
from lorasmith.safety import fold
from lorasmith.settings.tables import DownloadSettings, SiteSettings

# In the order in which they are asked: a post is left out for the first that holds.
REASONS = (
    "deleted", "not visible", "do not post", "file type", "file too large", "rating", "blacklist", "area", "score",
)
_DO_NOT_POST = "avoid_posting"  # the artist asked boorus not to carry this work


def reject(post: Post, settings: SiteSettings) -> str | None:
    """Says in short words why a post is not taken, or None; score and file size count for a download only."""
    return next((reason for reason in REASONS if _holds(reason, post, settings)), None)


def _holds(reason: str, post: Post, settings: SiteSettings) -> bool:
    download = settings if isinstance(settings, DownloadSettings) else None
    match reason:
        case "deleted":
            return post.is_deleted
        case "not visible":
            return post.url is None or post.md5 is None
        case "do not post":
            return _DO_NOT_POST in post.all_tags
        case "file type":
            return ("jpg" if post.ext == "jpeg" else post.ext) not in settings.file_types
        case "rating":
            return ("s" if post.rating == "g" else post.rating) not in settings.ratings
        case "blacklist":
            return is_blacklisted(post, settings.blacklist)
        case "area":
            return post.area < settings.min_area
        case "score":
            return download is not None and post.score < download.min_score
    return download is not None and post.size > download.max_megabytes << 20


def is_blacklisted(post: Post, blacklist: Iterable[str]) -> bool:
    """Says whether an entry of a blacklist holds: all the terms of its line, `-term` for a tag that is not there.

    Terms are tags, tags with `*`, or `rating:s`; case, spaces inside and hyphens are folded as everywhere.
    """
    entries = [entry.split() for entry in blacklist]
    if not any(entries):
        return False
    tags = {fold(tag) for tag in post.all_tags} | {f"rating:{post.rating}"}
    return any(terms and all(_term_holds(term, tags) for term in terms) for terms in entries)


def _term_holds(term: str, tags: Collection[str]) -> bool:
    wanted = fold(term.removeprefix("-"))
    if wanted.startswith("rating:"):
        wanted = wanted[:8]
    there = wanted in tags or ("*" in wanted and any(fnmatchcase(tag, wanted) for tag in tags))
    return there != term.startswith("-")


def funnel(posts: Iterable[Post], settings: SiteSettings) -> list[tuple[str, int]]:
    """Counts how many posts are left after each rule: ("found", 812), ("deleted", 810), …"""
    reasons = Counter(reject(post, settings) for post in posts)
    left = reasons.total()
    steps = [("found", left)]
    for reason in REASONS:
        left -= reasons[reason]
        steps.append((reason, left))
    return steps


def counts_at(posts: Iterable[Post], thresholds: Iterable[int]) -> dict[int, int]:
    """Counts the posts that reach each score."""
    scores = [post.score for post in posts]
    return {threshold: sum(score >= threshold for score in scores) for threshold in thresholds}


def score_at(posts: Iterable[Post], shares: Sequence[float]) -> dict[float, int]:
    """Gives, for each share (0.25: the best quarter), the score that this share of the posts reaches."""
    scores = sorted((post.score for post in posts), reverse=True)
    if not scores:
        return {}
    return {share: scores[min(len(scores), max(1, math.ceil(share * len(scores)))) - 1] for share in shares}


def suggest_min_score(posts: Iterable[Post], wanted: int) -> int:
    """Gives the highest minimum score that leaves `wanted` posts; with fewer posts the lowest, so that all stay."""
    scores = sorted((post.score for post in posts), reverse=True)
    return scores[min(wanted, len(scores)) - 1] if scores else 0
