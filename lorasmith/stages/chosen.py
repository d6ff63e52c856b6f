"""Which posts a download takes, and why not the others: searched, listed, or looked up in an export."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report
from lorasmith.project.pictures import PERSON
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.research import FOLDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post

_DEEPEST = 10000  # posts looked at for one download
REMOVED = "its file was removed by you"


@dataclass
class Chosen:
    """The posts to have, in the order of the setting; the others with the reason; and what the lists named in vain."""

    posts: "list[Post]" = field(default_factory=list)
    left_out: "list[tuple[Post, str]]" = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)

    @property
    def looked_at(self) -> "Iterator[Post]":
        """All posts that the site showed."""
        yield from self.posts
        yield from (post for post, _ in self.left_out)


def choose(project: Project, booru: "Booru", query: str, settings: DownloadSettings, report: Report) -> Chosen:
    """Gives the posts to have and why others are not; looks no further than it must for `top_n`."""
    from lorasmith.boorus.funnel import cannot_be_had, reject

    listed = bool(settings.collect_from_listed_posts_file)
    chosen = Chosen()
    why_not = _memory(project, settings)
    filters = cannot_be_had if listed and not settings.apply_filter_to_listed_posts else reject
    posts = _listed(booru, settings, chosen) if listed else _found(booru, query, settings)
    for seen, post in enumerate(posts, 1):
        reason = filters(post, settings) or why_not(post)
        if reason is None:
            chosen.posts.append(post)
        else:
            chosen.left_out.append((post, reason))
        if seen % 64 == 0:
            report(Progress("download", len(chosen.posts), settings.top_n or None, f"{seen} posts looked at"))
        if settings.top_n and not listed and len(chosen.posts) >= settings.top_n:
            break
    if settings.export:
        _resolve(booru, settings, chosen)
    return chosen


def _memory(project: Project, settings: DownloadSettings) -> "Callable[[Post], str | None]":
    """Gives the question whether a post was refused before: by a person's word, by removing its file, or by a list."""
    from lorasmith.boorus.post_lists import PostList, read_post_list

    decisions = project.pictures.decisions()
    folded: dict[str, str] = project.fact(FOLDED) or {}
    skipped = read_post_list(Path(settings.skip_posts_file).expanduser()) if settings.skip_posts_file else PostList()

    def by_person(name: str) -> bool:
        return name in decisions and decisions[name].maker == PERSON and decisions[name].verdict == "drop"

    def why_not(post: "Post") -> str | None:
        known = project.pictures.find(post.name)
        if skipped.has(post):
            return "on the skip list"
        if by_person(post.name) or by_person(folded.get(post.name, "")) or (known and known.trashed):
            return "rejected by you"
        if known is not None:
            gone = not settings.restore and not project.file_of(known).exists()
            return REMOVED if gone else None
        kept_as = folded.get(post.name)
        return f"the same picture as {kept_as}" if kept_as and settings.fold_twins else None

    return why_not


def _listed(booru: "Booru", settings: DownloadSettings, chosen: Chosen) -> "Iterator[Post]":
    from lorasmith.boorus.post_lists import read_post_list

    wanted = read_post_list(Path(settings.collect_from_listed_posts_file).expanduser())
    ids, md5s = set(wanted.ids), set(wanted.md5s)
    for post in booru.by_ids(wanted.ids):
        ids.discard(post.id)
        yield post
    for post in booru.by_md5s(wanted.md5s):
        md5s.discard(post.md5 or "")
        yield post
    # Refused posts are in neither list: they are counted, and their names appear nowhere.
    names = (f"{booru.site.name}_{number}" for number in sorted(ids))
    chosen.not_found += [name for name in names if name not in booru.refused]
    chosen.not_found += sorted(md5s) if not booru.refused else []


def _found(booru: "Booru", query: str, settings: DownloadSettings) -> "Iterator[Post]":
    """Searches in the order of `sort_by`, unless the query has an order of its own; what no site sorts is sorted here."""
    if settings.export:
        from lorasmith.boorus.e621 import E621
        from lorasmith.boorus.export import open_export

        export = open_export(settings.export, settings.site)
        ordered = query if "order:" in query else f"{query} {E621.orders[settings.sort_by]}"
        yield from export.search(ordered, _DEEPEST)
        booru.refused |= export.refused
        return
    if "order:" in query or "sort:" in query:
        yield from booru.search(query, _DEEPEST)
    elif settings.sort_by == "score_desc":
        yield from booru.search(booru.best_first(query), _DEEPEST)
    elif settings.sort_by in booru.orders:
        yield from booru.search(f"{query} {booru.orders[settings.sort_by]}", _DEEPEST)
    else:
        yield from sorted(booru.search(query, _DEEPEST), key=_key(settings.sort_by), reverse=settings.sort_by.endswith("_desc"))


def _key(sort_by: str) -> "Callable[[Post], tuple[int | str, int]]":
    name = {"score": "score", "fav_count": "fav_count", "date": "created_at", "id": "id"}[sort_by.rpartition("_")[0]]
    return lambda post: (getattr(post, name), post.id)


def _resolve(booru: "Booru", settings: DownloadSettings, chosen: Chosen) -> None:
    """Asks the site for the posts that an export named: their addresses, and whether they are still there."""
    from lorasmith.boorus.funnel import reject

    here = settings.model_copy(update={"export": "", "min_score": -(10**9), "min_fav_count": 0})
    named = {post.id: post for post in chosen.posts}
    chosen.posts = []
    for post in booru.by_ids(named):
        del named[post.id]
        reason = reject(post, here)
        if reason is None:
            chosen.posts.append(post)
        else:
            chosen.left_out.append((post, reason))
    chosen.left_out += [(post, "gone since the export") for post in named.values() if post.name not in booru.refused]
