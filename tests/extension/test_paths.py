"""The pass-through's rules on addresses and headers, each as a function; and the door's cookies."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "extension"))

from lorasmith_webui import paths, wire
from lorasmith_webui.access import Address, Door, comes_from_elsewhere, read_address

HERE = Address("http", "127.0.0.1:7860", "/sd/lorasmith/")


@pytest.mark.parametrize(
    "path",
    [
        "/../config", "/a/../../b", "/%2e%2e/config", "/%2E%2e/x", "/.%2e/x", "/%252e%252e/x", "/%25252e%25252e%25252fx",
        "/..;/x", "/a/./b", "//evil.example/", "/%2f/evil", "/%2f%2fevil", "/a//b", "/http://evil.example/",
        "/a\\..\\b", "/%5c..%5cb", "/a%5cb", "/%00", "/a%0d%0aX: y", "/a%09b", "/..%2fx", "/..%c0%af/../x",
        "/%2525252525252e",
    ],
)  # fmt: skip
def test_a_trick_in_the_address_is_refused(path: str) -> None:
    with pytest.raises(paths.Refused):
        paths.check(path.encode())


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api/health", "/gradio_api/file=/tmp/gradio/ab/a%20picture.png", "/a..b/c...d", "/100%25%20cat.png",
        "/%E3%83%9B%E3%83%AD.png", "/a%2Fb", "/x;y=1", "/.well-known/x", "/theme.css?",
    ],
)  # fmt: skip
def test_an_honest_address_is_passed_on_as_it_is_spelled(path: str) -> None:
    assert paths.check(path.encode()) == path.replace("?", "%3F").encode()


@given(st.binary(max_size=60))
def test_whatever_passes_is_plain_ascii_and_climbs_nowhere(raw: bytes) -> None:
    try:
        passed = paths.check(b"/" + raw)
    except paths.Refused:
        return
    assert passed.isascii() and passed.startswith(b"/") and not passed.startswith(b"//")
    assert b" " not in passed and b".." not in passed.split(b"/")


def test_the_address_below_the_prefix_is_found_with_and_without_a_root_path() -> None:
    for scope in (
        {"raw_path": b"/lorasmith/a%20b", "path": "/lorasmith/a b"},
        {"raw_path": b"/sd/lorasmith/a%20b", "path": "/lorasmith/a b", "root_path": "/sd"},
    ):
        assert paths.below_prefix(scope) == b"/a%20b"
    with pytest.raises(paths.Refused):
        paths.below_prefix({"raw_path": b"/%6corasmith/x", "path": "/lorasmith/x"})


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"3"), (b"content-length", b"4")],
        [(b"content-length", b"3, 4")], [(b"content-length", b"-1")], [(b"content-length", b"+3")],
        [(b"transfer-encoding", b"chunked, identity")], [(b"transfer-encoding", b"xchunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
    ],
)  # fmt: skip
def test_a_body_announced_in_two_ways_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(paths.Refused):
        wire.length_of_body(headers)


def test_what_the_child_may_believe_is_said_by_the_pass_through_alone() -> None:
    outside = [
        (b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-for", b"127.0.0.1"),
        (b"forwarded", b"host=evil.example"), (b"x-lorasmith-key", b"guess"), (b"x-gradio-server", b"http://evil.example"),
        (b"cookie", b"access-token=1"), (b"authorization", b"Basic x"), (b"accept-encoding", b"gzip"),
        (b"connection", b"close, X-Private, Content-Length"), (b"x-private", b"1"), (b"te", b"trailers"),
        (b"upgrade", b"h2c"), (b"accept", b"*/*"),
    ]  # fmt: skip
    sent = wire.for_child(outside, HERE, "the key", 7)
    assert dict(sent) == {
        b"accept": b"*/*",
        b"host": b"127.0.0.1:7860",
        b"x-forwarded-host": b"127.0.0.1:7860",
        b"x-forwarded-proto": b"http",
        b"x-forwarded-prefix": b"/sd/lorasmith",
        b"x-lorasmith-key": b"the key",
        b"accept-encoding": b"identity",
        b"content-length": b"7",
    }
    assert len(dict(sent)) == len(sent)


def test_a_header_with_a_line_end_is_refused() -> None:
    with pytest.raises(paths.Refused):
        wire.for_child([(b"x", b"a\r\nX-Lorasmith-Key: b")], HERE, "key", 0)


def test_a_reply_sets_no_cookie_of_the_hosts_and_is_never_packed_again() -> None:
    back = [(b"Set-Cookie", b"a=b"), (b"Connection", b"X-Inner"), (b"X-Inner", b"1"), (b"Content-Type", b"text/plain")]
    assert dict(wire.for_browser(back, HERE)) == {b"content-type": b"text/plain", b"content-encoding": b"identity"}
    assert dict(wire.for_browser([(b"content-encoding", b"br")], HERE)) == {b"content-encoding": b"br"}


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("/login", "/sd/lorasmith/login"),
        ("/sd/lorasmith/login", "/sd/lorasmith/login"),
        ("http://127.0.0.1:7860/x?y", "/sd/lorasmith/x?y"),
        ("page", "page"),
        ("https://example.org/", "https://example.org/"),
    ],
)
def test_a_redirect_stays_below_the_prefix(said: str, passed: str) -> None:
    assert wire.below_us(said.encode(), HERE) == passed.encode()


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)//lorasmith/", "http://a b/lorasmith/", "http://a/x", "http://a/../lorasmith/",
        "http://user@host/lorasmith/", "http://a/lorasmith/\r\nX: y", "//a/lorasmith/", "http://a/;x/lorasmith/",
        "http://a/lorasmith/?x", "", "http://" + "a" * 2000 + "/lorasmith/",
    ],
)  # fmt: skip
def test_an_address_that_is_none_of_ours_is_not_believed(text: str) -> None:
    assert read_address(text) is None


def door(token: str = "token", secret: bytes = b"secret") -> Door:
    return Door(token, secret)


def given_cookie(at: Door, address: Address = HERE) -> str:
    return at.cookie(address).split(";")[0]


def test_the_cookie_is_strict_hidden_and_bound_to_the_path() -> None:
    words = door().cookie(HERE)
    assert words.endswith("; Path=/sd/lorasmith; HttpOnly; SameSite=Strict")
    assert door().cookie(HERE._replace(scheme="https")).endswith("; SameSite=Strict; Secure")


def test_the_cookie_brings_its_browser_back_and_no_other_start_knows_it() -> None:
    headers = {"cookie": "theme=dark; " + given_cookie(door()), "host": "127.0.0.1:7860"}
    assert door().visitor(headers) == HERE
    assert door(secret=b"of another start").visitor(headers) is None
    assert door("another token").visitor(headers) is None


def test_a_cookie_with_another_address_or_signature_is_refused() -> None:
    name, _, value = given_cookie(door()).partition("=")
    elsewhere = given_cookie(door(), HERE._replace(host="evil.example"))
    for forged in (f"{name}={elsewhere.partition('=')[2]}", f"{name}={value[:-1]}0", f"{name}=", f"{name}=.", f"{name}=é.é"):
        assert door().visitor({"cookie": forged}) is None


def test_of_two_addresses_of_one_browser_the_one_asked_for_counts() -> None:
    proxied = Address("https", "example.org", "/x/lorasmith/")
    both = {"cookie": f"{given_cookie(door(), proxied)}; {given_cookie(door())}"}
    assert door().visitor({**both, "host": "127.0.0.1:7860"}) == HERE
    assert door().visitor({**both, "host": "example.org"}) == proxied


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False), ({"sec-fetch-site": "same-origin"}, False), ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True), ({"sec-fetch-site": "same-site"}, True),
        ({"origin": HERE.origin}, False), ({"origin": "http://evil.example"}, True), ({"origin": "null"}, True),
    ],
)  # fmt: skip
def test_a_request_made_by_another_page_is_seen(headers: dict[str, str], foreign: bool) -> None:
    assert comes_from_elsewhere(headers, {HERE.origin}) is foreign


def test_of_several_cookies_the_one_of_the_origin_counts() -> None:
    door = Door("token", b"secret")
    addresses = [Address("https", name, "/lorasmith/") for name in ("one.example", "inner:7860", "other.example")]
    cookies = "; ".join(door.cookie(address).split(";")[0] for address in addresses)
    for origin, expected in [("https://other.example", 2), ("https://one.example", 0), ("https://else.example", 1)]:
        headers = {"cookie": cookies, "host": "inner:7860", "origin": origin}
        assert door.visitor(headers) == addresses[expected]
    assert door.visitor({"cookie": cookies, "host": "inner:7860"}) == addresses[1]
