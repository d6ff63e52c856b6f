"""The one way out to a site: polite, honest about who asks, and deaf to pages where data should be."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urljoin

import requests
import urllib3

from lorasmith import __version__
from lorasmith.boorus.faults import CalledOffError, LeftAloneError, NotFoundError
from lorasmith.boorus.limiter import LeftAlone, Limiter, Pace, Turns, retry_after, shared_turns
from lorasmith.boorus.sites import Site, demand_allowed, is_loopback
from lorasmith.errors import SiteBlocked, SiteError, UsageError
from lorasmith.folders import data_folder

JSON_CEILING = 32 << 20  # bytes; 320 posts with all their tags are about 2 MB
_BLOCK = 1 << 16
TIMEOUT = (15, 60)  # seconds to connect, and between two blocks
_BUSY = frozenset((429, 500, 502, 503, 504, *range(520, 530)))
_GONE = frozenset((404, 451))  # 451: unavailable for legal reasons, RFC 7725
_MOVED = frozenset((301, 302, 303, 307, 308))
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)  # of a body on its way
_BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def user_agent(site: Site, user: str) -> str:
    """Says honestly who asks: the program, its version, and the person's account where there is one."""
    if any(ord(letter) < 32 for letter in user):
        raise UsageError("The user name holds a control character; write it as the site shows it.")
    who = f"by {quote(user, safe=' -_.~')} on {site.name}" if user else "started by a person who has named no account"
    return f"lorasmith/{__version__} ({who})"


