"""What research and download share: which site is asked, as whom, for what, and by which names."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from lorasmith.errors import RefusedError
from lorasmith.project.project import Project
from lorasmith.safety import fold
from lorasmith.settings.tables import SiteSettings

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru

S = TypeVar("S", bound=SiteSettings)
_MOST_HIDDEN = 0.5  # share of a character's posts
LOOPBACK_RATE = 20.0  # requests per second


def is_own_address(settings: SiteSettings) -> bool:
    """Says whether the site is asked at its own address, not at one that a settings file names instead."""
    from lorasmith.boorus.sites import find_site

    own = urlsplit(find_site(settings.site).url)
    return not settings.site_url or urlsplit(settings.site_url)[:2] == own[:2]


def character_of(project: Project, settings: SiteSettings) -> str:
    """Gives the character's tag: the one set, or the trigger's words."""
    return (settings.character or project.trigger).strip().lstrip("-~").replace(" ", "_").lower()  # no site has capitals


def query_of(project: Project, settings: SiteSettings) -> str:
    """Gives the query: the one set, or one built of the character, its company, and what is demanded and excluded."""
    if settings.query:
        return settings.query
    single, groups = _company(settings)
    wished = [*single, *map(_term, settings.with_tags)]
    one_of = list(dict.fromkeys(map(_term, settings.one_of)))
    grouped = _family(settings).any_of(*groups, *([one_of] if any(one_of) else []))
    without = (f"-{_term(tag)}" for tag in settings.without)
    terms = (character_of(project, settings), *wished, *grouped.split(), *without)
    return " ".join(term for term in terms if term not in ("", "-"))


def _term(tag: str) -> str:
    """Writes one tag as a search does; what is typed with a sign is meant without."""
    return "_".join(tag.strip().lstrip("-~").split())


def _company(settings: SiteSettings) -> tuple[list[str], list[list[str]]]:
    """Gives the tag that every post has, or the group of which it has one."""
    if settings.solo == "focus":
        return [], [["solo", "solo_focus"]]
    return (["solo"], []) if settings.solo == "solo" else ([], [])


def _family(settings: SiteSettings) -> "type[Booru]":
    from lorasmith.boorus.families import FAMILIES
    from lorasmith.boorus.sites import find_site

    return FAMILIES[find_site(settings.site).family]


def looser_queries(query: str, settings: SiteSettings) -> list[str]:
    """Gives the queries that find more than this one, the nearest first: in focus, in any company, nothing excluded."""
    in_focus = _family(settings).solo_or_focus
    focus = in_focus.split()
    shut = f"( {in_focus} )"  # beside another group of which one suffices
    terms = query.replace(shut, in_focus).split() if shut in query else query.split()
    grouped = any(term.endswith("(") for term in terms)
    rest = [term for term in terms if term != "solo" and term not in focus]
    found: list[list[str]] = []
    if "solo" in terms and not any(term.startswith("~") for term in rest):  # else both would be one group
        found.append([*rest, *focus])
    found += [rest] if grouped else [rest, [term for term in rest if not term.startswith("-")]]
    words = dict.fromkeys(" ".join(each) for each in found if each)
    return [each for each in words if sorted(each.split()) != sorted(terms)]


def open_site(settings: SiteSettings, *, hasty: bool = False) -> "Booru":
    """Opens the site that the settings name, with the account from the person's config folder or environment.

    `hasty` is for somebody who waits before a page: a site that does not answer is soon told.
    """
    from lorasmith.boorus.account import account_for
    from lorasmith.boorus.families import open_booru
    from lorasmith.boorus.limiter import Pace
    from lorasmith.boorus.sites import is_loopback

    # The key is the site's: another address never sees it.
    user, api_key = account_for(settings.site) if is_own_address(settings) else ("", "")
    # A server on this machine is nobody else's: it need not be spared.
    rate = LOOPBACK_RATE if settings.site_url and is_loopback(settings.site_url) else settings.requests_per_second
    pace = Pace(rate, tries=2, first_wait=1.0) if hasty else Pace(rate)
    return open_booru(settings.site, url=settings.site_url, pace=pace, user=user, api_key=api_key)


def demand_passable_character(booru: "Booru", query: str) -> None:
    """Raises `RefusedError` where most posts of a character that the query asks for are hidden by the key negative."""
    plain = [term for term in query.lower().split() if not set(":*()") & set(term) and term[0] not in "-~"]
    known = booru.aliases(plain)
    facts = booru.tag_facts([known.get(term, term) for term in plain])
    for tag, told in facts.items():
        share = booru.hidden_share(tag) if told.category in ("character", "") and told.posts else None
        if share is not None and share > _MOST_HIDDEN:
            raise RefusedError(
                f"Most posts of '{tag}' carry a tag that marks minors; lorasmith refuses to make a LoRA of this character."
            )


def in_the_sites_words(booru: "Booru", settings: S) -> S:
    """Gives the settings with the tags of their groups as the site names them: its answers hold no alias."""
    from lorasmith.boorus.funnel import tag_groups

    lines = (*settings.required_tags, *settings.blacklist)
    plain = {fold(term.removeprefix("-")) for group in tag_groups(lines) for term in group}
    known = booru.aliases(sorted(term for term in plain if not set("*:") & set(term)))
    if not known:
        return settings
    renamed = {name: _renamed(getattr(settings, name), known) for name in ("required_tags", "blacklist")}
    return settings.model_copy(update=renamed)


def _renamed(lines: Iterable[str], known: dict[str, str]) -> list[str]:
    from lorasmith.boorus.funnel import tag_groups

    def name(term: str) -> str:
        sign = "-" if term.startswith("-") else ""
        bare = term.removeprefix("-")
        return sign + known.get(fold(bare), bare)

    return [" ".join(map(name, group)) for group in tag_groups(lines)]
