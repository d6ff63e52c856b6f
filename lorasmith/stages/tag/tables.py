"""A site's aliases and implications on this machine: fetched when a person asks for them, and how old they are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import SiteError
from lorasmith.folders import cache_folder
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import ResearchSettings
from lorasmith.stages.research.site import LOOPBACK_RATE, is_own_address

if TYPE_CHECKING:
    from lorasmith.tags.relations import Relation, Relations


@dataclass(frozen=True)
class TablesFetched:
    """What came of fetching."""

    site: str
    aliases: int
    implications: int
    file: str


def fetch_tables(site: str, url: str = "", report: Report = silent) -> TablesFetched:
    """Fetches the active aliases and implications of a site for all projects of this person.

    `url` is another address for the site. Tables that are there stay as they are until the new ones are whole.
    """
    from lorasmith.boorus.account import account_for
    from lorasmith.boorus.limiter import Pace
    from lorasmith.boorus.sites import find_site, is_loopback
    from lorasmith.boorus.tag_export import open_client, relations_of
    from lorasmith.tags.relations import load_relations, relations_file, write_relations

    url = "" if find_site(site, url) == find_site(site) else url
    user, api_key = ("", "") if url else account_for(site)  # the key is the site's: another address never sees it
    client = open_client(site, url, Pace(LOOPBACK_RATE) if is_loopback(url) else None, user, api_key)

    def told(sentence: str) -> None:
        report(Progress("tags", 0, None, sentence))

    path = relations_file(site, url)
    write_relations(path, site, _demand_some(relations_of(client, cache_folder() / "exports", told), client.site.host))
    found = load_relations(site, url)
    if found is None:
        raise SiteError(f"{path} is gone again; fetch the tables once more.")
    implications = sum(map(len, found.implications.values()))
    report(Progress("tags", 1, 1, "done"))
    return TablesFetched(site, len(found.aliases), implications, str(path))


def _demand_some(rows: "Iterable[Relation]", host: str) -> "Iterator[Relation]":
    """Passes rows on; raises `SiteError` where there is none, so that good tables are not replaced by nothing."""
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise SiteError(f"{host} has no aliases and no implications; the tables on this machine stay as they were.")


def tables_of(project: Project) -> "Relations | None":
    """Gives the tables of the site that a project takes its pictures from, or None where they were never fetched."""
    from lorasmith.tags.relations import load_relations

    settings = project.settings(ResearchSettings)
    return load_relations(settings.site, "" if is_own_address(settings) else settings.site_url)


def in_words(relations: "Relations | None", site: str) -> str:
    """Words whether the tables of a site are there, and how old they are."""
    from lorasmith.tags.relations import OLD

    if relations is None:
        return f"no tables of {site} yet: `lorasmith tags fetch {site}` brings aliases and implications"
    days = relations.age_days()
    age = "today" if days == 0 else f"{days} day{'s' if days > 1 else ''} ago"
    return f"tables of {site} fetched {age}" + (", worth fetching again" if days > OLD else "")
