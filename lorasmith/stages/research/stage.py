"""research: what a site has for the character, before anything big is fetched."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lorasmith.errors import LorasmithError, RefusedError, SiteError
from lorasmith.files import sha256_of, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import ResearchSettings
from lorasmith.stages.research.scores import write_posts
from lorasmith.stages.research.site import (
    character_of,
    demand_passable_character,
    in_the_sites_words,
    looser_queries,
    open_site,
    query_of,
)
from lorasmith.stages.research.wall import build_wall, forget_refused, twins_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lorasmith.boorus.booru import Booru, TagFacts
    from lorasmith.boorus.funnel import ScoreStep
    from lorasmith.boorus.post import Post
    from lorasmith.tags.profile import Profile, TagShare

FOLDED = "folded"  # the fact that says which posts show the same picture as a better one
_FEW = 20  # pictures under which no LoRA is good


class Source(Protocol):
    """What posts are looked at in: a site, or a downloaded export of it."""

    refused: set[str]

    def count(self, query: str) -> int | None: ...  # noqa: D102
    def best_first(self, query: str) -> str: ...  # noqa: D102
    def search(self, query: str, limit: int) -> "Iterator[Post]": ...  # noqa: D102
    def tag_facts(self, names: "Iterable[str]") -> "dict[str, TagFacts]": ...  # noqa: D102
    def total_posts(self) -> int | None: ...  # noqa: D102


@dataclass(frozen=True)
class Researched:
    """What research found."""

    query: str
    count: int | None  # posts on the site, where it counts
    looked_at: int
    refused: int  # posts that mark minors: counted, never shown
    funnel: tuple[tuple[str, int], ...]  # after which filter how many are left
    scores: tuple["ScoreStep", ...]
    suggested_min_score: int | None
    looser: tuple[tuple[str, int | None], ...]  # where there are too few: queries that find more, and how many
    core_tags: tuple[str, ...]
    sheet: str  # path of info.md
    sheet_kept: bool  # a person edited it, so it was not written again
    wall: str  # path of the contact sheet of previews; empty without one
    tags: str  # path of the table of all tags
    advice: str


def research(project: Project, settings: ResearchSettings, report: Report = silent) -> Researched:
    """Counts and looks at the posts of the query, shows the best as previews, and writes the first character sheet."""
    from lorasmith.boorus.funnel import funnel, percentiles, reject, suggest_min_score

    query = query_of(project, settings)
    booru = open_site(settings)
    source = open_source(settings, booru)
    report(Progress("research", 0, None, f"asking {settings.site} about '{query}'"))
    settings = in_the_sites_words(booru, settings)
    count, posts = _look(source, query, settings.posts, report)
    _demand_passable(posts, len(source.refused), query)
    demand_passable_character(booru, query)
    good = [post for post in posts if reject(post, settings) is None]
    forget_refused(project)
    tiles = build_wall(project, booru, _visible(booru, good[: settings.previews]), settings.near_duplicate_bits, report)
    folded = twins_of(tiles)
    unique = [post for post in good if post.name not in folded]
    scores = [post.score for post in unique]
    write_posts(project, posts, settings, folded)
    suggested = suggest_min_score(scores, settings.wanted, settings.wanted_at_most)
    looser = _looser(source, query, settings) if len(unique) < settings.wanted else ()
    core, sheet_kept = _write_what_is_known(project, settings, booru, source, good)
    project.remember(FOLDED, folded)
    project.remember("research", {"query": query, "count": count, "core": list(core)})
    report(Progress("research", len(posts), len(posts), "done"))
    wall = project.research / "wall.png"
    return Researched(
        query, count, len(posts), len(source.refused), (*funnel(posts, settings), ("one of each picture", len(unique))),
        tuple(percentiles(scores)), suggested, looser, core, str(project.sheet), sheet_kept, str(wall) if tiles else "",
        str(project.research / "tags.csv"), advice(scores, settings, suggested, looser) + _of_the_trigger(project.trigger),
    )  # fmt: skip


def open_source(settings: ResearchSettings, booru: "Booru") -> Source:
    """Gives what is searched: the site, or the export of it that a person has downloaded."""
    if not settings.export:
        return booru
    from lorasmith.boorus.export import open_export

    return open_export(settings.export, settings.site)


def _look(source: Source, query: str, limit: int, report: Report) -> tuple[int | None, list["Post"]]:
    """Counts, and gives the best posts; an export is read once for both."""
    count = source.count(query)
    expected = limit if count is None else min(limit, max(count, 1))
    posts = []
    for post in source.search(source.best_first(query), expected):
        posts.append(post)
        if len(posts) % 32 == 0:
            report(Progress("research", len(posts), expected, "posts looked at"))
    return count, posts


def _visible(booru: "Booru", posts: Sequence["Post"]) -> list["Post"]:
    """Gives the posts as the site shows them now: rows of an export have no addresses."""
    if all(post.preview_url or post.url for post in posts):
        return list(posts)
    return [post for post in booru.by_ids(post.id for post in posts) if not post.is_deleted]


def _demand_passable(posts: list["Post"], refused: int, query: str) -> None:
    if refused > len(posts):
        raise RefusedError(
            f"Most posts of '{query}' carry a tag that marks minors; lorasmith refuses to make a LoRA of this character."
        )
    if not posts:
        raise SiteError(
            f"The site has no posts for '{query}'. Check the spelling of the character's tag on the site (--character), or "
            "loosen the search, for example with --solo any."
        )


def _looser(source: Source, query: str, settings: ResearchSettings) -> tuple[tuple[str, int | None], ...]:
    """Counts what looser queries would find; one that the site does not take is left out."""
    found = []
    for looser in looser_queries(query, settings):
        try:
            found.append((looser, source.count(looser)))
        except LorasmithError:
            continue
    return tuple(found)


def advice(
    scores: Sequence[int], settings: ResearchSettings, suggested: int | None, looser: Sequence[tuple[str, int | None]] = ()
) -> str:
    """Words what to do next; `scores` are of the posts that pass, each picture once."""
    good = len(scores)
    more = "; ".join(f"'{query}'" + ("" if count is None else f" finds {count}") for query, count in looser)
    more = f" A looser search: {more}." if more else ""
    if good == 0:
        return f"No post passes the filters: the funnel says which one takes them. Lower or loosen that one.{more}"
    if good < _FEW:
        return f"Only {good} posts pass: too few for a good LoRA. Add pictures of your own too (lorasmith add).{more}"
    if good < settings.wanted:
        return f"{good} posts pass, fewer than the {settings.wanted} wanted: take them all and prune with care.{more}"
    if suggested is None:
        return f"{good} posts pass, just what is wanted: take them all."
    left = sum(score >= suggested for score in scores)
    if left > settings.wanted_at_most:
        return f"{good} posts pass, many with one score: --min-score {suggested} on download leaves {left}; --top-n takes the first."
    return f"{good} posts pass; --min-score {suggested} on download leaves {left}."


def _of_the_trigger(trigger: str) -> str:
    """Words what is weak about the trigger, nothing when it is good."""
    from lorasmith.tags.trigger import trigger_advice

    told = trigger_advice(trigger)
    return f" The trigger {told.sentence}" if told.weak else ""


def _write_what_is_known(
    project: Project, settings: ResearchSettings, booru: "Booru", source: Source, good: Sequence["Post"]
) -> tuple[tuple[str, ...], bool]:
    """Writes the table of tags and the sheet; gives the core tags, and whether a person's sheet was kept."""
    from lorasmith.tags.profile import profile

    tags = [post.tags for post in good]
    known = source.tag_facts(_frequent(tags, settings.profile_tags))
    facts = profile(tags, {tag: one.posts for tag, one in known.items()}, source.total_posts())
    write_atomic(project.research / "tags.csv", _table(facts))
    kept = _write_sheet(project, settings, booru, facts)
    return tuple(entry.tag for entry in facts.core), kept


