"""What the Research page asks: the search, the funnel and the scores, the wall, the table of tags, and info.md."""

from collections.abc import Callable, Mapping
from typing import Any

from lorasmith.project.pictures import PERSON, Decision
from lorasmith.project.project import Project
from lorasmith.results import plain
from lorasmith.safety import demand_safe_query
from lorasmith.settings.tables import ResearchSettings
from lorasmith.stages.research.ask_site import count_posts, offer_tags
from lorasmith.stages.research.profile_table import profile_rows
from lorasmith.stages.research.scores import spread
from lorasmith.stages.research.sheet_text import sheet_text
from lorasmith.stages.research.site import character_of, query_of
from lorasmith.stages.research.wall import Tile, read_wall
from lorasmith.stages.status import last_result
from lorasmith.stages.tag.tables import tables_of
from lorasmith.tags.sheet import SHEET_CLASSES
from lorasmith.ui import html
from lorasmith.ui.answering import Words, over_project

SEARCH = ("query", "character", "solo", "with_tags", "one_of", "without")  # the settings that make the search
LISTS = ("with_tags", "one_of", "without")
PER_PAGE = 60
ROWS = 100


# the search


def wished(given: Mapping[str, Any]) -> dict[str, Any]:
    """Reads the search of the page: texts, and lists whose tags stand with commas or on lines."""
    found: dict[str, Any] = {name: str(given[name]).strip() for name in SEARCH if name in given and name not in LISTS}
    for name in LISTS:
        if name in given:
            value = given[name]
            parts = value if isinstance(value, list) else str(value).replace("\n", ",").split(",")
            found[name] = [str(part).strip() for part in parts if str(part).strip()]
    return found


def settings_for(project: Project, given: Mapping[str, Any]) -> ResearchSettings:
    """Gives the settings with the search of the page; raises for one that asks for minors."""
    settings = project.settings(ResearchSettings, wished(given))
    demand_safe_query(query_of(project, settings))
    return settings


def _all(project: Project, words: Words) -> dict[str, Any]:
    """The search as it is set, what the last research found, and the scores."""
    settings, found = project.settings(ResearchSettings), last_result(project, "research")
    query = query_of(project, settings)
    return {
        "search": {name: getattr(settings, name) for name in SEARCH}, "built": query, "site": settings.site,
        "trigger": project.trigger, "asked": found.get("query", ""), "count": found.get("count"),
        "funnel": found.get("funnel", []), "refused": found.get("refused", 0), "advice": found.get("advice", ""),
        "looser": found.get("looser", []), "scores": plain(spread(project)), "tiles": len(read_wall(project)),
    }  # fmt: skip


def _query(project: Project, words: Words) -> dict[str, Any]:
    """The search that the fields make, in the site's grammar; the site is not asked."""
    return {"built": query_of(project, settings_for(project, words))}


def _count(project: Project, words: Words) -> dict[str, Any]:
    return plain(count_posts(project, settings_for(project, words)))


def _offer(project: Project, words: Words) -> dict[str, Any]:
    """Tags that fit what is typed; for the character's own field, characters alone and the trigger."""
    rows = profile_rows(project)
    if words.get("field") == "character":
        counts = {row.tag: row.posts for row in rows if row.category == "character"}
        counts.setdefault(character_of(project, ResearchSettings()), 0)
        return {"offers": plain(offer_tags(words.get("typed", ""), counts, None, category="character"))}
    counts = {row.tag: row.posts for row in rows if row.posts}
    return {"offers": plain(offer_tags(words.get("typed", ""), counts, tables_of(project)))}


# the wall


def _wall(project: Project, words: Words) -> dict[str, Any]:
    """One page of the previews, with a person's word on each."""
    decisions, tiles = project.pictures.decisions(), read_wall(project)
    verdicts = {tile.name: _verdict(decisions.get(tile.name)) for tile in tiles}
    lists = {
        "all": tiles, "wanted": [tile for tile in tiles if verdicts[tile.name] != "drop"],
        "dropped": [tile for tile in tiles if verdicts[tile.name] == "drop"],
    }  # fmt: skip
    chosen = lists.get(words.get("show", "all"), tiles)
    pages = max(1, -(-len(chosen) // PER_PAGE))
    page = min(max(1, number_of(words.get("page"))), pages)
    part = chosen[(page - 1) * PER_PAGE : page * PER_PAGE]
    return {
        "tiles": [_tile(tile, verdicts[tile.name], words.get("project", "")) for tile in part], "page": page, "pages": pages,
        "counts": {name: len(some) for name, some in lists.items()}, "per_page": PER_PAGE,
    }  # fmt: skip


def _verdict(decision: Decision | None) -> str:
    """Gives a person's word; what prune thinks of a picture that was fetched is no reason against the post."""
    return decision.verdict if decision is not None and decision.maker == PERSON else ""


def _tile(tile: Tile, verdict: str, id: str) -> dict[str, Any]:
    return {
        "name": tile.name, "src": html.file_address(id, tile.preview), "page": tile.page, "verdict": verdict,
        "width": tile.width, "height": tile.height, "rating": tile.rating, "score": tile.score, "favourites": tile.fav_count,
        "artists": tile.artists, "alike": len(tile.twins),
    }  # fmt: skip


# the tags and the sheet


def _profile(project: Project, words: Words) -> dict[str, Any]:
    """One page of the tags that fit a text and a class."""
    rows = profile_rows(project)
    typed = "_".join(words.get("typed", "").casefold().split())
    fitting = [row for row in rows if typed in row.tag.casefold() or typed in row.group.replace(" ", "_")]
    counts = {cls: sum(row.cls == cls for row in fitting) for cls in SHEET_CLASSES}
    chosen = [row for row in fitting if words.get("cls") in (None, "", "all", row.cls)]
    pages = max(1, -(-len(chosen) // ROWS))
    page = min(max(1, number_of(words.get("page"))), pages)
    return {
        "rows": plain(chosen[(page - 1) * ROWS : page * ROWS]), "total": len(chosen), "of": len(rows), "page": page, "pages": pages,
        "counts": {"all": len(fitting), **counts},
    }  # fmt: skip


def _sheet(project: Project, words: Words) -> dict[str, Any]:
    return plain(sheet_text(project))


def number_of(text: str | None) -> int:
    """Reads a page's number; 1 for what is none."""
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1


_ANSWERS: dict[str, Callable[[Project, Words], dict[str, Any]]] = {
    "all": _all, "query": _query, "count": _count, "offer": _offer, "wall": _wall, "profile": _profile, "sheet": _sheet,
}  # fmt: skip
show = over_project("Research", _ANSWERS)
