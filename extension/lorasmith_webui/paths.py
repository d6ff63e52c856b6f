"""Which request targets are passed on, and in which spelling: nothing that two readers could take for two things."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

PREFIX = b"/lorasmith"
UNSAFE_IN_PATH = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/%-]")
UNSAFE_IN_QUERY = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]")
DEEPEST = 4  # times that a target may be percent-encoded over itself


class Refused(Exception):
    """The request is not passed on; the text says why."""


def below_prefix(scope: dict) -> bytes:
    """Returns the raw path below `/lorasmith`, percent-encoding kept."""
    raw = (scope.get("raw_path") or scope["path"].encode()).split(b"?")[0]
    root = scope.get("root_path", "").encode()
    if root and raw.startswith(root + PREFIX):
        raw = raw[len(root) :]
    if not raw.startswith(PREFIX + b"/"):
        raise Refused("the address does not begin with /lorasmith/ once it is spelled plainly")
    return raw[len(PREFIX) :]


def check(path: bytes) -> bytes:
    """Returns the path as it is sent on, or refuses it; looks behind repeated percent-encoding too."""
    seen = path
    for _ in range(DEEPEST):
        if trick := trick_in(seen):
            raise Refused(f"the address holds {trick}")
        plain = unquote_to_bytes(seen)
        if plain == seen:
            return UNSAFE_IN_PATH.sub(lambda found: b"%%%02X" % found[0][0], path)
        seen = plain
    raise Refused("the address is percent-encoded over and over")


def trick_in(path: bytes) -> str:
    """Returns what in this spelling leads elsewhere than it seems, or nothing."""
    if any(byte < 0x20 or byte == 0x7F for byte in path):
        return "a control character"
    if b"\\" in path:
        return "a backslash"
    if b"//" in path:
        return "two slashes in a row"
    if any(segment.split(b";")[0] in (b".", b"..") for segment in path.split(b"/")):
        return "a dot segment"
    return ""


def target(scope: dict) -> str:
    """Returns path and query as the child gets them."""
    path = check(below_prefix(scope))
    query = UNSAFE_IN_QUERY.sub(lambda found: b"%%%02X" % found[0][0], scope.get("query_string", b""))
    return (path + (b"?" + query if query else b"")).decode("ascii")
