"""What research and download share: which site is asked, as whom, and for what."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lorasmith.project.project import Project
from lorasmith.settings.tables import SiteSettings

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru


_LOOPBACK_RATE = 20.0  # requests per second


def is_own_address(settings: SiteSettings) -> bool:
    """Says whether the site is asked at its own address, not at one that a settings file names instead."""
    from lorasmith.boorus.sites import find_site

    own = urlsplit(find_site(settings.site).url)
    return not settings.site_url or urlsplit(settings.site_url)[:2] == own[:2]


def query_of(project: Project, settings: SiteSettings) -> str:
    """Gives the query: the one set, or `<trigger> solo`."""
    return settings.query or f"{project.trigger.replace(' ', '_')} solo"


def open_site(settings: SiteSettings) -> "Booru":
    """Opens the site that the settings name, with the account from the person's config folder or environment."""
    from lorasmith.boorus.account import account_for
    from lorasmith.boorus.families import open_booru
    from lorasmith.boorus.sites import is_loopback

    # The key is the site's: another address never sees it.
    user, api_key = account_for(settings.site) if is_own_address(settings) else ("", "")
    # A server on this machine is nobody else's: it need not be spared.
    rate = _LOOPBACK_RATE if settings.site_url and is_loopback(settings.site_url) else settings.requests_per_second
    return open_booru(settings.site, url=settings.site_url, requests_per_second=rate, user=user, api_key=api_key)
