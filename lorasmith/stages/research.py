"""research: what a site has for the character, before anything big is fetched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import RefusedError, SiteError
from lorasmith.files import sha256_of, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import ResearchSettings
from lorasmith.stages.site import open_site, query_of

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post
    from lorasmith.tags.profile import Profile, TagShare


@dataclass(frozen=True)
class Researched:
    """What research found."""

    query: str
    count: int | None  # posts on the site, where it counts
    looked_at: int
    refused: int  # posts that mark minors: counted, never shown
    funnel: tuple[tuple[str, int], ...]  # after which filter how many are left
    scores: tuple[tuple[int, int], ...]  # (score, posts with at least that score)
    suggested_min_score: int | None
    core_tags: tuple[str, ...]
    sheet: str  # path of info.md
    sheet_kept: bool  # a person edited it, so it was not written again
    advice: str


def research(project: Project, settings: ResearchSettings, report: Report = silent) -> Researched:
    """Counts and looks at the posts of the query, and writes the first character sheet."""
    from lorasmith.boorus.funnel import funnel, reject, suggest_min_score
    from lorasmith.tags.profile import profile

    query = query_of(project, settings)
    booru = open_site(settings)
    report(Progress("research", 0, None, f"asking {settings.site} about '{query}'"))
    count = booru.count(query)
    posts = _look(booru, query, settings.posts if count is None else min(settings.posts, max(count, 1)), report)
    _demand_passable(posts, len(booru.refused), query)
    good = [post for post in posts if reject(post, settings) is None]
    steps = tuple((name, left) for name, left in funnel(posts, settings))
    facts_of_tags = booru.tag_facts(_frequent(good, settings.profile_tags))
    site_counts = {tag: known.posts for tag, known in facts_of_tags.items()}
    facts = profile([post.tags for post in good], site_counts, booru.total_posts())
    suggested = suggest_min_score(good, settings.wanted) if len(good) > settings.wanted else None
    sheet_kept = _write_sheet(project, settings, query, facts)
    core = tuple(entry.tag for entry in facts.core)
    project.remember("research", {"query": query, "count": count, "core": list(core)})
    report(Progress("research", len(posts), len(posts), "done"))
    return Researched(
        query, count, len(posts), len(booru.refused), steps, score_steps(post.score for post in good), suggested, core,
        str(project.sheet), sheet_kept, advice(len(good), settings.wanted, suggested),
    )  # fmt: skip


def _look(booru: "Booru", query: str, limit: int, report: Report) -> list["Post"]:
    posts = []
    for post in booru.search(booru.best_first(query), limit):
        posts.append(post)
        if len(posts) % 32 == 0:
            report(Progress("research", len(posts), limit, "posts looked at"))
    return posts


def _demand_passable(posts: list["Post"], refused: int, query: str) -> None:
    if refused > len(posts):
        raise RefusedError(
            f"Most posts of '{query}' carry a tag that marks minors; lorasmith refuses to make a LoRA of this character."
        )
    if not posts:
        raise SiteError(
            f"The site has no posts for '{query}'. Check the spelling of the character's tag on the site, or loosen the query "
            "(--query), for example without 'solo'."
        )


def _frequent(posts: list["Post"], limit: int) -> list[str]:
    """Names the tags worth asking the site's totals for: the most frequent ones of each category."""
    counts: dict[str, dict[str, int]] = {}
    for post in posts:
        for category, tags in post.tags.items():
            of_category = counts.setdefault(category, {})
            for tag in tags:
                of_category[tag] = of_category.get(tag, 0) + 1
    names: list[str] = []
    for of_category in counts.values():
        names.extend(sorted(of_category, key=lambda tag: (-of_category[tag], tag))[:limit])
    return names


def score_steps(scores: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Says how many posts have at least a score, at round scores over the whole range."""
    ordered = sorted(scores)
    if not ordered:
        return ()
    low, high = ordered[0], ordered[-1]
    width = max(1, (high - low) // 8)
    size = 10 ** (len(str(width)) - 1)
    width = max(1, width // size * size)
    start = low // width * width
    return tuple((step, sum(score >= step for score in ordered)) for step in range(start, high + 1, width))


def advice(good: int, wanted: int, suggested: int | None) -> str:
    """Words what to do next."""
    if good == 0:
        return "No post passes the filters: lower min_area or loosen ratings, file types or blacklist."
    if good < 20:
        return f"Only {good} posts pass: too few for a good LoRA. Loosen the query, or add pictures of your own (lorasmith add)."
    if good <= wanted:
        return f"{good} posts pass, fewer than the {wanted} wanted: take them all and prune with care."
    return f"{good} posts pass; --min-score {suggested} on download gives about {wanted}."


def _write_sheet(project: Project, settings: ResearchSettings, query: str, facts: "Profile") -> bool:
    """Writes info.md unless a person has edited it since; says whether it was kept."""
    from lorasmith.tags.sheet import CharacterSheet, SheetTag, write_sheet

    if project.sheet.exists() and sha256_of(project.sheet) != project.fact("sheet_sha256"):
        return True

    def lines(entries: Sequence["TagShare"]) -> tuple[SheetTag, ...]:
        return tuple(SheetTag(entry.tag, round(entry.share * 100)) for entry in entries[: settings.profile_tags])

    characters = facts.by_category.get("character", ())
    name = characters[0].tag if characters else project.trigger.replace(" ", "_")
    state = ", ".join(f"{entry.tag} ({round(entry.share * 100)} %)" for entry in facts.state[: settings.profile_tags])
    sheet = CharacterSheet(
        project.trigger, {settings.site: name}, lines(facts.core), lines(facts.toggles), lines(facts.choices),
        other=(("What varies", f"Query: `{query}`, {facts.total} posts. Captions keep all of these.\n\n{state}"),),
    )  # fmt: skip
    write_atomic(project.sheet, write_sheet(sheet))
    project.remember("sheet_sha256", sha256_of(project.sheet))
    return False
