"""The families of sites, one class each, and how a site is opened."""

from lorasmith.boorus.booru import Booru
from lorasmith.boorus.client import Client
from lorasmith.boorus.danbooru import Danbooru
from lorasmith.boorus.e621 import E621
from lorasmith.boorus.gelbooru import Gelbooru
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.moebooru import Moebooru
from lorasmith.boorus.sites import find_site

FAMILIES: dict[str, type[Booru]] = {"e621": E621, "danbooru": Danbooru, "gelbooru": Gelbooru, "moebooru": Moebooru}


def open_booru(
    site: str,
    *,
    url: str = "",
    requests_per_second: float = 1.0,
    user: str = "",
    api_key: str = "",
    pace: Pace | None = None,
) -> Booru:
    """Opens the site called `site`, at `url` instead of its own address where one is given; nothing is asked yet.

    `pace` takes the place of `requests_per_second` where more than the rate is to be chosen. Raises `UsageError` when the
    site answers nobody without a key and there is none.
    """
    row = find_site(site, url)
    return FAMILIES[row.family](Client(row, pace or Pace(requests_per_second), user, api_key))
