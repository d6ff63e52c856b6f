import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lorasmith import __version__
from lorasmith.boorus import client as client_module
from lorasmith.boorus.client import Client, user_agent
from lorasmith.boorus.e621 import E621
from lorasmith.boorus.sites import SITES, find_site
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import SiteBlocked, SiteError, UsageError
from tests.boorus.conftest import Clock
from tests.demo.plain import plain_posts

Serve = Callable[..., DemoBooru]
Open = Callable[..., E621]


@pytest.fixture
def booru(serve: Serve) -> DemoBooru:
    return serve(plain_posts(5), implications={})


def test_the_user_agent_says_who_asks(booru: DemoBooru, open_at: Open) -> None:
    open_at(booru).count("solo")
    assert booru.log[0].headers["user-agent"] == f"lorasmith/{__version__} (by alice on e621)"


def test_without_an_account_the_user_agent_says_so() -> None:
    assert user_agent(SITES["e621"], "") == f"lorasmith/{__version__} (started by a person who has named no account)"
    assert user_agent(SITES["e926"], "Ünï").isascii()
    with pytest.raises(UsageError):
        user_agent(SITES["e621"], "me\r\nX-Evil: 1")


@pytest.mark.parametrize("as_date", [False, True])
def test_a_429_is_retried_when_the_site_says(booru: DemoBooru, open_at: Open, clock: Clock, as_date: bool) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    booru.faults.add(Fault("status", status=429, headers={"Retry-After": date if as_date else "97"}))
    assert open_at(booru).count("solo") == 5
    assert 80 <= sum(clock.slept) <= 101
    assert len(booru.log) == 2


def test_a_429_without_a_time_waits_a_minute(booru: DemoBooru, open_at: Open, clock: Clock) -> None:
    booru.faults.add(Fault("status", status=429))
    open_at(booru).count("solo")
    assert sum(clock.slept) >= 60


@pytest.mark.parametrize("asked", ["3600", "9" * 30, "Wed, 01 Jan 2200 00:00:00 GMT"])
def test_whoever_asks_for_a_long_rest_gets_it_and_is_not_asked_again(
    booru: DemoBooru, open_at: Open, clock: Clock, asked: str
) -> None:
    booru.faults.add(Fault("status", status=429, headers={"Retry-After": asked}))
    with pytest.raises(SiteError, match="asks to be left alone for"):
        open_at(booru).count("solo")
    if asked == "3600":
        with pytest.raises(SiteError, match="left alone for 60 minutes more"):
            open_at(booru).count("solo")
        clock.now += 3601
        assert open_at(booru).count("solo")
    assert len(booru.log) == (2 if asked == "3600" else 1)


def test_a_503_halves_the_rate(booru: DemoBooru, open_at: Open, clock: Clock) -> None:
    booru.faults.add(Fault("page", status=503))
    opened = open_at(booru)
    opened.count("solo")
    assert sum(clock.slept) >= 5
    before = clock.now
    opened.count("solo")
    opened.count("solo")
    assert clock.now - before == pytest.approx(4.0)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 522])
def test_a_site_that_stays_busy_is_given_up_with_a_sentence(booru: DemoBooru, open_at: Open, status: int) -> None:
    booru.faults.add(Fault("status", status=status, times=99, reason="The database timed out"))
    with pytest.raises(SiteError, match=f"answered {status}: The database timed out, 5 times in a row; try again"):
        open_at(booru).count("solo")
    assert len(booru.log) == 5


def test_a_web_page_instead_of_data_blocks(booru: DemoBooru, open_at: Open) -> None:
    booru.faults.add(Fault("page", status=200))
    with pytest.raises(SiteBlocked, match="answered with a web page instead of data"):
        open_at(booru).count("solo")
    assert len(booru.log) == 1


@pytest.mark.parametrize("kind", ["page", "status"])
def test_a_403_stops_at_once(booru: DemoBooru, open_at: Open, kind: str) -> None:
    booru.faults.add(Fault(kind, status=403, reason="Access denied"))
    with pytest.raises(SiteBlocked, match="refuses this client"):
        open_at(booru).count("solo")
    assert len(booru.log) == 1


