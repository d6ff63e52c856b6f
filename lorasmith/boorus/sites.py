"""The sites: one row each, the family whose protocol it speaks, and the only hosts its files may come from."""

from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from lorasmith.boorus.faults import StrangeHostError
from lorasmith.errors import UsageError
from lorasmith.settings.stage import unknown_name

Family = Literal["e621", "danbooru", "gelbooru", "moebooru"]
_PAGES: dict[Family, str] = {
    "e621": "/posts/{}",
    "danbooru": "/posts/{}",
    "gelbooru": "/index.php?page=post&s=view&id={}",
    "moebooru": "/post/show/{}",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
FILES_PER_SECOND = 2.0  # a static host is asked no faster than this, whatever a person sets


@dataclass(frozen=True)
class Site:
    """One site: `url` without a slash at the end; `file_hosts` are the hosts (and ports) that serve its files.

    A file host that begins with a dot stands for every host below it. `most_per_second` is the site's own rule for its
    API. `key` says how a login is sent: as a header, as parameters (then without one nothing is answered at all), or never.
    """

    name: str
    url: str
    family: Family
    file_hosts: tuple[str, ...]
    key: Literal["header", "parameters", "none"] = "header"
    most_per_second: float = 1.0

    @property
    def host(self) -> str:
        """The host of the API, with its port where the address names one."""
        return urlsplit(self.url).netloc

    def page(self, post: int) -> str:
        """Gives the address of a post's page, for a person to look at."""
        return self.url + _PAGES[self.family].format(post)

    def serves(self, host: str) -> bool:
        """Says whether this host (with port) is ever asked; a redirect to another one is not followed."""
        return any(host == known or (known.startswith(".") and host.endswith(known)) for known in (self.host, *self.file_hosts))

    @property
    def needs_key(self) -> bool:
        """Says whether the site answers nobody without a key."""
        return self.key == "parameters"

    @property
    def keeps_secrets(self) -> bool:
        """Says whether a key may travel to it: over https, or within this machine."""
        return self.url.startswith("https://") or is_loopback(self.url)

    def rate(self, host: str, wished: float) -> float:
        """Gives the requests a second that one host gets: what was wished, and never more than the rule."""
        if is_loopback(self.url):
            return wished  # a server on this machine is nobody else's: it need not be spared
        return min(wished, self.most_per_second if host == self.host else FILES_PER_SECOND)


SITES: dict[str, Site] = {
    site.name: site
    for site in (
        Site("e621", "https://e621.net", "e621", ("static1.e621.net",)),
        Site("e926", "https://e926.net", "e621", ("static1.e926.net", "static1.e621.net")),
        Site("danbooru", "https://danbooru.donmai.us", "danbooru", (".donmai.us",)),
        Site("gelbooru", "https://gelbooru.com", "gelbooru", (".gelbooru.com",), key="parameters"),
        Site("safebooru", "https://safebooru.org", "gelbooru", (".safebooru.org",), key="none"),
        Site("yandere", "https://yande.re", "moebooru", (".yande.re",), key="none"),
        Site("konachan", "https://konachan.com", "moebooru", (".konachan.com",), key="none"),
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
    if (parts.scheme, parts.netloc) == _split(site.url)[:2]:
        return site  # its own address: its files come from where they always come
    return replace(site, url=url.rstrip("/"), file_hosts=(parts.netloc,))


def demand_allowed(site: Site, url: str) -> str:
    """Gives the host (with port) of `url`; raises `SiteError` when lorasmith does not ask that host for this site.

    Only https passes, or plain http where the site's own address is plain http.
    """
    parts = _split(url)
    schemes = ("https", urlsplit(site.url).scheme)
    if parts.scheme not in schemes or not site.serves(parts.netloc):
        where = f"{parts.scheme}://{parts.hostname}"
        raise StrangeHostError(f"{site.host} points to {where}, which is not a host of {site.name}; it is not asked.")
    return parts.netloc
