from typing import get_args

import pytest

from lorasmith.boorus.sites import SITES, demand_allowed, find_site
from lorasmith.errors import SiteError, UsageError
from lorasmith.settings.tables import SiteName


@pytest.mark.parametrize("name", SITES)
def test_every_row_is_asked_over_https_and_serves_from_its_own_hosts(name: str) -> None:
    site = SITES[name]
    assert site.name == name
    assert site.url.startswith("https://")
    assert not site.url.endswith("/")
    for host in (site.host, *(f"img{host}" if host.startswith(".") else host for host in site.file_hosts)):
        assert demand_allowed(site, f"https://{host}/x") == host


def test_the_setting_offers_every_row() -> None:
    assert get_args(SiteName) == tuple(SITES)


def test_an_unknown_site_names_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'e621'"):
        find_site("e612")


@pytest.mark.parametrize(
    "url",
    ["ftp://a.b", "e621.net", "http://", "https://me:key@a.b", "https://a.b/?login=me", "http://[", "http://a:b"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not the address"):
        find_site("e621", url)


def test_another_address_serves_its_files_itself() -> None:
    site = find_site("e621", "http://127.0.0.1:8021/")
    assert site.url == "http://127.0.0.1:8021"
    assert (site.host, site.file_hosts) == ("127.0.0.1:8021", ("127.0.0.1:8021",))


@pytest.mark.parametrize(
    "url",
    [
        "http://e621.net/x", "https://e621.net.evil.example/x", "https://evil.example/e621.net", "https://169.254.169.254/",
        "file:///etc/passwd", "https://e621.net@evil.example/", "https://e621.net:444/", "//static1.e621.net/x", "",
        "https://[", "https://e621.net:port/",
    ],
)  # fmt: skip
def test_no_other_host_is_ever_asked(url: str) -> None:
    with pytest.raises(SiteError, match="not a host of e621"):
        demand_allowed(SITES["e621"], url)


def test_plain_http_is_only_spoken_where_the_person_wrote_it() -> None:
    site = find_site("e621", "https://mirror.example")
    with pytest.raises(SiteError):
        demand_allowed(site, "http://mirror.example/x")
