"""The sites: one row each, the family whose protocol it speaks, and the only hosts its files may come from."""

from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urlsplit

from lorasmith.errors import SiteError, UsageError
from lorasmith.settings.stage import unknown_name

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Site:
    """One site: `url` without a slash at the end; `file_hosts` are the hosts (and ports) that serve its files."""

    name: str
    url: str
    family: str
    file_hosts: tuple[str, ...]

    @property
    def host(self) -> str:
        """The host of the API, with its port where the address names one."""
        return urlsplit(self.url).netloc

    @property
    def hosts(self) -> frozenset[str]:
        """Every host that is ever asked; a redirect to another one is not followed."""
        return frozenset((self.host, *self.file_hosts))

    @property
    def keeps_secrets(self) -> bool:
        """Says whether a key may travel to it: over https, or within this machine."""
        return self.url.startswith("https://") or is_loopback(self.url)


SITES: dict[str, Site] = {
    site.name: site
    for site in (
        Site("e621", "https://e621.net", "e621", ("static1.e621.net",)),
        Site("e926", "https://e926.net", "e621", ("static1.e926.net", "static1.e621.net")),
    )
}


def is_loopback(url: str) -> bool:
    """Says whether an address is on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _split(url: str) -> SplitResult:
    """Splits an address; what is none at all comes back empty, and so fits nothing."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def find_site(name: str, url: str = "") -> Site:
    """Gives the row called `name`, at `url` instead of its own address where one is given.

    Raises `UsageError` for an unknown name or an address that is not one.
    """
    if name not in SITES:
        raise UsageError(unknown_name(name, list(SITES), f"There is no site '{name}'"))
    site = SITES[name]
    if not url:
        return site
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise UsageError(f"'{url}' is not the address of a site; write it like https://e621.net, without a login.")
    return replace(site, url=url.rstrip("/"), file_hosts=(parts.netloc,))


def demand_allowed(site: Site, url: str) -> str:
    """Gives the host (with port) of `url`; raises `SiteError` when lorasmith does not ask that host for this site.

    Only https passes, or plain http where the site's own address is plain http.
    """
    parts = _split(url)
    schemes = ("https", urlsplit(site.url).scheme)
    if parts.scheme not in schemes or parts.netloc not in site.hosts:
        where = f"{parts.scheme}://{parts.hostname}"
        raise SiteError(f"{site.host} points to {where}, which is not a host of {site.name}; it is not asked.")
    return parts.netloc
