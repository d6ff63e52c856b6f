"""What a download would fetch, told before it starts: posts, bytes, and how long it takes at the polite rate."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.results import plain
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.download.chosen import choose
from lorasmith.stages.download.stage import PLAN as FACT
from lorasmith.stages.download.stage import have
from lorasmith.stages.research.site import (
    LOOPBACK_RATE,
    demand_passable_character,
    in_the_sites_words,
    open_site,
    query_of,
)

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post

PLAN = "download-plan.csv"
_MEGABYTES_A_SECOND = 4.0  # a home line; a file takes its turn or its bytes, whichever is longer


@dataclass(frozen=True)
class Planned:
    """What a download would do with the settings as they are."""

    query: str
    found: int  # posts looked at
    fetched: int  # files that would be fetched
    bytes: int  # of these, where the site says sizes
    unknown_sizes: int  # files of which it does not
    seconds: int  # at the polite rate, at the least
    already: int
    refused: int  # posts that mark minors: counted, never fetched
    left_out: dict[str, int]  # reason -> posts
    not_found: tuple[str, ...]
    report: str  # path of the table of every post and what would become of it


def plan_download(project: Project, settings: DownloadSettings, report: Report = silent) -> Planned:
    """Asks the site which posts would be fetched, and fetches none."""
    query = query_of(project, settings)
    booru = open_site(settings)
    report(Progress("download", 0, None, f"asking {settings.site} for '{query}'"))
    if not settings.collect_from_listed_posts_file:
        demand_passable_character(booru, query)
    wished = settings
    settings = in_the_sites_words(booru, settings)
    chosen = choose(project, booru, query, settings, report)
    new = [post for post in chosen.posts if not have(project, post)]
    _write(project, booru, chosen.posts, new, chosen.left_out)
    planned = Planned(
        query, len(chosen.posts) + len(chosen.left_out), len(new), sum(post.size for post in new),
        sum(not post.size for post in new), seconds_for(new, booru, settings), len(chosen.posts) - len(new), len(booru.refused),
        dict(sorted(Counter(reason for _, reason in chosen.left_out).items())), tuple(chosen.not_found),
        str(project.folder / PLAN),
    )  # fmt: skip
    project.remember(FACT, {"settings": wished.model_dump(mode="json"), "plan": plain(planned)})
    report(Progress("download", len(new), len(new), "planned"))
    return planned


def last_plan(project: Project) -> dict[str, Any]:
    """Gives the last plan with `current`: whether the settings are still those it was made with; nothing without one."""
    kept = project.fact(FACT)
    if not isinstance(kept, dict):
        return {}
    now = project.settings(DownloadSettings).model_dump(mode="json")
    return {**kept["plan"], "current": kept["settings"] == now}


def seconds_for(posts: "list[Post]", booru: "Booru", settings: DownloadSettings) -> int:
    """Gives the least time that fetching takes: a turn for each file at its host's rate, and its bytes over a home line."""
    wished = LOOPBACK_RATE if settings.site_url else settings.requests_per_second
    waits: Counter[str] = Counter()
    for post in posts:
        host = urlsplit(post.url or booru.site.url).netloc
        waits[host] += 1  # a turn at its host
    turns = max((count / booru.site.rate(host, wished) for host, count in waits.items()), default=0.0)
    return round(max(turns, sum(post.size for post in posts) / 1e6 / _MEGABYTES_A_SECOND))


def _write(
    project: Project, booru: "Booru", posts: "list[Post]", new: "list[Post]", left_out: "list[tuple[Post, str]]"
) -> None:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("post", "page", "outcome", "reason", "bytes"))
    fresh = {post.name for post in new}
    taken = {post.name for post in posts}
    for post in posts:
        rows.writerow((post.name, booru.site.page(post.id), "to fetch" if post.name in fresh else "already", "", post.size))
    for post, reason in left_out:
        if post.name not in taken:
            rows.writerow((post.name, booru.site.page(post.id), "left out", reason, post.size))
    write_atomic(project.folder / PLAN, text.getvalue())