def test_a_wrong_key_stops_at_once_and_is_not_repeated_in_the_sentence(booru: DemoBooru, open_at: Open) -> None:
    booru.accounts = {"alice": "right"}
    assert open_at(booru, api_key="right").count("solo") == 5
    with pytest.raises(SiteBlocked, match="Check the user name and the API key") as caught:
        open_at(booru, api_key="s3cr3t").count("solo")
    assert "s3cr3t" not in str(caught.value)
    assert len(booru.log) == 2


@pytest.mark.parametrize("status", [400, 410, 422])
def test_a_refused_search_tells_the_site_s_reason(booru: DemoBooru, open_at: Open, status: int) -> None:
    booru.faults.add(Fault("status", status=status, reason="You cannot do that"))
    with pytest.raises(SiteError, match=rf"\({status}: You cannot do that\)"):
        open_at(booru).count("solo")
    assert len(booru.log) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(booru: DemoBooru, open_at: Open) -> None:
    booru.faults.add(Fault("cut", times=2))
    assert open_at(booru).count("solo") == 5
    booru.faults.add(Fault("cut", times=99))
    with pytest.raises(SiteError, match="broke off"):
        open_at(booru).count("solo")


def test_what_is_not_json_gets_a_sentence(booru: DemoBooru, open_at: Open) -> None:
    booru.faults.add(Fault("garbage"))
    with pytest.raises(SiteError, match="not JSON"):
        open_at(booru).count("solo")


def test_an_answer_without_end_is_not_read(booru: DemoBooru, open_at: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "JSON_CEILING", 200)
    with pytest.raises(SiteError, match="more than"):
        list(open_at(booru).search("solo", 5))


def test_a_host_that_is_not_there_gets_a_sentence(clock: Clock) -> None:
    opened = E621(Client(find_site("e621", "http://127.0.0.1:9"), clock.pace(tries=3)))
    with pytest.raises(SiteError, match=r"could not be reached \(no connection\), 3 times"):
        opened.count("solo")


def test_the_key_travels_to_the_site_s_own_host_only(booru: DemoBooru, serve: Serve, open_at: Open) -> None:
    other = serve(plain_posts(1))
    booru.accounts = {"alice": "s3cr3t"}
    booru.faults.add(Fault("redirect", location=f"{other.url}/posts/count.json"))
    with pytest.raises(SiteError, match="not a host of e621"):
        open_at(booru, api_key="s3cr3t").count("solo")
    assert other.log == []
    sent = booru.log[0]
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(b"alice:s3cr3t").decode()
    assert "s3cr3t" not in str(sent.params) + sent.path


def test_a_file_host_of_the_site_does_not_get_the_key(serve: Serve, clock: Clock) -> None:
    api, files = serve(plain_posts(1)), serve(plain_posts(1))
    site = find_site("e621", api.url)
    site = type(site)(site.name, site.url, site.family, (files.url.removeprefix("http://"),))
    api.accounts = {"alice": "s3cr3t"}
    Client(site, clock.pace(), "alice", "s3cr3t").get(f"{files.url}/posts.json").close()
    assert "authorization" not in files.log[0].headers


def test_a_key_is_not_sent_over_an_open_line() -> None:
    with pytest.raises(UsageError, match="not encrypted"):
        Client(find_site("e621", "http://mirror.example"), None, "alice", "key")
    with pytest.raises(UsageError, match="needs the user name"):
        Client(SITES["e621"], None, "", "key")


def test_a_redirect_within_the_site_is_followed_but_not_in_circles(booru: DemoBooru, open_at: Open) -> None:
    booru.faults.add(Fault("redirect", location="/posts/count.json?tags=fox"))
    assert open_at(booru).count("solo") == 5
    booru.faults.add(Fault("redirect", location="/posts/count.json", times=99))
    with pytest.raises(SiteError, match="without end"):
        open_at(booru).count("solo")


def test_two_boorus_opened_in_a_row_share_the_host_s_limiter(booru: DemoBooru, open_at: Open, clock: Clock) -> None:
    open_at(booru).count("solo")
    open_at(booru).count("solo")
    assert sum(clock.slept) == pytest.approx(1.0)


def test_no_more_than_the_asked_rate_reaches_a_strict_site(serve: Serve) -> None:
    strict = serve(plain_posts(3))
    strict.strict = True
    opened = E621(Client(find_site("e621", strict.url), client_module.Pace(2.0)))
    for _ in range(4):
        opened.count("solo")
    assert len(strict.log) == 4
    assert re.match("lorasmith/", strict.log[0].headers["user-agent"])
