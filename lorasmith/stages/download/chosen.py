"""Which posts a download takes, and why not the others: searched, listed, or looked up in an export."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report
from lorasmith.project.pictures import PERSON
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.research.stage import FOLDED

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post

_DEEPEST = 10000  # posts looked at for one download
_AT_ONCE = 100  # rows of an export that the site is asked about together
REMOVED = "its file was removed by you"


@dataclass
class Chosen:
    """The posts to have, in the order of the setting; the others with the reason; and what the lists named in vain.

    `seen` are the posts as the site shows them now.
    """

    posts: "list[Post]" = field(default_factory=list)
    left_out: "list[tuple[Post, str]]" = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)
    seen: "list[Post]" = field(default_factory=list)


Question = Callable[["Post"], str | None]  # a post -> why it is not taken, or None


def choose(project: Project, booru: "Booru", query: str, settings: DownloadSettings, report: Report) -> Chosen:
    """Gives the posts to have and why others are not; looks no further than it must for `top_n`."""
    chosen = Chosen()
    listed = bool(settings.collect_from_listed_posts_file)
    why_not = _question(project, booru, settings, listed)
    families = _Families(project, settings)
    posts = _listed(booru, settings, chosen) if listed else _found(booru, query, settings, why_not, chosen)
    names: set[str] = set()
    for post in posts:
        if post.name in names:
            continue  # a list may name one post twice, by its id and by its md5
        names.add(post.name)
        chosen.seen.append(post)
        reason = why_not(post)
        if reason is None:
            families.take(post, chosen)
        else:
            chosen.left_out.append((post, reason))
        if len(names) % 64 == 0:
            report(Progress("download", len(chosen.posts), settings.top_n or None, f"{len(names)} posts looked at"))
        if settings.top_n and not listed and len(chosen.posts) >= settings.top_n:
            break
    families.look_for_better(booru, why_not, chosen)
    return chosen


def _question(project: Project, booru: "Booru", settings: DownloadSettings, listed: bool) -> Question:
    """Gives the question why a post is not taken: by the filters, or because it was refused before."""
    from lorasmith.boorus.funnel import cannot_be_had, reject
    from lorasmith.boorus.post_lists import PostList, read_post_list

    decisions = project.pictures.decisions()
    skip = settings.skip_posts_file
    skipped = read_post_list(Path(skip).expanduser(), booru.site) if skip else PostList()
    filters = cannot_be_had if listed and not settings.apply_filter_to_listed_posts else reject
    folded: dict[str, str] = project.fact(FOLDED) or {}

    def by_person(name: str) -> bool:
        return name in decisions and decisions[name].maker == PERSON and decisions[name].verdict == "drop"

    def why_not(post: "Post") -> str | None:
        known = project.pictures.find(post.name) or (project.pictures.by_md5(post.md5) if post.md5 else None)
        if skipped.has(post):
            return "on the skip list"
        rejected = by_person(post.name) or by_person(folded.get(post.name, "")) or (known and by_person(known.name))
        if rejected or (known and known.trashed):
            return "rejected by you"
        if known is not None and not settings.restore and not project.file_of(known).exists():
            return REMOVED
        return filters(post, settings)

    return why_not


class _Families:
    """Posts that research saw to be one picture: of those that pass the filters, the best is taken."""

    def __init__(self, project: Project, settings: DownloadSettings) -> None:
        self._best: dict[str, str] = (project.fact(FOLDED) or {}) if settings.fold_twins else {}
        self._taken: dict[str, int] = {}  # the best one's name -> the place of the member that was taken
        self._here = {picture.name for picture in project.pictures.originals()}

    def take(self, post: "Post", chosen: Chosen) -> None:
        """Takes a post, or leaves it out for a twin; the best takes the place of a lesser one."""
        family = self._best.get(post.name, post.name)
        place = self._taken.setdefault(family, len(chosen.posts))
        if place == len(chosen.posts):
            chosen.posts.append(post)
        elif post.name == family and chosen.posts[place].name not in self._here:
            self._swap(place, post, chosen)
        elif post.name in self._here:  # both are here already: prune will see
            chosen.posts.append(post)
        else:
            chosen.left_out.append((post, f"the same picture as {chosen.posts[place].name}"))

    def look_for_better(self, booru: "Booru", why_not: Question, chosen: Chosen) -> None:
        """Asks for the best ones of families of which only a lesser one was met."""
        lesser = {post.name: place for place, post in enumerate(chosen.posts) if post.name not in self._here}
        wanted = {self._best[name]: place for name, place in lesser.items() if name in self._best}
        met = {post.name for post in chosen.seen}
        ids = {name: _number(name) for name in wanted if name not in met and name.startswith(f"{booru.site.name}_")}
        for post in booru.by_ids(ids.values()) if ids else ():
            chosen.seen.append(post)
            if why_not(post) is None:
                self._swap(wanted[post.name], post, chosen)

    @staticmethod
    def _swap(place: int, post: "Post", chosen: Chosen) -> None:
        chosen.left_out.append((chosen.posts[place], f"the same picture as {post.name}"))
        chosen.posts[place] = post


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _listed(booru: "Booru", settings: DownloadSettings, chosen: Chosen) -> "Iterator[Post]":
    from lorasmith.boorus.post_lists import read_post_list

    wanted = read_post_list(Path(settings.collect_from_listed_posts_file).expanduser(), booru.site)
    before = set(booru.refused)
    ids, md5s = set(wanted.ids), set(wanted.md5s)
    for post in booru.by_ids(wanted.ids):
        ids.discard(post.id)
        yield post
    refused_ids = len(ids & {_number(name) for name in booru.refused - before})
    before = set(booru.refused)
    for post in booru.by_md5s(wanted.md5s):
        md5s.discard(post.md5 or "")
        yield post
    # Refused posts are counted, and named nowhere. Which md5s are theirs is not kept: then none is named.
    names = (f"{booru.site.name}_{number}" for number in sorted(ids))
    chosen.not_found += [name for name in names if name not in booru.refused]
    chosen.not_found += sorted(md5s) if booru.refused == before and not refused_ids else []


def _found(
    booru: "Booru", query: str, settings: DownloadSettings, why_not: Question, chosen: Chosen
) -> "Iterator[Post]":
    """Searches in the order of `sort_by`, unless the query has an order of its own; what no site sorts is sorted here."""
    if settings.export:
        yield from _exported(booru, query, settings, why_not, chosen)
    elif "order:" in query or "sort:" in query:
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


def _exported(
    booru: "Booru", query: str, settings: DownloadSettings, why_not: Question, chosen: Chosen
) -> "Iterator[Post]":
    """Searches an export, and gives the posts that pass as the site shows them now, a hundred at a time."""
    from lorasmith.boorus.e621 import E621
    from lorasmith.boorus.export import open_export

    export = open_export(settings.export, settings.site)
    ordered = query if "order:" in query else f"{query} {E621.orders[settings.sort_by]}"
    rows = export.search(ordered, _DEEPEST)
    while some := list(islice(rows, _AT_ONCE)):
        booru.refused |= export.refused
        passing = {}
        for row in some:
            reason = why_not(row)
            if reason is None:
                passing[row.id] = row
            else:
                chosen.left_out.append((row, reason))
        shown = {post.id: post for post in booru.by_ids(passing)}
        for number, row in passing.items():
            if number in shown:
                yield shown[number]
            elif row.name not in booru.refused:
                chosen.left_out.append((row, "gone since the export"))
