"""Short questions to the site while a person builds a search: how many posts it finds, and how common tags are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.project.project import Project
from lorasmith.settings.tables import ResearchSettings
from lorasmith.stages.research.site import open_site, query_of

if TYPE_CHECKING:
    from lorasmith.tags.relations import Relations

MOST = 12


@dataclass(frozen=True)
class Counted:
    """How many posts a search finds; None where the site does not count."""

    query: str
    posts: int | None
    site: str


@dataclass(frozen=True)
class TagOffer:
    """A tag to choose: on how many posts of this character it is (None where nobody counted), its group, the name typed."""

    tag: str
    posts: int | None
    group: str
    typed_as: str = ""


def count_posts(project: Project, settings: ResearchSettings) -> Counted:
    """Asks the site how many posts the search finds; a site that does not answer is told soon (`SiteError`)."""
    query = query_of(project, settings)
    return Counted(query, open_site(settings, hasty=True).count(query), settings.site)


def offer_tags(typed: str, counts: dict[str, int], relations: "Relations | None", *, category: str = "") -> list[TagOffer]:
    """Lists tags that begin as typed, then those that hold it: those of the character's posts first, the commonest first.

    `counts` are of the character's posts; with `category` they are all that is offered.
    """
    from lorasmith.safety import text_is_refused
    from lorasmith.tags.groups import group_of
    from lorasmith.tags.spelling import with_underscores
    from lorasmith.tags.vocabulary import TABLE

    wanted = with_underscores(typed.strip()).casefold().lstrip("-~")
    if not wanted:
        return []
    known: Sequence[str] = () if category else tuple(TABLE)
    found: dict[str, str] = {}
    if relations is not None and wanted in relations.aliases:
        found[relations.name(wanted)] = wanted
    common = sorted(counts, key=lambda tag: (-counts[tag], tag))
    for fits in (str.startswith, str.__contains__):
        for tag in (*common, *known):
            if len(found) < MOST and fits(tag.casefold(), wanted):
                found.setdefault(tag, "")
    return [
        TagOffer(tag, counts.get(tag), (group_of(tag) or "").replace("_", " "), old)
        for tag, old in found.items()
        if not text_is_refused(tag)
    ]  # fmt: skip