def _frequent(posts: Sequence[Mapping[str, Sequence[str]]], limit: int) -> list[str]:
    """Names the tags worth asking the site's totals for: the most frequent ones of each category."""
    counts: dict[str, dict[str, int]] = {}
    for post in posts:
        for category, tags in post.items():
            of_category = counts.setdefault(category, {})
            for tag in tags:
                of_category[tag] = of_category.get(tag, 0) + 1
    names: list[str] = []
    for of_category in counts.values():
        names.extend(sorted(of_category, key=lambda tag: (-of_category[tag], tag))[:limit])
    return names


def _table(facts: "Profile") -> str:
    """Writes all tags as CSV: category, tag, posts, share, lift over the site, and the part of the profile."""
    from lorasmith.tags.profile import part_of

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("category", "tag", "posts", "share", "lift", "part"))
    for category, entries in facts.by_category.items():
        for one in entries:
            lift = "" if one.lift is None else f"{one.lift:.3g}"
            rows.writerow((category, one.tag, one.count, f"{one.share:.3f}", lift, part_of(one) or ""))
    return text.getvalue()


def _write_sheet(project: Project, settings: ResearchSettings, booru: "Booru", facts: "Profile") -> bool:
    """Writes info.md unless a person has edited it since; says whether it was kept."""
    from lorasmith.boorus.wiki_text import plain_text
    from lorasmith.tags.profile import trait_of
    from lorasmith.tags.sheet import CharacterSheet, SheetTag, write_sheet

    if project.sheet.exists() and sha256_of(project.sheet) != project.fact("sheet_sha256"):
        return True

    def lines(entries: Sequence["TagShare"], note: bool = False) -> tuple[SheetTag, ...]:
        most = entries[: settings.profile_tags]
        return tuple(SheetTag(one.tag, round(one.share * 100), trait_of(one) if note else "") for one in most)

    wished = character_of(project, settings)
    name = booru.aliases([wished]).get(wished, wished)
    state = ", ".join(f"{entry.tag} ({round(entry.share * 100)} %)" for entry in facts.state[: settings.profile_tags])
    other = [("What varies", f"Query: `{query_of(project, settings)}`, {facts.total} posts. Captions keep all of these.\n\n{state}")]
    if wiki := plain_text(booru.wiki(name)):
        other.append((f"What {settings.site} says", wiki))
    sheet = CharacterSheet(
        project.trigger, {settings.site: name}, lines(facts.core), lines(facts.toggles), lines(facts.choices, note=True),
        other=tuple(other),
    )  # fmt: skip
    write_atomic(project.sheet, write_sheet(sheet))
    project.remember("sheet_sha256", sha256_of(project.sheet))
    return False
