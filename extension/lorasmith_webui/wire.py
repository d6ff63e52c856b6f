"""Which headers cross the pass-through, in both directions."""

from __future__ import annotations

from collections.abc import Iterable

from lorasmith_webui.access import Address
from lorasmith_webui.paths import Refused

# They speak about one connection, so they end with it (RFC 9110, section 7.6.1).
HOP_BY_HOP = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"trailers", b"transfer-encoding", b"upgrade",
}  # fmt: skip
# The host's business (its login), or ours to say.
NOT_FOR_THE_CHILD = {
    b"host", b"cookie", b"authorization", b"accept-encoding", b"content-length", b"expect", b"forwarded", b"x-real-ip",
    b"x-gradio-server", b"http2-settings",
}  # fmt: skip
OURS = (b"x-forwarded-", b"x-lorasmith-")
# A cookie of the child would land on the host's origin, beside the host's own login.
NOT_FOR_THE_BROWSER = {b"set-cookie", b"server", b"date", b"alt-svc", b"x-lorasmith-key"}
NAMED_IN_VAIN = {b"content-length", b"content-type", b"content-encoding", b"host"}  # not hop-by-hop, whoever says so


def lowered(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers]


def named_by_connection(headers: list[tuple[bytes, bytes]]) -> set[bytes]:
    """Returns the headers that `Connection` declares to be for this connection alone."""
    words = b",".join(value for name, value in headers if name == b"connection")
    return {word.strip().lower() for word in words.split(b",")} - NAMED_IN_VAIN


def length_of_body(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Returns the announced length, None for a body of unknown length; refuses what announces two things."""
    lengths = [value for name, value in headers if name == b"content-length"]
    encodings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if encodings:
        if lengths or encodings != [b"chunked"]:
            raise Refused("the request announces its length in two ways")
        return None
    if len(lengths) > 1 or not all(value.isdigit() and len(value) < 19 for value in lengths):
        raise Refused("the request announces no clear length")
    return int(lengths[0]) if lengths else 0


def for_child(
    headers: list[tuple[bytes, bytes]], address: Address, key: str, length: int | None
) -> list[tuple[bytes, bytes]]:
    """Returns the request's headers as the child gets them; what it may believe of the outside is said by us alone."""
    if any(byte in value for _, value in headers for byte in (b"\r", b"\n", b"\0")):
        raise Refused("a header holds a line end")
    dropped = HOP_BY_HOP | NOT_FOR_THE_CHILD | named_by_connection(headers)
    kept = [(name, value) for name, value in headers if name not in dropped and not name.startswith(OURS)]
    host = address.host.encode()
    ours = [
        (b"host", host),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", address.scheme.encode()),
        (b"x-forwarded-prefix", address.path[:-1].encode()),
        (b"x-lorasmith-key", key.encode()),
        (b"accept-encoding", b"identity"),
    ]
    # A length kept is a body not sent in chunks.
    return [*kept, *ours, *([(b"content-length", b"%d" % length)] if length else [])]


def for_browser(headers: Iterable[tuple[bytes, bytes]], address: Address) -> list[tuple[bytes, bytes]]:
    """Returns the reply's headers as the browser gets them."""
    headers = lowered(headers)
    dropped = HOP_BY_HOP | NOT_FOR_THE_BROWSER | named_by_connection(headers)
    kept = [(name, value) for name, value in headers if name not in dropped]
    kept = [(name, below_us(value, address) if name == b"location" else value) for name, value in kept]
    if not any(name == b"content-encoding" for name, _ in kept):
        # Else the host's gzip layer packs event streams, and holds them back until they end.
        kept.append((b"content-encoding", b"identity"))
    return kept


def below_us(location: bytes, address: Address) -> bytes:
    """Returns a redirect's target below our own path, where the child thought that it stands at the root."""
    origin, path = address.origin.encode(), address.path.encode()
    place = location[len(origin) :] if location.startswith(origin + b"/") else location
    if place.startswith(b"/") and not place.startswith((b"//", path)):
        return path[:-1] + place
    return place