class Client:
    """Asks the hosts of one site; the key travels to the site's own API host only."""

    def __init__(self, site: Site, pace: Pace | None = None, user: str = "", api_key: str = "") -> None:
        self.site = site
        self.pace = pace or Pace()
        self._limiters: dict[str, Limiter] = {}
        self.stopped = threading.Event()  # set by whoever calls the work off: nothing more is asked or read
        self._session = requests.Session()
        self._session.auth = _unchanged  # or requests would look for a login in ~/.netrc
        self._session.trust_env = not is_loopback(site.url)
        self._session.headers["User-Agent"] = user_agent(site, user)
        _demand_usable(site, user, api_key)
        self._login = _basic(user, api_key) if site.key == "header" and api_key else ""
        self._secrets = [secret for secret in (api_key, quote(api_key, safe=""), self._login) if secret]
        self._key = {"user_id": user, "api_key": api_key} if site.key == "parameters" else {}

    def json(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Gives the JSON that the site answers to `path`; raises `SiteBlocked` or `SiteError`."""
        url = self.site.url + path
        for _ in range(3):
            response = self.get(url, params, {"Accept": "application/json"})
            try:
                with response:
                    self._demand_json(response)
                    return self._read_json(response)
            except BROKEN:
                continue
        raise SiteError(f"{self.site.host} broke off its answer three times, or let it trickle; try again later.")

    def get(
        self, url: str, params: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Gives the answer to one request with its body still to be read, after as many tries as the pace allows.

        Follows redirects only between the site's own hosts. Statuses under 400 and 416 come back, others are raised.
        """
        failures, hops = 0, 0
        why = ""
        host = demand_allowed(self.site, url)
        limiter = self._limiter(host)
        while failures < self.pace.tries:
            host = demand_allowed(self.site, url)
            limiter = self._limiter(host)
            self._wait(limiter)
            try:
                response = self._session.get(
                    url,
                    params=self._params(host, params),
                    headers=self._headers(host, headers),
                    stream=True,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
            except _BROKEN as error:
                failures += 1
                why = f"could not be reached ({_short(error)})"
                limiter.pause(self.pace.delay(failures))
                continue
            if response.status_code in _MOVED and hops < 5:
                hops, params = hops + 1, None
                url = urljoin(url, response.headers.get("Location", ""))
                response.close()
                continue
            if response.status_code not in _BUSY:
                limiter.answered()
                return self._demand_served(response)
            failures += 1
            why = f"answered {response.status_code}" + _dotted(self._reason(response))
            with response:
                self._be_patient(limiter, response, failures)
        limiter.failed()  # one request counts once, however often it was tried
        raise SiteError(f"{host} {why}, {failures} times in a row; try again later.")

    def blocks(self, response: requests.Response) -> Iterator[bytes]:
        """Gives the body as it arrives; raises `ConnectionError` when it only trickles, or when the work is called off."""
        started, got = time.monotonic(), 0
        while not self.stopped.is_set():
            block = _some(response)
            if not block:
                return
            got += len(block)
            yield block
            took = time.monotonic() - started
            if took > self.pace.patience and got < took * self.pace.slowest_bytes:
                raise ConnectionError("the answer only trickles")
        raise ConnectionError("called off")

    def _read_json(self, response: requests.Response) -> Any:
        """Reads a JSON body of bounded size; NaN, Infinity and endless numbers are not JSON."""
        body = bytearray()
        for block in self.blocks(response):
            body += block
            if len(body) > JSON_CEILING:
                raise SiteError(f"{self.site.host} answered with more than {JSON_CEILING >> 20} MB of data; it is not read.")
        try:
            return json.loads(bytes(body), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise SiteError(f"{self.site.host} answered with data that is not JSON; try again later.") from error

    def _limiter(self, host: str) -> Limiter:
        """Gives the limiter of a host."""
        if host not in self._limiters:
            rate = self.site.rate(host, self.pace.requests_per_second)
            self._limiters[host] = Limiter(host, rate, self.pace, self.pace.turns or _shared_turns())
        return self._limiters[host]

    def _wait(self, limiter: Limiter) -> None:
        """Waits for this request's turn; raises `SiteError` while the host is left alone, or when the work is called off."""
        try:
            limiter.wait(self.stopped)
        except LeftAlone as error:
            wait = _in_words(error.seconds)
            raise LeftAloneError(
                f"{limiter.host} asked for patience, or failed too often: it is left alone for {wait} more. Then go on."
            ) from error
        if self.stopped.is_set():
            raise CalledOffError(f"The work was called off before {limiter.host} was asked.")

    def _params(self, host: str, params: Mapping[str, str | int] | None) -> Mapping[str, str | int]:
        """Adds the key where the site wants it among the parameters; to its own host alone, and never to a redirect's."""
        if self._key and host == self.site.host and params is not None:
            return {**params, **self._key}
        return params or {}

    def _headers(self, host: str, headers: Mapping[str, str] | None) -> dict[str, str]:
        sent = dict(headers or {})
        if self._login and host == self.site.host:
            sent["Authorization"] = self._login
        return sent

    def _be_patient(self, limiter: Limiter, response: requests.Response, failures: int) -> None:
        """Waits as the site asks, or as its status does; what is asked for too long ends the run, and is kept all the same."""
        status = response.status_code
        if status == 503:
            limiter.slow_down()
        asked = retry_after(response.headers.get("Retry-After"))
        if asked is not None and asked > self.pace.longest_wait:
            limiter.close(asked)
            wait = _in_words(asked)
            raise LeftAloneError(f"{limiter.host} asks to be left alone for {wait} ({status}). Run the same command again then.")
        least = {429: 60.0, 503: 5.0}.get(status, 0.0)
        limiter.pause(self.pace.delay(failures, asked, least))

    def _reason(self, response: requests.Response) -> str:
        """Gives the site's own short reason; a key that it repeats is not shown."""
        words = _told_reason(response)
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words

    def _demand_served(self, response: requests.Response) -> requests.Response:
        """Passes an answer on, or raises the sentence for its status."""
        status, host = response.status_code, demand_allowed(self.site, response.url)
        if status < 300 or status == 416:
            return response
        reason = _dotted(self._reason(response))
        page = _is_page(response)
        response.close()
        if status == 401:
            raise SiteBlocked(f"{host} refuses the login{reason}. Check the user name and the API key.")
        if status < 400:
            raise SiteError(f"{host} sends this client from one place to the next without end ({status}).")
        if status == 403 or (page and status not in _GONE):
            raise SiteBlocked(
                f"{host} refuses this client ({status}{reason}). The run stops here; nothing is tried around it. "
                "Look at the site in a browser, and set your own user name if you have not."
            )
        if status in _GONE:
            what = "has nothing there" if status == 404 else "has taken this down"
            raise NotFoundError(f"{host} {what} ({status}{reason}).")
        raise SiteError(f"{host} refused the request ({status}{reason}); change the search, or narrow it.")

    def _demand_json(self, response: requests.Response) -> None:
        kind = response.headers.get("Content-Type", "")
        if "json" not in kind.lower():
            what = "a web page" if _is_page(response) else f"'{kind}'"
            raise SiteBlocked(
                f"{self.site.host} answered with {what} instead of data. It may be closed to this client or under "
                "maintenance; the run stops here. Look at it in a browser, and try again later."
            )


@cache
def _shared_turns() -> Turns:
    """Gives the turns of all of this person's processes."""
    return shared_turns(data_folder() / "turns.db")


def _in_words(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _demand_usable(site: Site, user: str, api_key: str) -> None:
    """Raises `UsageError` for a login that is half there, would travel in the clear, or is missing where it must not be."""
    if site.needs_key and not (user and api_key) and not is_loopback(site.url):
        word = site.name.upper()
        raise UsageError(
            f"{site.name} answers nobody without a key: set LORASMITH_{word}_USER (the number of your account there) and "
            f"LORASMITH_{word}_KEY, or write both to accounts.toml (docs/stages.md, download)."
        )
    if api_key and not user:
        raise UsageError(f"An API key for {site.name} needs the user name it belongs to.")
    if api_key and not site.keeps_secrets:
        raise UsageError(f"{site.url} is not encrypted: no API key is sent there. Use https, or leave the key out.")


def _basic(user: str, api_key: str) -> str:
    """Writes the Basic login (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{api_key}".encode()).decode("ascii")


def _is_page(response: requests.Response) -> bool:
    return "html" in response.headers.get("Content-Type", "").lower()


def _told_reason(response: requests.Response) -> str:
    """Gives the site's own short reason out of a JSON error, or nothing."""
    if "json" not in response.headers.get("Content-Type", "").lower():
        return ""
    try:
        answer = json.loads(_some(response)[:8192])
    except (ValueError, RecursionError, *BROKEN):
        return ""
    if not isinstance(answer, dict):
        return ""
    words = answer.get("reason") or answer.get("message") or answer.get("error") or ""
    return " ".join(str(words).split())[:200].rstrip(".")


def _dotted(reason: str) -> str:
    return f": {reason}" if reason else ""


def _short(error: Exception) -> str:
    return "no answer in time" if isinstance(error, requests.Timeout) else "no connection"


def _some(response: requests.Response) -> bytes:
    """Gives the bytes that are there, at most a block; a plain read would wait for a whole one, however slowly it comes."""
    data: bytes = response.raw.read1(_BLOCK, decode_content=True)
    return data


def _no_constant(name: str) -> None:
    raise ValueError(name)
